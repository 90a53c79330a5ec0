//! Evaluation does not allocate once its memory has grown.

use chandra_event::file::{FileOpen, FileType, Opened};
use chandra_event::process::{Environment, Process, Standing};
use chandra_event::time::Timestamp;
use chandra_event::who::Who;
use chandra_rules::adapter::{Ancestor, Lineage, Node, Program, RecordFacts};
use chandra_rules::evaluate::Scratch;
use chandra_rules::load::{Matching, Options};

use crate::common::{Fake, Own, load, many};

const FILES: [&str; 2] =
    [include_str!("../rules/everything.yaml"), include_str!("../rules/sigma.yml")];

#[test]
fn evaluating_an_event_does_not_allocate() {
    let options = Options { matching: Matching::All, strict_unknown: true, ..Options::default() };
    let (rules, _) = load(&FILES, &options).unwrap();
    let facts = Fake::exec()
        .with("proc.name", many(&["bash", "busybox"]))
        .with("proc.pname", many(&["nginx"]))
        .with("proc.image", many(&["/bin/nc", "./NC"]))
        .with("proc.exeline", Own::Words(vec!["nc", "-e", "bash -i", "/dev/tcp/x"]))
        .with("proc.pimage", many(&["/usr/sbin/nginx"]))
        .with("proc.exepath", "/home/ann/bin/bash")
        .with("proc.exe", "SGVsbG8=")
        .with("proc.cwd", "/dev/shm")
        .with("proc.args", Own::Words(vec!["-a", "-b", "cc", "x"]))
        .with("proc.cmdline", Own::Cut("bash -a".to_owned(), "x".to_owned()))
        .with("container.id", "c0ffee000000")
        .with("k8s.ns.name", Own::Unknown)
        .with("proc.tty", 34816)
        .with("proc.sid", 5)
        .with("user.uid", 0);
    let mut scratch = Scratch::default();
    let mut fired = 0;
    let mut evaluate = || rules.evaluate(&facts, &mut scratch, &mut |_, _| fired += 1);
    evaluate();
    let info = allocation_counter::measure(|| (0..1000).for_each(|_| evaluate()));
    assert_eq!(info.count_total, 0);
    assert!(fired >= 1001, "{fired}");
}

/// A process, its parent, and variables of both.
struct Two;

impl Lineage for Two {
    fn ancestor(&self, generation: usize) -> Ancestor<'_> {
        match generation {
            0 | 1 => Ancestor::Known(Program { pid: 7, comm: b"sh", ..Program::default() }),
            _ => Ancestor::Nobody,
        }
    }

    fn environment(&self, generation: usize) -> Option<Environment<'_>> {
        (generation < 2).then_some(Environment { head: b"PATH=/bin\0A=b\0", total_bytes: 14 })
    }

    fn standing(&self) -> Option<Standing> {
        Some(Standing { session_id: 7, ..Standing::default() })
    }
}

#[test]
fn putting_texts_together_does_not_allocate() {
    let conditions = [
        "evt.args contains /etc/shadow",
        "evt.info endswith ino=99",
        "evt.arg.fd = <f>/etc/shadow",
        "evt.arg[2] = /etc/shadow",
        "fd.uid = 785",
        "fd.containername = host:/etc/shadow",
        "fd.containerdirectory = host:/etc",
        "proc.aenv contains A=b",
        "proc.aenv[A] = b",
        "proc.env[PATH] = /bin",
        "proc.is_sid_leader = false",
        "evt.deltatime = 5",
        "thread.tid = 78",
    ];
    let rules: String = conditions
        .iter()
        .map(|condition| {
            let (field, rest) = condition.split_once(' ').unwrap();
            let (operator, value) = rest.split_once(' ').unwrap();
            format!(
                "- rule: {field}\n  desc: d\n  output: o\n  priority: INFO\n  condition: 'evt.type = openat and {field} \
                 {operator} \"{value}\"'\n"
            )
        })
        .collect();
    let options = Options { matching: Matching::All, strict_unknown: true, ..Options::default() };
    let (rules, _) = load(&[&rules], &options).unwrap();
    let opened = Opened {
        file_type: FileType::Regular,
        permissions: 0o600,
        device: 0,
        inode: 99,
        is_created: false,
    };
    let open = FileOpen {
        sampled_one_in: 1,
        time: Timestamp(1005),
        process: Process { pid: 77, thread_id: 78, ..Process::default() },
        path: b"/etc/shadow",
        path_truncated: false,
        name: b"/etc/shadow",
        flags: 0,
        mode: 0,
        opened: Some(opened),
        error: 0,
        descriptor: Some(5),
    };
    let (who, node, mut scratch, mut fired) =
        (Who::default(), Node::default(), Scratch::default(), 0);
    let mut evaluate = || {
        let facts = RecordFacts::new(&open, 1, &who, &Two, &node).unwrap();
        let facts = facts.after(Timestamp(1), Timestamp(1000));
        rules.evaluate(&facts, &mut scratch, &mut |_, _| fired += 1);
    };
    evaluate();
    let info = allocation_counter::measure(|| (0..1000).for_each(|_| evaluate()));
    assert_eq!(info.count_total, 0);
    assert_eq!(fired, 1001 * conditions.len());
}
