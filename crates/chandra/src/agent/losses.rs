//! Flows that were lost on their way, told as Hubble tells them: to metrics, by where it was; and to who
//! asks for flows, in the place where they are missing.
//!
//! - `PERF_EVENT_RING_BUFFER`: the ring between a probe and the agent was full. The kernel's ledger has
//!   records, so this counts those of signals that flows are made from.
//! - `HUBBLE_RING_BUFFER`: flows made room for newer ones before a reader came to them. Readers are told
//!   of that as it happens to them; here it is the sum over all of them.
//!
//! Nothing is lost between the two: what is drained waits for the thread that tells.

use chandra_hubble::flow::timestamp;
use chandra_hubble::proto::flow::{LostEvent, LostEventSource};
use chandra_hubble::ring::Ring;
use chandra_metrics::hubble::HubbleMetrics;

/// What was told so far.
#[derive(Debug, Default)]
pub struct Losses {
    in_kernel: u64,
    of_readers: u64,
    told_ns: u64,
}

impl Losses {
    /// Tells what was lost since the last time: `in_kernel` is all that rings had no room for since the
    /// start, `now_ns` is in nanoseconds since 1970. Whether the flows' ring has news.
    pub fn tell(
        &mut self,
        in_kernel: u64,
        now_ns: u64,
        ring: &Ring,
        metrics: &mut HubbleMetrics,
    ) -> bool {
        let since_ns = std::mem::replace(&mut self.told_ns, now_ns);
        let missed = ring.stats(now_ns).missed;
        let of_readers = growth(&mut self.of_readers, missed);
        if of_readers > 0 {
            metrics.lost(LostEventSource::HubbleRingBuffer, of_readers);
        }
        let in_kernel = growth(&mut self.in_kernel, in_kernel);
        if in_kernel > 0 {
            metrics.lost(LostEventSource::PerfEventRingBuffer, in_kernel);
            ring.push_lost(LostEvent {
                source: LostEventSource::PerfEventRingBuffer.into(),
                num_events_lost: in_kernel,
                // Of whichever processors.
                cpu: None,
                first: (since_ns > 0).then(|| timestamp(since_ns)),
                last: Some(timestamp(now_ns)),
            });
        }
        in_kernel > 0
    }
}

/// How much more it is than what was told, which it is from now on.
fn growth(told: &mut u64, now: u64) -> u64 {
    let growth = now.saturating_sub(*told);
    *told += growth;
    growth
}
