//! pprof's format: gzip around a protobuf message, `perftools.profiles.Profile` of github.com/google/pprof.
//!
//! It is read field by field and not as one message: in memory a message may take thirty times the bytes that
//! it came in, and the bytes may come from anywhere.

mod read;
mod wire;
mod write;

pub use read::{Error, read};
pub use write::write;

/// No file may be larger than this, unpacked.
pub const MAX_BYTES: usize = 512 << 20;

/// How a file begins that is packed with gzip.
pub const GZIP: [u8; 2] = [0x1f, 0x8b];

/// Keys of labels that say whose a sample is. The first of each is what is written; others are read, too.
mod keys {
    pub const PID: &[&str] = &["pid", "process_id", "process.pid"];
    pub const START: &[&str] = &["start_boottime_ns"];
    pub const PROCESS: &[&str] = &["process", "comm", "process_name", "process.executable.name"];
    pub const TID: &[&str] = &["tid", "thread_id", "thread.id"];
    pub const THREAD: &[&str] = &["thread", "thread_name", "thread.name"];
    pub const CONTAINER: &[&str] =
        &["container", "container_name", "container_id", "k8s.container.name", "container.id"];
    pub const POD: &[&str] = &["pod", "pod_name", "k8s.pod.name"];
    pub const NAMESPACE: &[&str] = &["namespace", "k8s.namespace.name"];
    pub const NODE: &[&str] = &["node", "k8s.node.name", "host.name"];
    pub const TIME: &[&str] = &["time_since_start_ns"];
}

/// How comments say what the message has no field for.
mod comments {
    pub const HOST: &str = "host: ";
    pub const LOST: &str = "lost samples: ";
}

#[cfg(test)]
mod tests;
