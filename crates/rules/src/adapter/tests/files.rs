//! Opens and system calls as events of rules.

use chandra_event::file::{FileOpen, FileType, Opened};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use chandra_event::socket::{Ends, Transport};
use chandra_event::system_call::{Path, Socket, SystemCall};
use chandra_event::udp::{Happened, Totals, Udp};

use super::*;
use crate::catalogue::{self, EventTypes};

const READ_ONLY: u32 = 0;
const WRITE_CREATE_TRUNCATE: u32 = 0o1101;

pub(super) fn open<'r>(path: &'r str, flags: u32) -> FileOpen<'r> {
    FileOpen {
        time: Timestamp(1002 * SECOND),
        process: process(77, 7, "sh"),
        sampled_one_in: 1,
        path: path.as_bytes(),
        path_truncated: false,
        name: b"../../etc/x",
        flags,
        mode: 0o755,
        opened: Some(Opened {
            file_type: FileType::Regular,
            permissions: 0o644,
            device: 8 << 20 | 1,
            inode: 99,
            is_created: false,
        }),
        error: 0,
        descriptor: Some(5),
    }
}

fn refused(path: &str) -> FileOpen<'_> {
    FileOpen { opened: None, error: 13, descriptor: None, ..open(path, READ_ONLY) }
}

pub(super) fn call(name: &'static str) -> SystemCall<'static> {
    SystemCall {
        time: Timestamp(1002 * SECOND),
        process: process(77, 7, "sh"),
        sampled_one_in: 1,
        effective_uid: 0,
        name: Some(name),
        number: 0,
        arguments: [0; 6],
        argument_count: 6,
        path: None,
        second_path: None,
        path_truncated: false,
        descriptor_type: None,
        descriptor_family: None,
        descriptor_path: None,
        socket: None,
        result: 0,
    }
}

/// Which of the conditions hold and do not, with what is not known told apart.
#[track_caller]
fn asked(record: &dyn Record, holding: &[&str], outputs: &[(&str, &str)]) {
    let (lineage, node, who) = (lineage(), node(), Who::default());
    let facts = RecordFacts::new(record, 1, &who, &lineage, &node).unwrap();
    check(&facts, holding, outputs);
}

const OPEN_READ: &str =
    "evt.type in (open,openat,openat2) and evt.is_open_read=true and fd.typechar='f' and fd.num>=0";
const OPEN_WRITE: &str = "evt.type in (open,openat,openat2) and evt.is_open_write=true and fd.typechar='f' and fd.num>=0";
const OPEN_FAILED: &str =
    "evt.type in (open,openat,openat2) and fd.typechar='f' and fd.num=-1 and evt.res startswith E";

#[test]
fn an_open_answers_for_its_file() {
    asked(
        &open("/etc/shadow", READ_ONLY),
        &[
            OPEN_READ,
            "evt.category = file and evt.res = SUCCESS and evt.rawres = 5 and evt.failed = false",
            "fd.name = /etc/shadow and fd.directory = /etc and fd.filename = shadow and fd.type = file",
            "fd.nameraw contains \"../..\" and fd.num = 5 and fd.ino = 99 and fd.dev = 2049",
            "fd.dev.major = 8 and fd.dev.minor = 1 and fd.name pmatch (/etc)",
            "evt.is_open_write = false and evt.is_open_exec = false and evt.is_open_create = false",
            "evt.arg.flags = O_RDONLY and not evt.arg.mode exists and evt.arg.name = /etc/shadow",
            "proc.name = sh and proc.pname = nginx and user.uid = 1000 and container.id = host",
            "not fd.sip exists and not evt.arg.target exists",
        ],
        &[("%fd.name", "/etc/shadow"), ("%evt.arg.flags", "O_RDONLY")],
    );
    let created = Opened { is_created: true, ..open("", 0).opened.unwrap() };
    let file = FileOpen { opened: Some(created), ..open("/bin/x", WRITE_CREATE_TRUNCATE) };
    asked(
        &file,
        &[
            OPEN_WRITE,
            "evt.is_open_create = true and evt.is_open_exec = true and evt.is_open_read = false",
            "evt.arg.flags contains O_TRUNC and evt.arg.mode contains S_IXUSR",
        ],
        &[("%evt.arg.flags", "O_WRONLY|O_CREAT|O_TRUNC")],
    );
    let directory = Opened { file_type: FileType::Directory, ..created };
    asked(
        &FileOpen { opened: Some(directory), ..open("/etc", READ_ONLY) },
        &[
            "fd.type = directory and fd.typechar = d and fd.directory = /etc and not fd.filename exists",
        ],
        &[("%fd.directory", "/etc")],
    );
}

#[test]
fn a_descriptor_that_is_not_known_is_one_all_the_same() {
    let file = FileOpen { descriptor: None, ..open("/etc/shadow", READ_ONLY) };
    asked(
        &file,
        &[
            OPEN_READ,
            "evt.rawres >= 0 and not evt.rawres < 0 and evt.rawres != -1 and evt.rawres exists",
            "evt.res = SUCCESS and fd.num > -1 and not fd.num in (-1, -2) and fd.num != -1",
        ],
        &[("%fd.num", "<NA>"), ("%evt.rawres", "<NA>")],
    );
    // Which one it is nobody can tell, and no rule fires of it.
    let (node, who) = (node(), Who::default());
    let facts = RecordFacts::new(&file, 1, &who, &NoLineage, &node).unwrap();
    for condition in ["fd.num = 0", "fd.num in (0, -1)", "fd.num > 0", "fd.num <= 2", "fd.num != 3"]
    {
        assert_eq!(outcome(condition, &facts), Some(Outcome::Undecided), "{condition}");
    }
    for condition in ["fd.num < 0", "fd.num <= -1", "fd.num = -1"] {
        assert_eq!(outcome(condition, &facts), None, "{condition}");
    }
}

fn outcome(condition: &str, facts: &RecordFacts<'_>) -> Option<Outcome> {
    let text = format!(
        "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n  condition: evt.type = openat and {condition}\n"
    );
    let mut sources = Sources::default();
    sources.add(Source::new("f", text));
    let options = Options { strict_unknown: true, ..Options::default() };
    let (rules, _) = Ruleset::load(&sources, &options).unwrap_or_else(|report| panic!("{report}"));
    let mut found = None;
    rules.evaluate(facts, &mut Scratch::default(), &mut |_, outcome| found = Some(outcome));
    found
}

#[test]
fn what_could_not_be_opened_is_told_by_what_was_asked_for() {
    asked(
        &refused("/var/www/../../etc//shadow"),
        &[
            OPEN_FAILED,
            "evt.res = EACCES and evt.rawres = -13 and evt.failed = true and not fd.num >= 0",
            "fd.name = /etc/shadow and fd.name startswith /etc/ and fd.directory = /etc",
            "fd.filename = shadow and not fd.ino exists and evt.is_open_read = true",
        ],
        &[("%fd.name", "/etc/shadow"), ("%fd.filename", "shadow"), ("%evt.res", "EACCES")],
    );
    let odd = FileOpen { error: 512, ..refused("/x") };
    asked(
        &odd,
        &["evt.res != SUCCESS and evt.res startswith E and evt.rawres = -512"],
        &[("x", "x")],
    );
}

#[test]
fn of_a_path_without_its_beginning_only_the_end_is_compared() {
    let file = FileOpen { path_truncated: true, ..open("/c/shadow", READ_ONLY) };
    asked(
        &file,
        &["fd.name endswith /c/shadow and fd.filename = shadow"],
        &[("%fd.name", " … /c/shadow")],
    );
    let (node, who) = (node(), Who::default());
    let facts = RecordFacts::new(&file, 1, &who, &NoLineage, &node).unwrap();
    assert_eq!(outcome("fd.name startswith /c", &facts), Some(Outcome::Undecided));
    assert_eq!(outcome("fd.name endswith /passwd", &facts), None);
}

#[test]
fn calls_answer_with_their_arguments_under_falco_s_names() {
    let paths = |first: &'static str, second: &'static str| {
        let path = |path: &'static str| Some(Path { path: path.as_bytes(), name: b"given" });
        (path(first), path(second))
    };
    let (path, second_path) = paths("/bin/../tmp/a", "/etc/b");
    let both = |name, arguments| SystemCall { path, second_path, arguments, ..call(name) };
    let cases: [(SystemCall<'_>, &str); 23] = [
        (
            both("renameat2", [0, 0, 0, 0, 2, 0]),
            "evt.arg.oldpath = /tmp/a and evt.arg.newpath = /etc/b and evt.arg.flags = RENAME_EXCHANGE",
        ),
        (both("link", [0; 6]), "evt.arg.oldpath = /tmp/a and evt.arg.newpath startswith /etc/"),
        (
            both("link", [0; 6]),
            "evt.abspath.src = /tmp/a and evt.abspath.dst = /etc/b and not evt.abspath exists",
        ),
        (both("symlink", [0; 6]), "evt.abspath = /etc/b and not evt.abspath.src exists"),
        (
            both("symlinkat", [0, 0xffff_ff9c, 0, 0, 0, 0]),
            "evt.arg.target = given and evt.arg.linkpath = /etc/b and evt.arg.linkdirfd = -100",
        ),
        (
            both("unlinkat", [0, 0, 0x200, 0, 0, 0]),
            "evt.arg.name = /tmp/a and evt.arg.flags = AT_REMOVEDIR",
        ),
        (
            both("rmdir", [0; 6]),
            "evt.abspath = /tmp/a and evt.arg.path = /tmp/a and evt.res = SUCCESS and evt.rawres = 0",
        ),
        (
            both("mkdirat", [0, 0, 0o700, 0, 0, 0]),
            "evt.arg.path = /tmp/a and evt.arg.mode = S_IRUSR|S_IWUSR|S_IXUSR",
        ),
        (
            both("fchmodat", [0, 0, 0o4711, 0, 0, 0]),
            "evt.arg.filename = /tmp/a and evt.arg.mode contains S_ISUID",
        ),
        (
            both("chown", [0, 5, u64::MAX, 0, 0, 0]),
            "evt.arg.path = /tmp/a and evt.arg.uid = 5 and evt.arg.gid = -1",
        ),
        (
            both("mount", [0, 0, 0, 0x5000, 0, 0]),
            "evt.arg.dev = /tmp/a and evt.arg.dir = /etc/b and evt.arg.flags = MS_BIND|MS_REC",
        ),
        (
            both("umount2", [0, 2, 0, 0, 0, 0]),
            "evt.arg.name = /tmp/a and evt.arg.flags = MNT_DETACH",
        ),
        (
            both("memfd_create", [0, 1, 0, 0, 0, 0]),
            "evt.arg.name = given and evt.arg.flags = MFD_CLOEXEC",
        ),
        (
            SystemCall { arguments: [3, 0x4002_0000, 0, 0, 0, 0], ..call("setns") },
            "evt.arg.nstype = CLONE_NEWNS|CLONE_NEWNET",
        ),
        (SystemCall { arguments: [0; 6], ..call("unshare") }, "evt.arg.flags = 0"),
        (
            SystemCall { arguments: [0x1000_0001, 0, 0, 0, 0, 0], ..call("unshare") },
            "evt.arg.flags = CLONE_NEWUSER|0x1",
        ),
        (
            SystemCall { arguments: [16, 88, 0, 0, 0, 0], ..call("ptrace") },
            "evt.arg.request in (PTRACE_ATTACH, PTRACE_SEIZE) and evt.arg.pid = 88",
        ),
        (
            SystemCall { arguments: [5, 0, 0, 0, 0, 0], result: 7, ..call("bpf") },
            "evt.arg.cmd = BPF_PROG_LOAD and evt.rawres = 7",
        ),
        (
            SystemCall { arguments: [17, 3, 0, 0, 0, 0], ..call("socket") },
            "evt.arg.domain contains AF_PACKET",
        ),
        (
            SystemCall { arguments: [0; 6], result: -1, ..call("setuid") },
            "evt.arg.uid = 0 and evt.res = EPERM and evt.failed = true and user.uid = 0",
        ),
        (
            SystemCall { descriptor_type: Some(FileType::Fifo), result: 1, ..call("dup2") },
            "fd.type = pipe and fd.typechar = p and evt.rawres in (0, 1, 2) and evt.category = file",
        ),
        (call("userfaultfd"), "evt.rawres >= 0 and user.uid = 0 and proc.name = sh"),
        (call("finit_module"), "evt.arg.flags = 0 and not evt.arg.path exists"),
    ];
    for (call, condition) in cases {
        let name = call.name.unwrap();
        let condition = format!("evt.type = {name} and {condition}");
        asked(&call, &[&condition], &[("%evt.type", name)]);
    }
    let socket = SystemCall {
        descriptor_type: Some(FileType::Socket),
        descriptor_family: Some("ipv6"),
        result: 1,
        ..call("dup2")
    };
    let redirected =
        "evt.type in (dup, dup2, dup3) and evt.rawres in (0, 1, 2) and fd.type in (ipv4, ipv6)";
    asked(&socket, &[redirected], &[("%fd.type", "ipv6")]);
    // Of a socket of a rare family neither is true.
    let (node, who) = (node(), Who::default());
    let socket = SystemCall { descriptor_type: Some(FileType::Socket), ..call("dup3") };
    let facts = RecordFacts::new(&socket, 1, &who, &NoLineage, &node).unwrap();
    let id = catalogue::field("fd.type").unwrap().id;
    assert_eq!(facts.value(id, &Argument::None), Value::Unknown);
    for unknown in [None, Some("getpid"), Some("openat"), Some("execve")] {
        let call = SystemCall { name: unknown, ..call("dup") };
        assert!(RecordFacts::new(&call, 1, &who, &NoLineage, &node).is_none(), "{unknown:?}");
    }
}

pub(super) const PEER: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::new(198, 51, 100, 7)), 4444);

/// By UDP.
pub(super) fn of_socket(
    call: SystemCall<'static>,
    peer: Option<SocketAddr>,
) -> SystemCall<'static> {
    let local = SocketAddr::from(([10, 0, 0, 1], 53));
    SystemCall {
        descriptor_type: Some(FileType::Socket),
        descriptor_family: Some("ipv4"),
        socket: Some(Socket { protocol: 17, local, peer, is_server: false }),
        ..call
    }
}

#[test]
fn calls_of_sockets_answer_for_their_ends() {
    let ends = "fd.type = ipv4 and fd.typechar = 4 and fd.l4proto = udp and fd.sockfamily = ip and evt.category = net";
    for name in ["dup2", "connect"] {
        let condition = format!(
            "evt.type = {name} and {ends} and fd.sip = 198.51.100.7 and fd.sport = 4444 and fd.cip = 10.0.0.1 \
             and fd.rip = 198.51.100.7 and fd.lport = 53 and fd.is_server = false and fd.ip = 10.0.0.1 \
             and fd.ip = 198.51.100.7"
        );
        let call = of_socket(call(name), Some(PEER));
        asked(&call, &[&condition], &[("%fd.name", "10.0.0.1:53->198.51.100.7:4444")]);
    }
    let bound = format!(
        "evt.type = bind and {ends} and fd.sip = 10.0.0.1 and fd.sport = 53 and fd.lip = 10.0.0.1 \
         and fd.is_server = true and not fd.cip exists and not fd.rport exists and fd.port = 53"
    );
    asked(&of_socket(call("bind"), None), &[&bound], &[("%fd.name", "10.0.0.1:53")]);
}

#[test]
fn a_call_that_sends_answers_for_where_it_sent() {
    let ends = "fd.type = ipv4 and fd.l4proto = udp and fd.sip = 198.51.100.7 and fd.sport = 4444 and fd.cip = 10.0.0.1 \
        and fd.lport = 53 and fd.rip = 198.51.100.7 and evt.category = net \
        and fd.name = \"10.0.0.1:53->198.51.100.7:4444\"";
    // Rules that name no events, as that of these outputs, are not told of such calls.
    let outputs = [("o", "o")];
    for name in ["sendto", "sendmsg", "sendmmsg"] {
        let sent = SystemCall { result: 44, ..of_socket(call(name), Some(PEER)) };
        let condition = format!("evt.type = {name} and {ends} and evt.rawres = 44");
        asked(&sent, &[&condition], &outputs);
        let refused = SystemCall { result: -1, ..sent };
        let condition = format!("evt.type = {name} and {ends} and evt.res = EPERM");
        asked(&refused, &[&condition], &outputs);
    }
}

#[test]
fn a_connection_over_tcp_is_told_by_its_handshake_and_not_by_its_call() {
    let (node, who) = (node(), Who::default());
    for (protocol, is_told) in [(6, false), (262, false), (17, true), (132, true)] {
        let call = of_socket(call("connect"), Some(PEER));
        let socket = call.socket.map(|socket| Socket { protocol, ..socket });
        let call = SystemCall { socket, ..call };
        let facts = RecordFacts::new(&call, 1, &who, &NoLineage, &node);
        assert_eq!(facts.is_some(), is_told, "{protocol}");
    }
}

#[test]
fn a_unix_socket_is_named_by_what_it_is_bound_to_or_else_by_what_was_asked_for() {
    let unix = SystemCall {
        descriptor_type: Some(FileType::Socket),
        descriptor_family: Some("unix"),
        ..call("connect")
    };
    let given = Path { path: b"/tmp/../run/a", name: b"../run/a" };
    let refused = SystemCall { path: Some(given), result: -111, ..unix };
    let of = "evt.type = connect and fd.type = unix and fd.typechar = u and fd.sockfamily = unix and not fd.sip exists";
    asked(&refused, &[of, "fd.name = /run/a and evt.failed = true"], &[("%fd.name", "/run/a")]);
    let bound = SystemCall { descriptor_path: Some(b"/run/b"), result: 0, ..refused };
    asked(
        &bound,
        &[of, "fd.name startswith /run/ and evt.failed = false"],
        &[("%fd.name", "/run/b")],
    );
}

#[test]
fn a_call_about_an_open_file_says_which() {
    let call = SystemCall {
        descriptor_type: Some(FileType::Regular),
        descriptor_path: Some(b"/usr/bin/su"),
        arguments: [3, 0o4755, 0, 0, 0, 0],
        ..call("fchmod")
    };
    let condition = "evt.type = fchmod and fd.name = /usr/bin/su and fd.directory = /usr/bin and fd.filename = su \
        and evt.arg.mode contains S_ISUID and fd.type = file and fd.typechar = f and not fd.sip exists";
    asked(&call, &[condition], &[("%fd.name", "/usr/bin/su")]);
}

#[test]
fn the_first_datagram_is_a_call_to_send_or_to_receive() {
    let record = |received_first| Udp {
        time: Timestamp(1001 * SECOND),
        process: Some(process(9, 1, "dig")),
        ends: Ends {
            transport: Transport::Udp,
            part: None,
            local: SocketAddr::from(([10, 0, 0, 1], 53)),
            peer: PEER,
            net_namespace: 1,
            cookie: 1,
        },
        opened_before_start: false,
        sampled_one_in: 1,
        received_first,
        totals: Totals { bytes_sent: 44, bytes_received: 512, ..Totals::default() },
        duration_ns: 0,
        happened: Happened::Open,
    };
    let sent = "evt.type = sendto and fd.l4proto != tcp and fd.connected = false and fd.name_changed = true \
        and fd.sip = 198.51.100.7 and fd.sport = 4444 and evt.rawres = 44 and evt.res = SUCCESS \
        and evt.is_io = true and evt.is_io_write = true and evt.io_dir = w and evt.buflen = 44";
    asked(&record(false), &[sent], &[("%fd.name", "10.0.0.1:53->198.51.100.7:4444")]);
    let received = "evt.type = recvfrom and fd.sip = 10.0.0.1 and fd.cip = 198.51.100.7 and evt.rawres = 512 \
        and evt.is_io_read = true and evt.is_io_write = false and evt.io_dir = r and evt.buflen = 512";
    asked(&record(true), &[received], &[("%fd.name", "198.51.100.7:4444->10.0.0.1:53")]);
    let (node, who) = (node(), Who::default());
    let later = Udp { happened: Happened::Reply, ..record(false) };
    assert!(RecordFacts::new(&later, 1, &who, &NoLineage, &node).is_none());
}

/// What the catalogue says of calls and opens is what the adapter does.
#[test]
fn fields_are_answered_of_the_events_that_the_catalogue_names() {
    let (node, who) = (node(), Who::default());
    let path = Some(Path { path: b"/a", name: b"a" });
    let answers = |record: &dyn Record, event_type: EventType| {
        let facts = RecordFacts::new(record, 1, &who, &NoLineage, &node).unwrap();
        let facts = facts.after(Timestamp(0), Timestamp(0));
        assert_eq!(facts.event_type(), event_type);
        for spec in catalogue::all()
            .filter(|spec| spec.name.starts_with("evt.") || spec.name.starts_with("fd."))
            // Only of what failed.
            .filter(|spec| !spec.name.starts_with("evt.count.error"))
        {
            let argument = match spec.takes {
                catalogue::Takes::Place => Argument::Place(0),
                _ => Argument::None,
            };
            let value = facts.value(spec.id, &argument);
            let is_answered = spec.answered.contains(event_type);
            let is_known = !matches!(value, Value::Unknown | Value::Absent);
            assert_eq!(is_known, is_answered, "{event_type:?} {} {value:?}", spec.name);
        }
    };
    for event_type in EventTypes::CALLS.iter() {
        let plain = SystemCall { path, second_path: path, ..call(event_type.name()) };
        let call = match event_type.name() {
            "bind" | "listen" => SystemCall { path: None, ..of_socket(plain, None) },
            "dup" | "dup2" | "dup3" | "sendto" | "sendmsg" | "sendmmsg" => {
                SystemCall { path: None, ..of_socket(plain, Some(PEER)) }
            }
            "fchmod" | "fchown" | "fchdir" | "finit_module" | "kexec_file_load" => SystemCall {
                descriptor_type: Some(FileType::Regular),
                descriptor_path: Some(b"/a"),
                ..plain
            },
            _ => plain,
        };
        answers(&call, event_type);
    }
    answers(&open("/etc/x", WRITE_CREATE_TRUNCATE), EventType::Openat);
}
