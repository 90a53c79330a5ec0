//! What becomes of an alert once a rule fired.
//!
//! ```text
//! rules ─▶ Outlets::take: fold ─queue─▶ redact, write ─queues─▶ stdout · file · syslog · spool ─▶ HTTP
//!                                         └─▶ Recent, for whoever asks
//! ```
//!
//! Nothing here knows how a rule is written or where events come from. Invariants: taking an alert never
//! waits; only what went through the [redactor](redact::Redactor) can be serialised; every alert that is
//! not told, and every one that is told with others, is counted with the reason ([`figures`]).
#![forbid(unsafe_code)]

pub mod alert;
pub mod figures;
pub mod fold;
pub mod outlets;
pub mod preceding;
pub mod recent;
pub mod redact;
pub mod sink;
pub mod spool;
pub mod wanted;

pub use alert::{Alert, Priority};
pub use figures::Figures;
pub use outlets::{Options, Outlets};
