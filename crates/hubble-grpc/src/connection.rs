//! A connection of whatever kind, as one type.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio_rustls::TlsStream;
use tonic::transport::server::Connected;

use crate::client::{Io, Noticed};
use crate::tls::Failure;

/// A connection, and its place among those that there may be.
pub struct Connection {
    stream: Stream,
    _place: Option<OwnedSemaphorePermit>,
    /// Where a failure of TLS is noted that comes in.
    noticed: Option<Noticed>,
}

/// What it goes over.
pub enum Stream {
    /// On the same machine.
    Unix(UnixStream),
    /// In clear text.
    Tcp(TcpStream),
    /// Encrypted.
    Tls(Box<TlsStream<TcpStream>>),
    /// By a way of its own.
    Other(Box<dyn Io>),
}

impl Connection {
    /// One that takes a place until it ends.
    pub fn in_place(stream: Stream, place: OwnedSemaphorePermit) -> Self {
        Self { stream, _place: Some(place), noticed: None }
    }

    /// One that notes why TLS fails, if it does.
    pub fn noticing(stream: Stream, noticed: Noticed) -> Self {
        Self { stream, _place: None, noticed: Some(noticed) }
    }
}

impl From<Stream> for Connection {
    fn from(stream: Stream) -> Self {
        Self { stream, _place: None, noticed: None }
    }
}

/// Calls the same method of whichever it is.
macro_rules! each {
    ($connection:expr, $stream:ident => $call:expr) => {
        match &mut $connection.as_mut().get_mut().stream {
            Stream::Unix($stream) => $call,
            Stream::Tcp($stream) => $call,
            Stream::Tls($stream) => $call,
            Stream::Other($stream) => $call,
        }
    };
}

impl Connection {
    /// Who cannot write any more was mostly told why before that. So an error of writing waits until all
    /// that came in is read, which does not take long: the other end is gone.
    fn after_reading_why<T>(
        self: &mut Pin<&mut Self>,
        done: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if !matches!(done, Poll::Ready(Err(_))) || self.noticed.is_none() {
            return done;
        }
        let mut bytes = [0; 1024];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match self.as_mut().poll_read(context, &mut buffer) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
                Poll::Ready(_) => return done,
            }
        }
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = each!(self, stream => Pin::new(stream).poll_read(context, buffer));
        if let (Poll::Ready(Err(error)), Some(noticed)) = (&read, &self.noticed)
            && let Some(failure) = Failure::of(error)
        {
            let _ = noticed.set(failure);
        }
        read
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = each!(self, stream => Pin::new(stream).poll_write(context, bytes));
        self.after_reading_why(written, context)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = each!(self, stream => Pin::new(stream).poll_flush(context));
        self.after_reading_why(flushed, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, stream => Pin::new(stream).poll_shutdown(context))
    }
}

impl Connected for Connection {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
