//! `chandra list`: what is there now. The kernel's task iterator tells of every process, the mounted
//! hierarchies of every cgroup, and the tables of `chandra-identity` put them together, as they do for
//! records.

mod containers;
mod processes;

use chandra_doctor::Problem;
use chandra_event::record::{Event, Record};
use chandra_identity::container::{Cgroups, Limits};
use chandra_identity::process::ProcessTable;
use chandra_signals::Context;
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;

use crate::cli::list::ListOptions;
use crate::output;
use crate::session::{self, Watch};

/// Everything that is there now.
struct Now {
    processes: ProcessTable,
    cgroups: Cgroups,
}

/// Prints the list.
pub fn run(options: &ListOptions) -> Result<(), Problem> {
    let now = look(options)?;
    let text = if options.containers {
        containers::text(&now, options.format)
    } else {
        processes::text(&now, options.format)
    };
    output::write(text.as_bytes()).map(drop)
}

fn look(options: &ListOptions) -> Result<Now, Problem> {
    let context = Context::new(options.load.btf.as_deref());
    let mut now =
        Now { processes: ProcessTable::default(), cgroups: Cgroups::new(Limits::default()) };
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
