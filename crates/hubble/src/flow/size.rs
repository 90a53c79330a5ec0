//! How much memory a flow takes: of its own, and in the parts that it shares.

use std::mem::size_of;
use std::sync::Arc;

use super::{
    Actor, Container, Endpoint, Flow, Icmp, KernelDrop, L7, L7Record, NetworkInterface, Policy,
    Process, QuotedPacket, Rare, Service,
};

/// The two counts of an `Arc`.
const ARC_BYTES: usize = 2 * size_of::<usize>();
/// What an allocation costs beside its bytes, on average: its header and the rounding to 16.
const ALLOCATION_BYTES: usize = 16;

/// Bytes on the heap beside the value itself.
pub(crate) trait Heap {
    fn heap_bytes(&self) -> usize;
}

impl Flow {
    /// What it takes behind an `Arc`, without what it shares.
    pub(crate) fn own_bytes(&self) -> usize {
        allocated(ARC_BYTES + size_of::<Flow>())
    }

    /// Each part that other flows may share: where it is, and how to learn its size.
    pub(crate) fn each_part(&self, mut each: impl FnMut(usize, &dyn Fn() -> usize)) {
        macro_rules! parts {
            ($of:expr, $($field:ident),*) => {
                $(if let Some(shared) = &$of.$field {
                    each(Arc::as_ptr(shared) as usize, &|| shared_bytes(shared));
                })*
            };
        }
        parts!(self, source, destination, source_service, destination_service);
        parts!(self, source_names, destination_names, interface, l7, rare);
        parts!(self.details, actor, drop, icmp);
    }
}

fn allocated(bytes: usize) -> usize {
    if bytes == 0 { 0 } else { bytes + ALLOCATION_BYTES }
}

fn shared_bytes<T: Heap>(shared: &Arc<T>) -> usize {
    allocated(ARC_BYTES + size_of::<T>()) + shared.heap_bytes()
}

impl Heap for String {
    fn heap_bytes(&self) -> usize {
        allocated(self.capacity())
    }
}

impl<T: Heap> Heap for Vec<T> {
    fn heap_bytes(&self) -> usize {
        let inner: usize = self.iter().map(Heap::heap_bytes).sum();
        allocated(self.capacity() * size_of::<T>()) + inner
    }
}

impl<T: Heap> Heap for Option<T> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, Heap::heap_bytes)
    }
}

/// The sum of the named fields.
macro_rules! heap {
    ($of:ty: $($field:ident),*) => {
        impl Heap for $of {
            fn heap_bytes(&self) -> usize {
                0 $(+ self.$field.heap_bytes())*
            }
        }
    };
}

heap!(super::Workload: name, kind);
heap!(Endpoint: namespace, labels, pod_name, workloads, cluster_name);
heap!(Service: name, namespace);
heap!(NetworkInterface: name);
heap!(Actor: process, parent, container);
heap!(Process: comm, exe);
heap!(Container: id, name, image);
heap!(KernelDrop: reason, location, decided_by);
heap!(Icmp: gateway, quoted);
heap!(QuotedPacket: source, destination);
heap!(Policy: name, namespace, labels, kind);
heap!(super::Dns: query, ips, cnames, observation_source, qtypes, rrtypes);
heap!(super::HttpHeader: key, value);
heap!(super::Http: method, url, protocol, headers);
heap!(Rare: trace_id, egress_allowed_by, ingress_allowed_by, egress_denied_by, ingress_denied_by, policy_log);

impl Heap for L7 {
    fn heap_bytes(&self) -> usize {
        match &self.record {
            L7Record::Dns(dns) => dns.heap_bytes(),
            L7Record::Http(http) => http.heap_bytes(),
        }
    }
}
