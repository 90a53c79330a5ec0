//! The last line: what was sampled, what of it is whole, what was lost and why, and what it cost.

use std::sync::atomic::Ordering;
use std::time::Duration;

use chandra_event::cpu_sample::{PythonEnd, StackEnd};
use chandra_loader::abi::Counters;
use chandra_loader::load::Loaded;
use chandra_loader::sampling::Changes;
use chandra_loader::{cost, ledger};
use chandra_profile::metadata::Metadata;
use chandra_profiler::{Figures, Of, Profiler};
use chandra_signals::off_cpu::{self, WaitCounts};

use crate::follow::Tally;
use crate::session::Received;

/// See the [module](self).
#[derive(Debug)]
pub struct Summary {
    kernel: Counters,
    waits: Option<Waits>,
    figures: Figures,
    decode_errors: u64,
    not_selected: u64,
    pending: u64,
    missed: u64,
    cpus: Changes,
    probe: Duration,
    agent: Option<Duration>,
    elapsed: Duration,
}

/// What became of waits.
#[derive(Debug)]
struct Waits {
    counts: WaitCounts,
    away: usize,
}

impl Summary {
    /// Of a profile that is over.
    pub fn new(
        (loaded, of): (&Loaded, Of),
        profiler: &Profiler,
        received: &Received,
        tally: &Tally,
        elapsed: Duration,
    ) -> Self {
        let programs = cost::read(loaded.object());
        let probe_ns = programs.iter().map(|program| program.run_time_ns).sum();
        Self {
            kernel: ledger::read(loaded.object()),
            waits: (of == Of::Waits)
                .then(|| Waits { counts: off_cpu::counts(loaded), away: off_cpu::away(loaded) }),
            figures: profiler.figures(of),
            decode_errors: received.decode_errors.load(Ordering::Relaxed),
            not_selected: received.not_selected.load(Ordering::Relaxed),
            pending: tally.pending,
            missed: programs.iter().map(|program| program.recursion_misses).sum(),
            cpus: loaded.cpu_changes(),
            probe: Duration::from_nanos(probe_ns),
            agent: own_cpu_time(),
            elapsed,
        }
    }

    /// Says in a profile what it lacks.
    pub fn tell_losses(&self, metadata: &mut Metadata) {
        let losses = [
            ("no room in the ring", self.kernel.lost),
            ("not decoded", self.decode_errors),
            ("the probe was running already", self.missed),
        ];
        for (reason, samples) in losses.into_iter().filter(|(_, samples)| *samples > 0) {
            metadata.lose(reason, samples);
        }
    }

    /// For people.
    pub fn text(&self) -> String {
        let figures = &self.figures;
        let (whole, all) = figures.whole();
        let mut text = match &self.waits {
            None => format!(
                "{} samples, {} idle, {} lost",
                figures.samples, figures.idle_ticks, self.kernel.lost
            ),
            Some(Waits { counts, .. }) => format!(
                "{} waits of {:.3} s, {} shorter ones of {:.3} s, {} lost",
                figures.samples,
                counts.told_ns as f64 / 1e9,
                counts.short_waits,
                counts.short_ns as f64 / 1e9,
                self.kernel.lost
            ),
        };
        let others = figures.idle_ticks + self.waits.as_ref().map_or(0, |it| it.counts.short_waits);
        let untold = self.waits.as_ref().map_or(0, |it| it.counts.untold);
        let further = [
            (untold, "of those because the kernel did not tell of a switch"),
            (self.kernel.filtered.saturating_sub(others), "filtered"),
            (self.not_selected, "not selected"),
            (self.decode_errors, "not decoded"),
            (self.missed, "missed because the probe was running already"),
            (self.pending, "without a description of their container"),
            (self.cpus.went, "CPUs went offline"),
            (self.cpus.came, "CPUs came online, and were sampled from then on"),
        ];
        for (count, what) in further.iter().filter(|(count, _)| *count > 0) {
            text += &format!(", {count} {what}");
        }
        let in_ring = self.kernel.submitted.cast_signed()
            - (figures.samples + self.not_selected + self.decode_errors).cast_signed();
        let imbalance = self.kernel.imbalance() + in_ring;
        if imbalance != 0 {
            text += &format!(", {imbalance} unaccounted for");
        }
        if let Some(Waits { away, .. }) = self.waits {
            text += &format!("; {away} threads of the machine are away still");
        }
        if all > 0 {
            text += &format!("; {:.1} % of user stacks whole", 100.0 * whole as f64 / all as f64);
            let ends = StackEnd::ALL.iter().zip(figures.ends);
            let broken: Vec<_> = ends
                .filter(|(end, count)| !end.is_whole() && *count > 0)
                .map(|(end, count)| format!("{count} {}", end.word()))
                .collect();
            if !broken.is_empty() {
                text += &format!(" ({})", broken.join(", "));
            }
        }
        let walked = figures.walked_here;
        text += &format!(
            "; {walked} walked in user space, {} KiB of tables, {} processes",
            figures.table_bytes / 1024,
            figures.processes
        );
        let further = [
            (figures.walked_early, "walked before their tables were there"),
            (figures.unknown, "of processes that were gone"),
            (figures.sideband_lost, "records of what is mapped lost"),
            (figures.tables_put_out, "tables put out"),
            (figures.refused, "tables or processes without room"),
        ];
        for (count, what) in further.iter().filter(|(count, _)| *count > 0) {
            text += &format!(", {count} {what}");
        }
        if figures.samples == 0 {
            text += "; nothing of what was asked for ";
            text += if self.waits.is_some() { "waited so long" } else { "ran when a clock looked" };
        }
        text + &self.python() + &self.names() + &self.cost()
    }

    /// What became of frames of Python, where there are any.
    fn python(&self) -> String {
        let python = &self.figures.python;
        let samples = python.samples();
        if samples == 0 && python.unknown.is_empty() {
            return String::new();
        }
        let mut text = format!("; {samples} samples of Python");
        let ends = PythonEnd::ALL.iter().zip(python.ends);
        let is_told = |end| !matches!(end, PythonEnd::None | PythonEnd::Outermost);
        let broken = ends.filter(|(end, count)| is_told(**end) && *count > 0);
        let broken: Vec<_> = broken.map(|(end, count)| format!("{count} {}", end.word())).collect();
        if !broken.is_empty() {
            text += &format!(" ({})", broken.join(", "));
        }
        let further = [
            (python.gone, "frames whose code was gone"),
            (python.forbidden, "frames that CAP_SYS_PTRACE is missing for"),
            (python.unanswering, "processes whose memory could not be read in time"),
            (python.misplaced, "stacks that their frames do not fit"),
            (python.code_reused, "code objects in the place of others"),
            (python.refused, "code objects or processes without room"),
        ];
        for (count, what) in further.iter().filter(|(count, _)| *count > 0) {
            text += &format!(", {count} {what}");
        }
        for (path, why) in &python.unknown {
            text += &format!(", nothing of {path}: {why}");
        }
        text
    }

    /// What has names.
    fn names(&self) -> String {
        let names = &self.figures.names;
        let mut text = format!("; {} of {} places have names", names.named, names.places);
        let further = [
            (names.not_looked_up, "not looked up"),
            (names.incomplete, "files whose symbols were not all read"),
        ];
        for (count, what) in further.iter().filter(|(count, _)| *count > 0) {
            text += &format!(", {count} {what}");
        }
        if let Some((path, why)) = names.lacks.first() {
            text += &format!(" (first {path}: {why})");
        }
        text
    }

    /// In percent of one core.
    fn cost(&self) -> String {
        let elapsed = self.elapsed.as_secs_f64();
        let percent = |time: Duration| 100.0 * time.as_secs_f64() / elapsed.max(1e-9);
        let mut text = String::new();
        if !self.probe.is_zero() {
            text += &format!("; cost: probe {:.2} % of a core", percent(self.probe));
            if let Some(agent) = self.agent {
                text += &format!(", chandra itself {:.1} %", percent(agent));
            }
        }
        text
    }
}

/// CPU time of this process so far: fields 14 and 15 of `/proc/self/stat`, in ticks of 10 ms.
fn own_cpu_time() -> Option<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    let (_, behind_name) = stat.rsplit_once(") ")?;
    let mut fields = behind_name.split(' ').skip(11);
    let ticks = fields.next()?.parse::<u64>().ok()? + fields.next()?.parse::<u64>().ok()?;
    Some(Duration::from_millis(ticks * 10))
}
