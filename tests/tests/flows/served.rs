//! How a real agent serves flows: at once, to many, to those who read slowly, encrypted, and where another
//! server is already.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::agent;
use chandra_tests::certificates::{Authority, Validity};
use chandra_tests::failure::fails;
use chandra_tests::flows::Observed;
use chandra_tests::lines::Lines;
use chandra_tests::needs;
use chandra_tests::observe::{command, said};
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;

const SIGNALS: [&str; 2] = ["--signals", "process,tcp"];

/// A connection of this process to itself; gives the port that listened.
fn connect(listener: &TcpListener) {
    let address = listener.local_addr().unwrap();
    let opener = TcpStream::connect(address).unwrap();
    drop((listener.accept().unwrap(), opener));
}

fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

#[test]
fn the_newest_flow_is_told_at_once() {
    needs!("root");
    let observed = Observed::start(&SIGNALS);
    let (listener, port) = listener();
    let following = observed.follow(&["--to-port", &port, "--tcp-flags", "SYN"]);
    // Nothing else happens on that port, so that no later flow could push this one out.
    let told = wait_for("a reader", || {
        connect(&listener);
        Some(following.lines()).filter(|lines| !lines.is_empty())
    });
    assert!(told[0].contains("TCP Flags: SYN"), "{told:?}");
    following.interrupt();
    observed.agent.stop();
}

#[test]
fn numbers_and_times_select_as_they_say() {
    needs!("root");
    let observed = Observed::start(&SIGNALS);
    let (listener, port) = listener();
    (0..5).for_each(|_| connect(&listener));
    let closed = ["--to-port", &port, "--tcp-flags", "FIN"];
    let all = observed.wait_for_flows(5, &closed);
    let times: Vec<_> = all.iter().map(|flow| flow.text("time").unwrap().to_owned()).collect();
    let asked = |flags: &[&str]| {
        let words = [&["observe", "-o", "json"], flags, &closed].concat();
        let printed = observed.printed(&words);
        let time = |line: &str| Record::parse(line).text("time").unwrap().to_owned();
        printed.lines().map(time).collect::<Vec<_>>()
    };
    assert_eq!(asked(&["--last", "2"]), times[3..]);
    assert_eq!(asked(&["--first", "2"]), times[..2]);
    assert_eq!(asked(&["--since", &times[1], "--last", "3"]), times[2..]);
    assert_eq!(asked(&["--since", &times[1], "--until", &times[3], "--last", "2"]), times[2..4]);
    assert_eq!(asked(&["--until", &times[1], "--last", "5"]), times[..2]);
    observed.agent.stop();
}

#[test]
fn who_stops_reading_is_told_what_was_missed_and_holds_back_nobody() {
    needs!("root");
    let small = [&SIGNALS[..], &["--hubble-buffer-size", "64k"]].concat();
    let observed = Observed::start(&small);
    let (listener, port) = listener();
    let flags = ["--port", &port, "-o", "json"];
    let reader = observed.follow(&flags);
    let mut slow = command(&[&["observe", "-f"], &flags[..]].concat());
    let mut slow =
        slow.args(observed.server()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let slow_out = slow.stdout.take().unwrap();
    let slow_messages = Lines::of(slow.stderr.take().unwrap());
    wait_for("both readers", || {
        connect(&listener);
        (reader.lines().len() > 10).then_some(())
    });
    // Nobody reads what the slow one prints: a pipe and some buffers take the beginning.
    let before = observed.agent.signal("tcp").number("ledger.seen").unwrap();
    let mut connections = 0;
    let lapped = || {
        let status = observed.printed(&["status", "-o", "json"]);
        let status: serde_json::Value = serde_json::from_str(&status).unwrap();
        let number =
            |name: &str| status[name].as_str().map_or(0, |text| text.parse::<u64>().unwrap());
        (number("seen_flows"), number("num_flows"))
    };
    wait_for("the ring to go round many times", || {
        (0..500).for_each(|_| connect(&listener));
        connections += 500;
        let (seen, kept) = lapped();
        (seen > 40 * kept && seen > 20_000).then_some(())
    });
    assert!(observed.agent.signal("tcp").number("ledger.seen").unwrap() > before);
    let closes =
        |line: &String| Record::parse(line).text("flow.extensions.event") == Some("tcp_close");
    // The other reader kept up, or was told what it missed: none of it waited for the slow one.
    let told = wait_for("what the reader is told", || {
        let lines = reader.lines();
        (lines.iter().filter(|line| closes(line)).count() > 100).then_some(lines)
    });
    assert!(!told.is_empty());
    let slow_out = Lines::of(slow_out);
    let lost = wait_for("the loss to be told", || {
        let lines = [slow_out.since(0), slow_messages.since(0)].concat();
        lines.into_iter().find(|line| line.contains("HUBBLE_RING_BUFFER"))
    });
    assert!(lost.contains("HUBBLE_RING_BUFFER"), "{lost}");
    assert_eq!(observed.agent.signal("tcp").number("ledger.imbalance"), Some(0));
    drop(slow.kill());
    drop(slow.wait());
    reader.interrupt();
    observed.agent.stop();
}

/// A new authority, and a certificate of it for the agent, as files.
fn certify(folder: &Scratch, name: &str) {
    Authority::new(folder, name).sign(folder, "agent", "agent.test", Validity::Now);
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn certificates_that_change_are_served_without_a_restart() {
    needs!("root");
    let folder = Scratch::new();
    certify(&folder, "first");
    let (cert, key) = (text(&folder.at("agent.crt")), text(&folder.at("agent.key")));
    let files = ["--hubble-tls-cert-file", &cert, "--hubble-tls-key-file", &key];
    let address = free_address();
    let listen = ["--hubble-listen-address", &address];
    let observed = Observed::start(&[&SIGNALS[..], &listen, &files].concat());
    let ask = |authority: &str| {
        let server = format!("tls://{address}");
        let authority = text(&folder.at(authority));
        said(&mut command(&[
            "status",
            "--server",
            &server,
            "--tls-ca-cert-files",
            &authority,
            "--tls-server-name",
            "agent.test",
        ]))
    };
    assert_eq!(ask("first.ca").code, Some(0), "{:?}", ask("first.ca"));
    certify(&folder, "second");
    wait_for("the new certificate", || (ask("second.ca").code == Some(0)).then_some(()));
    let refused = ask("first.ca");
    assert_ne!(refused.code, Some(0));
    assert!(refused.error.contains("certificate"), "{}", refused.error);
    // One that cannot be used is said, and the one before goes on.
    std::fs::write(folder.at("agent.crt"), "no certificate").unwrap();
    wait_for("the complaint", || {
        assert_eq!(ask("second.ca").code, Some(0));
        let messages = observed.agent.messages();
        messages.iter().any(|line| line.contains("the one before it goes on")).then_some(())
    });
    let plain = said(&mut command(&["status", "--server", &address]));
    assert_ne!(plain.code, Some(0), "nothing is served in clear text: {plain:?}");
    observed.agent.stop();
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn a_place_that_is_taken_is_an_error_where_it_was_asked_for() {
    needs!("root");
    let observed = Observed::start(&SIGNALS);
    let socket = text(&observed.socket());
    let taken = ["--http", "127.0.0.1:0", "--hubble-socket-path", &socket];
    let words = ["cannot serve flows", "another server answers there", "--hubble-socket-path"];
    fails(&mut agent::command(&taken), 1, "port", &words);
    assert!(observed.socket().exists(), "the first one still has it");
    let other = ["--http", "127.0.0.1:0", "--hubble-listen-address", "0.0.0.0:0"];
    fails(&mut agent::command(&other), 2, "filters", &["not be encrypted", "--insecure"]);
    observed.printed(&["status"]);
    observed.agent.stop();
}

#[test]
fn readers_end_when_the_agent_does() {
    needs!("root");
    let observed = Observed::start(&SIGNALS);
    let mut follow = command(&["observe", "-f"]);
    follow.args(observed.server()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut follow = follow.spawn().unwrap();
    let (listener, port) = listener();
    connect(&listener);
    observed.wait_for_flows(1, &["--port", &port]);
    let Observed { agent, .. } = observed;
    agent.stop();
    wait_for("the reader's end", || follow.try_wait().unwrap());
}

#[test]
fn strangers_on_the_address_do_no_harm() {
    needs!("root");
    let address = free_address();
    let observed =
        Observed::start(&[&SIGNALS[..], &["--hubble-listen-address", &address]].concat());
    let to: SocketAddr = address.parse().unwrap();
    for bytes in [&b""[..], b"GET / HTTP/1.1\r\n\r\n", b"\x16\x03\x01\x00\x05hello", &[0xff; 4096]]
    {
        let mut stranger = TcpStream::connect(to).unwrap();
        std::io::Write::write_all(&mut stranger, bytes).unwrap();
    }
    // As many as say nothing, and go when others are served.
    let silent: Vec<_> = (0..50).map(|_| TcpStream::connect(to).unwrap()).collect();
    let mut status = Command::new(chandra_tests::trace::chandra());
    status.args(["status", "--server", &address]);
    assert!(status.stdout(Stdio::null()).status().unwrap().success());
    drop(silent);
    observed.agent.stop();
}
