//! Typed records of what the kernel did, and the one description of their fields.
//!
//! A record is decoded by a signal, borrows from the ring where it can, and is shown by its
//! descriptor: table columns, JSON, filters and reference pages all come from [`record::Field`].
//! This crate is pure: no kernel, no unsafe code, no I/O but what a caller's writer does.
#![forbid(unsafe_code)]

pub mod names;

pub mod bounded;
pub mod cgroup;
pub mod cpu_sample;
pub mod dns;
pub mod drop;
pub mod feed;
pub mod fields;
pub mod file;
pub mod histogram;
pub mod http;
pub mod icmp;
pub mod json;
pub mod off_cpu;
pub mod oom;
pub mod priority;
pub mod process;
pub mod record;
pub mod reference;
pub mod signal;
pub mod socket;
pub mod system_call;
pub mod table;
pub mod tcp;
pub mod text;
pub mod time;
pub mod udp;
pub mod unit;
pub mod value;
pub mod who;

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod samples;

use record::Kind;

/// Every kind of record that this crate defines, in the order of docs/reference/events.md.
pub static KINDS: [&Kind; 39] = [
    &process::EXEC,
    &process::PROCESS_RUNNING,
    &process::FORK,
    &process::EXIT,
    &cgroup::CGROUP_MKDIR,
    &cgroup::CGROUP_RMDIR,
    &cgroup::CGROUP_RENAME,
    &cgroup::CGROUP_RELEASE,
    &cgroup::CGROUP_RUNNING,
    &tcp::TCP_CONNECT,
    &tcp::TCP_ESTABLISHED,
    &tcp::TCP_CONNECT_RETRY,
    &tcp::TCP_CONNECT_FAILED,
    &tcp::TCP_ACCEPT,
    &tcp::TCP_CLOSE,
    &tcp::TCP_UPDATE,
    &tcp::TCP_STATE,
    &tcp::TCP_RETRANSMIT,
    &tcp::TCP_RESET,
    &tcp::TCP_LISTEN_DROP,
    &drop::PACKET_DROP,
    &drop::PACKET_DISCARD,
    &dns::DNS_QUERY,
    &dns::DNS_RESPONSE,
    &file::FILE_OPEN,
    &system_call::SYSTEM_CALL,
    &udp::UDP_OPEN,
    &udp::UDP_REPLY,
    &udp::UDP_UPDATE,
    &udp::UDP_CLOSE,
    &http::HTTP_REQUEST,
    &icmp::ICMP_ERROR,
    &icmp::ICMP_ECHO,
    &icmp::ICMP_OTHER,
    &cpu_sample::CPU_SAMPLE,
    &off_cpu::OFF_CPU,
    &oom::OOM_KILL,
    &signal::SIGNAL_SENT,
    &who::CONTAINER_DESCRIBED,
];
