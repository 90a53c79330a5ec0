//! `chandra list`: what is there now. The kernel's task iterator tells of every process, the mounted
//! hierarchies of every cgroup, a container runtime (where one answers) of containers and pods by
//! name, and the tables of `chandra-identity` put them together.

mod containers;
mod pods;
mod processes;

use std::path::Path;

use chandra_doctor::{Check, Problem};
use chandra_event::record::{Event, Record};
use chandra_identity::container::{self, Cgroups, Container};
use chandra_identity::description::{self, Descriptions};
use chandra_identity::process::{ProcessEntry, ProcessTable};
use chandra_runtime::{Error as RuntimeError, Options as RuntimeOptions, Source};
use chandra_signals::Context;
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;

use crate::cli::list::{ListKind, ListOptions};
use crate::output;
use crate::session::{self, Watch};

/// Everything that is there now.
struct Now {
    processes: ProcessTable,
    cgroups: Cgroups,
    /// What the runtime says; empty where there is none.
    descriptions: Descriptions,
}

impl Now {
    /// The container that a process is in.
    fn container(&self, entry: &ProcessEntry) -> Option<&Container> {
        let process = entry.process();
        self.cgroups.container(process.cgroup_hierarchy, process.cgroup_id)
    }
}

/// Prints the list.
pub fn run(options: &ListOptions) -> Result<(), Problem> {
    let now = look(options)?;
    let text = match options.kind {
        ListKind::Processes => processes::text(&now, options.format),
        ListKind::Containers => containers::text(&now, options.format),
        ListKind::Pods => pods::text(&now, options.format),
    };
    output::write(text.as_bytes()).map(drop)
}

fn look(options: &ListOptions) -> Result<Now, Problem> {
    let context = Context::new(options.load.btf.as_deref());
    let mut now = Now {
        processes: ProcessTable::default(),
        cgroups: Cgroups::new(container::Limits::default()),
        descriptions: descriptions(options)?,
    };
    now.processes.set_clock(context.clock.get());
    seed(options, "process", "running", &context, &mut |record| {
        now.processes.apply(&record.event())
    })?;
    seed(options, "cgroup", "mkdir", &context, &mut |record| {
        if let Event::Cgroup(cgroup) = record.event() {
            now.cgroups.apply(cgroup);
        }
    })?;
    Ok(now)
}

/// What the runtime says now. A host without one is as good as any, unless one was named.
fn descriptions(options: &ListOptions) -> Result<Descriptions, Problem> {
    let mut descriptions = Descriptions::new(description::Limits::default());
    let asked = match &options.cri_socket {
        Some(socket) => Source::connect(socket, RuntimeOptions::default()),
        None => Source::find(Path::new("/"), RuntimeOptions::default()),
    };
    let snapshot = asked.and_then(|mut source| source.snapshot());
    match snapshot {
        Ok(changes) => changes.into_iter().for_each(|change| descriptions.apply(change, 0)),
        Err(RuntimeError::NotFound { .. }) if options.kind != ListKind::Pods => {}
        Err(error) => {
            return Err(Problem::new(
                Check::RUNTIME,
                "cannot ask the container runtime",
                error,
                "name its socket: chandra list pods --cri-socket /run/containerd/containerd.sock",
            ));
        }
    }
    Ok(descriptions)
}

/// What a signal finds at its start, with one hook of it for the time of looking.
fn seed(
    options: &ListOptions,
    name: &str,
    hook: &'static str,
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), Problem> {
    if let Some(signal) = signal(name) {
        let filter = Filter::default();
        let watch = Watch { signal, hooks: &[hook], kinds: 0, group_by: 0, filter: &filter };
        let loaded = session::start(&watch, &options.load)?;
        (signal.seed)(&loaded, context, sink);
    }
    Ok(())
}
