//! What is drawn from conditions, and that nothing is missing from it.

use chandra_event::file::{FileType, Opened};
use chandra_event::process::{Exec, Exit, Fork, Process};
use chandra_event::system_call::SystemCall;
use chandra_event::time::Timestamp;
use chandra_event::who::Who;

use super::*;
use crate::adapter::{NoLineage, Node, RecordFacts};
use crate::evaluate::Scratch;
use crate::load::{Matching, Options, Unanswered};
use crate::rules::Outcome;
use crate::source::{Source, Sources};

fn load(conditions: &[impl AsRef<str>], strict_unknown: bool) -> Ruleset {
    let rule = |(index, condition): (usize, &str)| {
        format!(
            "- rule: R{index}\n  desc: d\n  output: o\n  priority: INFO\n  warn_evttypes: false\n  condition: |\n    {condition}\n"
        )
    };
    let text: String = conditions.iter().map(AsRef::as_ref).enumerate().map(rule).collect();
    let mut sources = Sources::default();
    sources.add(Source::new("f", text));
    // What could never fire is left out, and needs nothing.
    let unanswered = Unanswered::LeaveOut;
    let matching = Matching::All;
    let options = Options { matching, unanswered, strict_unknown, ..Options::default() };
    let (rules, _) = Ruleset::load(&sources, &options).unwrap_or_else(|report| panic!("{report}"));
    rules
}

/// The opens that a condition needs, each as `PATH USES`, `!` for those that fail too.
fn needed(condition: &str) -> Vec<String> {
    let needs = Needs::of(&load(&[condition], false));
    let spell = |opens: &Opens| {
        let used = [(opens.read, "r"), (opens.write, "w"), (opens.none, "n"), (opens.failed, "!")];
        let used: String = used.iter().filter(|(is, _)| *is).map(|(_, letter)| *letter).collect();
        format!("{} {used}", String::from_utf8_lossy(&opens.path))
    };
    let mut all: Vec<String> = needs.opens.iter().flatten().map(spell).collect();
    all.sort();
    all
}

#[test]
fn the_environment_is_needed_where_a_rule_of_executions_asks_for_it() {
    for (condition, expected) in [
        ("evt.type = execve and proc.env[LD_PRELOAD] exists", true),
        ("evt.type = execve and tolower(proc.env) contains x", true),
        ("evt.type = execve and proc.name = x", false),
        ("evt.type = execve and proc.args contains proc.env", false),
        ("evt.type = connect and proc.name = x", false),
    ] {
        assert_eq!(Needs::of(&load(&[condition], false)).environment, expected, "{condition}");
    }
}

#[test]
fn beginnings_and_uses_are_drawn_from_what_has_to_hold() {
    const OPEN: &str = "evt.type in (open,openat,openat2)";
    const READ: &str = "evt.is_open_read=true and fd.typechar='f' and fd.num>=0";
    const WRITE: &str = "evt.is_open_write=true and fd.typechar='f' and fd.num>=0";
    for (condition, expected) in [
        ("fd.filename = x", &[" rwn!"][..]),
        ("fd.name startswith /etc", &["/etc rwn!"]),
        (&format!("{READ} and fd.name startswith /etc"), &["/etc r"]),
        (&format!("{WRITE} and fd.directory in (/bin, /sbin)"), &["/bin w", "/sbin w"]),
        (
            &format!("{READ} and (fd.name in (/etc/shadow, /x) or fd.directory = /etc/sudoers.d)"),
            &["/etc/shadow r", "/etc/sudoers.d r", "/x r"],
        ),
        // One lies within the other; or both are asked for at once.
        (&format!("{READ} and (fd.name = /etc/x or fd.name startswith /etc)"), &["/etc r"]),
        (
            &format!("{READ} and fd.name startswith /etc and fd.directory = /etc/ssl"),
            &["/etc/ssl r"],
        ),
        (&format!("{READ} and fd.name startswith /etc and fd.directory = /bin"), &[]),
        (
            &format!("({READ} or {WRITE}) and fd.name pmatch (/root, /home/*/.ssh)"),
            &["/home/ r", "/home/ w", "/root r", "/root w"],
        ),
        (&format!("{READ} and fd.name glob '/proc/*/mem'"), &["/proc/ r"]),
        (&format!("{READ} and fd.name startswith anyof (/a, /b)"), &["/a r", "/b r"]),
        // What is not to hold says nothing, and neither does what only may be.
        (&format!("{READ} and not fd.name startswith /usr"), &[" r"]),
        (&format!("{READ} and (fd.name startswith /usr or proc.name = x)"), &[" r"]),
        (&format!("{READ} and fd.name endswith id_rsa"), &[" r"]),
        (&format!("{READ} and fd.name != /x"), &[" r"]),
        ("not (not fd.name startswith /usr or evt.failed = true)", &["/usr rwn!"]),
        ("evt.res = SUCCESS and fd.name = /a", &["/a rwn"]),
        ("evt.rawres >= 0 and evt.is_open_exec = true", &[" rw"]),
        ("evt.num = 0", &[]),
    ] {
        assert_eq!(needed(&format!("{OPEN} and {condition}")), expected, "{condition}");
    }
    assert_eq!(needed("proc.name = x"), [" rwn!"]);
    assert!(Needs::of(&load(&["evt.type = execve"], false)).opens.is_none());
}

#[test]
fn kinds_and_calls_are_those_of_the_active_rules() {
    let needs = Needs::of(&load(
        &["evt.type in (setns, unshare, read)", "evt.type = execve", "evt.type = connect"],
        false,
    ));
    let calls = vec!["connect", "setns", "unshare"];
    let expected = Needs { exec: true, tcp: true, calls, ..Needs::default() };
    assert_eq!(needs, expected);
    let all = Needs::of(&load(&["proc.name = x"], false));
    assert!(all.exec && all.fork && all.exit && all.tcp && all.udp && all.calls.len() > 60);
}

#[test]
fn more_ways_than_can_be_kept_become_one() {
    let paths: Vec<String> = (10_000..12_000).map(|number| format!("/{number}")).collect();
    let condition = format!(
        "evt.type = openat and evt.is_open_write = true and fd.name in ({})",
        paths.join(", ")
    );
    assert_eq!(needed(&condition), [" w!"]);
}

/// Numbers by chance (xorshift64*), the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

fn condition(chance: &mut Chance, depth: usize) -> String {
    const CHECKS: [&str; 43] = [
        "evt.type in (open, openat)",
        "evt.type = setns",
        "evt.type != execve",
        "evt.type in (unlinkat, procexit, clone)",
        "fd.name startswith /etc",
        "fd.name startswith /e",
        "fd.name = /etc/shadow",
        "fd.name in (/etc/shadow, /bin/sh, /etc)",
        "fd.name != /etc/shadow",
        "fd.name pmatch (/etc, /b*/x)",
        "fd.name pmatch (/)",
        "fd.name glob '/e*/shadow'",
        "fd.name iglob '/E*'",
        "fd.name endswith shadow",
        "fd.name startswith oneof (/etc, /e, /bin)",
        "fd.name startswith allof (/etc, /e)",
        "fd.name = anyof ()",
        "fd.directory = /etc",
        "fd.directory in (/, /bin)",
        "fd.directory pmatch (/etc)",
        "fd.filename = shadow",
        "fd.name = val(evt.arg.name)",
        "basename(fd.name) = shadow",
        "evt.arg.path startswith /bin",
        "evt.is_open_read = true",
        "evt.is_open_read = false",
        "evt.is_open_read != true",
        "evt.is_open_write = true",
        "evt.is_open_exec = true",
        "evt.is_open_create = true",
        "fd.num >= 0",
        "fd.num = -1",
        "evt.rawres >= 0",
        "evt.res != SUCCESS",
        "evt.failed = false",
        "fd.ino > 3",
        "evt.rawres < 0",
        "evt.rawres in (-2, 3)",
        "evt.rawres > -3",
        "evt.res in (SUCCESS, ENOENT)",
        "evt.failed = true",
        "fd.num in (-1, 3)",
        "fd.num != -1",
    ];
    let part = |chance: &mut Chance| condition(chance, depth + 1);
    match chance.below(if depth > 3 { 1 } else { 5 }) {
        0 => (*chance.of(&CHECKS)).to_owned(),
        1 => format!("({} or {})", part(chance), part(chance)),
        2 => format!("not ({})", part(chance)),
        _ => format!("({} and {})", part(chance), part(chance)),
    }
}

fn open(chance: &mut Chance) -> FileOpen<'static> {
    const RESOLVED: [&[u8]; 8] =
        [b"/etc/shadow", b"/etc", b"/", b"/bin/sh", b"/bin/x", b"/e", b"/x", b""];
    const ASKED: [&[u8]; 5] = [b"/etc/shadow", b"/bin/../etc/shadow", b"//etc/x", b"etc/x", b""];
    const FLAGS: [u32; 8] = [0, 1, 2, 3, 0o101, 0o1000, 0o10_000_000, 0o10_000_101];
    let flags = *chance.of(&FLAGS);
    let opened = (chance.below(3) > 0).then(|| Opened {
        file_type: *chance.of(&FileType::ALL),
        permissions: 0o644,
        device: 1,
        inode: 9,
        is_created: flags == 0o101 && chance.below(2) == 0,
    });
    let paths = if opened.is_some() { &RESOLVED[..] } else { &ASKED[..] };
    let path: &[u8] = paths[chance.below(paths.len())];
    FileOpen {
        time: Timestamp(1),
        process: Process::default(),
        sampled_one_in: 1,
        path,
        path_truncated: chance.below(5) == 0,
        name: b"x",
        flags,
        mode: *chance.of(&[0o644, 0o755]),
        opened,
        error: if opened.is_some() { 0 } else { 2 },
        descriptor: (opened.is_some() && chance.below(2) == 0).then_some(3),
    }
}

fn call(chance: &mut Chance) -> SystemCall<'static> {
    SystemCall {
        time: Timestamp(1),
        process: Process::default(),
        sampled_one_in: 1,
        effective_uid: 0,
        name: Some(*chance.of(&["setns", "unlinkat", "rmdir"])),
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
        result: *chance.of(&[0, -1, 3]),
    }
}

#[test]
fn no_rule_fires_of_an_event_that_is_not_needed() {
    let mut chance = Chance(0x0123_4567_89ab_cdef);
    let (node, who) = (Node::default(), Who::default());
    let (mut fired, mut spared, mut narrowed) = (0, 0, 0);
    for round in 0..3000 {
        let conditions: Vec<String> =
            (0..1 + chance.below(3)).map(|_| condition(&mut chance, 0)).collect();
        let rules = load(&conditions, round % 2 == 0);
        let needs = Needs::of(&rules);
        narrowed += usize::from(needs.opens.iter().flatten().any(|opens| !opens.path.is_empty()));
        for _ in 0..20 {
            let (open, call) = (open(&mut chance), call(&mut chance));
            let (exec, fork, exit) = (Exec::default(), Fork::default(), Exit::default());
            let records: [&dyn Record; 5] = [&open, &call, &exec, &fork, &exit];
            for record in records {
                let facts = RecordFacts::new(record, 1, &who, &NoLineage, &node).unwrap();
                let mut fires = false;
                rules.evaluate(&facts, &mut Scratch::default(), &mut |_, outcome| {
                    fires |= outcome == Outcome::Fires;
                });
                fired += usize::from(fires);
                spared += usize::from(!needs.has(record));
                assert!(!fires || needs.has(record), "{conditions:?}\n{needs:?}\n{facts:?}");
            }
        }
    }
    // It would say nothing of rules that never fire, or of needs that have everything.
    assert!(fired > 10_000 && spared > 10_000 && narrowed > 200, "{fired} {spared} {narrowed}");
}

#[test]
fn the_call_to_connect_is_needed_where_a_rule_may_be_of_others_than_tcp() {
    for (condition, is_needed) in [
        ("evt.type = connect and fd.sport = 53", true),
        ("evt.type = connect and fd.l4proto = tcp", false),
        ("evt.type = connect and fd.l4proto in (tcp, udp)", true),
        ("evt.type = connect and not fd.l4proto = tcp", true),
        ("evt.type = connect and fd.l4proto != tcp", true),
        ("evt.type in (connect, accept) and (fd.l4proto = tcp or fd.sport = 1)", true),
        ("(evt.type = connect and fd.l4proto = tcp) or evt.type = setns", false),
        ("evt.type = accept", false),
    ] {
        let needs = Needs::of(&load(&[condition], false));
        assert_eq!(needs.calls.contains(&"connect"), is_needed, "{condition}");
        assert!(needs.tcp, "{condition}");
    }
}

#[test]
fn calls_that_send_are_needed_where_a_rule_asks_for_them_and_not_for_the_first_datagram() {
    let new = "fd.l4proto != tcp and fd.connected = false and fd.name_changed = true";
    for (condition, udp, calls) in [
        ("evt.type in (sendto, sendmsg) and fd.sport = 53", false, &["sendto", "sendmsg"][..]),
        ("evt.type = sendmmsg and fd.sip = 10.0.0.1", false, &["sendmmsg"]),
        // As Falco's macro `outbound` has it: who is written to for the first time.
        (&format!("evt.type in (sendto, sendmsg) and {new}"), true, &[]),
        (&format!("evt.type in (sendto, sendmsg) and not ({new})"), false, &["sendto", "sendmsg"]),
        ("evt.type = sendto and fd.sip.name = a.example", true, &[]),
        ("evt.type in (sendto, recvfrom) and fd.sport = 53", true, &["sendto"]),
    ] {
        let needs = Needs::of(&load(&[condition], false));
        assert_eq!((needs.udp, &needs.calls[..]), (udp, calls), "{condition}");
    }
    // Nobody asked for calls.
    let needs = Needs::of(&load(&["proc.name = x"], false));
    assert!(needs.udp && !needs.calls.iter().any(|call| call.starts_with("send")), "{needs:?}");
    // Each rule has its own.
    let both = ["evt.type = sendto and fd.sport = 53", &format!("evt.type = sendto and {new}")];
    let needs = Needs::of(&load(&both, false));
    assert_eq!((needs.udp, &needs.calls[..]), (true, &["sendto"][..]));
}
