//! What `/proc` says of a living process, to compare records with.

use std::collections::HashSet;
use std::ffi::CString;
use std::fs;
use std::ops::RangeInclusive;
use std::os::linux::fs::MetadataExt;
use std::os::unix::fs::FileTypeExt;
use std::path::PathBuf;

use serde_json::Value;

use crate::cgroup;
use crate::comparison::Comparison;
use crate::record::Record;
use crate::wall_clock;

/// `/proc` counts time in hundredths of a second, on every architecture that Chandra runs on.
pub const NANOSECONDS_PER_TICK: u64 = 10_000_000;

/// How far two readings of the clocks may drift apart in a test.
const CLOCK_TOLERANCE: u64 = 200_000_000;

/// Names of capabilities from bit 0 on, as capabilities(7) has them.
const CAPABILITIES: &str = "CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID \
    SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER \
    SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE \
    SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN \
    SYSLOG WAKE_ALARM BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE";

/// What every record says of a process.
#[derive(Debug, Clone)]
pub struct Process {
    /// Thread-group id.
    pub pid: u32,
    /// The parent's.
    pub ppid: u32,
    /// Name of its leader.
    pub comm: String,
    /// Real, effective.
    pub uids: [u32; 2],
    /// Real, effective.
    pub gids: [u32; 2],
    /// Start since boot in ticks.
    pub start_ticks: u64,
    /// Session.
    pub session: u32,
    /// The cgroup that its records name.
    pub cgroup_id: u64,
    /// The hierarchy of that one.
    pub cgroup_hierarchy: u32,
    /// What it runs; none of a kernel thread.
    pub exe: Option<String>,
    /// Its parent, if that can be seen.
    pub parent: Option<Parent>,
    /// Its threads.
    pub threads: Vec<u64>,
}

/// What the kernel calls this host.
///
/// # Panics
/// Without `/proc`.
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim().to_owned()
}

/// What records say of a parent.
#[derive(Debug, Clone)]
pub struct Parent {
    comm: String,
    exe: Option<String>,
    start_ticks: u64,
}

impl Process {
    /// The process of this id.
    ///
    /// # Panics
    /// When it is gone.
    pub fn of(pid: u32) -> Self {
        let stat = read(pid, "stat");
        // The name before it may contain anything.
        let stat: Vec<&str> = stat.rsplit_once(')').unwrap().1.split_ascii_whitespace().collect();
        let (cgroup_hierarchy, cgroup_id) = cgroup::of_process(pid);
        Self {
            pid,
            ppid: stat[1].parse().unwrap(),
            comm: read(pid, "comm").trim_end_matches('\n').to_owned(),
            uids: ids(pid, "Uid"),
            gids: ids(pid, "Gid"),
            start_ticks: stat[19].parse().unwrap(),
            session: stat[3].parse().unwrap(),
            cgroup_id,
            cgroup_hierarchy,
            exe: exe(pid),
            parent: Parent::of(stat[1].parse().unwrap()),
            threads: threads(pid),
        }
    }

    /// This process.
    pub fn own() -> Self {
        Self::of(std::process::id())
    }

    /// Compares the fields that every record has, in the object of this name.
    pub fn compare(&self, record: &mut Comparison, object: &str) {
        record.is(&format!("{object}.pid"), self.pid);
        record.is(&format!("{object}.ppid"), self.ppid);
        record.is(&format!("{object}.uid"), self.uids[0]);
        record.is(&format!("{object}.gid"), self.gids[0]);
        record.is(&format!("{object}.comm"), self.comm.as_str());
        record.is_big(&format!("{object}.cgroup_id"), self.cgroup_id);
        let hierarchy = Some(self.cgroup_hierarchy).filter(|hierarchy| *hierarchy != 0);
        record.is_optional(&format!("{object}.cgroup_hierarchy"), hierarchy);
        compare_start(record, object, self.start_ticks);
        // Not known of what nobody's thread did.
        let thread = record.take(&format!("{object}.thread_id")).and_then(|it| it.as_u64());
        if thread.is_some_and(|thread| !self.threads.contains(&thread)) {
            record.problem(format!("{thread:?} is none of its threads {:?}", self.threads));
        }
        if object == "process" {
            self.compare_identity(record);
        }
    }

    /// Compares who did it, as every record says it of its process. That of the cgroup is compared
    /// where there are containers.
    fn compare_identity(&self, record: &mut Comparison) {
        record.is("node", host_name());
        if !matches!(record.kind(), "exec" | "process_running") {
            // A new process runs what its parent does.
            let parent = self.parent.as_ref().filter(|_| record.kind() == "fork");
            let exe = parent.map_or(&self.exe, |parent| &parent.exe);
            record.is_optional("process.exe", exe.as_deref());
        }
        // A fork names the parent itself; without one that can be seen nothing is to be said.
        if let Some(parent) = self.parent.as_ref().filter(|_| record.kind() != "fork") {
            record.is("parent.pid", self.ppid);
            record.is("parent.comm", parent.comm.as_str());
            record.is_optional("parent.exe", parent.exe.as_deref());
            compare_start(record, "parent", parent.start_ticks);
        }
    }
}

impl Parent {
    fn of(pid: u32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let stat: Vec<&str> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let comm = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
        let comm = comm.trim_end_matches('\n').to_owned();
        Some(Self { comm, exe: exe(pid), start_ticks: stat.get(19)?.parse().ok()? })
    }
}

fn threads(pid: u32) -> Vec<u64> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// What a process runs, without its mark of deletion.
fn exe(pid: u32) -> Option<String> {
    let path =
        fs::read_link(format!("/proc/{pid}/exe")).ok()?.into_os_string().into_string().ok()?;
    Some(path.strip_suffix(" (deleted)").unwrap_or(&path).to_owned())
}

fn compare_start(record: &mut Comparison, object: &str, ticks: u64) {
    let start = ticks * NANOSECONDS_PER_TICK;
    let start = start..=start + NANOSECONDS_PER_TICK - 1;
    let boot = wall_clock::now() - wall_clock::since_boot();
    let since = boot + start.start() - CLOCK_TOLERANCE;
    let until = boot + start.end() + CLOCK_TOLERANCE;
    record.is_within(&format!("{object}.start_boottime_ns"), start);
    record.is_time(&format!("{object}.start_time"), since..=until);
}

/// What an `exec` record says beyond that.
#[derive(Debug, Clone)]
pub struct Execution {
    /// Who.
    pub process: Process,
    /// As `/proc/PID/exe` shows it, without its mark of deletion.
    pub exe: String,
    /// The arguments in memory, NUL after each.
    pub arguments: Vec<u8>,
    /// Last changes of its file's inode and content, nanoseconds since 1970.
    file_times: [u64; 2],
    fields: Vec<(&'static str, Option<Value>)>,
}

impl Execution {
    /// The program that this process runs.
    ///
    /// # Panics
    /// When it is gone.
    pub fn of(pid: u32) -> Self {
        let process = Process::of(pid);
        let link = |name: &str| {
            let path = fs::read_link(format!("/proc/{pid}/{name}")).unwrap();
            path.into_os_string().into_string().unwrap()
        };
        let namespace = |name: &str| {
            let link = link(&format!("ns/{name}"));
            let (_, inode) = link.split_once('[').unwrap();
            Some(inode.trim_end_matches(']').parse::<u64>().unwrap().into())
        };
        let file = fs::metadata(format!("/proc/{pid}/exe")).unwrap();
        let device = (libc::major(file.st_dev()), libc::minor(file.st_dev()));
        // Kernels without audit have no such file.
        let login = fs::read_to_string(format!("/proc/{pid}/loginuid")).ok();
        let login = login.map(|text| text.trim().parse::<u32>().unwrap());
        let login = login.filter(|login| *login != u32::MAX);
        let fields = vec![
            ("login_uid", login.map(Value::from)),
            ("effective_uid", Some(process.uids[1].into())),
            ("effective_gid", Some(process.gids[1].into())),
            ("capabilities_effective", Some(capabilities(pid, "CapEff").into())),
            ("capabilities_permitted", Some(capabilities(pid, "CapPrm").into())),
            ("exe_path_truncated", Some(false.into())),
            ("exe_device", Some(format!("{}:{}", device.0, device.1).into())),
            ("exe_inode", Some(file.st_ino().to_string().into())),
            ("exe_is_deleted", Some((file.st_nlink() == 0).into())),
            ("cwd", Some(link("cwd").into())),
            ("capabilities_inheritable", Some(capabilities(pid, "CapInh").into())),
            ("exe_is_read_only", Some(is_read_only(pid).into())),
            ("exe_mode", Some(format!("{:04o}", file.st_mode() & 0o7777).into())),
            ("exe_uid", Some(file.st_uid().into())),
            ("exe_gid", Some(file.st_gid().into())),
            ("session_id", Some(process.session.into())),
            ("process_group", last(&ids_in_namespaces(pid, "NSpgid")[..1])),
            ("virtual_pid", last(&ids_in_namespaces(pid, "NSpid"))),
            ("virtual_process_group", last(&ids_in_namespaces(pid, "NSpgid"))),
            ("parent_virtual_pid", last(&ids_in_namespaces(process.ppid, "NSpid"))),
            ("stdin_type", stream(pid, 0).map(Value::from)),
            ("stdout_type", stream(pid, 1).map(Value::from)),
            ("listens", Some(listens(pid).into())),
            ("parent_listens", Some(listens(process.ppid).into())),
            ("grandparent_listens", Some(listens(parent_of(process.ppid)).into())),
            ("namespaces.pid", namespace("pid")),
            ("namespaces.mnt", namespace("mnt")),
            ("namespaces.net", namespace("net")),
            ("namespaces.user", namespace("user")),
            ("namespaces.cgroup", namespace("cgroup")),
        ];
        let exe = link("exe").trim_end_matches(" (deleted)").to_owned();
        let arguments = fs::read(format!("/proc/{pid}/cmdline")).unwrap();
        let times =
            [(file.st_ctime(), file.st_ctime_nsec()), (file.st_mtime(), file.st_mtime_nsec())];
        let file_times =
            times.map(|(seconds, ns)| u64::try_from(seconds * 1_000_000_000 + ns).unwrap());
        Self { process, exe, arguments, file_times, fields }
    }

    /// The inode number of the namespace of this kind: `mnt`.
    pub fn namespace(&self, kind: &str) -> Option<u64> {
        let wanted = format!("namespaces.{kind}");
        let field = self.fields.iter().find(|(name, _)| *name == wanted);
        field.and_then(|(_, value)| value.as_ref()?.as_u64())
    }

    /// Compares every field of an `exec` record made within these times.
    ///
    /// # Errors
    /// The differences, in words.
    pub fn compare(
        &self,
        record: &Record,
        when: RangeInclusive<u64>,
        caller: &Caller,
    ) -> Result<(), String> {
        let mut record = Comparison::of(record, "process", "exec", when);
        record.is("process.filename", caller.filename.as_str());
        record.is("process.cred_jump", false);
        self.compare_program(record, caller)
    }

    /// Compares every field of a `process_running` record, found within these times. How its file
    /// was named is not known any more.
    ///
    /// # Errors
    /// The differences, in words.
    pub fn compare_running(
        &self,
        record: &Record,
        when: RangeInclusive<u64>,
        caller: &Caller,
    ) -> Result<(), String> {
        let mut record = Comparison::of(record, "process", "process_running", when);
        record.is_absent("process.filename");
        record.is_absent("process.cred_jump");
        self.compare_program(record, caller)
    }

    fn compare_program(&self, mut record: Comparison, caller: &Caller) -> Result<(), String> {
        self.process.compare(&mut record, "process");
        record.is("process.exe", self.exe.as_str());
        for (name, expected) in &self.fields {
            record.is_optional(&format!("process.{name}"), expected.clone());
        }
        let [changed, modified] = self.file_times;
        record.is_time("process.exe_change_time", changed..=changed);
        record.is_time("process.exe_modify_time", modified..=modified);
        record.is_optional("process.interpreter", caller.interpreter.as_deref());
        record.is_optional("process.tty", caller.tty.as_deref());
        record.is_optional("process.old_pid", caller.thread);
        record.is("process.exe_is_memfd", caller.is_memfd);
        record.is("process.exe_is_overlay_upper", caller.is_overlay_upper);
        compare_arguments(&self.arguments, &mut record);
        record.finish()
    }
}

/// What only the caller of exec knows.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// How it named the file.
    pub filename: String,
    /// What it wrote into the first line of a script.
    pub interpreter: Option<String>,
    /// The terminal that it gave.
    pub tty: Option<String>,
    /// The thread that called, if not the first.
    pub thread: Option<u32>,
    /// The file was made by memfd_create(2).
    pub is_memfd: bool,
    /// The file was written to an overlay file system.
    pub is_overlay_upper: bool,
}

impl Caller {
    /// Named the file so, and did nothing else of note.
    pub fn naming(filename: &str) -> Self {
        Self { filename: filename.to_owned(), ..Self::default() }
    }
}

/// The head and the tail must be what memory begins and ends with; what is between is cut.
fn compare_arguments(memory: &[u8], record: &mut Comparison) {
    let strings = |value: Option<Value>| -> Option<Vec<u8>> {
        let list = value?;
        let list = list.as_array()?.iter().map(Value::as_str).collect::<Option<Vec<_>>>()?;
        Some(list.join("\0").into_bytes())
    };
    record.is("process.argv_bytes", memory.len());
    let head = strings(record.take("process.argv")).unwrap_or_default();
    let tail = strings(record.take("process.argv_tail"));
    let cut = tail.is_some();
    record.is("process.argv_truncated", cut);
    let memory = memory.strip_suffix(b"\0").unwrap_or(memory);
    let tail = tail.unwrap_or_default();
    let whole = if cut {
        head.len() >= 8191 && tail.len() >= 2047 && head.len() + tail.len() < memory.len()
    } else {
        head == memory
    };
    if !(whole && memory.starts_with(&head) && memory.ends_with(&tail)) {
        let (all, head, tail) = (memory.len(), head.len(), tail.len());
        record.problem(format!("argv: {head} bytes, then {tail} bytes, are not those of {all}"));
    }
}

fn read(pid: u32, name: &str) -> String {
    let path = PathBuf::from(format!("/proc/{pid}/{name}"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn status(pid: u32, name: &str) -> String {
    let status = read(pid, "status");
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.unwrap_or_else(|| panic!("/proc/{pid}/status has no {name}")).trim().to_owned()
}

fn ids(pid: u32, name: &str) -> [u32; 2] {
    let ids: Vec<u32> =
        status(pid, name).split_whitespace().map(|id| id.parse().unwrap()).collect();
    [ids[0], ids[1]]
}

/// The ids in each pid namespace from the first to its own. A parent that is none has none.
fn ids_in_namespaces(pid: u32, name: &str) -> Vec<u32> {
    if pid == 0 {
        return Vec::new();
    }
    status(pid, name).split_whitespace().map(|id| id.parse().unwrap()).collect()
}

/// That in its own namespace; 0 stands for none.
fn last(ids: &[u32]) -> Option<Value> {
    ids.last().filter(|id| **id != 0).map(|id| (*id).into())
}

fn is_read_only(pid: u32) -> bool {
    let path = CString::new(format!("/proc/{pid}/exe")).unwrap();
    let mut about = std::mem::MaybeUninit::<libc::statvfs>::uninit();
    // SAFETY: `path` ends with NUL; the kernel fills `about` where the call succeeds.
    let about = unsafe {
        assert_eq!(libc::statvfs(path.as_ptr(), about.as_mut_ptr()), 0);
        about.assume_init()
    };
    about.f_flag & libc::ST_RDONLY != 0
}

/// What a descriptor is by the name that `/proc` has for it, in the words of records; nothing if it is closed.
fn stream(pid: u32, descriptor: u32) -> Option<&'static str> {
    let path = format!("/proc/{pid}/fd/{descriptor}");
    let target = fs::read_link(&path).ok()?.into_os_string().into_string().unwrap();
    if let Some(inode) = target.strip_prefix("socket:[") {
        return Some(socket_family(pid, inode.trim_end_matches(']')));
    }
    let kind = fs::metadata(&path).unwrap().file_type();
    Some(match target.as_str() {
        "/dev/null" => "null",
        name if name.starts_with("/dev/pts/") || name.starts_with("/dev/tty") => "tty",
        name if name.starts_with("pipe:") || kind.is_fifo() => "pipe",
        _ if kind.is_file() => "file",
        _ if kind.is_dir() => "directory",
        _ => "other",
    })
}

/// Whether it has a socket of TCP open that listens, as `/proc` tells of its files and of its network namespace.
pub fn listens(pid: u32) -> bool {
    let files = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let names =
        files.filter_map(|file| fs::read_link(file.path()).ok()?.to_str().map(str::to_owned));
    let open: HashSet<String> = names.collect();
    ["tcp", "tcp6"].into_iter().any(|name| {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        table.lines().skip(1).any(|line| {
            let fields: Vec<&str> = line.split_ascii_whitespace().collect();
            fields[3] == "0A" && open.contains(&format!("socket:[{}]", fields[9]))
        })
    })
}

/// The parent's id, 0 where there is none.
fn parent_of(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let ppid = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_ascii_whitespace().nth(1));
    ppid.map_or(0, |ppid| ppid.parse().unwrap())
}

/// The table of its network namespace in which a socket is found.
fn socket_family(pid: u32, inode: &str) -> &'static str {
    let tables =
        [("tcp", "ipv4"), ("tcp6", "ipv6"), ("udp", "ipv4"), ("udp6", "ipv6"), ("unix", "unix")];
    let is_in = |name: &str| {
        let table = fs::read_to_string(format!("/proc/{pid}/net/{name}")).unwrap_or_default();
        table.lines().any(|line| line.split_whitespace().any(|word| word == inode))
    };
    tables.iter().find(|(name, _)| is_in(name)).map_or("socket", |(_, family)| family)
}

fn capabilities(pid: u32, name: &str) -> Vec<String> {
    let mask = u64::from_str_radix(&status(pid, name), 16).unwrap();
    let names: Vec<&str> = CAPABILITIES.split_ascii_whitespace().collect();
    assert_eq!(mask >> names.len(), 0, "this kernel has capabilities that the test cannot name");
    let held = (0..names.len()).filter(|bit| mask >> bit & 1 == 1);
    held.map(|bit| format!("CAP_{}", names[bit])).collect()
}

/// How much memory a process has that lies in memory, in KiB.
///
/// # Panics
/// When there is no such process.
pub fn resident_kib(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
