//! A gRPC server on a Unix socket that answers what a test wants, also what no runtime should.

use std::convert::Infallible;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use chandra_tests::scratch::Scratch;
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::sync::{mpsc, oneshot};

/// What a call gets.
pub enum Answer {
    /// One message.
    Message(Vec<u8>),
    /// These bytes where the frame of a message should be.
    Raw(Vec<u8>),
    /// A refusal with a gRPC code.
    Refusal(u32),
    /// A message whenever the test sends one, until it drops its end.
    Stream(mpsc::UnboundedReceiver<Vec<u8>>),
    /// Nothing, for ever.
    Silence,
}

pub const NOT_FOUND: u32 = 5;
pub const UNIMPLEMENTED: u32 = 12;

/// Stops when it is dropped.
pub struct Server {
    folder: Scratch,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Server {
    /// Answers calls by their name and the bytes of their first field, which is an id in most.
    pub fn start(answer: impl Fn(&str, &str) -> Answer + Send + Sync + 'static) -> Self {
        let folder = Scratch::new();
        let (stop, stopped) = oneshot::channel();
        let listener = std::os::unix::net::UnixListener::bind(folder.at("cri.sock")).unwrap();
        listener.set_nonblocking(true).unwrap();
        let answer: Arc<AnswerTo> = Arc::new(answer);
        let thread = std::thread::spawn(move || {
            let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            tokio.block_on(async {
                let listener = tokio::net::UnixListener::from_std(listener).unwrap();
                tokio::select! {
                    () = accept(&listener, &answer) => {}
                    _ = stopped => {}
                }
            });
        });
        Self { folder, stop: Some(stop), thread: Some(thread) }
    }

    pub fn socket(&self) -> PathBuf {
        self.folder.at("cri.sock")
    }

    #[allow(dead_code, reason = "not every test puts files there")]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

type AnswerTo = dyn Fn(&str, &str) -> Answer + Send + Sync;

async fn accept(listener: &tokio::net::UnixListener, answer: &Arc<AnswerTo>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let answer = Arc::clone(answer);
        tokio::spawn(async move {
            let service = hyper::service::service_fn(move |request| {
                let answer = Arc::clone(&answer);
                async move { Ok::<_, Infallible>(respond(request, &answer).await) }
            });
            let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            drop(server.serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

async fn respond(request: Request<Incoming>, answer: &Arc<AnswerTo>) -> Response<Frames> {
    let call = request.uri().path().rsplit('/').next().unwrap().to_owned();
    let bytes = collect(request.into_body()).await;
    let (to, frames) = mpsc::unbounded_channel();
    let mut code = 0;
    match answer(&call, &first_field(&bytes)) {
        Answer::Message(message) => drop(to.send(Frame::data(framed(&message)))),
        Answer::Raw(bytes) => drop(to.send(Frame::data(bytes.into()))),
        Answer::Refusal(refusal) => code = refusal,
        Answer::Silence => std::future::pending().await,
        Answer::Stream(mut messages) => {
            tokio::spawn(async move {
                while let Some(message) = messages.recv().await {
                    drop(to.send(Frame::data(framed(&message))));
                }
                drop(to.send(Frame::trailers(trailers(0))));
            });
            return response(frames);
        }
    }
    drop(to.send(Frame::trailers(trailers(code))));
    response(frames)
}

fn response(frames: mpsc::UnboundedReceiver<Frame<Bytes>>) -> Response<Frames> {
    let response = Response::builder().header("content-type", "application/grpc");
    response.body(Frames(frames)).unwrap()
}

fn trailers(code: u32) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", code.into());
    trailers
}

async fn collect(mut body: Incoming) -> Vec<u8> {
    let mut bytes = Vec::new();
    let next = |body: &mut Incoming, context: &mut Context<'_>| Pin::new(body).poll_frame(context);
    while let Some(Ok(frame)) = std::future::poll_fn(|context| next(&mut body, context)).await {
        bytes.extend_from_slice(&frame.into_data().unwrap_or_default());
    }
    bytes
}

struct Frames(mpsc::UnboundedReceiver<Frame<Bytes>>);

impl Body for Frames {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0.poll_recv(context).map(|frame| frame.map(Ok))
    }
}

fn framed(message: &[u8]) -> Bytes {
    let mut bytes = vec![0];
    bytes.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(message);
    bytes.into()
}

/// The first field of a framed request, if it is a short text.
fn first_field(bytes: &[u8]) -> String {
    let text = || {
        let length = usize::from(*bytes.get(6)?);
        String::from_utf8(bytes.get(7..7 + length)?.to_vec()).ok()
    };
    text().unwrap_or_default()
}
