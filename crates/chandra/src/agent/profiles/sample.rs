//! A sample that goes to another thread: a copy of the record, with whose it is.

use chandra_event::cpu_sample::{CpuSample, Words};
use chandra_event::off_cpu::OffCpu;
use chandra_event::process::Comm;
use chandra_event::record::Event;
use chandra_profiler::{OwnerOfSample, Profiler};

use super::sessions::Marked;
use crate::follow::Told;

/// See the [module](self). Samples are some twenty a second and CPU: a copy of each is cheap.
#[derive(Debug)]
pub struct Sample {
    /// What it says of the moment, without what is behind it.
    sample: CpuSample<'static>,
    /// Of a wait.
    wait: Option<OffCpu<'static>>,
    /// Frames of the kernel, of Python, of the user, registers and stack, one after another.
    behind: Box<[u8]>,
    lengths: [usize; 4],
    container: Box<str>,
    pod: Box<str>,
    namespace: Box<str>,
    /// Who asks for it.
    pub marked: Marked,
}

impl Sample {
    /// Of a record that is a sample or a wait.
    pub fn of(told: &Told<'_>) -> Option<Self> {
        let (sample, wait) = match told.known.record.event() {
            Event::CpuSample(sample) => (sample, None),
            Event::OffCpu(wait) => (&wait.sample, Some(wait)),
            _ => return None,
        };
        let parts =
            [sample.kernel_frames, sample.python_frames, sample.user_frames, sample.registers];
        let parts = parts.map(|words| words.bytes());
        let none = Words::default();
        let bare = CpuSample {
            kernel_frames: none,
            python_frames: none,
            user_frames: none,
            registers: none,
            stack: &[],
            ..*sample
        };
        let (who, pod) = (told.known.who, told.known.who.pod);
        Some(Self {
            sample: bare,
            wait: wait.map(|wait| OffCpu { sample: bare, ..*wait }),
            behind: [parts[0], parts[1], parts[2], parts[3], sample.stack].concat().into(),
            lengths: parts.map(<[u8]>::len),
            container: who.container.map_or("", |it| it.name.unwrap_or(it.id)).into(),
            pod: pod.and_then(|pod| pod.name).unwrap_or_default().into(),
            namespace: pod.and_then(|pod| pod.namespace).unwrap_or_default().into(),
            marked: Marked::default(),
        })
    }

    /// Memory that it takes, about.
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.behind.len()
    }

    /// Hands it on.
    pub fn give(&self, profiler: &mut Profiler, node: &str) {
        let [kernel, python, user, registers] = self.lengths;
        let mut rest = &*self.behind;
        let mut take = |bytes| {
            let (taken, behind) = rest.split_at_checked(bytes).unwrap_or_default();
            rest = behind;
            taken
        };
        let sample = CpuSample {
            kernel_frames: Words::new(take(kernel)),
            python_frames: Words::new(take(python)),
            user_frames: Words::new(take(user)),
            registers: Words::new(take(registers)),
            stack: rest,
            ..self.sample
        };
        let process = &sample.process;
        let (tid, thread) = match self.marked.with_thread {
            true => (sample.thread_id, sample.thread_comm),
            false => (0, Comm::default()),
        };
        let owner = OwnerOfSample {
            pid: process.pid,
            start_boottime_ns: process.start_boottime_ns,
            process: process.comm,
            tid,
            thread,
            container: &self.container,
            pod: &self.pod,
            namespace: &self.namespace,
            node,
            marks: self.marked.marks,
        };
        match self.wait {
            Some(wait) => profiler.wait(&OffCpu { sample, ..wait }, &owner),
            None => profiler.sample(&sample, &owner),
        }
    }
}
