//! What was read at an execution, asked for of what the process does later.

use super::files::{call, open};
use super::*;

fn stands() -> Known {
    let mut tty = [0; 16];
    tty[..4].copy_from_slice(b"pts1");
    let groups = Groups {
        process_group: 7,
        virtual_pid: 12,
        virtual_process_group: 12,
        parent_virtual_pid: 1,
    };
    let standing = Standing {
        login_uid: Some(1000),
        session_id: 7,
        groups,
        tty,
        standard_input: Some(Stream::Ipv4),
        standard_output: None,
    };
    let file_status = FileStatus {
        change_time: Timestamp(990 * SECOND),
        modify_time: Timestamp(980 * SECOND),
        ..FileStatus::default()
    };
    let environments = vec![Some(Environment { head: b"A=1\0", total_bytes: 4 }), None, None];
    Known {
        programs: lineage(),
        environments,
        standing: Some(standing),
        file_status: Some(file_status),
        ..Known::default()
    }
}

const ASKED: [&str; 6] = [
    "proc.tty = 34817 and proc.sid = 7 and proc.sname = nginx and proc.is_sid_leader = false",
    "proc.vpid = 12 and proc.pvpid = 1 and proc.pgid = 7 and proc.vpgid = 12 and proc.is_vpgid_leader = true",
    "proc.vpgid.name = nginx and proc.sid.exepath = /usr/sbin/nginx and proc.stdin_type = ipv4",
    "proc.exe_ino.ctime = 990000000000 and proc.exe_ino.ctime_duration_proc_start = 10000000000",
    "user.loginuid = 1000 and user.loginname = ann and not proc.stdout_type exists",
    "proc.env[A] = 1 and not proc.env[B] exists and proc.exe_ino.mtime = 980000000000",
];

#[test]
fn an_open_and_a_call_answer_as_the_execution_did() {
    let (labels, node, known) = (labels(), node(), stands());
    let who = somebody(&labels);
    let (open, call) = (open("/etc/x", 0), call("setns"));
    let records: [&dyn Record; 2] = [&open, &call];
    for record in records {
        let facts = RecordFacts::new(record, 1, &who, &known, &node).unwrap();
        check(&facts, &ASKED, &[("%user.loginname", "ann"), ("%proc.tty", "34817")]);
    }
}

#[test]
fn who_was_not_seen_to_be_executed_answers_none_of_it() {
    let (labels, node) = (labels(), node());
    let who = somebody(&labels);
    let open = open("/etc/x", 0);
    let programs = Known { programs: lineage(), ..Known::default() };
    let facts = RecordFacts::new(&open, 1, &who, &programs, &node).unwrap();
    use crate::catalogue::{ProcessField as Of, UserField};
    for field in
        [Of::Tty, Of::SessionId, Of::VirtualPid, Of::IsGroupLeader, Of::Env, Of::StandardInput]
    {
        let value = facts.value(FieldId::Process(field), &Argument::None);
        assert_eq!(value, Value::Unknown, "{field:?}");
    }
    assert_eq!(facts.value(FieldId::User(UserField::LoginId), &Argument::None), Value::Unknown);
}

#[test]
fn a_thread_is_told_from_its_process() {
    let (labels, node, known) = (labels(), node(), stands());
    let who = somebody(&labels);
    let of = |thread_id| {
        let mut open = open("/etc/x", 0);
        open.process.thread_id = thread_id;
        open
    };
    let (second, unknown) = (of(78), of(0));
    let facts = RecordFacts::new(&second, 1, &who, &known, &node).unwrap();
    check(
        &facts,
        &["thread.tid = 78 and thread.ismain = false and proc.pid = 77 and fd.uid = 785"],
        &[("%fd.uid", "785")],
    );
    let facts = RecordFacts::new(&unknown, 1, &who, &known, &node).unwrap();
    check(&facts, &[], &[("%thread.tid", "<NA>"), ("%fd.uid", "<NA>")]);
}
