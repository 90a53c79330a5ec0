//! The fields of the `cpu_profile` signal's record.

use super::CpuSample;
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::record! {
    /// A clock ticked while something ran
    pub static CPU_SAMPLE: Kind = ("cpu_profile", "cpu_sample");
    pub struct CpuSampleFields(sample: &CpuSample<'_>) = [OwnerFields(Some(&sample.process))] {
        "thread_id", "THREAD", 7, Table, Number(sample.thread_id),
        "The thread that ran";
        "thread_comm", "THREAD_COMM", 15, Table, Bytes(sample.thread_comm.as_bytes()),
        "Its name (15 bytes at most)";
        "cpu", "CPU", 4, Table, Number(sample.cpu),
        "The CPU";
        "mode", "CPU_MODE", 8, Table, Word(if sample.is_user_mode { "user" } else { "kernel" }),
        "What ran: the program itself (`user`), or the kernel for it (`kernel`)";
        "weight_ns", "WEIGHT", 9, Wide, Number(sample.weight_ns),
        "The time that the sample stands for: since the tick before on this CPU";
        "kernel_frames", "KERNEL_FRAMES", 13, Wide, Number(sample.kernel_frames.len() as u64),
        "Frames of the kernel's stack";
        "kernel_truncated", "KERNEL_TRUNCATED", 16, Json, Bool(sample.is_kernel_truncated),
        "The kernel's stack is deeper";
        "user_frames", "USER_FRAMES", 11, Wide, Number(sample.user_frames.len() as u64),
        "Frames of the user's stack";
        "user_end", "USER_END", 16, Wide, Word(sample.user_end.word()),
        "Why the user's stack ends there; `outermost`, `end_of_chain` and `no_user_stack` are whole ones";
        "python_frames", "PYTHON_FRAMES", 13, Json, Number(sample.python_frames.len() as u64),
        "Frames of Python code";
        "python_end", "PYTHON_END", 12, Json, Word(sample.python_end.word()),
        "Why they end there; `none` where no interpreter is known in the process";
        "stack_bytes", "STACK_BYTES", 11, Json, Number(sample.stack.len() as u64),
        "Bytes of the stack that came along, for want of knowledge in the kernel";
    }
}

impl Record for CpuSample<'_> {
    fn kind(&self) -> &'static Kind {
        &CPU_SAMPLE
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        CpuSampleFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::CpuSample(self)
    }
}
