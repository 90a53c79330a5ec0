//! The `off_cpu` signal: where threads wait, with stacks.

use std::time::Duration;

use chandra_event::cpu_sample::CpuSample;
use chandra_event::off_cpu::{OFF_CPU, OffCpu, WaitReason};
use chandra_event::process::Comm;
use chandra_event::record::{Kind, Record};
use chandra_loader::load::Loaded;
use chandra_loader::{batch, per_cpu};

use crate::cpu_profile::{Behind, python_end, stack_end};
use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/off_cpu.rs"));
}
pub use wire::WaitCounts;
use wire::{Absence, OffCpuRecord, off_cpu_kind, sample_flag};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&OFF_CPU];

/// Waits shorter than this are not told, when nothing is said.
pub const MIN_DURATION: Duration = Duration::from_millis(1);

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let short = DecodeError::Short(bytes.len());
    let record = OffCpuRecord::read(bytes).ok_or(short)?;
    if record.kind != off_cpu_kind::KIND_OFF_CPU {
        return Err(DecodeError::Kind(record.kind));
    }
    let counts = [
        record.kernel_frames,
        record.python_frames,
        record.user_frames,
        record.register_count,
    ];
    let behind = bytes.get(OffCpuRecord::BYTES..);
    let behind = behind.and_then(|behind| Behind::split(behind, counts, record.stack_bytes));
    let Behind { kernel_frames, python_frames, user_frames, registers, stack } =
        behind.ok_or(short)?;
    let reason = usize::try_from(record.reason).ok();
    let reason = reason.and_then(|reason| WaitReason::ALL.get(reason));
    let clock = context.clock.get();
    sink(&OffCpu {
        sample: CpuSample {
            time: clock.event_time(record.time_ns),
            process: process(&record.process, &clock),
            boottime_ns: record.time_ns,
            exec_id: record.exec_id,
            weight_ns: record.waited_ns,
            thread_id: record.thread,
            thread_comm: Comm(record.thread_comm),
            cpu: record.cpu,
            is_user_mode: false,
            is_kernel_truncated: u32::from(record.flags) & sample_flag::SAMPLE_KERNEL_TRUNCATED
                != 0,
            user_end: stack_end(record.user_end).ok_or(DecodeError::Value("user_end"))?,
            kernel_frames,
            python_frames,
            python_end: python_end(record.python_end).ok_or(DecodeError::Value("python_end"))?,
            user_frames,
            registers,
            stack,
        },
        reason: *reason.ok_or(DecodeError::Value("reason"))?,
        runnable_ns: record.runnable_ns,
        is_io_wait: record.is_io_wait != 0,
    });
    Ok(())
}

/// What began before the trace did is not known: who is away then is told from the next time on.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// This signal's groups have no code.
pub fn code_text(_code: u32, _context: &Context) -> String {
    "-".to_owned()
}

/// What became of waits, over all CPUs, as times that the ledger has not.
pub fn counts(loaded: &Loaded) -> WaitCounts {
    let values = loaded.map("waits").map(|map| per_cpu::values(&map)).unwrap_or_default();
    let mut sum = WaitCounts::ZERO;
    for counts in values.iter().filter_map(|it| WaitCounts::read(it)) {
        sum.short_waits += counts.short_waits;
        sum.short_ns += counts.short_ns;
        sum.told_ns += counts.told_ns;
        sum.filtered_ns += counts.filtered_ns;
        sum.unnoted += counts.unnoted;
        sum.untold += counts.untold;
        sum.not_reached += counts.not_reached;
    }
    sum
}

/// Threads that left and did not come back yet, of the whole machine: what they wait for is not told.
pub fn away(loaded: &Loaded) -> usize {
    let entries = loaded.map("absences").and_then(|map| batch::lookup(&map).ok());
    entries.map_or(0, |entries| {
        let absences = entries.iter().filter_map(|(_, value)| Absence::read(value));
        absences.filter(|absence| absence.left_ns != 0).count()
    })
}
