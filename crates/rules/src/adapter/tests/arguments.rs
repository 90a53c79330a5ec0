//! Arguments of events: each by its name, by its place, as a number, and all of them.

use super::files::{PEER, call, of_socket, open};
use super::*;
use chandra_event::file::{FileOpen, FileType};
use chandra_event::system_call::{Path, SystemCall};

#[track_caller]
fn asked(record: &dyn Record, holding: &[&str], outputs: &[(&str, &str)]) {
    let (labels, lineage, node) = (labels(), lineage(), node());
    let who = somebody(&labels);
    let facts = RecordFacts::new(record, 1, &who, &lineage, &node).unwrap();
    let facts = facts.after(Timestamp(1000 * SECOND), Timestamp(1001 * SECOND + 5));
    check(&facts, holding, outputs);
}

#[test]
fn an_execution_has_its_arguments_in_falco_s_order_without_the_environment() {
    let environment = Some(Environment { head: b"SECRET=x\0", total_bytes: 9 });
    let exec = Exec { environment, ..exec() };
    asked(
        &exec,
        &[
            "evt.args startswith \"res=SUCCESS exe=/bin/sh args=-c id; ls tid=77 pid=77 ptid=7 cwd=/dev/shm/ comm=sh\"",
            "evt.info endswith \" uid=0 trusted_exepath=/bin/busybox pgid=7 gid=0\"",
            "not evt.args contains SECRET and not evt.args contains \"env=\"",
            "evt.arg.exe = /bin/sh and evt.arg[1] = /bin/sh and evt.arg[exe] = /bin/sh and evt.arg[0] = SUCCESS",
            "evt.arg.pid = 77 and evt.arg[4] = 77 and not evt.arg[4] = 7 and evt.rawarg.uid = 0",
            "evt.arg.args = \"-c id; ls\" and evt.rawarg.res = 0 and not evt.arg[99] exists",
        ],
        &[("%evt.arg[5]", "7"), ("%evt.arg[15]", "<NA>"), ("%evt.arg[13]", "sh")],
    );
}

#[test]
fn calls_have_theirs_by_name_by_place_and_as_numbers() {
    let with = |name, arguments| SystemCall { arguments, ..call(name) };
    let setresuid = with("setresuid", [0, u64::from(u32::MAX), 5, 0, 0, 0]);
    asked(
        &setresuid,
        &[
            "evt.arg.ruid = 0 and evt.arg.euid = -1 and evt.arg.suid = 5 and evt.arg.res = SUCCESS",
            "evt.rawarg.suid = 5 and evt.arg[3] = 5 and not evt.arg.rgid exists and not evt.arg[4] exists",
        ],
        &[("%evt.args", "res=SUCCESS ruid=0 euid=-1 suid=5")],
    );
    let kill = SystemCall { result: -1, ..with("kill", [7, 9, 0, 0, 0, 0]) };
    asked(
        &kill,
        &[
            "evt.arg.sig = SIGKILL and evt.rawarg.sig = 9 and evt.arg.pid = 7 and evt.rawarg.res = -1",
            "evt.count.error = 1 and evt.count.error.other = 1 and not evt.count.error.file exists",
        ],
        &[("%evt.args", "res=EPERM pid=7 sig=SIGKILL"), ("%evt.count.exit", "1")],
    );
    let socket = SystemCall { result: 5, ..with("socket", [17, 3, 768, 0, 0, 0]) };
    asked(
        &socket,
        &["evt.arg.type = 3 and evt.rawarg.proto = 768 and not evt.count.error exists"],
        &[("%evt.args", "fd=5 domain=AF_PACKET type=3 proto=768")],
    );
    let failed =
        SystemCall { result: -13, path: path(b"/a"), ..with("mkdir", [0, 0o700, 0, 0, 0, 0]) };
    asked(
        &failed,
        &["evt.count.error.file = 1 and not evt.count.error.net exists and evt.arg[1] = /a"],
        &[("%evt.args", "res=EACCES path=/a mode=S_IRUSR|S_IWUSR|S_IXUSR")],
    );
    asked(
        &with("prctl", [15, 0, 0, 0, 0, 0]),
        &["evt.arg.option = PR_SET_NAME"],
        &[("%evt.args", "res=SUCCESS option=PR_SET_NAME")],
    );
    asked(
        &with("shutdown", [3, 1, 0, 0, 0, 0]),
        &["evt.arg.how = SHUT_WR"],
        &[("%evt.args", "res=SUCCESS fd=3 how=SHUT_WR")],
    );
}

fn path(path: &'static [u8]) -> Option<Path<'static>> {
    Some(Path { path, name: path })
}

#[test]
fn a_descriptor_reads_as_what_it_stands_for_and_has_its_number_beside() {
    let opened = open("/etc/x", 0);
    asked(
        &opened,
        &[
            "evt.arg.fd = \"<f>/etc/x\" and evt.arg[0] = \"<f>/etc/x\" and evt.rawarg.fd = 5 and fd.num = 5",
        ],
        &[
            ("%evt.arg.fd", "<f>/etc/x"),
            ("%fd.containername", "c0ffee000000:/etc/x"),
            ("%fd.containerdirectory", "c0ffee000000:/etc"),
        ],
    );
    let refused = FileOpen { opened: None, error: 13, descriptor: None, ..opened };
    asked(
        &refused,
        &["evt.rawarg.fd = -13 and evt.count.error.file = 1 and evt.arg.fd = -13"],
        &[("%evt.arg.name", "/etc/x")],
    );
    let file = SystemCall {
        descriptor_type: Some(FileType::Regular),
        descriptor_path: Some(b"/a"),
        arguments: [4, 0o4755, 0, 0, 0, 0],
        ..call("fchmod")
    };
    asked(
        &file,
        &[
            "evt.arg.fd = \"<f>/a\" and fd.num = 4 and evt.rawarg.fd = 4 and fd.containername endswith :/a",
        ],
        &[(
            "%evt.args",
            "res=SUCCESS fd=<f>/a mode=S_IRUSR|S_IWUSR|S_IXUSR|S_IRGRP|S_IXGRP|S_IROTH|S_IXOTH|S_ISUID",
        )],
    );
    let copied =
        SystemCall { arguments: [6, 1, 0, 0, 0, 0], ..of_socket(call("dup2"), Some(PEER)) };
    asked(
        &copied,
        &["evt.arg.oldfd = 6 and evt.arg.newfd = 1 and fd.num = 6 and evt.rawarg.newfd = 1"],
        &[("%evt.args", "res=SUCCESS oldfd=6 newfd=1")],
    );
}

#[test]
fn a_port_reads_as_its_service_and_as_its_number() {
    let peer: SocketAddr = "10.0.0.2:443".parse().unwrap();
    let copied = of_socket(call("dup2"), Some(peer));
    asked(
        &copied,
        &[
            "fd.proto = https and fd.sproto = https and fd.rproto = https and fd.proto = 443",
            "fd.proto in (https, x) and fd.proto = domain and not fd.proto = x and fd.proto != x",
            "not fd.cproto = https and not fd.proto != https",
        ],
        &[("%fd.sproto", "https")],
    );
    let peer: SocketAddr = "10.0.0.2:444".parse().unwrap();
    asked(&of_socket(call("dup2"), Some(peer)), &["fd.sproto = 444"], &[("%fd.sproto", "444")]);
}

#[test]
fn times_are_told_since_the_first_event_and_since_the_one_before() {
    asked(
        &open("/etc/x", 0),
        &[
            "evt.reltime = 2000000000 and evt.reltime.s = 2 and evt.reltime.ns = 0",
            "evt.deltatime = 999999995 and evt.deltatime.s = 0 and evt.deltatime.ns = 999999995",
        ],
        &[("%evt.reltime", "2000000000"), ("%evt.datetime.s", "1970-01-01 00:16:42")],
    );
}

#[test]
fn a_place_is_asked_for_by_a_number_and_what_has_no_number_is_no_raw_argument() {
    let load = |condition: &str| {
        let mut sources = Sources::default();
        let rule = format!(
            "- rule: r\n  desc: d\n  output: o\n  priority: INFO\n  condition: {condition}\n"
        );
        sources.add(Source::new("f", rule));
        Ruleset::load(&sources, &Options::default()).err().map(|report| report.to_string())
    };
    assert_eq!(load("evt.type = setns and evt.arg[0] = SUCCESS"), None);
    assert!(load("evt.type = setns and evt.arg = SUCCESS").unwrap().contains("name or place"));
    assert!(
        load("evt.type = setns and evt.rawarg.nstype = 1").unwrap().contains("there is no field")
    );
    let refused = load("evt.type = setns and evt.cpu = 1").unwrap();
    assert!(refused.contains("on which CPU"), "{refused}");
}
