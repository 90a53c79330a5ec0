//! Spans on their way to a collector. Each is told under the resource that it is of (a pod, a process), not under the
//! agent's; what comes within a second goes together.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::batch::Packing;
use crate::figures::{Cause, Counts};
use crate::resource::Resource;
use crate::wire::spans::Span;
use crate::wire::{ITEM, nested, of_resource};

/// They are not waited with any longer where there are so many bytes of them.
const ENOUGH: usize = 256 << 10;
/// More than that are not kept: the thread that takes them is held up.
const BOUND: usize = 1 << 20;

/// Spans on their way. A clone is the same way.
#[derive(Debug, Clone)]
pub struct Traces(Arc<Pending>);

#[derive(Debug)]
struct Pending {
    node: Resource,
    counts: Arc<Counts>,
    is_enough: Notify,
    spans: Mutex<Spans>,
}

#[derive(Debug, Default)]
struct Spans {
    /// As fields of their scope, by the fields of their resource.
    by_resource: BTreeMap<Vec<u8>, Vec<u8>>,
    bytes: usize,
    count: u64,
}

impl Traces {
    pub(crate) fn new(node: Resource, counts: Arc<Counts>) -> Self {
        let (is_enough, spans) = (Notify::new(), Mutex::default());
        Self(Arc::new(Pending { node, counts, is_enough, spans }))
    }

    /// Hands a span over, with what it is of. Never waits for the collector.
    pub fn push(&self, whose: &[(String, String)], span: &Span<'_>) {
        let Pending { node, counts, is_enough, spans } = &*self.0;
        let resource = node.fields_of(whose);
        let mut spans = spans.lock().unwrap_or_else(PoisonError::into_inner);
        counts.made(1);
        if spans.bytes >= BOUND {
            return counts.dropped(Cause::QueueFull, 1);
        }
        let resource_bytes = resource.len();
        let fields = spans.by_resource.entry(resource).or_default();
        let before = if fields.is_empty() { 0 } else { resource_bytes + fields.len() };
        nested(ITEM, fields, |out| span.write(out));
        let after = resource_bytes + fields.len();
        spans.bytes += after - before;
        spans.count += 1;
        counts.pending(spans.count);
        if spans.bytes >= ENOUGH {
            is_enough.notify_one();
        }
    }

    /// There are many.
    pub(crate) async fn enough(&self) {
        self.0.is_enough.notified().await;
    }

    /// What there is becomes a request.
    pub(crate) fn pack(&self, packing: &Packing) {
        let mut spans = self.0.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let Spans { by_resource, bytes, count } = std::mem::take(&mut *spans);
        drop(spans);
        if count == 0 {
            return;
        }
        let mut request = Vec::with_capacity(bytes + 64 * by_resource.len());
        for (resource, fields) in &by_resource {
            of_resource(resource, fields, &mut request);
        }
        packing.send(request, count);
        // Until there are others.
        self.0.counts.pending(0);
    }
}
