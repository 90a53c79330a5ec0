//! Renews `fuzz/corpus/record_*/captured-*` where a record's layout has changed: what the probes
//! send on this kernel while this program starts programs, connects to itself, asks itself for names and by HTTP,
//! sends to nobody, and opens files.
//! Needs root.
//!
//! usage: cargo run -p chandra-fuzz --example capture
#![allow(clippy::unwrap_used, reason = "a tool for developers")]

use std::collections::HashMap;
use std::fs::{File, Permissions};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use chandra_loader::load::{Options, Request, load};
use chandra_loader::ring::Reader;
use chandra_loader::{MapCore, MapHandle};
use chandra_signals::filter::Filter;
use chandra_signals::{Context, Signal, registry};

fn act() {
    let argument = "argument ".repeat(2000);
    assert!(Command::new("/bin/true").args(["with", "arguments"]).status().unwrap().success());
    assert!(Command::new("/bin/true").arg(argument).status().unwrap().success());
    assert!(!Command::new("/bin/sh").args(["-c", "kill -9 $$"]).status().unwrap().success());
    ask();
    ask_by_http();
    use_files();
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let Ok(listener) = TcpListener::bind(address) else { continue };
        let address = listener.local_addr().unwrap();
        let mut opener = TcpStream::connect(address).unwrap();
        let mut acceptor = listener.accept().unwrap().0;
        opener.write_all(b"hello").unwrap();
        acceptor.read_exact(&mut [0; 5]).unwrap();
        drop((opener, acceptor, listener));
        assert!(TcpStream::connect(address).is_err());
        let sender = UdpSocket::bind((address.ip(), 0)).unwrap();
        sender.send_to(b"to nobody", address).unwrap();
    }
}

/// Files that are there and files that are not, and calls with paths, none of which changes anything.
fn use_files() {
    for path in ["/etc/passwd", "/proc/self/root/etc/group", "/nowhere", "nowhere", "/"] {
        let _ = File::open(path);
    }
    let _ = std::os::unix::fs::symlink("target", "/nowhere/link");
    let _ = std::fs::hard_link("nowhere", "/nowhere/link");
    let _ = std::fs::set_permissions("nowhere", Permissions::from_mode(0o600));
}

/// A query of each size class with its answer, one of them damaged: a name that points to itself.
fn ask() {
    const QUESTION: &[u8] = b"\x03www\x07example\x04test\x00\x00\x01\x00\x01";
    const ANSWER: &[u8] = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc6\x33\x64\x07";
    let server = UdpSocket::bind("127.0.53.9:53").unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(server.local_addr().unwrap()).unwrap();
    for (id, answers) in [(1, 1), (2, 12), (3, 40)] {
        let alias =
            |at: u8| [&b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0"[..], &[at]].concat();
        let header = |flags, count| [0, id, flags, 0x80, 0, 1, 0, count, 0, 0, 0, 0];
        let padding = vec![0; usize::from(answers) * 16];
        client.send(&[&header(1, 0), QUESTION, &padding].concat()).unwrap();
        let (_, from) = server.recv_from(&mut [0; 4096]).unwrap();
        let records = [alias(0x10), ANSWER.repeat(usize::from(answers)), alias(0xff)].concat();
        server.send_to(&[&header(0x81, answers + 2), QUESTION, &records].concat(), from).unwrap();
        client.recv(&mut [0; 4096]).unwrap();
    }
}

/// A request of each size class with its answer, of which one has a trace and one is cut.
fn ask_by_http() {
    const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut server = listener.accept().unwrap().0;
    for cookie in [0, 200, 1000, 3000] {
        let cookie = "c".repeat(cookie);
        let request = format!(
            "GET /a?b HTTP/1.1\r\nHost: h\r\ntraceparent: {TRACE}\r\nCookie: {cookie}\r\n\r\n"
        );
        client.write_all(request.as_bytes()).unwrap();
        server.read_exact(&mut vec![0; request.len()]).unwrap();
        let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
        server.write_all(answer).unwrap();
        client.read_exact(&mut vec![0; answer.len()]).unwrap();
    }
}

/// The first record of each kind (and length, roughly) that the signal sends.
fn capture(signal: &'static Signal) {
    let hooks: Vec<_> = signal.spec.hooks.iter().map(|hook| hook.name).collect();
    // What others open, or ask for, is their affair, and would be in the corpus for good.
    let tells_much = matches!(signal.spec.name, "file_open" | "system_call" | "http_request");
    let pids = if tells_much { vec![std::process::id()] } else { Vec::new() };
    let filter = Filter { pids, ..Filter::default() };
    let config = filter.config(u32::MAX, 0).unwrap();
    let options = Options { packet_hooks: true, ..Options::default() };
    let request = Request {
        spec: &signal.spec,
        hooks: &hooks,
        config,
        map_entries: &[],
        tracepoints: Err("not asked for"),
        options: &options,
    };
    let loaded = load(&request).unwrap();
    if let Some(prepare) = signal.prepare {
        prepare(&loaded, &filter).unwrap();
    }
    let map = |name: &str| loaded.object().maps().find(|map| map.name() == name).unwrap();
    let context = Context::new(None);
    let mut captured = HashMap::new();
    let mut reader = Reader::new(&map("events"), loaded.ring_bytes, |bytes| {
        let mut kind = "";
        (signal.decode)(bytes, &context, &mut |record| kind = record.kind().name).unwrap();
        let name = format!("captured-{kind}-{}", bytes.len().ilog2());
        captured.entry(name).or_insert_with(|| bytes.to_vec());
    })
    .unwrap()
    .announce(MapHandle::try_from(&map("reader")).unwrap())
    .unwrap();
    act();
    while reader.wait(Duration::from_millis(300)).unwrap() {}
    drop(reader);
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let folder = folder.join(format!("record_{}", signal.spec.name));
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in captured {
        println!("{name}: {} bytes", bytes.len());
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

fn main() {
    // Relative paths say nothing of where this is.
    std::env::set_current_dir("/").unwrap();
    for name in [
        "process",
        "tcp",
        "drop",
        "dns",
        "udp",
        "http_request",
        "icmp",
        "file_open",
        "system_call",
        "cpu_profile",
    ] {
        capture(registry::signal(name).unwrap());
    }
}
