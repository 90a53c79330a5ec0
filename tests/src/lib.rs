//! Drives the `chandra` binary on a real kernel and compares what it says with what really happened.
//!
//! Nothing of Chandra is linked here, save for the messages of Hubble's contract: the truth comes from
//! `/proc`, from the sockets themselves and from what the test did, so that a mistake cannot cancel itself
//! out.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states what it expects by stopping where that does not hold"
)]

pub mod actor;
pub mod agent;
pub mod api_server;
pub mod browser;
pub mod certificates;
pub mod cgroup;
pub mod collector;
pub mod comparison;
pub mod containerd;
pub mod contest;
pub mod conversation;
pub mod credentials;
pub mod datagrams;
pub mod deeds;
pub mod disk;
pub mod dns;
pub mod documents;
pub mod drops;
pub mod endpoint;
pub mod exchange;
pub mod failure;
pub mod faults;
pub mod flood;
pub mod flows;
pub mod go_profile;
pub mod handshake;
pub mod http;
pub mod hubble;
pub mod icmp;
pub mod interrupts;
pub mod launch;
pub mod lines;
pub mod loopback;
pub mod namespaces;
pub mod needs;
pub mod observe;
pub mod oom;
pub mod patience;
pub mod process;
pub mod profiling;
pub mod prometheus;
pub mod pythons;
pub mod record;
pub mod recorder;
pub mod replay;
pub mod scratch;
pub mod screen;
pub mod socket;
pub mod storm;
pub mod trace;
pub mod turns;
pub mod wall_clock;
pub mod ways;
