//! The fields of the `signal_sent` signal's record.

use super::SignalSent;
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::record! {
    /// A signal was sent; `process` is who sent it, absent where it was nobody's doing
    pub static SIGNAL_SENT: Kind = ("signal_sent", "signal_sent");
    pub struct SignalSentFields(sent: &SignalSent) = [OwnerFields(sent.process.as_ref())] {
        "sent_signal", "SENT_SIGNAL", 11, Table, Signal(sent.signal),
        "The signal";
        "sent_signal_number", "SENT_NUMBER", 11, Json, Number(sent.signal),
        "Its number";
        "target.pid", "TARGET", 7, Table, Number(sent.target.pid),
        "Process that it is for";
        "target.comm", "TARGET_COMM", 15, Table, Bytes(sent.target.comm.as_bytes()),
        "Name of that process (15 bytes at most)";
        "target.thread_id", "TARGET_THREAD", 13, Wide, Number(sent.target.thread_id),
        "Thread by which the kernel names the target";
        "target.is_process", "TO_PROCESS", 10, Wide, Bool(sent.is_to_process),
        "It is for the whole process, any thread of which may take it";
        "target.start_boottime_ns", "TARGET_START_BOOTTIME", 21, Json,
        Big(sent.target.start_boottime_ns),
        "Start of the target on CLOCK_BOOTTIME; with the pid it names one process";
        "target.cgroup_id", "TARGET_CGROUP", 13, Json, Big(sent.target.cgroup_id),
        "Cgroup of the target, an id within its hierarchy";
        "target.cgroup_hierarchy", "TARGET_HIERARCHY", 16, Json,
        Number(Some(sent.target.cgroup_hierarchy).filter(|hierarchy| *hierarchy != 0)),
        "Hierarchy of that cgroup where it is one of cgroup v1; absent for the unified (v2) one";
        "outcome", "OUTCOME", 16, Table, Word(sent.outcome.word()),
        "What became of it: `delivered`, `ignored`, `already_pending`, `overflow`, `lost_information`";
        "by_kernel", "BY_KERNEL", 9, Wide, Bool(sent.is_by_kernel),
        "The kernel sent it: for a fault, a timer, a terminal, the end of a child";
        "code", "SIGNAL_CODE", 11, Wide, Signed(sent.code.map(i64::from)),
        "`si_code` of sigaction(2), where the sender gave one: 0 is kill(2), -1 sigqueue(3), -6 tgkill(2)";
        "sampled_one_in", "SAMPLED", 7, Json, Number(Some(sent.sampled_one_in).filter(|one_in| *one_in != 1)),
        "Of so many one was told, drawn at random, so that it stands for all of them; absent where all are told";
    }
}

impl Record for SignalSent {
    fn kind(&self) -> &'static Kind {
        &SIGNAL_SENT
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        SignalSentFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::SignalSent(self)
    }
}
