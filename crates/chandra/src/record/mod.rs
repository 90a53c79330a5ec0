//! `chandra record`: what happens, written down so that rules can be tried on it later as if they had been there.
//!
//! A recording begins with a heading and with all processes that run, and holds every fork, exec and exit, also
//! where rules ask for none of them: [`replay`](crate::rules) then knows the same ancestors as an agent. Beside
//! records it holds what an agent would have found out when it asked rules about them: what executables are copies of,
//! what runtimes say of containers, users of containers; and environments, where a rule asks for them. It is written as
//! it is told, in order; what is missing is counted in its last line.

pub mod container;
mod file;
pub mod heading;
mod line;
mod watched;

use std::collections::HashMap;
use std::io::{IsTerminal, stderr};
use std::time::Instant;

use chandra_doctor::{Check, Problem};
use chandra_event::process::Namespaces;
use chandra_event::record::{Event, Record};
use chandra_event::time::Timestamp;
use chandra_event::who::{CONTAINER_DESCRIBED, Who};
use chandra_identity::Identity;
use chandra_loader::clock;
use chandra_rules::adapter::Names;
use chandra_signals::Context;

use crate::agent::audit::{Accounts, Copies, Needs, Place, node};
use crate::cli::record::RecordOptions;
use crate::follow::{Late, Plan, Sink, Tally, Told, follow};
use crate::stop::{Ending, Stop};
use container::Said;
use file::{Ended, Recording};
use heading::{Heading, accounts_line, last_line};
#[cfg(test)]
pub use line::write as write_line;
use watched::Watched;

/// Containers, and databases of users, of which is remembered what was written.
const MAX_TOLD: usize = 1024;

/// Records until the time is up, the file is full, or a signal comes.
pub fn run(options: &RecordOptions) -> Result<(), Problem> {
    chandra_loader::kernel_log::capture();
    let stop = Stop::on_signals().map_err(|error| {
        Problem::new(Check::USAGE, "cannot listen for Ctrl-C", error, "start it from a shell")
    })?;
    // Its failure shows in the loading that follows, if it matters.
    let _ = chandra_loader::memory::raise_memlock_limit();
    let (needs, rules) = match options.audit.is_off() {
        // Executables are compared with the programs that these name.
        true => (Needs::everything(), crate::rules::own()?),
        false => Needs::of_files(&options.audit)?,
    };
    let mut file = Recording::create(&options.file, options.max_bytes)?;
    let watched = watched::load(&needs, &options.load)?;
    let context = Context::new(options.load.btf.as_deref());
    let node_name = &options.identity.node;
    let node = node::of_this_machine(node_name, false);
    let namespaces = node.namespaces;
    let clock = context.clock.get();
    file.add_line(&Heading { node, clock }.line(now(&context)));
    watched.iter().for_each(|one| one.seed(&context));
    let parts: Vec<_> = watched.iter().map(Watched::part).collect();
    let ending = Ending::new(options.duration, &stop);
    let progress = stderr().is_terminal();
    let mut writing = Writing {
        node: node_name,
        namespaces,
        copies: Copies::of(&rules, true),
        accounts: Accounts::start(),
        said: HashMap::new(),
        databases: HashMap::new(),
        file,
        watched: &watched,
        progress,
        records: 0,
        not_written: 0,
    };
    let started = Instant::now();
    let plan = Plan {
        parts: &parts,
        sources: &options.identity.sources,
        selector: &chandra_identity::selector::Selector::default(),
        node: node_name,
        late: Late::Hold,
        patience: &|| ending.patience(),
        on_listening: &|| announce(options, &watched),
    };
    follow(&plan, &context, &mut writing)?;
    let Writing { mut file, records, not_written, .. } = writing;
    file.flush();
    let lost: u64 = watched.iter().map(Watched::lost).sum();
    // What came behind the end of a full file is not missing in what it has.
    file.add_line(&last_line(now(&context), records, lost));
    if progress {
        eprint!("\r");
    }
    let bytes = file.bytes();
    let ended = file.into_ended();
    let why = match &ended {
        Some(Ended::Full) => {
            format!("; it is as large as it may be (--max-size), {not_written} came behind its end")
        }
        _ => String::new(),
    };
    let (seconds, kib) = (started.elapsed().as_secs_f64(), bytes.div_ceil(1024));
    eprintln!("recorded {records} records, {kib} KiB, in {seconds:.1} s; {lost} lost{why}");
    match ended {
        Some(Ended::Failed(problem)) => Err(problem),
        _ => Ok(()),
    }
}

fn now(context: &Context) -> Timestamp {
    context.clock.get().event_time(clock::boottime_ns())
}

fn announce(options: &RecordOptions, watched: &[Watched]) {
    let names: Vec<_> = watched.iter().filter_map(Watched::name).collect();
    let until = if options.duration.is_none() { "; Ctrl-C ends" } else { "" };
    eprintln!("recording to {}: {}{until}", options.file.display(), names.join(", "));
}

/// Records on their way into the file.
struct Writing<'a> {
    node: &'a str,
    namespaces: Option<Namespaces>,
    copies: Copies,
    accounts: Accounts,
    /// What was written of containers, by their ids.
    said: HashMap<String, Said>,
    /// Users and groups that were written.
    databases: HashMap<Place, Names>,
    file: Recording,
    watched: &'a [Watched],
    /// How far it is stands on standard error.
    progress: bool,
    records: u64,
    not_written: u64,
}

impl Writing<'_> {
    /// Writes what is said of a container, if that is new.
    fn tell_container(&mut self, who: &Who<'_>) {
        let Some(container) = &who.container else { return };
        let pod = who.pod.as_ref();
        let is_told = |said: &Said| said.holds_of(container, pod);
        if self.said.get(container.id).is_some_and(is_told) {
            return;
        }
        let said = Said::of(container, pod);
        self.file.add(|out| out.extend_from_slice(said.line(container.id).as_bytes()));
        // What is forgotten is written once more.
        if self.said.len() >= MAX_TOLD {
            self.said.clear();
        }
        self.said.insert(container.id.to_owned(), said);
    }

    /// Writes users and groups of the container of an execution, if they are new.
    fn tell_accounts(&mut self, record: &dyn Record) {
        let Event::Exec(exec) = record.event() else { return };
        let place = Place::of(&exec.namespaces);
        let Some(names) = self.accounts.of(&exec.namespaces) else { return };
        if self.databases.get(&place) == Some(names) {
            return;
        }
        self.file.add(|out| out.extend_from_slice(accounts_line(place, names).as_bytes()));
        if self.databases.len() >= MAX_TOLD {
            self.databases.clear();
        }
        self.databases.insert(place, names.clone());
    }
}

impl Sink for Writing<'_> {
    fn tell(&mut self, _part: usize, told: &Told<'_>) {
        if told.known.kind() == &CONTAINER_DESCRIBED {
            return;
        }
        self.copies.look(told.known.record);
        self.accounts.look(told.known.record, told.known.who, self.namespaces.as_ref());
        self.tell_container(told.known.who);
        self.tell_accounts(told.known.record);
        let is_exec = matches!(told.known.event(), Event::Exec(exec) if !exec.running);
        let copy_of = if is_exec { self.copies.current() } else { None };
        let counter = match self.file.add(|out| line::write(told.known, self.node, copy_of, out)) {
            true => &mut self.records,
            false => &mut self.not_written,
        };
        *counter += 1;
    }

    fn flush(&mut self) {
        self.file.flush();
    }

    fn is_over(&self) -> bool {
        self.file.ended().is_some()
    }

    fn look(&mut self, _identity: &Identity, _tally: &Tally) {
        if self.progress {
            let lost: u64 = self.watched.iter().map(Watched::lost).sum();
            let kib = self.file.bytes().div_ceil(1024);
            eprint!("\r{} records, {kib} KiB, {lost} lost ", self.records);
        }
    }
}
