//! Records in. Each may come late: what is newer stays, what was missing is filled in.

use chandra_event::process::{Exec, Exit, Fork, Process, Standing};
use chandra_event::record::Event;
use chandra_event::time::Timestamp;

use super::entry::{Ending, Parent, ProcessEntry, ProcessId, Ran, Source};
use super::lineage::Links;
use super::pool::Handle;
use super::program::Program;
use super::slab::NONE;
use super::table::ProcessTable;

impl ProcessTable {
    /// Takes in a typed record: an exec, a fork, an exit, or the process on another one.
    pub fn apply(&mut self, event: &Event<'_>) {
        match event {
            Event::Exec(exec) => self.exec(exec),
            Event::Fork(fork) => self.fork(fork),
            Event::Exit(exit) => self.exit(exit),
            _ => {}
        }
    }

    /// A process stood on a record of this time.
    pub fn sight(&mut self, process: &Process, time: Timestamp) {
        if self.refined_slot(ProcessId::of(process)).is_none() {
            self.make_room(None, 1, None);
        }
        self.know(process, time);
    }

    /// A program was executed, or found running.
    pub fn exec(&mut self, exec: &Exec<'_>) {
        if exec.process.pid == 0 {
            return;
        }
        let process = if exec.running { self.exact(&exec.process) } else { exec.process };
        if exec.running {
            self.note_met();
        }
        let known = self.refined_slot(ProcessId::of(&process));
        self.make_room(known, usize::from(known.is_none()), Some(exec));
        let slot = self.know(&process, exec.time);
        let program = self.programs.intern(exec);
        let ran = Ran { program, since_boottime_ns: self.boottime_ns_of(exec.time) };
        let is_newest = self.entries.get(slot).is_some_and(|entry| {
            entry.now.as_ref().is_none_or(|now| now.since_boottime_ns <= ran.since_boottime_ns)
        });
        if is_newest {
            self.edit(slot, |entry| entry.standing = Some(exec.standing()));
        }
        if exec.running { self.note_running(slot, ran) } else { self.note_exec(slot, ran) }
    }

    /// A process was created.
    pub fn fork(&mut self, fork: &Fork) {
        let (parent, child) = (&fork.parent, &fork.process);
        if child.pid == 0 {
            return;
        }
        let slots = [parent, child].map(|process| self.refined_slot(ProcessId::of(process)));
        let unknown = slots.iter().filter(|slot| slot.is_none()).count();
        if unknown > 0 {
            let [parent, child] = slots;
            self.make_room(parent.or(child), unknown, None);
        }
        let parent_slot = self.know(parent, fork.time);
        let slot = match self.slot(ProcessId::of(child)) {
            None => self.insert(child, fork.time, ProcessId::of(parent).into()),
            Some(slot) => {
                self.refresh(slot, child, fork.time);
                self.correct_birth(slot, ProcessId::of(parent));
                slot
            }
        };
        self.edit(slot, |entry| entry.source = entry.source.max(Source::Forked));
        self.inherit(parent_slot, slot, fork.time);
    }

    /// A process ended.
    pub fn exit(&mut self, exit: &Exit) {
        let process = &exit.process;
        if process.pid == 0 {
            return;
        }
        if self.refined_slot(ProcessId::of(process)).is_none() {
            self.make_room(None, 1, None);
        }
        let slot = self.know(process, exit.time);
        let &Exit { time, exit_code, exit_signal, core_dumped, duration_ns, .. } = exit;
        let boottime_ns = process.start_boottime_ns.saturating_add(duration_ns);
        let time = Some(time);
        self.end(slot, Ending { boottime_ns, time, exit_code, exit_signal, core_dumped });
    }

    fn know(&mut self, process: &Process, time: Timestamp) -> u32 {
        match self.slot(ProcessId::of(process)) {
            Some(slot) => {
                self.refresh(slot, process, time);
                slot
            }
            None if process.pid == 0 => NONE,
            None => {
                self.counts.sighted += 1;
                let parent = Parent { pid: process.ppid, start_boottime_ns: None };
                self.insert(process, time, parent)
            }
        }
    }

    fn insert(&mut self, process: &Process, time: Timestamp, birth: Parent) -> u32 {
        self.serial = self.serial.wrapping_add(1);
        let slot = self.entries.insert(ProcessEntry {
            process: *process,
            seen_boottime_ns: self.boottime_ns_of(time),
            source: Source::Sighted,
            execs: 0,
            now: None,
            before: None,
            standing: None,
            birth,
            parent: Parent { pid: process.ppid, start_boottime_ns: None },
            ending: None,
            links: Links::new(self.serial),
            place: None,
        });
        self.reorder(slot);
        self.link_holder(slot);
        self.link_parent(slot, birth);
        self.find_parent(slot);
        self.adopt_waiting(slot);
        slot
    }

    /// Takes over what changes in the life of a process.
    fn refresh(&mut self, slot: u32, process: &Process, time: Timestamp) {
        let boottime_ns = self.boottime_ns_of(time);
        let Some(entry) = self.entries.get_mut(slot) else { return };
        if boottime_ns < entry.seen_boottime_ns {
            return;
        }
        entry.seen_boottime_ns = boottime_ns;
        let Process { uid, gid, comm, cgroup_id, ppid, .. } = *process;
        (entry.process.uid, entry.process.gid, entry.process.comm) = (uid, gid, comm);
        if cgroup_id != 0 {
            // `/proc` does not say it.
            entry.process.cgroup_id = cgroup_id;
        }
        if ppid != 0 && ppid != entry.parent.pid {
            entry.process.ppid = ppid;
            entry.parent = Parent { pid: ppid, start_boottime_ns: None };
            self.counts.reparented += 1;
        }
        self.find_parent(slot);
        self.revive(slot, boottime_ns);
    }

    /// Finds out who the current parent is, if only its pid is known.
    pub(super) fn find_parent(&mut self, slot: u32) {
        let Some(entry) = self.entries.get(slot) else { return };
        let Parent { pid, start_boottime_ns: None } = entry.parent else { return };
        let known = entry.birth.id().filter(|birth| birth.pid == pid);
        let holder = || self.entries.get(self.holder(pid, entry.id())?).map(ProcessEntry::id);
        if let Some(parent) = known.or_else(holder) {
            self.edit(slot, |entry| entry.parent = parent.into());
        }
    }

    /// The fork of a known process says for certain who its parent was.
    fn correct_birth(&mut self, slot: u32, parent: ProcessId) {
        let Some(entry) = self.entries.get(slot) else { return };
        if entry.birth.id() != Some(parent) {
            self.unlink_parent(slot);
            self.link_parent(slot, parent.into());
            self.find_parent(slot);
        }
    }

    fn note_exec(&mut self, slot: u32, ran: Ran) {
        let is_older = self.is_before_walk(slot, ran.since_boottime_ns);
        let Some(entry) = self.entries.get_mut(slot) else { return self.release(Some(ran)) };
        entry.execs = entry.execs.saturating_add(1);
        self.counts.execs_without_fork += u64::from(entry.source >= Source::Running);
        let is_latest = !is_older
            && entry.now.as_ref().is_none_or(|now| now.since_boottime_ns <= ran.since_boottime_ns);
        entry.source = Source::Executed;
        let displaced = if is_latest {
            let before = entry.now.replace(ran);
            if before.is_some() { std::mem::replace(&mut entry.before, before) } else { None }
        } else if entry
            .before
            .as_ref()
            .is_none_or(|before| before.since_boottime_ns <= ran.since_boottime_ns)
        {
            entry.before.replace(ran)
        } else {
            Some(ran)
        };
        self.release(displaced);
    }

    /// What was seen to be executed says more than what was found running, unless it is another
    /// program: then an exec was missed.
    fn note_running(&mut self, slot: u32, ran: Ran) {
        let Some(entry) = self.entries.get_mut(slot) else { return self.release(Some(ran)) };
        let said = match &entry.now {
            None => false,
            Some(now) if now.since_boottime_ns > ran.since_boottime_ns => true,
            Some(_) if entry.source < Source::Running => false,
            Some(now) => is_same_file(&now.program, &ran.program),
        };
        let displaced = if said {
            Some(ran)
        } else {
            entry.source = entry.source.max(Source::Running);
            entry.now.replace(ran)
        };
        self.release(displaced);
    }

    /// A child begins with what its parent ran when it forked.
    fn inherit(&mut self, parent: u32, child: u32, time: Timestamp) {
        let boottime_ns = self.boottime_ns_of(time);
        let Some(parent) = self.entries.get(parent) else { return };
        let known = [&parent.now, &parent.before].into_iter().flatten();
        let Some(ran) = known.into_iter().find(|ran| ran.since_boottime_ns <= boottime_ns) else {
            return;
        };
        let program = self.programs.again(&ran.program);
        let ran = Ran { program, since_boottime_ns: boottime_ns };
        let standing = parent.standing.map(Standing::of_child);
        let Some(entry) = self.entries.get_mut(child) else { return self.release(Some(ran)) };
        entry.standing = entry.standing.or(standing);
        let displaced = if entry.now.is_none() {
            entry.now.replace(ran)
        } else if entry.source == Source::Executed && entry.before.is_none() {
            entry.before.replace(ran)
        } else {
            Some(ran)
        };
        self.release(displaced);
    }

    fn release(&mut self, ran: Option<Ran>) {
        if let Some(ran) = ran {
            self.programs.release(&ran.program);
        }
    }
}

fn is_same_file(one: &Handle<Program>, other: &Handle<Program>) -> bool {
    let of = |program: &Handle<Program>| (program.file.device, program.file.inode);
    of(one) == of(other) && one.executable == other.executable
}
