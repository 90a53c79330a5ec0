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
    ALERTS = "alerts", "Alerts that an agent keeps, and who may have them";
    PROFILE = "profile", "Profiles, and the files that they are read from and written to";
    HUBBLE = "hubble", "The server that flows are asked of";
    PORT = "port", "The address that the agent serves on";
    INSTALL = "install", "What is installed in a cluster, and the values that it is made from";
    KERNEL = "kernel", "Kernels with defects that watching them sets off";
    JIT = "bpf-jit", "Whether programs run as machine code or are interpreted";
    STATISTICS = "bpf-statistics", "The kernel's measuring of what programs cost";
    LOCKDOWN = "lockdown", "How far the kernel is locked against root";
    LSM = "lsm", "The security modules that the kernel asks";
    UNPRIVILEGED_BPF = "unprivileged-bpf", "Who may load programs without rights";
    PERF_EVENT_PARANOID = "perf-event-paranoid", "Who may open perf events";
    KPTR_RESTRICT = "kptr-restrict", "Who may see addresses of the kernel";
    CGROUPS = "cgroups", "The hierarchies of cgroups, and where they are mounted";
    MOUNTS = "mounts", "The kernel's own file systems: tracefs, bpffs, debugfs";
    COMPLEXITY = "complexity", "How much the kernel's verifier has to go through for each program";
    CLOCK = "clock", "The clock that times come from";
    CLUSTER = "kubernetes", "The cluster's API, and what may be asked there";
    OTHER_PROGRAMS = "other-programs", "BPF programs of others on this machine";
    LOOPS = "loops", "A program that the verifier sees no end of";
    UNREACHABLE_CODE = "unreachable-code", "A program with instructions that nothing leads to";
    KPROBE = "kprobe", "A function that a probe cannot be put on";
    PERF_EVENT = "perf-event", "A program that does not fit the perf event it is attached to";
    HUBBLE_NOT_READY = "hubble-not-ready", "A server of Hubble's that answers but has nothing to serve";
    HUBBLE_SETUP = "hubble-setup", "How Cilium's Hubble is set up, and who can see what it sees";
    CERTIFICATES = "certificates", "Certificates, and how long they are valid";
    HUBBLE_REFUSED = "hubble-refused", "Nothing listens where Hubble's relay is looked for";
}

impl Check {
    /// The check with this id.
    pub fn by_id(id: &str) -> Option<Self> {
        CHECKS.iter().find(|check| check.id == id).copied()
    }

    /// Where the documents explain it.
    pub fn page(self) -> String {
        format!("docs/troubleshooting.md#{}", self.id)
    }
}
