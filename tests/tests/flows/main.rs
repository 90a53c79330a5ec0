//! Flows by the Hubble API, served and asked for.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod http;
mod icmp;
mod observe_output;
mod observe_own;
mod observe_port_forward;
mod observe_requests;
mod observe_servers;
mod observe_tls;
mod of_requests;
mod served;
mod storm;
mod tcp_goes_on;
mod tcp_storm;
mod udp;
