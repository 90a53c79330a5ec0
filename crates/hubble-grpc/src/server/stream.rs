//! Answers that come one after another, as fast as a client takes them.

use std::pin::Pin;
use std::sync::Arc;

use tokio::sync::mpsc;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

use super::State;

/// What a client gets.
pub type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// What a client gets: whatever the task sends, until the task, the client or the server ends. So many
/// answers may wait for it.
pub fn stream<T: Send + 'static, F: Future<Output = ()> + Send + 'static>(
    state: &Arc<State>,
    waiting: usize,
    task: impl FnOnce(Arc<State>, mpsc::Sender<Result<T, Status>>) -> F,
) -> Response<Answers<T>> {
    let (sender, receiver) = mpsc::channel(waiting);
    let (telling, over) = (task(Arc::clone(state), sender.clone()), Arc::clone(state));
    tokio::spawn(async move {
        tokio::select! {
            () = telling => {}
            () = over.over() => {}
            () = sender.closed() => {}
        }
    });
    Response::new(Box::pin(ReceiverStream::new(receiver)))
}
