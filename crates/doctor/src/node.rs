//! A node as plain values: what was read, tried and asked there, not yet judged.

use std::collections::BTreeMap;

/// What was read, or why it could not be.
pub type Reading<T> = Result<T, String>;

/// Everything that is judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The kernel.
    pub kernel: Kernel,
    /// The effective capability set, by the bits of capabilities(7).
    pub capabilities: u64,
    /// Bytes that may be locked in memory; nothing where there is no limit.
    pub memlock_bytes: Reading<Option<u64>>,
    /// There are types to fit probes to.
    pub btf: Reading<()>,
    /// The kernel has ring buffers.
    pub has_ring_buffer: Reading<bool>,
    /// `/proc/sys`, by name with dots.
    pub settings: BTreeMap<&'static str, Reading<i64>>,
    /// `/sys/kernel/security/lockdown`, as it is there.
    pub lockdown: Reading<String>,
    /// `/sys/kernel/security/lsm`, as it is there.
    pub lsm: Reading<String>,
    /// What is mounted.
    pub mounts: Reading<Vec<Mount>>,
    /// The clock source in use.
    pub clock_source: Reading<String>,
    /// CPUs that may be online.
    pub cpus: usize,
    /// Bytes that the ring of each signal has.
    pub ring_bytes: usize,
    /// What became of each signal that was tried.
    pub signals: Vec<Trial>,
    /// Programs that others attached.
    pub other_programs: Reading<Vec<OtherProgram>>,
    /// The container runtime: its name and version, and its socket.
    pub runtime: Reading<(String, String)>,
    /// The cluster.
    pub cluster: Cluster,
    /// Addresses that the agent serves on.
    pub ports: Vec<Port>,
    /// Where a server of Hubble's was looked for.
    pub hubble: Vec<HubbleServer>,
    /// How Cilium's Hubble is set up in the cluster.
    pub hubble_setup: HubbleSetup,
    /// Certificates that are served or asked with.
    pub certificates: Vec<Certificate>,
    /// The time, in seconds since 1970.
    pub now: i64,
}

/// A kernel.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernel {
    /// As `uname -r` prints it.
    pub release: String,
    /// As `/proc/version` has it.
    pub version_line: String,
}

impl Kernel {
    /// The first three numbers of its release; those that are missing are 0.
    pub fn numbers(&self) -> (u32, u32, u32) {
        let mut numbers = self.release.split(['.', '-', '+', '_']).map(|part| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..digits).and_then(|digits| digits.parse().ok()).unwrap_or(0)
        });
        let mut next = || numbers.next().unwrap_or(0);
        (next(), next(), next())
    }

    /// It is of this version or later.
    pub fn is_at_least(&self, major: u32, minor: u32) -> bool {
        let (own_major, own_minor, _) = self.numbers();
        (own_major, own_minor) >= (major, minor)
    }
}

/// A mounted file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// Its type: `cgroup2`.
    pub filesystem: String,
    /// Where.
    pub point: String,
}

/// A signal that was loaded and attached, to see whether it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// Its name.
    pub signal: &'static str,
    /// It is on unless somebody turns it off.
    pub is_default: bool,
    /// Its hooks, or the problem of the whole signal.
    pub outcome: Result<Vec<HookTrial>, crate::Problem>,
    /// Instructions that the verifier went through for each program (kernel 5.16 and later).
    pub verified_instructions: Vec<(String, u32)>,
}

/// A hook that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookTrial {
    /// Its name.
    pub hook: &'static str,
    /// `active`, `unsupported`, `failed` or `off`.
    pub verdict: &'static str,
    /// The way that works.
    pub rung: Option<&'static str>,
    /// Ways that were refused before it, each with the kernel's words.
    pub refused: Vec<String>,
}

/// A program that somebody else attached.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OtherProgram {
    /// Its name in the kernel.
    pub name: String,
    /// Where it is attached: `cgroup`, `tcx`, `tracing`.
    pub place: String,
}

/// What a cluster's API said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cluster {
    /// None was named, and this is no pod.
    NotNamed,
    /// It could not be asked.
    Unreachable {
        /// Why.
        why: String,
        /// What to do.
        next: String,
    },
    /// It answered.
    Answered {
        /// Where it is.
        server: String,
        /// What was asked whether it may be done: verb, resource, answer.
        may: Vec<(String, String, Reading<bool>)>,
    },
}

/// An address that the agent serves on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// The address.
    pub address: String,
    /// For what.
    pub purpose: &'static str,
    /// It can be had, or why not.
    pub free: Reading<()>,
}

/// A place where a server of Hubble's may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubbleServer {
    /// Its address.
    pub address: String,
    /// Whose it would be.
    pub whose: &'static str,
    /// What it said; nothing where it is not there.
    pub state: HubbleState,
}

/// What a server of Hubble's said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubbleState {
    /// Nothing is there.
    Absent(String),
    /// It serves.
    Serving,
    /// It answers, and says that it does not serve.
    NotServing(String),
    /// Something is there that does not answer as Hubble does.
    Refused {
        /// Why.
        why: String,
        /// What to do.
        next: String,
    },
}

/// How Cilium's Hubble is set up in a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubbleSetup {
    /// There is no cluster to ask, or it does not answer.
    NotAsked,
    /// It has no Cilium where that was looked for.
    NoCilium {
        /// The namespace.
        namespace: String,
    },
    /// The settings may not be read.
    Unknown {
        /// Why.
        why: String,
        /// What to do.
        next: String,
    },
    /// It has one.
    Installed {
        /// The namespace.
        namespace: String,
        /// How it is set up.
        settings: HubbleSettings,
    },
}

/// The settings of Cilium's Hubble, and its services.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubbleSettings {
    /// `enable-hubble`.
    pub is_enabled: bool,
    /// Nodes listen on an address besides their socket (`hubble-listen-address`).
    pub listens: bool,
    /// They do it with TLS (`hubble-disable-tls` is not set).
    pub has_tls: bool,
    /// `hubble-metrics`; nothing where there are none.
    pub metrics: Option<String>,
    /// How many pods of the relay are ready; nothing where there is no such service.
    pub relay: Reading<Option<usize>>,
    /// There is the service by which a relay finds nodes.
    pub has_peers: Reading<bool>,
}

/// A certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The file that it is in, or the address at which it was shown.
    pub place: String,
    /// Whose it is: `the agent`.
    pub whose: &'static str,
    /// When it ends to be valid, in seconds since 1970; or why that is not known.
    pub expires: Reading<i64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_has_three_numbers_whatever_follows() {
        for (release, numbers) in [
            ("6.18.44-fc", (6, 18, 44)),
            ("5.10.0-32-amd64", (5, 10, 0)),
            ("6.12-rc1", (6, 12, 0)),
            ("7.2.13+deb14", (7, 2, 13)),
            ("", (0, 0, 0)),
        ] {
            let kernel = Kernel { release: release.to_owned(), ..Kernel::default() };
            assert_eq!(kernel.numbers(), numbers, "{release}");
        }
        let kernel = Kernel { release: "5.10.0".to_owned(), ..Kernel::default() };
        assert!(
            kernel.is_at_least(5, 8) && !kernel.is_at_least(5, 11) && !kernel.is_at_least(6, 1)
        );
    }
}
