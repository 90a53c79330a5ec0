//! The fields of the `oom_kill` signal's record.

use super::{OomKill, Resident, Victim};
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::record! {
    /// The kernel killed a process (`process`) for want of memory
    pub static OOM_KILL: Kind = ("oom_kill", "oom_kill");
    pub struct OomKillFields(kill: &OomKill)
        = [OwnerFields(kill.victim.as_ref().map(|victim| &victim.process))] {
        "thread_id", "THREAD", 7, Wide, Number(kill.thread_id),
        "Thread by which the kernel names the victim, mostly the number of its process";
        "victim.anonymous_bytes", "ANON", 8, Table,
        Number(resident(kill).map(|resident| resident.anonymous_bytes)),
        "Its own memory; up to some pages for each CPU off since kernel 6.2";
        "victim.file_bytes", "FILE", 8, Wide,
        Number(resident(kill).map(|resident| resident.file_bytes)),
        "Resident memory of files, with the same reserve";
        "victim.shared_memory_bytes", "SHMEM", 8, Wide,
        Number(resident(kill).map(|resident| resident.shared_memory_bytes)),
        "Resident shared memory (tmpfs), with the same reserve";
        "victim.total_bytes", "TOTAL", 8, Wide,
        Big(victim(kill).map(|victim| victim.total_bytes)),
        "Its address space";
        "victim.page_table_bytes", "PAGE_TABLES", 11, Json,
        Number(victim(kill).map(|victim| victim.page_table_bytes)),
        "Its page tables";
        "victim.oom_score_adjustment", "SCORE_ADJ", 9, Wide,
        Signed(victim(kill).map(|victim| i64::from(victim.oom_score_adjustment))),
        "Its `oom_score_adj`: -1000 is never chosen, 1000 always first";
        "memory_limit.bytes", "LIMIT", 8, Table,
        Number(kill.limit.as_ref().map(|limit| limit.bytes)),
        "The limit that was reached: of the cgroups around the victim, that with the least room below its limit; absent where none is limited";
        "memory_limit.usage_bytes", "USAGE", 8, Table,
        Number(kill.limit.as_ref().map(|limit| limit.usage_bytes)),
        "What was used of it; much less than the limit where the whole machine had no memory left";
        "memory_limit.cgroup_id", "LIMIT_CGROUP", 12, Json,
        Big(kill.limit.as_ref().map(|limit| limit.cgroup_id)),
        "The cgroup that has the limit, an id within its hierarchy";
        "memory_limit.cgroup_hierarchy", "LIMIT_HIERARCHY", 15, Json,
        Number(kill.limit.as_ref().map(|limit| limit.cgroup_hierarchy).filter(|it| *it != 0)),
        "Hierarchy of that cgroup where it is one of cgroup v1; absent for the unified (v2) one";
        "allocator.pid", "ALLOCATOR_PID", 13, Json, Number(kill.allocator_pid),
        "Process that asked for memory when there was none; often the victim itself";
        "allocator.comm", "ALLOCATOR", 15, Table, Bytes(kill.allocator_comm.as_bytes()),
        "Name of its thread that did (15 bytes at most)";
    }
}

fn victim(kill: &OomKill) -> Option<&Victim> {
    kill.victim.as_ref()
}

fn resident(kill: &OomKill) -> Option<&Resident> {
    victim(kill)?.resident.as_ref()
}

impl Record for OomKill {
    fn kind(&self) -> &'static Kind {
        &OOM_KILL
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        OomKillFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::OomKill(self)
    }
}
