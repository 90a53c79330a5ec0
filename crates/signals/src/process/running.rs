//! Processes that already run when Chandra starts: the kernel's task iterator says exactly what an
//! exec record says, but for the arguments, which lie in memory that only the process maps and are
//! read from `/proc`. Where there is no iterator, `/proc` says less (a start time to the clock
//! tick). This is done once, never on the path of an event.

use chandra_event::process::{Arguments, Comm, Exec, Executable, Process};
use chandra_event::record::Record;
use chandra_loader::load::Loaded;

use super::exec;
use super::proc_stat::parse_stat;
use crate::registry::Context;

/// Tells `sink` of every running process once. Returns how many there were.
pub fn seed(loaded: &Loaded, context: &Context, sink: &mut dyn FnMut(&dyn Record)) -> usize {
    let mut bytes = Vec::new();
    if loaded.iterate("running", &mut bytes).is_err() {
        return read_proc(context, sink);
    }
    let mut rest = bytes.as_slice();
    let mut count = 0;
    while let Ok((mut process, length)) = exec(rest, context) {
        let cmdline = std::fs::read(format!("/proc/{}/cmdline", process.process.pid)).unwrap_or_default();
        process.arguments =
            Arguments { head: &cmdline, tail: &[], total_bytes: cmdline.len() as u64 };
        sink(&process);
        count += 1;
        rest = rest.get(length..).unwrap_or_default();
    }
    count
}

fn read_proc(context: &Context, sink: &mut dyn FnMut(&dyn Record)) -> usize {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| read_proc_process(*pid, context, sink).is_some()).count()
}

fn read_proc_process(pid: u32, context: &Context, sink: &mut dyn FnMut(&dyn Record)) -> Option<()> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (ppid, session_id, start_boottime_ns) = parse_stat(&stat)?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let ids = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let mut ids = line.split_ascii_whitespace().filter_map(|id| id.parse().ok());
        Some((ids.next()?, ids.next()?))
    };
    let ((uid, effective_uid), (gid, effective_gid)) = (ids("Uid:")?, ids("Gid:")?);
    let link = |name: &str| {
        let target = std::fs::read_link(format!("/proc/{pid}/{name}")).ok();
        target.map(|path| path.into_os_string().into_encoded_bytes()).unwrap_or_default()
    };
    let (exe, cwd) = (link("exe"), link("cwd"));
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    let mut comm = Comm::default();
    for (place, byte) in comm.0.iter_mut().zip(name.strip_suffix(b"\n").unwrap_or(&name)) {
        *place = *byte;
    }
    let cmdline = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    sink(&Exec {
        time: context.clock.get().event_time(chandra_loader::clock::boottime_ns()),
        process: Process {
            pid,
            start_boottime_ns,
            start_time: context.clock.get().start_time(start_boottime_ns),
            ppid,
            uid,
            gid,
            comm,
            cgroup_id: 0,
            cgroup_hierarchy: 0,
            thread_id: pid,
        },
        running: true,
        effective_uid,
        effective_gid,
        session_id,
        executable: Executable { path: &exe, ..Executable::default() },
        cwd: &cwd,
        arguments: Arguments { head: &cmdline, tail: &[], total_bytes: cmdline.len() as u64 },
        ..Exec::default()
    });
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn proc_tells_of_this_very_process() {
        let context = Context::test();
        let mut found = false;
        let count = read_proc(&context, &mut |record| {
            if let chandra_event::record::Event::Exec(exec) = record.event() {
                found |= exec.process.pid == std::process::id()
                    && exec.running
                    && exec.arguments.head.starts_with(std::env::args().next().unwrap().as_bytes());
            }
        });
        assert!(found && count > 0);
    }
}
