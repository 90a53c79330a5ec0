//! Requests over TCP, of a server that waits for known times.

use std::path::Path;
use std::time::Duration;

use chandra_tests::cgroup::Nested;
use chandra_tests::record::Record;
use chandra_tests::trace::Trace;
use chandra_tests::turns::{Bounds, Pair, compare};

use crate::cgroup::Pids;
use crate::hooks::Hooks;
use crate::new_actor;

/// Far enough from each other that each has a bucket of its own where nothing else takes time.
const WAITS_MILLISECONDS: [u64; 6] = [0, 1, 5, 5, 50, 200];

/// A connection that is opened after the trace began.
pub fn latency(chandra: &Path, hooks: &mut Hooks) {
    let (client, server) = (new_actor(), new_actor());
    let by = "pid,role,source_address,destination_address,destination_port";
    let trace = Trace::start_program(chandra, &["request-latency", "--by", by]);
    let mut pair = Pair::connect(client, server, "127.0.0.1:0");
    let waits = WAITS_MILLISECONDS.map(Duration::from_millis);
    let turns = waits.map(|wait| pair.exchange(wait));
    let outcome = trace.stop();
    hooks.served(&outcome);
    let roles = [("client", pair.client.pid()), ("server", pair.server.pid())];
    for (end, (role, pid)) in roles.into_iter().enumerate() {
        let of = |record: &&Record| record.number("pid") == Some(pid.into());
        let found: Vec<_> = outcome.records.iter().filter(of).collect();
        let compared = match found[..] {
            [record] => {
                let values: Vec<Bounds> = turns.iter().map(|turn| turn[end].clone()).collect();
                compare(record, &values).and_then(|()| is_of(record, role, pair.port()))
            }
            _ => Err(format!("{} histograms of the {role}", found.len())),
        };
        for hook in ["tcp_send", "tcp_read"] {
            hooks.compared(hook, compared.clone());
        }
    }
}

fn is_of(record: &Record, role: &str, port: u16) -> Result<(), String> {
    let is_right = record.text("operation") == Some(role)
        && record.text("role") == Some(role)
        && record.text("source_address") == Some("127.0.0.1")
        && record.text("destination_address") == Some("127.0.0.1")
        && record.number("destination_port") == Some(port.into());
    if is_right { Ok(()) } else { Err(format!("the {role}, port {port}: {}", record.0)) }
}

/// Requests to a server in a cgroup of v1 are counted as that one's.
pub fn by_cgroup_of_v1(chandra: &Path, hooks: &mut Hooks) {
    let Some(pids) = Pids::find() else { return };
    let around = Nested::new(&pids.mount, &["server"]);
    let (client, server) = (new_actor(), new_actor());
    around.innermost().adopt(server.pid());
    let trace = Trace::start_program(chandra, &["request-latency", "--by", "role,cgroup"]);
    let mut pair = Pair::connect(client, server, "127.0.0.1:0");
    let waits = WAITS_MILLISECONDS.map(Duration::from_millis);
    let values: Vec<Bounds> = waits.map(|wait| pair.exchange(wait)[1].clone()).into();
    let outcome = trace.stop();
    hooks.served(&outcome);
    let folder = around.innermost().folder().strip_prefix(&pids.mount).unwrap().to_owned();
    let names =
        [format!("/{}", folder.display()), format!("{}:{}", pids.number, around.innermost().id())];
    let is_it = |record: &&Record| {
        record.text("role") == Some("server")
            && record.text("cgroup").is_some_and(|cgroup| names.iter().any(|name| name == cgroup))
    };
    let found: Vec<_> = outcome.records.iter().filter(is_it).collect();
    let compared = match found[..] {
        [record] => compare(record, &values),
        _ => Err(format!("{} histograms of {names:?} in {:?}", found.len(), outcome.records)),
    };
    for hook in ["tcp_send", "tcp_read"] {
        hooks.compared(hook, compared.clone());
    }
}
