//! Connections, datagrams, names, and packets that died.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod both_ends;
mod budgets;
mod dns_cases;
mod dns_resolvers;
mod drop_floods;
mod drop_packets;
mod drop_reasons;
mod http_requests;
mod icmp_echoes;
mod icmp_errors;
mod requests;
mod tcp_cases;
mod tcp_connections;
mod tcp_crowd;
mod tcp_failures;
mod tcp_health;
mod tcp_oddities;
mod top;
mod udp_conversations;
mod udp_crowd;
mod udp_sweeps;
