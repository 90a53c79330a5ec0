//! From zero to a running agent: installation, doctor, documents.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod bill_of_materials;
mod dist;
mod doctor;
mod doctor_causes;
mod doctor_surroundings;
mod documents;
mod image;
mod install;
mod installed;
mod monitoring;
mod packages;
mod shells;
