//! An agent that is killed in a storm of alerts, while the receiver is down: what its spool acknowledged
//! arrives after the next start.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use chandra_alerts::sink::Target;
use chandra_alerts::spool::{self, Spool};
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;

use crate::receiver::{listen, start};
use crate::storm::{alert, http, outlets};

const FOLDER: &str = "CHANDRA_TEST_SPOOL";
const URL: &str = "CHANDRA_TEST_URL";

/// Starts a test of this file that is made to be killed, in a process of its own.
fn victim(name: &str, folder: &Path, url: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", name, "--nocapture"])
        .envs([(FOLDER, folder.as_os_str()), (URL, url.as_ref())])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// The numbers that the victim said were acknowledged, until it was killed by SIGKILL after so many.
fn kill_after(mut victim: Child, count: usize) -> Vec<u64> {
    use std::os::unix::process::ExitStatusExt;
    let lines = BufReader::new(victim.stdout.take().unwrap()).lines();
    let mut numbers = Vec::new();
    for line in lines {
        let line = line.unwrap();
        // The test harness has words of its own; what was cut by the end was not said.
        let Some(number) = line.strip_prefix("acknowledged ").and_then(|it| it.strip_suffix('.'))
        else {
            continue;
        };
        numbers.push(number.parse().unwrap());
        if numbers.len() == count {
            victim.kill().unwrap();
        }
    }
    assert_eq!(victim.wait().unwrap().signal(), Some(9));
    assert!(numbers.len() >= count);
    numbers
}

fn folder() -> PathBuf {
    std::env::var_os(FOLDER).unwrap().into()
}

/// Segments are small, so that it is killed while they are begun and ended too.
fn small_segments() -> spool::Options {
    spool::Options { segment_bytes: 4096, ..spool::Options::default() }
}

#[test]
#[ignore = "runs until it is killed, by the test below"]
fn spools_until_it_is_killed() {
    let mut spool = Spool::open(&folder(), small_segments()).unwrap();
    loop {
        let number = spool.append(&[b'x'; 100], Instant::now()).unwrap();
        println!("acknowledged {number}.");
    }
}

#[test]
fn all_that_was_acknowledged_is_there_after_each_of_many_kills() {
    let scratch = Scratch::new();
    let mut acknowledged = Vec::new();
    for round in 0..20 {
        let victim = victim("kill::spools_until_it_is_killed", scratch.path(), "");
        acknowledged.extend(kill_after(victim, 1 + 97 * round % 1000));
    }
    let mut spool = Spool::open(scratch.path(), small_segments()).unwrap();
    let mut found = Vec::new();
    while let Some((number, payload)) = spool.oldest().unwrap() {
        assert_eq!(payload, [b'x'; 100]);
        spool.deliver(number).unwrap();
        found.push(number);
    }
    assert!(found.is_sorted_by(|one, other| one < other), "each once and in order");
    let found: HashSet<_> = found.into_iter().collect();
    let lost: Vec<_> = acknowledged.iter().filter(|number| !found.contains(number)).collect();
    assert!(lost.is_empty(), "{} of {} lost: {lost:?}", lost.len(), acknowledged.len());
}

#[test]
#[ignore = "runs until it is killed, by the test below"]
fn storms_until_it_is_killed() {
    let http = chandra_alerts::sink::Http {
        spool: small_segments(),
        ..http(&std::env::var(URL).unwrap(), &folder())
    };
    let mut outlets = outlets(vec![("http", Target::Http(http))], 256);
    let mut said = 0;
    // No number twice, also not by the next victim.
    let base = u64::from(std::process::id()) << 32;
    for number in 0.. {
        outlets.take(alert(base + number));
        let spooled = outlets.figures().sinks[0].spooled;
        if spooled > said {
            said = spooled;
            println!("acknowledged {said}.");
        }
    }
}

#[test]
fn after_a_kill_in_a_storm_all_that_the_spool_acknowledged_arrives() {
    let scratch = Scratch::new();
    let (listener, address) = listen();
    drop(listener);
    let url = format!("http://{address}/");
    let mut acknowledged = 0;
    for round in 0..5 {
        let victim = victim("kill::storms_until_it_is_killed", scratch.path(), &url);
        // It said how many there were so far; as many or more have to arrive.
        acknowledged += kill_after(victim, 10 + 50 * round).last().unwrap();
    }
    let received = start(TcpListener::bind(address).unwrap(), |_, _| 200);
    let outlets = outlets(vec![("http", Target::Http(http(&url, scratch.path())))], 10);
    wait_for("an empty spool", || {
        let spool = outlets.figures().sinks[0].spool.unwrap();
        (spool.records == 0).then_some(())
    });
    let ids: HashSet<_> = received.all().iter().map(|(_, body)| body["id"].to_string()).collect();
    let numbers: HashSet<_> = received.numbers().into_iter().collect();
    assert_eq!(ids.len(), numbers.len(), "an id names one alert");
    println!("{acknowledged} acknowledged, {} arrived", ids.len());
    assert!(ids.len() as u64 >= acknowledged, "{} of {acknowledged} arrived", ids.len());
}
