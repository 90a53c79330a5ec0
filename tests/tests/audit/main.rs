//! The security audit: rules on what really happened, alerts, recordings.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod alerts;
mod calls;
mod container_fields;
mod default_rules;
mod default_rules_fire;
mod environment;
mod evasions;
mod event_budgets;
mod fields;
mod floods;
mod in_pods;
mod recordings;
mod recordings_of_containers;
mod rules;
mod sigma;
