//! `chandra list`: what is there now. The kernel's task iterator tells of every process, the mounted
//! hierarchies of every cgroup, a container runtime (where one answers) of containers and pods by
//! name, and the tables of `chandra-identity` put them together, as they do for every record.

mod containers;
mod pods;
mod processes;

use std::path::Path;

use chandra_doctor::{Check, Problem};
use chandra_event::record::Record;
use chandra_identity::container::{Container, Number, Tasks};
use chandra_identity::description::{Change, RuntimeId};
use chandra_identity::process::ProcessEntry;
use chandra_identity::selector::{Place, Selector, Subject, Verdict};
use chandra_identity::{Identity, subject};
use chandra_loader::load::Loaded;
use chandra_runtime::bundles::Bundles;
use chandra_runtime::{Error as RuntimeError, Options as RuntimeOptions, Source};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_signals::{Context, Signal};

use crate::cli::list::{ListKind, ListOptions};
use crate::output;
use crate::session::{self, Watch};

/// Everything that is there now.
struct Now<'a> {
    options: &'a ListOptions,
    context: Context,
    identity: Identity,
}

/// Prints the list.
pub fn run(options: &ListOptions) -> Result<(), Problem> {
    let mut now = Now::look(options)?;
    let text = match options.kind {
        ListKind::Processes => processes::text(&mut now)?,
        ListKind::Containers => containers::text(&mut now),
        ListKind::Pods => pods::text(&now),
    };
    output::write(text.as_bytes()).map(drop)
}

impl<'a> Now<'a> {
    fn look(options: &'a ListOptions) -> Result<Self, Problem> {
        let context = Context::new(options.load.btf.as_deref());
        let mut identity = Identity::new(context.clock.get());
        identity.set_here(&options.node, crate::here::addresses());
        let bundles = Bundles::below(&options.host_root).ok();
        if let Some(bundles) = bundles.clone() {
            identity.expect_bundles(true);
            identity.cgroups.ask(Tasks::new(move |space, name| bundles.is_task(space, name)));
        }
        let mut now = Self { options, context, identity };
        now.describe()?;
        for name in ["process", "cgroup"] {
            let Some(found) = find(options, name)? else { continue };
            (found.signal.seed)(&found.loaded, &now.context, &mut |record| {
                now.identity.learn(record, 0);
            });
        }
        now.read_bundles(bundles);
        Ok(now)
    }

    /// What runtimes keep of containers that none has described.
    fn read_bundles(&mut self, bundles: Option<Bundles>) {
        let Some(bundles) = bundles else { return };
        let wanted = |container: &&Container| self.identity.wants_bundle(container);
        let containers = self.identity.cgroups.containers().filter(wanted);
        let ids: Vec<_> = containers.filter_map(|it| RuntimeId::new(&it.id)).collect();
        for found in ids.iter().filter_map(|id| bundles.look(id).ok()) {
            self.identity.describe(Change::Found(Box::new(found.bundle)), 0);
        }
    }

    /// Asks the runtime. A host without one is as good as any, unless one was named.
    fn describe(&mut self) -> Result<(), Problem> {
        let asked = match &self.options.cri_socket {
            Some(socket) => Source::connect(socket, RuntimeOptions::default()),
            None => Source::find(Path::new("/"), RuntimeOptions::default()),
        };
        match asked.and_then(|mut source| source.snapshot()) {
            Ok(changes) => {
                changes.into_iter().for_each(|change| self.identity.describe(change, 0));
                Ok(())
            }
            Err(RuntimeError::NotFound { .. }) if self.options.kind != ListKind::Pods => Ok(()),
            Err(error) => Err(Problem::new(
                Check::RUNTIME,
                "cannot ask the container runtime",
                error,
                "name its socket: chandra list pods --cri-socket /run/containerd/containerd.sock",
            )),
        }
    }

    /// The container that a process is in.
    fn container(&self, entry: &ProcessEntry) -> Option<&Container> {
        let process = entry.process();
        self.identity.cgroups.container(process.cgroup_hierarchy, process.cgroup_id)
    }

    /// Whether what is in this container, or on the host, is selected.
    fn selects(&mut self, number: Option<Number>) -> bool {
        let selector: &Selector = &self.options.selector;
        let node: &str = &self.options.node;
        let host = Subject { place: Place::Host, node: Some(node), ..Subject::default() };
        let verdict = match number {
            Some(number) => selector.matches(&subject(&self.identity.who_is(number), false, node)),
            None => selector.matches(&host),
        };
        verdict == Verdict::Yes
    }
}

/// A signal with its hooks for looking only.
struct Found {
    signal: &'static Signal,
    loaded: Loaded,
}

impl Found {
    /// Looks, as often as is wanted.
    fn each(&self, context: &Context, sink: &mut dyn FnMut(&dyn Record)) {
        (self.signal.seed)(&self.loaded, context, sink);
    }
}

/// Loads what a signal looks with at its start: the hooks that send nothing.
fn find(options: &ListOptions, name: &str) -> Result<Option<Found>, Problem> {
    let Some(signal) = signal(name) else { return Ok(None) };
    let looking = signal.identity.iter().filter(|(kinds, _)| *kinds == 0);
    let hooks: Vec<_> = looking.map(|(_, hook)| *hook).collect();
    let filter = Filter::default();
    let watch = Watch { signal, hooks: &hooks, kinds: 0, group_by: 0, filter: &filter };
    let loaded = session::start(&watch, &options.load)?;
    Ok(Some(Found { signal, loaded }))
}
