//! From a sample to a stack that is counted: as it came, or walked here once the tables are there.

use std::sync::Arc;

use chandra_event::cpu_sample::{StackEnd, UserFrame};
use chandra_loader::clock;

use super::figures::Measured;
use super::knowledge::numbers;
use super::{Of, Profiler};
use crate::code_lists::ProcessKey;
use crate::processes::Program;
use crate::python::PythonStack;
use crate::stacks::{Sampled, Waited};
use crate::walk::Stack;

/// A sample that waits for tables.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) of: Of,
    pub(super) process: (u32, u64),
    pub(super) exec_id: u64,
    pub(super) boottime_ns: u64,
    pub(super) weight_ns: u64,
    pub(super) waited: Option<Waited>,
    pub(super) owner: u32,
    pub(super) end: StackEnd,
    pub(super) is_kernel_truncated: bool,
    pub(super) kernel: Box<[u64]>,
    pub(super) user: Box<[u64]>,
    pub(super) python: PythonStack,
    pub(super) stack: Stack,
    pub(super) was_looked_for: bool,
}

/// Bytes of samples that may wait, what their stacks share counted once.
const MAX_WAITING_BYTES: usize = 6 << 20;
/// What a stack takes at most that shares nothing.
const MOST_STACK_BYTES: usize = 18 << 10;

impl Waiting {
    /// Memory that it takes beside its stack's parts, about.
    pub(super) fn own_bytes(&self) -> usize {
        let words = self.kernel.len() + self.user.len() + self.python.len();
        size_of::<Self>() + words * size_of::<u64>() + 16 * size_of::<Arc<[u8]>>()
    }
}

impl Profiler {
    /// Walks a sample's stack, or lets it wait until that can be done.
    pub(super) fn settle_or_wait(&mut self, mut waiting: Waiting) {
        let (pid, _) = waiting.process;
        let now_ns = clock::boottime_ns();
        let has_memory = |program: &mut Program| !program.memory.pieces().is_empty();
        if !self.processes.program(pid, waiting.boottime_ns).is_some_and(has_memory) {
            self.processes.look(pid, now_ns);
        }
        let Some(program) = self
            .processes
            .program(pid, waiting.boottime_ns)
            .filter(|it| !it.memory.pieces().is_empty())
        else {
            self.measured.of_mut(waiting.of).figures.unknown += 1;
            self.settle(&waiting, None);
            return;
        };
        self.pythons.meet_all(pid, &program.memory, &mut self.executables, &mut self.kernel);
        let numbers = numbers(&mut self.executables, pid, &program.memory);
        let is_ready = numbers.iter().all(|(_, number)| self.executables.is_ready(*number));
        let own_bytes = waiting.own_bytes();
        let all = self.waiting_bytes + own_bytes + self.parts.bytes() + MOST_STACK_BYTES;
        if !is_ready && self.may_wait && all <= MAX_WAITING_BYTES {
            self.waiting_bytes += own_bytes;
            self.parts.keep(&mut waiting.stack);
            self.waiting.push_back(waiting);
            return;
        }
        self.measured.of_mut(waiting.of).figures.walked_early += u64::from(!is_ready);
        let number = |start| {
            let found = numbers.binary_search_by_key(&start, |(start, _)| *start);
            found.ok().and_then(|at| numbers.get(at)).map_or(0, |(_, number)| *number)
        };
        let walked = waiting.stack.walk(&program.memory, &self.executables, number);
        let is_lost = matches!(walked.1, StackEnd::NoMapping | StackEnd::ReturnNotCode);
        let is_last = program.began_ns <= waiting.boottime_ns;
        // Memory can be made executable without a word of the kernel's.
        if is_lost && is_last && !waiting.was_looked_for && self.processes.look(pid, now_ns) {
            waiting.was_looked_for = true;
            self.outdated.insert(pid);
            self.settle_or_wait(waiting);
            return;
        }
        if is_ready {
            self.tell_process(&waiting);
        }
        self.measured.of_mut(waiting.of).figures.walked_here += 1;
        self.settle(&waiting, Some(walked));
    }

    fn settle(&mut self, waiting: &Waiting, walked: Option<(Vec<u64>, StackEnd)>) {
        let here = [waiting.stack.pc()];
        let as_it_came = if waiting.user.is_empty() { &here[..] } else { &waiting.user };
        let (user, end) = match &walked {
            Some((frames, end)) => (frames.as_slice(), *end),
            None => (as_it_came, waiting.end),
        };
        self.count(
            waiting.of,
            waiting.process,
            &waiting.python,
            &Sampled {
                owner: waiting.owner,
                end,
                is_kernel_truncated: waiting.is_kernel_truncated,
                kernel: &waiting.kernel,
                user,
                weight_ns: waiting.weight_ns,
                waited: waiting.waited,
            },
        );
    }

    pub(super) fn count(
        &mut self,
        of: Of,
        process: ProcessKey,
        python: &PythonStack,
        sampled: &Sampled<'_>,
    ) {
        let is_in_no_file = |word: &u64| UserFrame::unpack(*word).executable == 0;
        if sampled.user.iter().any(is_in_no_file) {
            self.lists.sample(process, &mut self.executables.roots);
        }
        for word in sampled.user {
            self.executables.see(UserFrame::unpack(*word).executable, self.looked);
        }
        let end = StackEnd::ALL.iter().position(|end| *end == sampled.end);
        let Measured { stacks, figures } = self.measured.of_mut(of);
        if let Some(count) = end.and_then(|end| figures.ends.get_mut(end)) {
            *count += 1;
        }
        if python.is_empty() {
            return stacks.add(sampled);
        }
        let merged = self.pythons.merge(sampled.user, sampled.end.is_whole(), python);
        stacks.add(&Sampled { user: &merged, ..*sampled });
    }
}
