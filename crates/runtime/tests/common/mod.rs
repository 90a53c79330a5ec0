//! A source that is followed in a thread, and what it has told so far.

use std::path::Path;
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Instant;

use chandra_identity::description::{
    ContainerDescription, ContainerState, Descriptions, Limits, RuntimeId,
};
use chandra_runtime::{Change, Handle, Options, Source};
use chandra_tests::patience::PATIENCE;

pub struct Watch {
    pub told: Descriptions,
    pub handle: Handle,
    changes: mpsc::Receiver<Change>,
    thread: Option<JoinHandle<()>>,
}

impl Watch {
    pub fn start(socket: &Path, options: Options) -> Self {
        let mut source = Source::connect(socket, options).unwrap();
        let handle = source.handle();
        let (to, changes) = mpsc::channel();
        let thread = std::thread::spawn(move || source.watch(|change| drop(to.send(change))));
        let told = Descriptions::new(Limits::default());
        Self { changes, told, handle, thread: Some(thread) }
    }

    /// Takes in the next change.
    #[track_caller]
    pub fn next(&mut self, until: Instant, what: &str) -> Change {
        let change = self.changes.recv_timeout(until.saturating_duration_since(Instant::now()));
        let change = change.unwrap_or_else(|_| panic!("waited in vain for {what}"));
        self.told.apply(change.clone(), 0);
        change
    }

    /// Takes in changes until one is as wanted.
    #[track_caller]
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Change) -> bool) -> Change {
        let until = Instant::now() + PATIENCE;
        loop {
            let change = self.next(until, what);
            if wanted(&change) {
                return change;
            }
        }
    }

    #[track_caller]
    pub fn wait_until_fresh(&mut self) {
        self.wait_for("Fresh", |change| *change == Change::Fresh);
    }

    #[track_caller]
    pub fn wait_until_running(&mut self, id: &str) {
        self.wait_for("a running container", |change| match change {
            Change::Seen(container) => is_running(container) && is(&container.id, id),
            _ => false,
        });
    }

    #[track_caller]
    pub fn wait_until_gone(&mut self, id: &str) {
        self.wait_for("the container to go", |change| match change {
            Change::Gone(gone) => is(gone, id),
            _ => false,
        });
    }

    #[track_caller]
    pub fn wait_until_stale(&mut self) -> String {
        match self.wait_for("Stale", |change| matches!(change, Change::Stale(_))) {
            Change::Stale(reason) => reason,
            _ => unreachable!(),
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.handle.stop();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))));
    }
}

pub fn is(id: &RuntimeId, expected: &str) -> bool {
    id.as_str() == expected
}

pub fn is_running(container: &ContainerDescription) -> bool {
    container.state == ContainerState::Running
}
