//! Messages of syslog to sockets of every kind, and to receivers that are away or do not read.

use std::io::{BufReader, Read};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::Duration;

use chandra_alerts::figures::{Cause, SinkFigures};
use chandra_alerts::sink::{Format, Syslog, Target, Transport};
use chandra_alerts::{Alert, Outlets};
use chandra_rotating_file::Rotation;
use chandra_tests::patience::{PATIENCE, wait_for};
use chandra_tests::scratch::Scratch;

use crate::storm::{alert, outlets};

fn syslog(transport: Transport, format: Format) -> Target {
    Target::Syslog(Syslog { transport, facility: 1, format })
}

fn figures(outlets: &Outlets) -> SinkFigures {
    outlets.figures().sinks.remove(0)
}

/// The time, the host, the process, the message. Facility 1 and severity 2 make 10.
#[track_caller]
fn parse(message: &[u8]) -> String {
    let text = std::str::from_utf8(message).unwrap();
    let mut parts = text.splitn(7, ' ');
    let mut next = || parts.next().unwrap();
    assert_eq!(next(), "<10>1");
    assert!(next().starts_with("2023-11-14T22:13:20.00000"));
    assert_eq!((next(), next()), ("node-1", "chandra"));
    assert_eq!(next(), std::process::id().to_string());
    assert_eq!(next(), "alert");
    let (data, message) = next().split_once("] ").unwrap();
    assert!(data.starts_with("[origin software=\"chandra\" swVersion=\""), "{data}");
    message.to_owned()
}

#[test]
fn over_udp_each_alert_is_a_datagram() {
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let address = receiver.local_addr().unwrap().to_string();
    let mut outlets = outlets(vec![("syslog", syslog(Transport::Udp(address), Format::Json))], 100);
    for number in 0..10 {
        outlets.take(alert(number));
        let mut bytes = vec![0; 65536];
        let length = receiver.recv(&mut bytes).unwrap();
        let json: serde_json::Value = serde_json::from_str(&parse(&bytes[..length])).unwrap();
        assert_eq!(json["output_fields"]["fd.name"], number);
    }
}

#[test]
fn over_a_unix_socket_too_also_when_the_receiver_begins_anew() {
    let scratch = Scratch::new();
    let path = scratch.at("log");
    let receive = |receiver: &UnixDatagram| {
        let mut bytes = vec![0; 65536];
        let length = receiver.recv(&mut bytes).unwrap();
        parse(&bytes[..length])
    };
    let bind = || {
        let receiver = UnixDatagram::bind(&path).unwrap();
        receiver.set_read_timeout(Some(PATIENCE)).unwrap();
        receiver
    };
    let receiver = bind();
    let target = syslog(Transport::Unix(path.clone()), Format::Text);
    let mut outlets = outlets(vec![("syslog", target)], 100);
    outlets.take(alert(1));
    assert_eq!(receive(&receiver), "22:13:20.000000001: Critical Number 1 happened");
    drop(receiver);
    std::fs::remove_file(&path).unwrap();
    outlets.take(alert(2));
    wait_for("a loss", || (figures(&outlets).dropped(Cause::WriteFailed) == 1).then_some(()));
    let receiver = bind();
    outlets.take(alert(3));
    assert_eq!(receive(&receiver), "22:13:20.000000003: Critical Number 3 happened");
}

/// `LENGTH SP MESSAGE`, as RFC 6587 counts octets.
fn frame(stream: &mut impl Read) -> Option<Vec<u8>> {
    let mut length = 0;
    loop {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        match byte[0] {
            b' ' => break,
            digit => length = length * 10 + usize::from(digit - b'0'),
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

#[test]
fn over_tcp_octets_are_counted_and_no_alert_is_lost_while_nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let target = syslog(Transport::Tcp(address.to_string()), Format::Text);
    let mut outlets = outlets(vec![("syslog", target)], 1000);
    let long = Alert { output: format!("two\nlines {}", "ü".repeat(20_000)), ..alert(0) };
    outlets.take(long);
    (1..100).for_each(|number| outlets.take(alert(number)));
    wait_for("a retry", || (figures(&outlets).retries > 0).then_some(()));
    let listener = TcpListener::bind(address).unwrap();
    let mut stream = BufReader::new(listener.accept().unwrap().0);
    let first = parse(&frame(&mut stream).unwrap());
    assert!(first.contains(r"two\nlines üü") && first.len() > 40_000, "nothing is cut");
    for number in 1..100 {
        let text = parse(&frame(&mut stream).unwrap());
        assert!(text.ends_with(&format!("Number {number} happened")), "{text}");
    }
    wait_for("all", || (figures(&outlets).delivered == 100).then_some(()));
}

#[test]
fn sinks_that_do_not_read_hold_up_nobody() {
    let scratch = Scratch::new();
    let (pipe, file) = (scratch.at("pipe"), scratch.at("file"));
    // Opening a pipe that nobody reads waits.
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let stuck = UnixDatagram::bind(scratch.at("log")).unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let rotation = Rotation { max_bytes: 1 << 30, max_backups: 1, compress: false };
    let to = |path| Target::File { path, rotation, format: Format::Json };
    let tcp = silent.local_addr().unwrap().to_string();
    let targets = vec![
        ("pipe", to(pipe)),
        ("unix", syslog(Transport::Unix(scratch.at("log")), Format::Json)),
        ("tcp", syslog(Transport::Tcp(tcp), Format::Json)),
        ("file", to(file.clone())),
    ];
    let mut outlets = outlets(targets, 64);
    const ALERTS: u64 = 20_000;
    let mut taken = 0;
    while taken < ALERTS {
        outlets.take(alert(taken));
        taken += 1;
        // The one that works is given the time that it needs; the others have no say.
        wait_for("the file", || {
            let delivered = outlets.figures().sinks[3].delivered;
            (delivered + 32 > taken).then_some(())
        });
    }
    wait_for("the file", || (outlets.figures().sinks[3].delivered == ALERTS).then_some(()));
    assert_eq!(std::fs::read_to_string(&file).unwrap().lines().count() as u64, ALERTS);
    let figures = outlets.figures();
    for sink in &figures.sinks[..2] {
        assert!(sink.dropped(Cause::QueueFull) > ALERTS / 2, "{sink:?}");
    }
    let figures = outlets.stop(Duration::from_millis(100));
    assert_eq!(figures.told, ALERTS);
    drop((stuck, silent));
}

#[test]
fn a_full_disk_is_counted() {
    let rotation = Rotation { max_bytes: 1 << 30, max_backups: 1, compress: false };
    let full = Target::File { path: "/dev/full".into(), rotation, format: Format::Text };
    let mut outlets = outlets(vec![("full", full)], 100);
    (0..10).for_each(|number| outlets.take(alert(number)));
    wait_for("failures", || (figures(&outlets).dropped(Cause::WriteFailed) == 10).then_some(()));
    assert_eq!(figures(&outlets).delivered, 0);
}
