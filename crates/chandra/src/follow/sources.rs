//! Those who describe containers and addresses, each in a thread of its own; what they find out reaches
//! the teller as messages. Nothing waits for them: a runtime that is not there yet is looked for again and
//! again.

use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use chandra_identity::description::Change;
use chandra_identity::{cluster, translation};
use chandra_kubernetes::{Access, RemotePods};
use chandra_runtime::bundles::{self, Bundles};
use chandra_runtime::{Error, Handle, Options, Source, usual};

use super::drain::Message;

/// How long to wait before a runtime that was not there is looked for again.
const AGAIN: Duration = Duration::from_secs(2);

/// Which container runtime to ask.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum RuntimeChoice {
    /// The first that answers in the usual places.
    #[default]
    Found,
    /// This one.
    Socket(PathBuf),
}

/// Which cluster's API to ask.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesChoice {
    /// How it is found.
    pub access: Access,
    /// This node's name there.
    pub node: String,
    /// Which pods are wanted.
    pub remote_pods: RemotePods,
}

/// Who is asked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    /// The container runtime; none is asked when absent.
    pub runtime: Option<RuntimeChoice>,
    /// The cluster's API; none is asked when absent.
    pub kubernetes: Option<KubernetesChoice>,
    /// Where the host's files are, in which runtimes keep bundles; none is looked for when absent.
    pub host_root: Option<PathBuf>,
    /// Connection tracking is asked where dialled addresses led to.
    pub translations: bool,
}

impl Sources {
    /// Nobody is asked.
    pub const NOBODY: Self =
        Self { runtime: None, kubernetes: None, host_root: None, translations: false };
}

/// What a source found out.
#[derive(Debug)]
pub enum News {
    /// A runtime answers; it can be asked to look at a container at once.
    Runtime(Handle),
    /// No runtime answers.
    NoRuntime,
    /// A runtime says this.
    Described(Change),
    /// A cluster is asked; this ends it.
    Cluster(chandra_kubernetes::Handle),
    /// The cluster's API says this.
    OfCluster(Box<cluster::Change>),
    /// Connection tracking has this, of what it had before it was listened to.
    Translations(Vec<translation::Change>),
}

impl Sources {
    /// Whether containers are likely to be described.
    pub fn describe_containers(&self) -> bool {
        self.has_runtime() || self.kubernetes.is_some()
    }

    /// A runtime is named, or its socket is there.
    pub(super) fn has_runtime(&self) -> bool {
        match &self.runtime {
            Some(RuntimeChoice::Socket(_)) => true,
            Some(RuntimeChoice::Found) => usual(Path::new("/")).any(|socket| socket.exists()),
            None => false,
        }
    }

    /// The bundles on this host, with a thread that looks for them.
    pub(super) fn bundles(
        &self,
        messages: &SyncSender<Message>,
    ) -> Option<(Bundles, bundles::Handle)> {
        let root = self.host_root.as_deref()?;
        let found = Bundles::below(root).inspect_err(|error| {
            let root = root.display();
            eprintln!("warning: bundles of containers are not looked for: {root}: {error}");
        });
        let (found, messages) = (found.ok()?, messages.clone());
        let tell = move |change| messages.send(Message::News(News::Described(change))).is_ok();
        Some((found.clone(), bundles::watch(found, tell)))
    }

    /// Starts asking.
    pub(super) fn start(&self, messages: &SyncSender<Message>) {
        if let Some(choice) = self.runtime.clone() {
            let messages = messages.clone();
            std::thread::spawn(move || ask_runtime(&choice, &messages));
        }
        if let Some(choice) = self.kubernetes.clone() {
            let messages = messages.clone();
            std::thread::spawn(move || ask_cluster(choice, &messages));
        }
    }
}

/// Asks a runtime until nobody listens any more. That a runtime which was named does not answer is
/// said once.
fn ask_runtime(choice: &RuntimeChoice, messages: &SyncSender<Message>) {
    let mut is_told = false;
    loop {
        match connect(choice) {
            Ok(source) => return watch(source, messages),
            Err(error) => {
                let is_expected = matches!(choice, RuntimeChoice::Socket(_));
                if is_expected && !std::mem::replace(&mut is_told, true) {
                    eprintln!(
                        "warning: the container runtime does not answer: {error}; it is tried again"
                    );
                }
            }
        }
        if messages.send(Message::News(News::NoRuntime)).is_err() {
            return;
        }
        std::thread::sleep(AGAIN);
    }
}

/// Asks a cluster until nobody listens any more. Its server may be away: it is waited for.
fn ask_cluster(choice: KubernetesChoice, messages: &SyncSender<Message>) {
    let options = chandra_kubernetes::Options {
        remote_pods: choice.remote_pods,
        ..chandra_kubernetes::Options::new(choice.access, choice.node)
    };
    let mut source = match chandra_kubernetes::Source::connect(options) {
        Ok(source) => source,
        Err(error) => {
            eprintln!("warning: the cluster is not asked: {error}; {}", error.next());
            return;
        }
    };
    let handle = source.handle();
    if messages.send(Message::News(News::Cluster(handle.clone()))).is_err() {
        return;
    }
    source.watch(|change| {
        if messages.send(Message::News(News::OfCluster(Box::new(change)))).is_err() {
            handle.stop();
        }
    });
}

fn connect(choice: &RuntimeChoice) -> Result<Source, Error> {
    match choice {
        RuntimeChoice::Found => Source::find(Path::new("/"), Options::default()),
        RuntimeChoice::Socket(socket) => Source::connect(socket, Options::default()),
    }
}

fn watch(mut source: Source, messages: &SyncSender<Message>) {
    let handle = source.handle();
    if messages.send(Message::News(News::Runtime(handle.clone()))).is_err() {
        return;
    }
    source.watch(|change| {
        if messages.send(Message::News(News::Described(change))).is_err() {
            handle.stop();
        }
    });
}
