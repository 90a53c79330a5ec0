//! A request as it goes over the network: compressed once, when it is made, so that what waits takes little
//! room and trying again costs nothing.

use std::io::Write;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::queue::Queue;
use crate::wire;

/// A request.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    /// Its body.
    pub body: Bytes,
    /// Data points, log records or profiles in it.
    pub items: u64,
    /// The body is compressed.
    pub is_gzip: bool,
}

/// Makes requests of a signal and queues them.
#[derive(Debug)]
pub(crate) struct Packing {
    /// Fields of `Resource`.
    pub resource: Arc<[u8]>,
    pub gzip: bool,
    pub queue: Arc<Queue>,
}

impl Packing {
    /// Items (metrics, or log records) as fields of their scope become a request.
    pub fn pack(&self, fields: &[u8], items: u64) {
        self.send(wire::request(&self.resource, fields), items);
    }

    /// A request that is written as a whole.
    pub fn send(&self, body: Vec<u8>, items: u64) {
        let packed = self.gzip.then(|| gzip(&body)).flatten();
        let is_gzip = packed.is_some();
        let body = packed.unwrap_or(body).into();
        self.queue.push(Batch { body, items, is_gzip });
    }
}

/// The fastest level: metrics are alike, so a better one makes them little smaller.
fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::with_capacity(body.len() / 8), Compression::fast());
    // Writing to memory fails only where there is none.
    out.write_all(body).ok()?;
    let mut packed = out.finish().ok()?;
    packed.shrink_to_fit();
    Some(packed)
}
