//! Evaluation does not allocate once its memory has grown.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod common;

use chandra_rules::evaluate::Scratch;
use chandra_rules::load::{Matching, Options};
use common::{Fake, Own, load, many};

const FILES: [&str; 2] = [include_str!("rules/everything.yaml"), include_str!("rules/sigma.yml")];

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
