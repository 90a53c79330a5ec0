//! The `cpu_profile` signal: what runs on each CPU when its clock ticks, with stacks.

use chandra_event::cpu_sample::{CPU_SAMPLE, CpuSample, PythonEnd, StackEnd, Words};
use chandra_event::process::Comm;
use chandra_event::record::{Kind, Record};
use chandra_loader::abi::Process;
use chandra_loader::load::Loaded;

use crate::process::process;
use crate::registry::{Context, DecodeError};

#[allow(missing_docs, dead_code, clippy::indexing_slicing, reason = "generated from event.h")]
mod wire {
    use chandra_loader::abi::Process;
    include!(concat!(env!("OUT_DIR"), "/cpu_profile.rs"));
}
use wire::{CpuSampleRecord, cpu_profile_kind, sample_end, sample_flag};
pub use wire::{ProfileMapping, ProfiledProcess, PythonProcess, TickCounts, python_frame_kind};

/// Kinds of records of this signal.
pub const KINDS: &[&Kind] = &[&CPU_SAMPLE];

/// Decodes one record.
pub fn decode(
    bytes: &[u8],
    context: &Context,
    sink: &mut dyn FnMut(&dyn Record),
) -> Result<(), DecodeError> {
    let short = DecodeError::Short(bytes.len());
    let record = CpuSampleRecord::read(bytes).ok_or(short)?;
    if record.kind != cpu_profile_kind::KIND_CPU_SAMPLE {
        return Err(DecodeError::Kind(record.kind));
    }
    let behind = bytes.get(CpuSampleRecord::BYTES..).ok_or(short)?;
    sink(&sample!(record, record.weight_ns, behind, context)?);
    Ok(())
}

/// The sample in a record that has the fields of `struct cpu_sample_record`, but for its weight.
macro_rules! sample {
    ($record:expr, $weight_ns:expr, $behind:expr, $context:expr) => {
        $crate::cpu_profile::Sampled {
            time_ns: $record.time_ns,
            process: &$record.process,
            exec_id: $record.exec_id,
            weight_ns: $weight_ns,
            thread: $record.thread,
            thread_comm: $record.thread_comm,
            cpu: $record.cpu,
            flags: $record.flags,
            user_end: $record.user_end,
            counts: [
                $record.kernel_frames,
                $record.python_frames,
                $record.user_frames,
                $record.register_count,
            ],
            python_end: $record.python_end,
            stack_bytes: $record.stack_bytes,
        }
        .read($behind, $context)
    };
}
pub(crate) use sample;

/// What records with stacks say of a thread.
pub(crate) struct Sampled<'a> {
    pub time_ns: u64,
    pub process: &'a Process,
    pub exec_id: u64,
    pub weight_ns: u64,
    pub thread: u32,
    pub thread_comm: [u8; 16],
    pub cpu: u32,
    pub flags: u8,
    pub user_end: u8,
    pub python_end: u8,
    /// Frames of the kernel, of Python, of the user, and registers.
    pub counts: [u16; 4],
    pub stack_bytes: u32,
}

impl Sampled<'_> {
    /// With what is behind the record.
    pub fn read<'a>(
        &self,
        behind: &'a [u8],
        context: &Context,
    ) -> Result<CpuSample<'a>, DecodeError> {
        let split = Behind::split(behind, self.counts, self.stack_bytes);
        let Behind { kernel_frames, python_frames, user_frames, registers, stack } =
            split.ok_or(DecodeError::Short(behind.len()))?;
        let has = |flag: u32| u32::from(self.flags) & flag != 0;
        let clock = context.clock.get();
        Ok(CpuSample {
            time: clock.event_time(self.time_ns),
            process: process(self.process, &clock),
            boottime_ns: self.time_ns,
            exec_id: self.exec_id,
            weight_ns: self.weight_ns,
            thread_id: self.thread,
            thread_comm: Comm(self.thread_comm),
            cpu: self.cpu,
            is_user_mode: has(sample_flag::SAMPLE_USER_MODE),
            is_kernel_truncated: has(sample_flag::SAMPLE_KERNEL_TRUNCATED),
            user_end: stack_end(self.user_end).ok_or(DecodeError::Value("user_end"))?,
            kernel_frames,
            python_frames,
            python_end: python_end(self.python_end).ok_or(DecodeError::Value("python_end"))?,
            user_frames,
            registers,
            stack,
        })
    }
}

/// What is behind a record with stacks.
struct Behind<'a> {
    pub kernel_frames: Words<'a>,
    pub python_frames: Words<'a>,
    pub user_frames: Words<'a>,
    pub registers: Words<'a>,
    pub stack: &'a [u8],
}

impl<'a> Behind<'a> {
    /// So many frames of the kernel, of Python, of the user, and registers; then so many bytes of the stack. `None` where
    /// there are not that many.
    pub fn split(mut rest: &'a [u8], counts: [u16; 4], stack_bytes: u32) -> Option<Self> {
        let mut take = |bytes: usize| {
            let (taken, behind) = rest.split_at_checked(bytes)?;
            rest = behind;
            Some(taken)
        };
        let [kernel, python, user, registers] = counts.map(|count| usize::from(count) * size_of::<u64>());
        Some(Self {
            kernel_frames: Words::new(take(kernel)?),
            python_frames: Words::new(take(python)?),
            user_frames: Words::new(take(user)?),
            registers: Words::new(take(registers)?),
            stack: take(usize::try_from(stack_bytes).ok()?)?,
        })
    }
}

/// What `enum unwind_end` and `enum sample_end` mean.
fn stack_end(number: u8) -> Option<StackEnd> {
    Some(match u32::from(number) {
        sample_end::SAMPLE_END_NO_USER_STACK => StackEnd::NoUserStack,
        sample_end::SAMPLE_END_UNKNOWN_PROCESS => StackEnd::UnknownProcess,
        sample_end::SAMPLE_END_FOREIGN => StackEnd::Foreign,
        sample_end::SAMPLE_END_NOT_REACHED => StackEnd::NotReached,
        0 => StackEnd::Outermost,
        1 => StackEnd::EndOfChain,
        2 => StackEnd::Depth,
        3 => StackEnd::NoMapping,
        4 => StackEnd::ReturnNotCode,
        5 => StackEnd::Unreadable,
        6 => StackEnd::BadFramePointer,
        7 => StackEnd::Unsupported,
        8 => StackEnd::UnknownRegister,
        9 => StackEnd::NotRising,
        10 => StackEnd::BrokenTable,
        _ => return None,
    })
}

/// What `enum python_end` means.
pub(crate) fn python_end(number: u8) -> Option<PythonEnd> {
    PythonEnd::ALL.get(usize::from(number)).copied()
}

/// Nothing is there before a clock ticks.
pub fn seed(_loaded: &Loaded, _context: &Context, _sink: &mut dyn FnMut(&dyn Record)) -> usize {
    0
}

/// This signal's groups have no code.
pub fn code_text(_code: u32, _context: &Context) -> String {
    "-".to_owned()
}
