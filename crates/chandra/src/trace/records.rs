//! Records as they come.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use chandra_doctor::Problem;
use chandra_event::json;
use chandra_event::record::{Kind, Record};
use chandra_event::table::{Mode, Table};
use chandra_loader::load::Loaded;
use chandra_signals::Context;

use super::drain::{self, Shared};
use super::summary::Summary;
use super::{Ending, announce, terminal_width};
use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::output::{self, Written};
use crate::session::{self, Received};

/// Lines are written when so much of them is ready, or when nothing more is there to read.
const CHUNK_BYTES: usize = 64 << 10;

/// After so long without a record the clocks are compared anew.
const QUIET: Duration = Duration::from_secs(1);

/// Shows records until the end, then what is still under way.
pub fn show(
    options: &TraceOptions,
    loaded: &mut Loaded,
    context: &Context,
    ending: &Ending<'_>,
) -> Result<Summary, Problem> {
    let mut lines = Lines::new(options);
    let received = Received::default();
    let mut found = 0;
    (options.signal.seed)(loaded, context, &mut |record| {
        if lines.shows(record.kind()) {
            found += 1;
            lines.add(record);
        }
    });
    let shared = Shared::default();
    std::thread::scope(|scope| {
        let (ready, is_ready) = channel();
        let (sender, chunks) = channel();
        let hooks = session::hooks_text(&loaded.hooks);
        let drainer = scope.spawn(|| drain::run(loaded, ending, &shared, ready, sender));
        if is_ready.recv().is_ok() {
            announce(options, &hooks);
        }
        lines.flush();
        loop {
            match chunks.recv_timeout(QUIET) {
                Ok(chunk) => {
                    for record in chunk.iter() {
                        received.decode(options.signal, record, context, &mut |record| {
                            lines.add(record)
                        });
                    }
                    shared.waiting_bytes.fetch_sub(chunk.bytes(), Ordering::Relaxed);
                    lines.flush();
                }
                Err(RecvTimeoutError::Timeout) => context.measure_clock(),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            shared.is_over.store(lines.is_over(), Ordering::Relaxed);
        }
        drainer.join().unwrap_or(Ok(()))
    })?;
    let lines = lines.finish()?;
    Ok(Summary {
        shown: lines.shown,
        not_shown: lines.not_shown,
        found_at_start: found,
        decoded: received.decoded.load(Ordering::Relaxed),
        decode_errors: received.decode_errors.load(Ordering::Relaxed),
    })
}

/// Lines on their way to standard output.
struct Lines {
    kinds: Vec<&'static Kind>,
    table: Option<Table>,
    bytes: Vec<u8>,
    limit: u64,
    shown: u64,
    not_shown: u64,
    reader_gone: bool,
    problem: Option<Problem>,
}

impl Lines {
    fn new(options: &TraceOptions) -> Self {
        let mode = match options.format {
            Format::Json => None,
            Format::Table => Some(Mode::Table),
            Format::Wide => Some(Mode::Wide),
        };
        let names =
            options.signal.kinds.iter().filter(|(_, number)| options.kinds >> number & 1 == 1);
        let kinds: Vec<&'static Kind> = names
            .filter_map(|(name, _)| {
                options.signal.event_kinds.iter().find(|kind| kind.name == *name).copied()
            })
            .collect();
        let mut table = mode.map(|mode| Table::new(&kinds, mode, terminal_width(options.format)));
        let mut bytes = Vec::new();
        if let Some(table) = &mut table {
            table.write_header(&mut bytes);
        }
        Self {
            kinds,
            table,
            bytes,
            limit: options.count.unwrap_or(u64::MAX),
            shown: 0,
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
            None => json::write_line(record, None, &mut self.bytes),
        }
        if self.bytes.len() >= CHUNK_BYTES {
            self.flush();
        }
    }

    fn shows(&self, kind: &Kind) -> bool {
        self.kinds.contains(&kind)
    }

    fn is_over(&self) -> bool {
        self.shown >= self.limit || self.reader_gone || self.problem.is_some()
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

    fn finish(mut self) -> Result<Self, Problem> {
        self.flush();
        match self.problem.take() {
            Some(problem) => Err(problem),
            None => Ok(self),
        }
    }
}
