use std::net::SocketAddr;

use chandra_event::bounded::Pairs;
use chandra_event::process::{
    Arguments, Capabilities, Comm, Environment, Executable, FileStatus, Groups, Listening, Rights,
    Standing, Stream,
};
use chandra_event::tcp::{Connection, NoKey};
use chandra_event::who::{Container, Parent, Peer, Pod, Workload};

mod arguments;
mod containers;
mod environment;
mod files;
mod later;
mod users;

use super::*;
use crate::alert::Alert;
use crate::evaluate::{Scratch, Words};
use crate::load::{Matching, Options};
use crate::rules::{Outcome, Ruleset};
use crate::source::{Source, Sources};

const SECOND: u64 = 1_000_000_000;

fn comm(name: &str) -> Comm {
    let mut comm = Comm::default();
    comm.0[..name.len()].copy_from_slice(name.as_bytes());
    comm
}

fn process(pid: u32, ppid: u32, name: &str) -> Process {
    let start_time = Timestamp(1000 * SECOND);
    let (uid, gid, comm) = (1000, 100, comm(name));
    Process { pid, ppid, uid, gid, comm, start_time, thread_id: pid, ..Process::default() }
}

fn file(path: &str) -> Executable<'_> {
    Executable { path: path.as_bytes(), inode: 12, ..Executable::default() }
}

fn exec() -> Exec<'static> {
    let arguments = b"/bin/sh\0-c\0id; ls\0";
    Exec {
        time: Timestamp(1002 * SECOND + 5),
        process: process(77, 7, "sh"),
        login_uid: None,
        effective_uid: 0,
        capabilities: Capabilities { effective: 1 << 21, permitted: 0, inheritable: 1 << 5 },
        filename: b"/bin/sh",
        executable: Executable { is_overlay_upper: true, ..file("/bin/busybox") },
        cwd: b"/dev/shm",
        tty: b"pts1",
        session_id: 7,
        rights: Rights::Lawful,
        file_status: FileStatus {
            change_time: Timestamp(990 * SECOND),
            modify_time: Timestamp(980 * SECOND),
            ..FileStatus::default()
        },
        groups: Groups {
            process_group: 7,
            virtual_pid: 12,
            virtual_process_group: 0,
            parent_virtual_pid: 1,
        },
        standard_input: Some(Stream::Ipv6),
        listening: Listening { itself: Some(false), parent: Some(true), grandparent: None },
        pid_namespace_start: Some(Timestamp(950 * SECOND)),
        namespaces: Namespaces { mnt: 5, ..Namespaces::default() },
        arguments: Arguments { head: arguments, tail: b"", total_bytes: arguments.len() as u64 },
        ..Exec::default()
    }
}

fn program(pid: u32, name: &'static str, path: &'static str) -> Program<'static> {
    Program {
        pid,
        comm: name.as_bytes(),
        start_time: Some(Timestamp(900 * SECOND)),
        executable: Some(file(path)),
        arguments: Some(Arguments { head: b"x\0y\0", tail: b"", total_bytes: 4 }),
        filename: None,
        interpreter: None,
        cwd: None,
        namespaces: None,
        copy_of: None,
        capabilities: None,
        cred_jump: None,
    }
}

fn lineage() -> Vec<Program<'static>> {
    vec![
        program(77, "sh", "/bin/busybox"),
        program(7, "nginx", "/usr/sbin/nginx"),
        program(1, "tini", "/sbin/tini-static"),
    ]
}

fn labels() -> Pairs {
    Pairs::collect([(&b"app"[..], &b"web"[..]), (b"tier", b"front")])
}

fn somebody(labels: &Pairs) -> Who<'_> {
    Who {
        container: Some(Container {
            id: "c0ffee000000beef",
            runtime: "containerd",
            name: Some("app"),
            image: Some("docker.io/library/nginx:1.25"),
            is_sandbox: false,
            details: None,
        }),
        pod: Some(Pod {
            namespace: Some("shop"),
            name: Some("web-5"),
            uid: Some("u-1"),
            labels: Some(labels),
            ..Pod::default()
        }),
        workload: Some(Workload { kind: "Deployment", name: "web" }),
        peer: Peer { name: Some("db.example"), ..Peer::default() },
        ..Who::default()
    }
}

fn node() -> Node {
    let users =
        [(0, account("root", "/root", "/bin/bash")), (1000, account("ann", "/home/ann", ""))];
    let groups = [(100, "users".to_owned())].into();
    let names = Names { users: users.into(), groups };
    let services = Services {
        tcp: [(443, "https".to_owned()), (53, "domain".to_owned())].into(),
        udp: [(443, "https".to_owned()), (53, "domain".to_owned())].into(),
    };
    let namespaces = Some(Namespaces { mnt: 4, ..Namespaces::default() });
    Node { hostname: "n1".to_owned(), names, services, namespaces, by_name_only: false }
}

fn account(name: &str, home: &str, shell: &str) -> Account {
    let [name, home, shell] = [name, home, shell].map(str::to_owned);
    Account { name, home, shell }
}

/// A lineage of which everything is known.
#[derive(Default)]
struct Known {
    programs: Vec<Program<'static>>,
    environments: Vec<Option<Environment<'static>>>,
    standing: Option<Standing>,
    file_status: Option<FileStatus>,
    /// Those of who is in mount namespace 5.
    names: Names,
}

impl Lineage for Known {
    fn ancestor(&self, generation: usize) -> Ancestor<'_> {
        self.programs.ancestor(generation)
    }

    fn environment(&self, generation: usize) -> Option<Environment<'_>> {
        self.environments.get(generation).copied().flatten()
    }

    fn standing(&self) -> Option<Standing> {
        self.standing
    }

    fn file_status(&self) -> Option<&FileStatus> {
        self.file_status.as_ref()
    }

    fn names(&self, namespaces: &Namespaces) -> Option<&Names> {
        (namespaces.mnt == 5).then_some(&self.names)
    }
}

/// Each text is `OUTPUT = CONDITION`: whether the condition holds, and what the output reads.
#[track_caller]
fn check(facts: &RecordFacts<'_>, holding: &[&str], outputs: &[(&str, &str)]) {
    let mut text = String::new();
    for (index, condition) in holding.iter().enumerate() {
        text.push_str(&format!(
            "- rule: {index}\n  desc: d\n  output: o\n  priority: INFO\n  warn_evttypes: false\n  condition: {condition}\n"
        ));
    }
    let output: Vec<&str> = outputs.iter().map(|(output, _)| *output).collect();
    text.push_str(&format!(
        "- rule: output\n  desc: d\n  priority: INFO\n  warn_evttypes: false\n  condition: evt.num > 0\n  output: \"{}\"\n",
        output.join("|")
    ));
    let mut sources = Sources::default();
    sources.add(Source::new("f", text));
    let options = Options { matching: Matching::All, strict_unknown: true, ..Options::default() };
    let (rules, _) = Ruleset::load(&sources, &options).unwrap_or_else(|report| panic!("{report}"));
    let mut fired = Vec::new();
    rules.evaluate(facts, &mut Scratch::default(), &mut |rule, outcome| {
        if outcome == Outcome::Fires {
            fired.push(rule);
        }
    });
    for (index, condition) in holding.iter().enumerate() {
        assert!(fired.iter().any(|rule| rule.name == index.to_string()), "{condition}");
    }
    let alert = fired.last().unwrap().alert(facts, facts.time(), &mut Scratch::default());
    let expected: Vec<&str> = outputs.iter().map(|(_, expected)| *expected).collect();
    assert_eq!(alert.message, expected.join("|"));
}

#[test]
fn an_exec_answers_for_its_process_its_ancestors_and_its_pod() {
    let (exec, labels, lineage, node) = (exec(), labels(), lineage(), node());
    let who = somebody(&labels);
    let facts = RecordFacts::new(&exec, 3, &who, &lineage, &node).unwrap();
    check(
        &facts,
        &[
            "evt.type = execve and evt.num = 3 and evt.dir = '<' and evt.category = process",
            "evt.res = SUCCESS and evt.rawres = 0 and evt.failed = false",
            "proc.name = sh and proc.name = busybox and not proc.name = nginx",
            "proc.name != bash and not proc.name != busybox",
            "proc.pname = nginx and proc.aname = tini and proc.aname = tini-static",
            "proc.aname[0] = sh and proc.aname[2] = tini and not proc.aname = sh",
            "not proc.aname[3] exists",
            "proc.cmdline = \"sh -c id; ls\" and proc.args = \"-c id; ls\" and proc.exe = /bin/sh",
            "proc.exeline startswith \"/bin/sh -c\" and proc.cmdnargs = 2 and proc.cmdlenargs = 8",
            "getopt(proc.args, 'c:')[c] = \"id; ls\" and len(proc.args) = 2",
            "proc.exepath = /bin/busybox and proc.aexe_real = /usr/sbin/nginx and proc.aexepath[2] endswith static",
            "proc.pcmdline = \"nginx y\" and proc.pexe = x and proc.acmdline = \"tini y\"",
            "proc.cwd = /dev/shm/ and proc.tty = 34817",
            "proc.pid = 77 and proc.ppid = 7 and proc.apid = 1 and proc.apid[1] = 7",
            "proc.sid = 7 and proc.is_sid_leader = false and proc.sname = nginx",
            "proc.duration = 2000000005 and proc.ppid.duration > 100000000000",
            "proc.is_exe_upper_layer = true and proc.is_exe_from_memfd = false and proc.exe_ino = 12",
            "proc.identity_mismatch = true and proc.ns_mismatch = false",
            "not proc.interpreter exists",
            "thread.cap_effective = CAP_SYS_ADMIN and thread.ismain = true",
            "thread.cap_permitted = \"\" and thread.cap_inheritable = CAP_KILL",
            "proc.vpid = 12 and proc.pvpid = 1 and proc.pgid = 7 and proc.vpgid = 0",
            "proc.is_vpgid_leader = false and proc.vpgid.name = nginx and proc.vpgid.exe = x",
            "proc.vpgid.exepath = /usr/sbin/nginx",
            "proc.stdin_type = ipv6 and not proc.stdout_type exists and proc.cred_jump = false",
            "proc.listens = false and proc.plistens = true and proc.alistens = true and proc.alistens[0] = false",
            "proc.is_exe_writable = false and proc.exe_ino.ctime = 990000000000",
            "proc.exe_ino.mtime = 980000000000",
            "proc.exe_ino.ctime_duration_proc_start = 10000000000",
            "proc.pidns_init_start_ts = 950000000000 and proc.exe_ino.ctime_duration_pidns_start = 40000000000",
            "proc.loginshellid = 77 and thread.vtid = 12 and evt.count = 1",
            "evt.is_io = false and evt.is_io_read = false and evt.is_wait = false and not evt.io_dir exists",
            "user.uid = 0 and user.name = root and user.loginuid = -1 and group.gid = 0",
            "container.id = c0ffee000000 and container.full_id endswith beef and container.type = containerd",
            "container.image.repository = docker.io/library/nginx and container.image.tag = 1.25",
            "k8s.ns.name = shop and k8s.pod.name = web-5 and k8s.pod.label[app] = web and k8s.pod.uid = u-1",
            "not k8s.pod.label[none] exists",
            "k8s.deployment.name = web and k8s.workload.kind = Deployment",
            "not fd.name exists",
        ],
        &[
            ("%evt.time", "00:16:42.000000005"),
            ("%evt.datetime", "1970-01-01 00:16:42.000000005"),
            ("%evt.time.iso8601", "1970-01-01T00:16:42.000000005Z"),
            ("%evt.hostname", "n1"),
            ("%proc.cmdline", "sh -c id; ls"),
            ("%proc.aname[2]", "tini"),
            ("%toupper(proc.pname)", "NGINX"),
            ("%k8s.pod.labels", "app:web, tier:front"),
            ("%proc.aname[9]", "<NA>"),
            ("100%%", "100%"),
        ],
    );
}

#[test]
fn a_connection_answers_for_both_ends() {
    let ends = |acceptor| {
        let (local, peer) = ("10.0.0.1:40000", "[::ffff:10.0.0.2]:443");
        let connection = Connection {
            key: Err(NoKey::NotEstablished),
            role: Some(if acceptor {
                chandra_event::tcp::Role::Acceptor
            } else {
                chandra_event::tcp::Role::Opener
            }),
            local: local.parse::<SocketAddr>().unwrap(),
            peer: peer.parse::<SocketAddr>().unwrap(),
            net_namespace: 1,
            socket_cookie: 1,
            opened_before_start: false,
        };
        let happened =
            if acceptor { Happened::Accept { queued_ns: None } } else { Happened::Connect };
        Tcp {
            time: Timestamp(1001 * SECOND),
            process: Some(process(9, 1, "curl")),
            connection,
            sampled_one_in: 1,
            happened,
        }
    };
    let (labels, lineage, node) = (labels(), lineage(), node());
    let who = somebody(&labels);
    let (connect, accept) = (ends(false), ends(true));
    let facts = RecordFacts::new(&connect, 1, &who, &lineage, &node).unwrap();
    check(
        &facts,
        &[
            "evt.type = connect and evt.res = EINPROGRESS and evt.rawres = -115 and evt.category = net",
            "fd.type = ipv4 and fd.typechar = 4 and fd.l4proto = tcp and fd.sockfamily = ip",
            "fd.sip = 10.0.0.2 and fd.cip = 10.0.0.1 and fd.lip = 10.0.0.1 and fd.rip = 10.0.0.2",
            "fd.ip = 10.0.0.1 and fd.ip = 10.0.0.2 and fd.ip != 10.0.0.3 and not fd.ip != 10.0.0.1",
            "fd.net = 10.0.0.2/32 and fd.snet in (10.0.0.2/31) and not fd.cnet = 10.0.0.2/32",
            "fd.sport = 443 and fd.cport = 40000 and fd.port = 443 and fd.rport = 443 and fd.lport = 40000",
            "fd.is_server = false and fd.connected = true and fd.sip.name = db.example",
            "proc.aname[1] = nginx and container.id != host",
        ],
        &[("%fd.name", "10.0.0.1:40000->10.0.0.2:443"), ("%fd.sip", "10.0.0.2")],
    );
    let facts = RecordFacts::new(&accept, 1, &who, &NoLineage, &node).unwrap();
    check(
        &facts,
        &[
            "evt.type = accept and evt.res = SUCCESS and evt.rawres = 0",
            "fd.sip = 10.0.0.1 and fd.cip = 10.0.0.2 and fd.sport = 40000 and fd.is_server = true",
            "fd.cip.name = db.example and fd.rip.name = db.example and proc.name = curl",
        ],
        &[("%fd.name", "10.0.0.2:443->10.0.0.1:40000")],
    );
}

#[test]
fn on_the_host_there_is_no_container_and_what_is_pending_is_not_known() {
    let (exec, node) = (Exec { effective_uid: 1000, ..exec() }, node());
    let parent = Parent {
        pid: 7,
        start_boottime_ns: 1,
        start_time: Timestamp(SECOND),
        comm: comm("bash"),
        executable: Some(b"/usr/bin/bash"),
    };
    let who = Who { parent: Some(parent), ..Who::default() };
    let facts = RecordFacts::new(&exec, 1, &who, &NoLineage, &node).unwrap();
    check(
        &facts,
        &[
            "container.id = host and container.name = host and not container.image exists",
            "not k8s.ns.name exists and user.name = ann and proc.ns_mismatch = false",
            "proc.pname = bash and proc.pexepath = /usr/bin/bash and proc.aname = bash",
        ],
        &[
            ("%container.image.repository", "<NA>"),
            ("%proc.pcmdline", "<NA>"),
            ("%container.info", "container_id=host container_name=host"),
        ],
    );
    let pending = Who { is_pending: true, ..Who::default() };
    let facts = RecordFacts::new(&exec, 1, &pending, &NoLineage, &node).unwrap();
    for field in ["container.id", "container.image", "k8s.ns.name", "user.name"] {
        let id = crate::catalogue::field(field).unwrap().id;
        assert_eq!(facts.value(id, &Argument::None), Value::Unknown, "{field}");
    }
}

#[test]
fn what_goes_by_another_name_is_told_from_what_does_not() {
    let (node, who) = (node(), Who::default());
    let id = crate::catalogue::field("proc.identity_mismatch").unwrap().id;
    let mismatch = |name: &str, first: &str, path: &str, filename: &str, interpreter: &str| {
        let arguments = [first.as_bytes(), b"\0"].concat();
        let exec = Exec {
            process: process(9, 1, name),
            filename: filename.as_bytes(),
            interpreter: interpreter.as_bytes(),
            executable: file(path),
            arguments: Arguments {
                head: &arguments,
                tail: b"",
                total_bytes: arguments.len() as u64,
            },
            ..exec()
        };
        let facts = RecordFacts::new(&exec, 1, &who, &NoLineage, &node).unwrap();
        facts.value(id, &Argument::None) == Value::Bool(true)
    };
    // The cases of a plain program, a version, a login shell, a script, a long name.
    assert!(!mismatch("probe", "./probe", "/opt/probe", "./probe", ""));
    assert!(!mismatch("python3", "python3", "/usr/bin/python3.12", "/usr/bin/python3", ""));
    assert!(!mismatch("bash", "-bash", "/usr/bin/bash", "/bin/bash", ""));
    assert!(!mismatch("run.sh", "/bin/bash", "/usr/bin/bash", "./run.sh", "/bin/bash"));
    assert!(!mismatch(
        "dpkg-preconfigu",
        "x/dpkg-preconfigure",
        "/usr/sbin/dpkg-preconfigure",
        "d",
        ""
    ));
    // A link of another name, a kernel thread's name, a file in memory, another's first argument.
    assert!(mismatch("cat", "cat", "/opt/probe", "/opt/cat", ""));
    assert!(mismatch("kworker0", "[kworker/0:1]", "/opt/kworker0", "/opt/kworker0", ""));
    assert!(mismatch("3", "/usr/sbin/sshd", "/memfd:payload", "/proc/self/fd/3", ""));
    assert!(mismatch("evil", "sshd", "/opt/evil", "/opt/evil", ""));
}

#[test]
fn long_arguments_are_cut_and_known_to_be() {
    let arguments = Arguments { head: b"curl\0http://x", tail: b"y\0-e\0", total_bytes: 5000 };
    let exec = Exec { arguments, ..exec() };
    let (node, who) = (node(), Who::default());
    let facts = RecordFacts::new(&exec, 1, &who, &NoLineage, &node).unwrap();
    let id = crate::catalogue::field("proc.args").unwrap().id;
    let words = Words { first: None, head: b"http://x", tail: b"y\0-e\0", is_cut: true };
    assert_eq!(facts.value(id, &Argument::None), Value::Words(words));
    let holding = ["proc.args endswith \"y -e\" and proc.cmdline startswith \"sh http\""];
    check(&facts, &holding, &[("%proc.args", "http://x … y -e"), ("%proc.cmdnargs", "<NA>")]);
}

#[test]
fn records_that_rules_have_no_event_for_are_none() {
    let (node, who) = (node(), Who::default());
    let running = Exec { running: true, ..exec() };
    assert!(RecordFacts::new(&running, 1, &who, &NoLineage, &node).is_none());
    let fork =
        Fork { process: process(8, 7, "x"), parent: process(7, 1, "nginx"), ..Fork::default() };
    let facts = RecordFacts::new(&fork, 1, &who, &NoLineage, &node).unwrap();
    check(&facts, &["evt.type = clone and proc.pid = 7 and proc.name = nginx"], &[("x", "x")]);
    let exit = Exit { process: process(8, 7, "x"), exit_code: Some(3), ..Exit::default() };
    let facts = RecordFacts::new(&exit, 1, &who, &NoLineage, &node).unwrap();
    check(
        &facts,
        &["evt.type = procexit and proc.exit_code = 3"],
        &[("%proc.exit_signal", "<NA>")],
    );
}

#[test]
fn names_alone_are_compared_where_that_is_asked_for() {
    let (exec, who) = (exec(), Who::default());
    let node = Node { by_name_only: true, ..node() };
    let lineage = lineage();
    let facts = RecordFacts::new(&exec, 1, &who, &lineage, &node).unwrap();
    let holding =
        ["not proc.name = busybox and not proc.aname = tini-static and proc.aname = tini"];
    check(&facts, &holding, &[("x", "x")]);
}

#[test]
fn an_alert_has_falco_s_keys_and_types() {
    let text = "- rule: Shell\n  desc: d\n  condition: evt.type = execve\n  priority: NOTICE\n  tags: [a]\n  \
        output: \"Shell (%proc.name %proc.pid %proc.tty %proc.is_exe_upper_layer %fd.name %evt.time %fd.num)\"\n";
    let mut sources = Sources::default();
    sources.add(Source::new("f", text));
    let (rules, _) = Ruleset::load(&sources, &Options::default()).unwrap();
    let (exec, who, node) = (exec(), Who::default(), node());
    let facts = RecordFacts::new(&exec, 1, &who, &NoLineage, &node).unwrap();
    let alert: Alert<'_> = rules.rules()[0].alert(&facts, facts.time(), &mut Scratch::default());
    assert_eq!(
        alert.json(Some("n1")),
        serde_json::json!({
            "hostname": "n1",
            "output": "00:16:42.000000005: Notice Shell (sh 77 34817 true <NA> 00:16:42.000000005 <NA>)",
            "output_fields": {
                "evt.time": 1_002_000_000_005u64,
                "fd.name": null,
                "fd.num": null,
                "proc.is_exe_upper_layer": true,
                "proc.name": "sh",
                "proc.pid": 77,
                "proc.tty": 34817,
            },
            "priority": "Notice",
            "rule": "Shell",
            "source": "syscall",
            "tags": ["a"],
            "time": "1970-01-01T00:16:42.000000005Z",
        })
    );
}
