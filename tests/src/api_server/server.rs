//! An HTTP server on loopback that answers what a test wants, also what no API server should.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};

/// A request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// `GET`
    pub method: String,
    /// `/api/v1/pods`
    pub path: String,
    /// What stands behind the path.
    pub query: BTreeMap<String, String>,
    /// `Authorization`, as it was sent.
    pub token: Option<String>,
}

impl Asked {
    /// A value of the query.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str)
    }

    /// It wants to hear what changes.
    pub fn is_watch(&self) -> bool {
        self.get("watch") == Some("true")
    }

    /// The last word of the path.
    ///
    /// # Panics
    /// Never: every path has one.
    pub fn resource(&self) -> &str {
        self.path.rsplit('/').next().unwrap()
    }
}

/// What a request gets.
#[derive(Debug)]
pub enum Answer {
    /// This status and body, and perhaps `Retry-After`.
    Whole(u16, Vec<u8>, Option<u32>),
    /// Pieces whenever the test sends one, until it drops its end.
    Pieces(mpsc::UnboundedReceiver<Piece>),
    /// Nothing, for ever.
    Silence,
    /// A WebSocket by which ports of a pod are forwarded, to this address.
    Forward(SocketAddr),
}

/// A piece of an answer.
#[derive(Debug)]
pub enum Piece {
    /// Some of it.
    Bytes(Vec<u8>),
    /// The connection ends here.
    Cut,
}

type AnswerTo = dyn Fn(&Asked) -> Answer + Send + Sync;

/// Stops, with all of its connections, when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// Where it listens.
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// On some port of loopback, without TLS.
    pub fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::at(([127, 0, 0, 1], 0).into(), None, answer)
    }

    /// At this address, with TLS if it is given.
    ///
    /// # Panics
    /// When the address cannot be had.
    pub fn at(
        address: SocketAddr,
        tls: Option<tokio_rustls::TlsAcceptor>,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        // The standard library lets a port be taken again at once.
        let listener = crate::patience::wait_for("the port", || TcpListener::bind(address).ok());
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        let answer: Arc<AnswerTo> = Arc::new(move |request: &Asked| {
            noted.lock().unwrap().push(request.clone());
            answer(request)
        });
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(&listener, tls.as_ref(), &answer) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { address, asked, stop: Some(stop), thread: Some(thread) }
    }

    /// All requests so far.
    ///
    /// # Panics
    /// When an answer panicked.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

async fn accept(
    listener: &tokio::net::TcpListener,
    tls: Option<&tokio_rustls::TlsAcceptor>,
    answer: &Arc<AnswerTo>,
) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (answer, tls) = (Arc::clone(answer), tls.cloned());
        tokio::spawn(async move {
            match tls {
                None => serve(stream, answer).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, answer).await;
                    }
                }
            }
        });
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    answer: Arc<AnswerTo>,
) {
    let service = hyper::service::service_fn(move |request| {
        let answer = Arc::clone(&answer);
        async move { Ok::<_, Infallible>(respond(request, &answer).await) }
    });
    let server = hyper::server::conn::http1::Builder::new();
    drop(server.serve_connection(TokioIo::new(stream), service).with_upgrades().await);
}

async fn respond(request: Request<Incoming>, answer: &Arc<AnswerTo>) -> Response<Pieces> {
    let pairs = request.uri().query().unwrap_or_default().split('&');
    let query = pairs.filter_map(|pair| pair.split_once('='));
    let token = request.headers().get("authorization").map(|it| it.to_str().unwrap().to_owned());
    let asked = Asked {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: query.map(|(key, value)| (key.to_owned(), decoded(value))).collect(),
        token,
    };
    let mut response = Response::builder().header("content-type", "application/json");
    let pieces = match answer(&asked) {
        Answer::Whole(status, body, retry_after) => {
            response = response.status(status);
            if let Some(seconds) = retry_after {
                response = response.header("retry-after", seconds);
            }
            let (to, pieces) = mpsc::unbounded_channel();
            drop(to.send(Piece::Bytes(body)));
            pieces
        }
        Answer::Pieces(pieces) => pieces,
        Answer::Silence => std::future::pending().await,
        Answer::Forward(to) => return super::forward::upgrade(request, to),
    };
    response.body(Pieces(pieces)).unwrap()
}

fn decoded(value: &str) -> String {
    let mut parts = value.split('%');
    let mut out = parts.next().unwrap().to_owned();
    for part in parts {
        out.push(char::from(u8::from_str_radix(&part[..2], 16).unwrap()));
        out.push_str(&part[2..]);
    }
    out
}

pub(super) struct Pieces(pub mpsc::UnboundedReceiver<Piece>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<std::io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(context).map(|piece| match piece? {
            Piece::Bytes(bytes) => Some(Ok(Frame::data(bytes.into()))),
            Piece::Cut => Some(Err(std::io::Error::other("cut by the test"))),
        })
    }
}
