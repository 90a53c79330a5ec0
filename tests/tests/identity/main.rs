//! Who did it: pods, containers, lineage, and who is at the other end.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod agent;
mod by_bundle;
mod by_the_api_alone;
mod cluster_network;
mod container_lives;
mod hostile;
mod in_containers;
mod is_behind_a_service;
mod is_selected;
mod late;
mod lineage;
mod on_the_network;
mod when_the_api_is_away;
