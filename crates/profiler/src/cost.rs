//! What the threads of profiling cost.

/// How long the calling thread has run on a CPU so far, in ns: the first number of its schedstat (proc_pid_schedstat,
/// Documentation/scheduler/sched-stats.rst). 0 where the kernel does not count that.
pub fn thread_cpu_ns() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|word| word.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_works_has_run() {
        let before = thread_cpu_ns();
        let mut sum = 0_u64;
        while thread_cpu_ns() == before {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0 && std::thread::spawn(thread_cpu_ns).join().unwrap() < thread_cpu_ns());
    }
}
