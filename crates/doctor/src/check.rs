//! The checks by id. An id is also the anchor in docs/troubleshooting.md.

/// Something that can be checked and explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Id and anchor.
    pub id: &'static str,
    /// What it is about, in one line.
    pub title: &'static str,
}

macro_rules! checks {
    ($($constant:ident = $id:literal, $title:literal;)*) => {
        impl Check {
            $(#[doc = $title] pub const $constant: Check = Check { id: $id, title: $title };)*
        }
        /// Every check.
        pub const CHECKS: &[Check] = &[$(Check::$constant),*];
    };
}

checks! {
    CAPABILITIES = "capabilities", "The rights that loading and attaching needs";
    BTF = "btf", "The kernel's type information, against which probes are fitted to the kernel";
    MEMLOCK = "memlock", "The limit on locked memory that kernels before 5.11 put on BPF maps";
    LADDER = "ladder", "A hook that this kernel offers by none of the ways that Chandra knows";
    VERIFIER = "verifier", "A probe that the kernel refused to load";
    RING = "ring", "The ring that records cross from the kernel";
    FILTERS = "filters", "Values that a filter or an option takes";
    USAGE = "usage", "Verbs and options";
    CONFIG = "config", "The configuration file";
    OUTPUT = "output", "Where output goes";
    RUNTIME = "runtime", "The container runtime that names containers and pods";
    RULES = "rules", "Files of rules, and events that they are asked about";
    PROFILE = "profile", "Profiles, and the files that they are read from and written to";
    HUBBLE = "hubble", "The server that flows are asked of";
    PORT = "port", "The address that the agent serves on";
}
