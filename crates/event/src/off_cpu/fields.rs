//! The fields of the `off_cpu` signal's record.

use super::OffCpu;
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::record! {
    /// A thread came back to a CPU after a wait
    pub static OFF_CPU: Kind = ("off_cpu", "off_cpu");
    pub struct OffCpuFields(wait: &OffCpu<'_>) = [OwnerFields(Some(&wait.sample.process))] {
        "thread_id", "THREAD", 7, Table, Number(wait.sample.thread_id),
        "The thread that waited";
        "thread_comm", "THREAD_COMM", 15, Table, Bytes(wait.sample.thread_comm.as_bytes()),
        "Its name (15 bytes at most)";
        "wait_reason", "REASON", 15, Table, Word(wait.reason.word()),
        "Why it left its CPU: `interruptible` (S), `uninterruptible` (D), `preempted`, `stopped` (T), `idle` (I), `other`";
        "io_wait", "IO_WAIT", 7, Wide, Bool(wait.is_io_wait),
        "The scheduler counted it as waiting for a disk";
        "waited_ns", "WAITED", 9, Table, Number(wait.sample.weight_ns),
        "From leaving a CPU to coming to one";
        "runnable_ns", "RUNNABLE", 9, Table, Number(wait.runnable_ns),
        "Of that: it could have run, and waited for a CPU";
        "cpu", "CPU", 4, Wide, Number(wait.sample.cpu),
        "The CPU that it came to";
        "kernel_frames", "KERNEL_FRAMES", 13, Wide, Number(wait.sample.kernel_frames.len() as u64),
        "Frames of the kernel's stack";
        "kernel_truncated", "KERNEL_TRUNCATED", 16, Json, Bool(wait.sample.is_kernel_truncated),
        "The kernel's stack is deeper";
        "user_frames", "USER_FRAMES", 11, Wide, Number(wait.sample.user_frames.len() as u64),
        "Frames of the user's stack";
        "user_end", "USER_END", 16, Wide, Word(wait.sample.user_end.word()),
        "Why the user's stack ends there; `outermost`, `end_of_chain` and `no_user_stack` are whole ones";
        "python_frames", "PYTHON_FRAMES", 13, Json, Number(wait.sample.python_frames.len() as u64),
        "Frames of Python code";
        "python_end", "PYTHON_END", 12, Json, Word(wait.sample.python_end.word()),
        "Why they end there; `none` where no interpreter is known in the process";
        "stack_bytes", "STACK_BYTES", 11, Json, Number(wait.sample.stack.len() as u64),
        "Bytes of the stack that came along, for want of knowledge in the kernel";
    }
}

impl Record for OffCpu<'_> {
    fn kind(&self) -> &'static Kind {
        &OFF_CPU
    }

    fn time(&self) -> Timestamp {
        self.sample.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        OffCpuFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::OffCpu(self)
    }
}
