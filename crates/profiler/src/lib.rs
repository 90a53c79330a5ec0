//! From samples of the signals `cpu_profile` and `off_cpu` to a profile.
//!
//! ```text
//! sideband of perf ──▶ processes ──▶ kernel: mappings of each process, tables of each executable
//!     /proc at start       │                        │
//!                          ▼                        ▼
//! samples ───────▶ profiler: whole as they come, or walked here ──▶ stacks ──▶ names ──▶ profile
//!                                                                                ▲
//!                           executables, lists of code, roots: opened early ─────┘
//! ```
//!
//! The kernel walks stacks as soon as it knows a process and the tables of what it runs. Until then a sample
//! brings its registers and the top of its stack, and is walked here, by the same tables and the same steps:
//! no sample is lost to a process being new. Tables are built by a thread of their own; what needs one that is
//! not ready waits for it, within a bound. Names are looked up once, at the end, in files that were opened when they
//! were mapped.
//!
//! Invariants: what was sampled is in the profile, whole or with the reason why it is not; a process is a pid, the
//! moment it started and the program it executes; memory is bounded, and what is beyond it is counted.
#![forbid(unsafe_code)]

mod code_lists;
pub mod cost;
mod executables;
mod kept_table;
mod kernel;
pub mod memory;
mod names;
pub mod proc_maps;
mod processes;
mod profiler;
pub mod python;
mod resolve;
mod roots;
mod stacks;
mod walk;

pub use kernel::KernelError;
pub use names::{NameFigures, Progress};
pub use profiler::{Figures, Of, Profiler, StartError, Window};
pub use python::PythonFigures;
pub use resolve::LibraryFigures;
pub use stacks::{OwnerOfSample, Shown, Waited, What};
