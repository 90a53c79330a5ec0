//! The messages and services of `proto/`, as Rust. Messages that one service shares with another are of
//! the package that has them, as in the files.

/// `chandra.v1`: what travels beside a flow, and asking for alerts and profiles.
pub mod chandra {
    /// Version 1.
    pub mod v1 {
        #![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications)]
        include!(concat!(env!("OUT_DIR"), "/chandra.v1.rs"));
    }
}

/// `flow`: flows and filters.
pub mod flow {
    #![allow(missing_docs, deprecated, clippy::all, clippy::pedantic, unused_qualifications)]
    include!(concat!(env!("OUT_DIR"), "/flow.rs"));
}

/// `observer`: asking for flows.
pub mod observer {
    #![allow(missing_docs, deprecated, clippy::all, clippy::pedantic, unused_qualifications)]
    include!(concat!(env!("OUT_DIR"), "/observer.rs"));
}

/// `peer`: which nodes there are.
pub mod peer {
    #![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications)]
    include!(concat!(env!("OUT_DIR"), "/peer.rs"));
}

/// `relay`: how a relay stands to nodes.
pub mod relay {
    #![allow(missing_docs, clippy::all, clippy::pedantic, unused_qualifications)]
    include!(concat!(env!("OUT_DIR"), "/relay.rs"));
}

/// All files of `proto/` with what they import, as an encoded `google.protobuf.FileDescriptorSet`: for
/// gRPC's reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
