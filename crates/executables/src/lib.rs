//! What an executable is by its code, whatever its file is called: a copy of a shell is a shell.
//!
//! A copy under another name has another path, another inode and, in memory or deleted, no path at all; its code
//! is the same. So the first code of an executable is compared with that of the programs that are known in its
//! own root. Names, sections, build ids and bytes behind the end do not matter; who changes an instruction in
//! the first kilobytes has another program.
//!
//! Files: `elf` (where the code begins), `code` (its digest), `root` (opening files below a root that is not
//! trusted), `known` (the known programs of a root), `question` (how one is answered), `comparer` (the thread
//! that answers, and how long one waits for it).
//!
//! Invariant: what is opened is another's, and may hang or lie. Only the comparer's thread opens it; who asks
//! waits for a bounded time.

#![forbid(unsafe_code)]

mod code;
mod comparer;
mod elf;
mod known;
mod question;
mod root;

pub use code::Code;
pub use comparer::{Comparer, Figures};
pub use elf::{CODE_BYTES, HEAD_BYTES, code_range};
pub use known::{Known, Names};
pub use question::{FileId, Question};
pub use root::Root;
