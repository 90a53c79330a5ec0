//! Segments that are lost, and connections that are broken off.

use std::path::Path;

use chandra_tests::patience::wait_for;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock::now;

use crate::hooks::Hooks;
use crate::tcp::Scene;

/// Bytes that the receiving socket throws away until they have been sent again.
pub fn retransmit(chandra: &Path, hooks: &mut Hooks) {
    let mut scene = Scene::new();
    let mut trace = Trace::start_program(chandra, &["tcp-retransmit"]);
    let ends = scene.connect();
    scene.acceptor.ask("lose");
    let before = now();
    scene.opener.ask("send 100");
    let of_opener = |record: &_| ends[0].is_in(record, "tcp_retransmit");
    let record = trace.wait_for("the retransmit", of_opener);
    let mut fields = ends[0].compare(&record, "tcp_retransmit", before..=now());
    fields.is("connection.state", "established");
    hooks.compared("retransmit", fields.finish());

    scene.acceptor.ask("lose-nothing");
    scene.acceptor.ask("receive 100");
    scene.opener.ask("settle");
    let measured = scene.opener.ask("measure");
    let truth: usize = measured.split(' ').nth(2).unwrap().parse().unwrap();
    // Others on this machine send again, too.
    wait_for("all of them", || {
        (trace.records().iter().filter(|it| of_opener(it)).count() >= truth).then_some(())
    });
    let outcome = trace.stop();
    hooks.served(&outcome);
    let told = outcome.records.iter().filter(|record| of_opener(record)).count();
    let all = if told == truth { Ok(()) } else { Err(format!("{told} told of {truth}")) };
    hooks.compared("retransmit", all);
}

/// One end resets: it sends the RST, the other receives it.
pub fn reset(chandra: &Path, hooks: &mut Hooks) {
    let mut scene = Scene::new();
    let mut trace = Trace::start_program(chandra, &["tcp-reset"]);
    let ends = scene.connect();
    let before = now();
    scene.opener.ask("reset");
    for (end, direction) in ends.iter().zip(["sent", "received"]) {
        let hook = format!("reset_{direction}");
        let record = trace.wait_for(&hook, |record| end.is_in(record, "tcp_reset"));
        let mut fields = end.compare(&record, "tcp_reset", before..=now());
        fields.is("direction", direction);
        let state = if direction == "sent" { "close" } else { "established" };
        fields.is("connection.state", state);
        // Linger time 0 makes the kernel disconnect; it says so since it gives reasons at all.
        let reason = (direction == "sent" && gives_reasons()).then_some("tcp_state");
        fields.is_optional("reason", reason);
        hooks.compared(&hook, fields.finish());
    }
    hooks.served(&trace.stop());
}

/// Kernel 6.10 and later give the reason of a reset that they send.
fn gives_reasons() -> bool {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map(|number| number.parse::<u32>().unwrap());
    let version = [numbers.next(), numbers.next()];
    version >= [Some(6), Some(10)]
}
