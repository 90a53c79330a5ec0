//! What the probes cost: run count and run time of each program, as the kernel measures them.

use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use libbpf_rs::Object;

/// One program's cost since it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProgramCost {
    /// Name in C.
    pub program: String,
    /// Times it ran while statistics were on.
    pub run_count: u64,
    /// Nanoseconds it ran, about 20 to 30 ns of measuring per run included.
    pub run_time_ns: u64,
    /// Times the kernel skipped it because it was already running on that CPU (5.12 and later).
    pub recursion_misses: u64,
    /// Instructions that the verifier went through when it was loaded; 0 where the kernel does not tell
    /// (before 5.16).
    pub verified_instructions: u32,
}

/// While this lives, the kernel measures every BPF program on the machine (20 to 30 ns a run).
#[derive(Debug)]
pub struct Statistics {
    _fd: OwnedFd,
}

impl Statistics {
    /// Turns the kernel's statistics on (BPF_ENABLE_STATS, kernel 5.8, needs CAP_SYS_ADMIN).
    ///
    /// # Errors
    /// The kernel's refusal.
    pub fn enable() -> std::io::Result<Self> {
        // SAFETY: takes a number, returns a descriptor or a negative error.
        let fd = unsafe { libbpf_sys::bpf_enable_stats(libbpf_sys::BPF_STATS_RUN_TIME) };
        if fd < 0 {
            return Err(std::io::Error::from_raw_os_error(-fd));
        }
        // SAFETY: a descriptor just made and owned by no one else.
        Ok(Self { _fd: unsafe { OwnedFd::from_raw_fd(fd) } })
    }
}

/// The cost of every loaded program of an object.
pub fn read(object: &Object) -> Vec<ProgramCost> {
    let loaded = object.progs().filter(|program| program.autoload());
    loaded
        .filter_map(|program| {
            let mut info = libbpf_sys::bpf_prog_info::default();
            let mut bytes = u32::try_from(size_of_val(&info)).ok()?;
            // SAFETY: the kernel writes at most `bytes` bytes into `info`, which is that large.
            let failed = unsafe {
                libbpf_sys::bpf_prog_get_info_by_fd(
                    program.as_fd().as_raw_fd(),
                    &raw mut info,
                    &raw mut bytes,
                )
            };
            (failed == 0).then(|| ProgramCost {
                program: program.name().to_string_lossy().into_owned(),
                run_count: info.run_cnt,
                run_time_ns: info.run_time_ns,
                recursion_misses: info.recursion_misses,
                verified_instructions: info.verified_insns,
            })
        })
        .collect()
}
