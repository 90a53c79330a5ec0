//! The last line of a trace: what was seen, what became of it, and which hook served.

use chandra_loader::abi::Counters;
use chandra_loader::flow_table::{self, Overflow};
use chandra_loader::load::Loaded;
use chandra_loader::verdict::Verdict;
use chandra_loader::{cost, ledger};
use serde_json::json;

use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::follow::Tally;
use crate::session;

/// What user space did with records.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// Lines written.
    pub shown: u64,
    /// Read after the count was reached or the reader of the output had gone.
    pub not_shown: u64,
    /// Of the two above: what was there before the trace began.
    pub found_at_start: u64,
    /// Read from the ring and decoded.
    pub decoded: u64,
    /// Could not be decoded.
    pub decode_errors: u64,
    /// Of nobody who is selected, as far as the kernel did not know that.
    pub not_selected: u64,
    /// Lines that completed others.
    pub described: u64,
    /// Records that came before the description of their container.
    pub tally: Tally,
}

impl Summary {
    /// Of a trace that showed counts: so many lines.
    pub fn of_counts(shown: u64) -> Self {
        Self { shown, ..Self::default() }
    }

    /// Prints it on stderr, as JSON when the output is JSON.
    pub fn print(&self, options: &TraceOptions, loaded: &Loaded) {
        let kernel = ledger::read(loaded.object());
        let programs = cost::read(loaded.object());
        let missed = programs.iter().map(|program| program.recursion_misses).sum();
        let table = options.signal.flow_table;
        let flows = table.and_then(|table| flow_table::overflow(loaded, table).ok());
        if options.format == Format::Json {
            eprintln!("{}", self.json(options, loaded, &kernel, missed, flows));
        } else {
            eprintln!("{}", self.text(loaded, &kernel, missed, flows.unwrap_or_default()));
        }
    }

    /// What none of the books accounts for: facts in the kernel, records in the ring, lines here.
    fn imbalance(&self, kernel: &Counters) -> i64 {
        let counted_only = kernel.submitted == 0 && self.decoded == 0;
        let in_ring =
            kernel.submitted.cast_signed() - (self.decoded + self.decode_errors).cast_signed();
        let here = (self.decoded + self.found_at_start + self.described).cast_signed()
            - (self.shown + self.not_shown + self.not_selected).cast_signed();
        kernel.imbalance() + if counted_only { 0 } else { in_ring + here }
    }

    fn json(
        &self,
        options: &TraceOptions,
        loaded: &Loaded,
        kernel: &Counters,
        missed: u64,
        flows: Option<Overflow>,
    ) -> serde_json::Value {
        let wanted = loaded.hooks.iter().filter(|hook| hook.verdict != Verdict::Off);
        let hooks = wanted.map(|hook| {
            let rung = match &hook.verdict {
                Verdict::Active(rung) => Some(*rung),
                _ => None,
            };
            json!({ "hook": hook.hook, "verdict": hook.verdict.word(), "rung": rung })
        });
        json!({ "summary": {
            "verb": options.verb.name,
            "hooks": hooks.collect::<Vec<_>>(),
            "seen": kernel.seen,
            "shown": self.shown,
            "not_shown": self.not_shown,
            "found_at_start": self.found_at_start,
            "filtered": kernel.filtered,
            "aggregated": kernel.aggregated,
            "rate_limited": kernel.rate_limited,
            "lost": kernel.lost,
            "missed": missed,
            "flow_table": flows.map(|flows| json!({ "evicted": flows.evicted, "refused": flows.refused })),
            "decode_errors": self.decode_errors,
            "not_selected": self.not_selected,
            "held": self.tally.held,
            "pending": self.tally.pending,
            "translations": {
                "lost": self.tally.translations.lost,
                "malformed": self.tally.translations.malformed,
                "evicted": self.tally.translations.evicted,
            },
            "imbalance": self.imbalance(kernel),
        }})
    }

    fn text(&self, loaded: &Loaded, kernel: &Counters, missed: u64, flows: Overflow) -> String {
        let mut text = format!(
            "{} seen, {} shown, {} filtered, {} lost",
            kernel.seen, self.shown, kernel.filtered, kernel.lost
        );
        let further = [
            (kernel.aggregated, "counted in the kernel"),
            (kernel.rate_limited, "counted only, because there were too many"),
            (self.found_at_start, "found at start"),
            (self.not_shown, "not shown"),
            (self.decode_errors, "not decoded"),
            (self.not_selected, "not selected"),
            (self.tally.held, "held until their container was described"),
            (self.tally.pending, "without a description of their container"),
            (missed, "missed because the kernel does not interrupt a probe for itself"),
            (flows.evicted, "flows that made room for others in the probe's table"),
            (flows.refused, "times no room for a flow in the probe's table"),
        ];
        for (count, what) in further.iter().filter(|(count, _)| *count > 0) {
            text += &format!(", {count} {what}");
        }
        if self.tally.sweeps > 0 {
            text += &format!(", what runs looked at anew after losses {} times", self.tally.sweeps);
        }
        let translations = &self.tally.translations;
        if translations.lost > 0 {
            let times = translations.lost;
            text += &format!(", where services led to listed anew after losses {times} times");
        }
        let missed = translations.malformed + translations.evicted;
        if missed > 0 {
            text += &format!(", {missed} connections whose backend is not known");
        }
        let imbalance = self.imbalance(kernel);
        if imbalance != 0 {
            text += &format!(", {imbalance} unaccounted for");
        }
        text + "; " + &session::hooks_text(&loaded.hooks)
    }
}
