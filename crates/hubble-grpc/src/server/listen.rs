//! Connections as they come, of all listeners, encrypted where that is asked for.
//!
//! Invariants: there are never more than [`MOST_CONNECTIONS`]; who comes when all places are taken
//! waits. A handshake has a ceiling in time and delays nobody else's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;

use super::Bound;
use crate::connection::{Connection, Stream};
use crate::tls::Reloading;

const MOST_CONNECTIONS: usize = 256;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// Before the next try, where a connection could not be accepted: there may be no descriptors left.
const PAUSE: Duration = Duration::from_millis(50);

type Sender = mpsc::Sender<io::Result<Connection>>;

/// All connections from now on.
///
/// # Errors
/// When a listener cannot be waited for.
pub fn incoming(bound: &mut Bound) -> io::Result<ReceiverStream<io::Result<Connection>>> {
    let (sender, receiver) = mpsc::channel(1);
    let places = Arc::new(Semaphore::new(MOST_CONNECTIONS));
    if let Some(unix) = bound.unix.take() {
        let listener = UnixListener::from_std(unix)?;
        let (sender, places) = (sender.clone(), Arc::clone(&places));
        tokio::spawn(async move {
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                match listener.accept().await {
                    Ok((stream, _)) => hand_over(Stream::Unix(stream), place, &sender).await,
                    Err(_) => sleep(PAUSE).await,
                }
            }
        });
    }
    if let Some(tcp) = bound.tcp.take() {
        let listener = TcpListener::from_std(tcp)?;
        let tls = bound.tls.take().map(Arc::new);
        tokio::spawn(async move {
            while let Ok(place) = Arc::clone(&places).acquire_owned().await {
                match listener.accept().await {
                    Ok((stream, _)) => begin(stream, place, tls.as_deref(), &sender).await,
                    Err(_) => sleep(PAUSE).await,
                }
            }
        });
    }
    Ok(ReceiverStream::new(receiver))
}

/// Hands a connection of TCP over, after its handshake where there is one.
async fn begin(
    stream: TcpStream,
    place: OwnedSemaphorePermit,
    tls: Option<&Reloading>,
    sender: &Sender,
) {
    // It only makes answers wait.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return hand_over(Stream::Tcp(stream), place, sender).await };
    let (acceptor, sender) = (TlsAcceptor::from(tls.config()), sender.clone());
    tokio::spawn(async move {
        // Who fails is told by TLS itself.
        if let Ok(Ok(stream)) = timeout(HANDSHAKE, acceptor.accept(stream)).await {
            hand_over(Stream::Tls(Box::new(stream.into())), place, &sender).await;
        }
    });
}

async fn hand_over(stream: Stream, place: OwnedSemaphorePermit, sender: &Sender) {
    // Nobody there to take it: the server ends.
    let _ = sender.send(Ok(Connection::in_place(stream, place))).await;
}
