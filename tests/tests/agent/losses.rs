//! What is lost on the way to flows is counted where it was lost, and told to who asks for flows.

use std::net::{TcpListener, TcpStream};

use chandra_tests::agent::Agent;
use chandra_tests::flows::Observed;
use chandra_tests::needs;
use chandra_tests::observe::Running;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;

const IN_KERNEL: &str = "hubble_lost_events_total{source=\"perf_event_ring_buffer\"}";
const OF_READERS: &str = "hubble_lost_events_total{source=\"hubble_ring_buffer\"}";

fn connect(listener: &TcpListener, count: usize) {
    for _ in 0..count {
        let opener = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        drop((listener.accept().unwrap(), opener));
    }
}

/// How many flows these lines say were lost there.
fn told(lines: &[String], source: &str) -> u64 {
    let lost = lines.iter().map(|line| Record::parse(line));
    let lost = lost.filter(|it| it.text("lost_events.source") == Some(source));
    let count =
        |it: Record| it.text("lost_events.num_events_lost").unwrap().parse::<u64>().unwrap();
    lost.map(count).sum()
}

#[test]
fn what_rings_had_no_room_for_is_counted_and_told_as_often_as_the_kernel_says() {
    needs!("root");
    let observed = Observed::start(&["--signals", "tcp", "--ring-size", "4k"]);
    let agent = &observed.agent;
    let lost = |agent: &Agent| agent.signal("tcp").number("ledger.lost").unwrap();
    // So small a ring may have had no room for what others did before.
    let before = lost(agent);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    agent.pause();
    connect(&listener, 500);
    agent.go_on();
    let lost_in_all = wait_for("the count", || {
        // Other programs may go on losing meanwhile: until both say the same.
        let ledger = lost(agent);
        (ledger > before && agent.metric(IN_KERNEL) == ledger).then_some(ledger)
    });
    let lines = wait_for("what is told", || {
        let printed = observed.printed(&["observe", "--all", "-o", "json"]);
        let lines: Vec<_> = printed.lines().map(str::to_owned).collect();
        (told(&lines, "PERF_EVENT_RING_BUFFER") >= lost_in_all).then_some(lines)
    });
    // Where it was, between flows of before and after, and when.
    let loss =
        lines.iter().map(|line| Record::parse(line)).find(|it| it.at("lost_events").is_some());
    let loss = loss.unwrap();
    assert!(loss.text("lost_events.first") < loss.text("lost_events.last"), "{loss:?}");
    assert_eq!(loss.at("lost_events.cpu"), None);
    assert_eq!(agent.metric(OF_READERS), 0);
    observed.agent.stop();
}

#[test]
fn what_a_reader_came_too_late_for_is_counted_as_often_as_it_was_told() {
    needs!("root");
    let observed = Observed::start(&["--signals", "tcp", "--hubble-buffer-size", "64k"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let reader: Running = observed.follow(&["-o", "json"]);
    wait_for("a reader", || {
        connect(&listener, 1);
        (!reader.lines().is_empty()).then_some(())
    });
    let before = told(&reader.lines(), "HUBBLE_RING_BUFFER");
    assert_eq!(observed.agent.metric(OF_READERS), before);
    reader.pause();
    wait_for("flows that the reader comes too late for", || {
        connect(&listener, 500);
        // Windows and queues between the two take some.
        let status = observed.printed(&["status", "-o", "json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        let seen = status["seen_flows"].as_str().map_or(0, |text| text.parse::<u64>().unwrap());
        (seen > 30_000).then_some(())
    });
    reader.go_on();
    let lost = wait_for("both to say the same", || {
        let told = told(&reader.lines(), "HUBBLE_RING_BUFFER");
        (told > 1000 && observed.agent.metric(OF_READERS) == told).then_some(told)
    });
    assert!(lost > before);
    wait_for("what the kernel lost", || {
        let ledger = observed.agent.signal("tcp").number("ledger.lost").unwrap();
        (observed.agent.metric(IN_KERNEL) == ledger).then_some(())
    });
    reader.interrupt();
    observed.agent.stop();
}
