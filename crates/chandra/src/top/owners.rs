//! Whose records are: a process with where it runs, made once as long as that stays the same.

use std::sync::Arc;

use chandra_event::process::Process;
use chandra_event::record::Record;
use chandra_event::text::escape;
use chandra_event::who::Who;
use chandra_top::fact::{Owner, Place};

use crate::flows::cache::Cache;
use crate::follow::Told;

/// `/proc` tells when a process started in hundredths of a second.
pub const NS_PER_TICK: u64 = 10_000_000;

/// Owners by pid and start.
#[derive(Debug, Default)]
pub struct Owners(Cache<(u32, u64), Owner>);

impl Owners {
    /// Whose a record is, if that is known.
    pub fn of(&mut self, told: &Told<'_>) -> Option<Arc<Owner>> {
        let (process, who) = (told.known.process()?, told.known.who);
        let is_same = |kept: &Owner| is_same(kept, process, who);
        let make = || {
            let start = process.start_boottime_ns / NS_PER_TICK;
            Owner::new(process.pid, start, escape(process.comm.as_bytes()), place(who))
        };
        Some(self.0.get((process.pid, process.start_boottime_ns), is_same, make))
    }
}

fn is_same(kept: &Owner, process: &Process, who: &Who<'_>) -> bool {
    let is_text = |kept: &Option<String>, now: Option<&str>| kept.as_deref() == now;
    let (pod, workload) = (who.pod.unwrap_or_default(), &kept.place.workload);
    // A name with something to escape is made anew each time, which is right, if not fast.
    kept.comm.as_bytes() == process.comm.as_bytes()
        && is_text(&kept.place.namespace, pod.namespace)
        && is_text(&kept.place.pod, pod.name)
        && is_text(&kept.place.container, container(who))
        && workload.as_ref().map(|(kind, name)| (kind.as_str(), name.as_str()))
            == who.workload.map(|workload| (workload.kind, workload.name))
}

fn place(who: &Who<'_>) -> Place {
    let pod = who.pod.unwrap_or_default();
    Place {
        namespace: pod.namespace.map(str::to_owned),
        pod: pod.name.map(str::to_owned),
        workload: who.workload.map(|workload| (workload.kind.into(), workload.name.into())),
        container: container(who).map(str::to_owned),
    }
}

fn container<'a>(who: &Who<'a>) -> Option<&'a str> {
    let container = who.container?;
    Some(container.name.unwrap_or(container.id))
}
