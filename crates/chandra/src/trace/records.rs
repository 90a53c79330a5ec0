//! Records as they come.

use std::sync::RwLock;
use std::sync::atomic::{AtomicU64, Ordering};

use chandra_doctor::Problem;
use chandra_event::json;
use chandra_event::record::{Field, Kind, Record};
use chandra_event::table::{Mode, Table};
use chandra_event::who::{BackendFields, CONTAINER_DESCRIBED, WhoFields};
use chandra_loader::load::Loaded;
use chandra_signals::Context;

use super::summary::Summary;
use super::{announce, terminal_width};
use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::companions::Companion;
use crate::follow::{Late, Part, Plan, Seeding, Sink, Told, follow};
use crate::output::{self, Written};
use crate::session::{self, Received};
use crate::stop::Ending;

/// Lines are written when so much of them is ready, or when nothing more is there to read.
const CHUNK_BYTES: usize = 64 << 10;

/// Shows records until the end, then what is still under way.
pub fn show(
    options: &TraceOptions,
    loaded: &RwLock<Loaded>,
    companions: &[Companion],
    context: &Context,
    ending: &Ending<'_>,
) -> Result<Summary, Problem> {
    let mut lines = Lines::new(options);
    let received = Received::default();
    let (mut hooks, found) = (String::new(), AtomicU64::new(0));
    let seeds_later = !options.signal.identity.is_empty();
    if let Ok(loaded) = loaded.read() {
        hooks = session::hooks_text(&loaded.hooks);
        if !seeds_later {
            // Into the probe's own maps, before it sends.
            (options.signal.seed)(&loaded, context, &mut |_| {});
        }
    }
    let mut parts = vec![Part {
        signal: options.signal,
        loaded,
        received: &received,
        found_at_start: &found,
        told_kinds: options.kinds,
        learns: options.teaches(),
        selects: options.filter.selects_cgroups,
        seeding: (seeds_later && options.shows_what_runs()).then_some(Seeding::Tell),
    }];
    parts.extend(companions.iter().map(Companion::part));
    let tally = follow(
        &Plan {
            parts: &parts,
            sources: &options.identity.sources,
            selector: &options.selector,
            node: &options.identity.node,
            late: options.identity.late.unwrap_or_default(),
            patience: &|| ending.patience(),
            on_listening: &|| announce(options, &hooks),
        },
        context,
        &mut lines,
    )?;
    let lines = lines.finish()?;
    Ok(Summary {
        shown: lines.shown,
        not_shown: lines.not_shown,
        found_at_start: found.load(Ordering::Relaxed),
        decoded: received.decoded.load(Ordering::Relaxed),
        decode_errors: received.decode_errors.load(Ordering::Relaxed),
        described: lines.described,
        not_selected: received.not_selected.load(Ordering::Relaxed),
        tally,
    })
}

/// Lines on their way to standard output.
struct Lines<'a> {
    node: &'a str,
    table: Option<Table>,
    bytes: Vec<u8>,
    limit: u64,
    shown: u64,
    /// Lines that complete others, which no probe sent.
    described: u64,
    not_shown: u64,
    reader_gone: bool,
    problem: Option<Problem>,
}

impl<'a> Lines<'a> {
    fn new(options: &'a TraceOptions) -> Self {
        let mode = match options.format {
            Format::Json => None,
            Format::Table => Some(Mode::Table),
            Format::Wide => Some(Mode::Wide),
        };
        let names =
            options.signal.kinds.iter().filter(|(_, number)| options.kinds >> number & 1 == 1);
        let mut kinds: Vec<&'static Kind> = names
            .filter_map(|(name, _)| {
                options.signal.event_kinds.iter().find(|kind| kind.name == *name).copied()
            })
            .collect();
        if options.identity.late == Some(Late::Mark) {
            kinds.push(&CONTAINER_DESCRIBED);
        }
        let describes = options.identity.sources.describe_containers();
        let beside = if describes { beside(&kinds) } else { Vec::new() };
        let new = |mode| Table::new(&kinds, &beside, mode, terminal_width(options.format));
        let mut table = mode.map(new);
        let mut bytes = Vec::new();
        if let Some(table) = &mut table {
            table.write_header(&mut bytes);
        }
        Self {
            node: &options.identity.node,
            table,
            bytes,
            limit: options.count.unwrap_or(u64::MAX),
            shown: 0,
            described: 0,
            not_shown: 0,
            reader_gone: false,
            problem: None,
        }
    }

    fn add(&mut self, record: &dyn Record) {
        if self.is_over() {
            self.not_shown += 1;
            return;
        }
        self.shown += 1;
        match &mut self.table {
            Some(table) => table.write_record(record, &mut self.bytes),
            None => json::write_line(record, Some(self.node), &mut self.bytes),
        }
        if self.bytes.len() >= CHUNK_BYTES {
            self.flush();
        }
    }

    fn finish(mut self) -> Result<Self, Problem> {
        self.flush();
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => Ok(self),
        }
    }
}

/// The fields that records of these kinds may have beside their own.
fn beside(kinds: &[&Kind]) -> Vec<Field> {
    let connects = kinds.iter().any(|kind| kind.has_connection());
    let backend = if connects { BackendFields::FIELDS } else { &[] };
    [backend, WhoFields::FIELDS].concat()
}

impl Sink for Lines<'_> {
    fn tell(&mut self, _part: usize, told: &Told<'_>) {
        self.described += u64::from(told.known.kind() == &CONTAINER_DESCRIBED);
        self.add(told.known);
    }

    fn flush(&mut self) {
        if self.bytes.is_empty() || self.reader_gone || self.problem.is_some() {
            return;
        }
        match output::write(&self.bytes) {
            Ok(Written::All) => {}
            Ok(Written::ReaderGone) => self.reader_gone = true,
            Err(problem) => self.problem = Some(problem),
        }
        self.bytes.clear();
    }

    fn is_over(&self) -> bool {
        self.shown >= self.limit || self.reader_gone || self.problem.is_some()
    }
}
