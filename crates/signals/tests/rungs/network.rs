//! Hooks that see the network.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv6Addr, Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chandra_loader::abi::Process;
use chandra_loader::batch;
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::verdict::Verdict;
use chandra_signals::filter::Filter;
use chandra_tests::patience::{PATIENCE, wait_for};
use chandra_tests::record::Record;
use chandra_tests::{icmp, needs, socket};

use crate::{
    balanced, counters, hook, listen, load_all, load_hooks, lone, map, prove_each, signal, tells,
    with_hooks,
};

/// Both ends of a new connection, the opener's first.
fn connect() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let opener = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (opener, listener.accept().unwrap().0)
}

/// The record is of this kind and of the end with this socket.
fn is_of(record: &Record, kind: &str, ports: [u16; 2]) -> bool {
    let port = |end: &str| record.number(&format!("connection.{end}.port"));
    record.kind() == kind
        && [port("local"), port("peer")] == ports.map(|port| Some(u64::from(port)))
}

fn ports(socket: &TcpStream) -> [u16; 2] {
    [socket.local_addr().unwrap().port(), socket.peer_addr().unwrap().port()]
}

#[test]
fn each_way_to_connections_tells_of_one() {
    needs!("root");
    let signal = signal("tcp");
    let own = Some(u64::from(std::process::id()));
    let kept = RefCell::new(Vec::new());
    let connected = || {
        let (opener, acceptor) = connect();
        let both = [ports(&opener), ports(&acceptor)];
        kept.borrow_mut().extend([opener, acceptor]);
        both
    };
    for (hook, kind, end) in [("state", "tcp_established", 0), ("accept", "tcp_accept", 1)] {
        prove_each(signal, &[hook], |_, rung, loaded| {
            let truth = RefCell::new([[0; 2]; 2]);
            let act = || *truth.borrow_mut() = connected();
            let record =
                tells(signal, loaded, act, |record| is_of(record, kind, truth.borrow()[end]));
            assert_eq!(record.number("process.pid"), own, "{}", rung.name);
            assert!(record.text("connection.key").is_some(), "{record:?}");
        });
    }
}

#[test]
fn each_way_to_retransmits_tells_of_one() {
    needs!("root");
    let signal = signal("tcp");
    prove_each(signal, &["retransmit"], |_, _, loaded| {
        let (mut opener, acceptor) = connect();
        let truth = ports(&opener);
        let act = || {
            socket::lose_what_arrives(&acceptor);
            opener.write_all(b"lost").unwrap();
        };
        let record = tells(signal, loaded, act, |record| is_of(record, "tcp_retransmit", truth));
        assert_eq!(record.text("connection.state"), Some("established"));
    });
}

#[test]
fn each_way_to_resets_tells_of_one() {
    needs!("root");
    let signal = signal("tcp");
    for (hook, direction) in [("reset_sent", "sent"), ("reset_received", "received")] {
        prove_each(signal, &[hook], |_, rung, loaded| {
            let (opener, acceptor) = connect();
            let truth = if direction == "sent" { ports(&opener) } else { ports(&acceptor) };
            let act = || socket::reset(opener);
            let record = tells(signal, loaded, act, |record| is_of(record, "tcp_reset", truth));
            assert_eq!(record.text("direction"), Some(direction));
            let reason = (rung.name == "tp_btf+reason").then_some("tcp_state");
            assert_eq!(record.text("reason"), reason, "{}", rung.name);
        });
    }
}

/// An error of each version, as it is sent and as it comes.
#[test]
fn each_way_to_messages_of_icmp_tells_of_one() {
    needs!("root");
    let signal = signal("icmp");
    for (hook, direction) in [("message_sent", "sent"), ("message_received", "received")] {
        prove_each(signal, &[hook], |_, rung, loaded| {
            for host in [IpAddr::from([127, 0, 0, 1]), IpAddr::V6(Ipv6Addr::LOCALHOST)] {
                // The kernel's tracepoint tells of IPv4 alone.
                if host.is_ipv6() && ["tp_btf", "raw_tp"].contains(&rung.name) {
                    continue;
                }
                // Without functions, what comes is seen where a program's socket gets it.
                let _raw = icmp::raw(host);
                let nobody = UdpSocket::bind((host, 0)).unwrap().local_addr().unwrap();
                let sender = UdpSocket::bind((host, 0)).unwrap();
                let act = || assert_eq!(sender.send_to(b"to nobody", nobody).unwrap(), 9);
                let record = tells(signal, loaded, act, |record| {
                    record.number("quoted.destination.port") == Some(nobody.port().into())
                        && record.text("direction") == Some(direction)
                });
                assert_eq!(record.text("icmp.code"), Some("port_unreachable"), "{}", rung.name);
            }
        });
    }
}

/// A datagram that nobody waits for.
#[test]
fn each_way_to_drops_tells_of_one() {
    needs!("root");
    let signal = signal("drop");
    let taken = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = |end: &str, record: &Record| record.number(&format!("packet.{end}.port"));
    prove_each(signal, &["kfree_skb"], |_, rung, loaded| {
        let act = || assert_eq!(sender.send_to(b"to nobody", address).unwrap(), 9);
        let ends = [sender.local_addr().unwrap(), address];
        let ends = ends.map(|end| Some(u64::from(end.port())));
        let record = tells(signal, loaded, act, |record| {
            [port("source", record), port("destination", record)] == ends
        });
        assert_eq!(record.text("packet.protocol"), Some("udp"), "{record:?}");
        assert_eq!(record.text("interface.name"), Some("lo"));
        let gives_reason = rung.name.contains('+');
        assert_eq!(record.text("reason"), gives_reason.then_some("no_socket"), "{}", rung.name);
        // Who sent it has let go of it by then.
        assert_eq!(record.at("process"), None, "{record:?}");
        // The error that came back.
        let _ = sender.take_error();
    });
}

#[test]
fn each_way_to_owners_of_sockets_finds_one() {
    needs!("root");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let inode = socket::inode(&socket).to_ne_bytes();
    prove_each(signal("drop"), &["owners"], |hook, _, loaded| {
        let mut inodes = Vec::new();
        loaded.iterate(hook.name, &mut inodes).unwrap();
        let (inodes, _) = inodes.as_chunks::<8>();
        assert_eq!(inodes.iter().filter(|found| **found == inode).count(), 1);
        let owners = batch::lookup(&map(loaded, "owners")).unwrap();
        let (_, owner) = owners.iter().find(|(found, _)| *found == inode).unwrap();
        assert_eq!(Process::read(owner).unwrap().pid, std::process::id());
    });
}

/// A datagram between two sockets, of which the first sent it.
fn datagram() -> [UdpSocket; 2] {
    let [near, far] = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").unwrap());
    near.send_to(b"hello", far.local_addr().unwrap()).unwrap();
    [near, far]
}

#[test]
fn each_way_to_datagrams_tells_of_one() {
    needs!("root");
    let signal = signal("udp");
    for (hook, end) in [("datagram_sent", 0), ("datagram_received", 1)] {
        prove_each(signal, &[hook], |_, rung, loaded| {
            let sockets = RefCell::new(None);
            let act = || *sockets.borrow_mut() = Some(datagram());
            let record = tells(signal, loaded, act, |record| {
                let sockets = sockets.borrow();
                let mut ends = sockets
                    .as_ref()
                    .unwrap()
                    .each_ref()
                    .map(|socket| socket.local_addr().unwrap().port());
                if end == 1 {
                    ends.reverse();
                }
                is_of(record, "udp_open", ends)
            });
            // Who sends is known; who only receives is not, where nobody watches sockets being bound.
            let own = (end == 0).then_some(u64::from(std::process::id()));
            assert_eq!(record.number("process.pid"), own, "{}", rung.name);
        });
    }
}

const ASKED: &[u8] = b"GET /a HTTP/1.1\r\n\r\n";

/// A request and its answer over a new connection.
fn ask() -> (TcpStream, TcpStream) {
    let (mut client, mut server) = connect();
    client.write_all(ASKED).unwrap();
    server.read_exact(&mut [0; ASKED.len()]).unwrap();
    let answer = b"HTTP/1.1 204 No Content\r\n\r\n";
    server.write_all(answer).unwrap();
    client.read_exact(&mut vec![0; answer.len()]).unwrap();
    (client, server)
}

/// A hook alone sees one half of an exchange at each end.
#[test]
fn each_way_to_segments_tells_of_an_answer_over_http() {
    needs!("root");
    for (hook, end) in [("segment_sent", 1), ("segment_received", 0)] {
        prove_each(signal("http_request"), &[hook], |_, rung, loaded| {
            let kept = RefCell::new(None);
            let act = || *kept.borrow_mut() = Some(ask());
            let record = tells(signal("http_request"), loaded, act, |record| {
                let kept = kept.borrow();
                let (client, server) = kept.as_ref().unwrap();
                is_of(record, "http_request", ports([client, server][end]))
            });
            assert_eq!(record.text("http.outcome"), Some("unasked"), "{}", rung.name);
            assert_eq!(record.number("http.status"), Some(204), "{}", rung.name);
            // Who sends is known; for whom something comes is known of whoever asked.
            let own = (end == 1).then_some(u64::from(std::process::id()));
            assert_eq!(record.number("process.pid"), own, "{}", rung.name);
        });
    }
}

/// A request is forgotten with its socket: at once where that is closed, else by the look through the table.
#[test]
fn each_way_to_the_end_of_a_request_over_http_tells_of_it() {
    needs!("root");
    let signal = signal("http_request");
    let [sent, close, requests] =
        ["segment_sent", "connection_close", "requests"].map(|name| hook(signal, name));
    for (end, goes_through) in [(close, false), (requests, true)] {
        for rung in end.ladder {
            let hooks = vec![lone(sent, &sent.ladder[0]), lone(end, rung)];
            let loaded = load_all(signal, with_hooks(signal, hooks), &Filter::default());
            let truth = RefCell::new([0; 2]);
            let act = || {
                let (mut client, server) = connect();
                *truth.borrow_mut() = ports(&client);
                client.write_all(ASKED).unwrap();
                drop((client, server));
                if goes_through {
                    loaded.iterate("requests", &mut Vec::new()).unwrap();
                }
            };
            let record = tells(signal, &loaded, act, |record| {
                is_of(record, "http_request", *truth.borrow())
            });
            assert_eq!(record.text("http.outcome"), Some("closed"), "{}", rung.name);
            assert_eq!(record.text("http.path"), Some("/a"), "{}", rung.name);
            assert_eq!(record.number("process.pid"), Some(u64::from(std::process::id())));
            assert_eq!(batch::lookup(&map(&loaded, "requests")).unwrap().len(), 0);
        }
    }
}

/// A connected socket that sends elsewhere: the socket says its peer, the call whom it means.
#[test]
fn each_way_to_named_addresses_tells_of_one() {
    needs!("root");
    let signal = signal("udp");
    let [sent, named] = ["datagram_sent", "address_named"].map(|name| hook(signal, name));
    for rung in named.ladder {
        for (address, hooks) in [
            ("127.0.0.1:0", vec![lone(sent, &sent.ladder[0]), lone(named, rung)]),
            ("[::1]:0", vec![lone(sent, &sent.ladder[0]), lone(named, rung)]),
            // Without it, it is taken for its peer's.
            ("127.0.0.1:0", vec![lone(sent, &sent.ladder[0])]),
        ] {
            let knows = hooks.len() == 2;
            let loaded = load_all(signal, with_hooks(signal, hooks), &Filter::default());
            let [near, peer, far] = [(); 3].map(|()| UdpSocket::bind(address).unwrap());
            let [from, to_peer, to_far] = [&near, &peer, &far].map(|it| it.local_addr().unwrap());
            near.connect(to_peer).unwrap();
            let act = || assert_eq!(near.send_to(b"elsewhere", to_far).unwrap(), 9);
            let to = if knows { to_far } else { to_peer };
            let ends = [from.port(), to.port()];
            let record = tells(signal, &loaded, act, |record| is_of(record, "udp_open", ends));
            assert_eq!(record.text("connection.role"), Some("client"), "{record:?}");
        }
    }
}

/// How many entries of this process one of the tables of `udp` has. They begin with the owner.
fn owned(loaded: &Loaded, table: &str) -> usize {
    let entries = batch::lookup(&map(loaded, table)).unwrap();
    let owner = |value| Process::read(value).unwrap().pid;
    entries.iter().filter(|(_, value)| owner(value) == std::process::id()).count()
}

#[test]
fn each_way_to_sockets_of_udp_remembers_and_forgets_them() {
    needs!("root");
    let signal = signal("udp");
    let older = UdpSocket::bind("[::1]:0").unwrap();
    prove_each(signal, &["open_sockets"], |hook, _, loaded| {
        let mut places = Vec::new();
        loaded.iterate(hook.name, &mut places).unwrap();
        assert!(places.len() >= size_of::<u64>());
        assert_eq!(owned(loaded, "older_sockets"), 1);
    });
    drop(older);
    for (bind, address) in [("socket_bind", "127.0.0.1:0"), ("socket_bind", "[::1]:0")] {
        let [bind, release] = [bind, "socket_release"].map(|name| hook(signal, name));
        for (binds, releases) in bind.ladder.iter().zip(release.ladder) {
            let hooks = vec![lone(bind, binds), lone(release, releases)];
            let loaded = load_all(signal, with_hooks(signal, hooks), &Filter::default());
            assert!(loaded.hooks.iter().all(|hook| hook.verdict.is_active()), "{:?}", loaded.hooks);
            listen(&loaded);
            let socket = UdpSocket::bind(address).unwrap();
            assert_eq!(owned(&loaded, "sockets"), 1);
            drop(socket);
            assert_eq!(owned(&loaded, "sockets"), 0);
        }
    }
}

/// The table is gone through without a word while nothing is due.
#[test]
fn each_way_through_conversations_tells_what_is_over() {
    needs!("root");
    let signal = signal("udp");
    let [sent, sweep] = ["datagram_sent", "conversations"].map(|name| hook(signal, name));
    for rung in sweep.ladder {
        let spec = with_hooks(signal, vec![lone(sent, &sent.ladder[0]), lone(sweep, rung)]);
        let config = Filter::default().config(u32::MAX, 0).unwrap();
        let options = Options {
            ring_bytes: Some(1 << 20),
            interval: Some(Duration::from_millis(1)),
            ..Options::default()
        };
        let hooks = ["datagram_sent", "conversations"];
        let request = Request {
            spec,
            hooks: &hooks,
            config,
            map_entries: &[],
            tracepoints: Ok(&[]),
            options: &options,
        };
        let loaded = load(&request).unwrap();
        let sockets = RefCell::new(None);
        let act = || {
            *sockets.borrow_mut() = Some(datagram());
            let conversations = || batch::lookup(&map(&loaded, "conversations")).unwrap().len();
            assert!(conversations() >= 1);
            wait_for("an empty table", || {
                loaded.iterate("conversations", &mut Vec::new()).unwrap();
                (conversations() == 0).then_some(())
            });
        };
        let record = tells(signal, &loaded, act, |record| {
            let sockets = sockets.borrow();
            let ends = sockets.as_ref().unwrap().each_ref();
            let ends = ends.map(|socket| socket.local_addr().unwrap().port());
            is_of(record, "udp_close", ends)
        });
        assert_eq!(record.text("end"), Some("idle"), "{}", rung.name);
    }
}

/// A socket that is full: both ways, what is counted is what the kernel's own table says.
#[test]
fn each_way_to_full_sockets_counts_what_they_drop() {
    needs!("root");
    let signal = signal("udp");
    let [received, full] =
        ["datagram_received", "receive_queue_full"].map(|name| hook(signal, name));
    for rung in full.ladder {
        let spec = with_hooks(signal, vec![lone(received, &received.ladder[0]), lone(full, rung)]);
        let loaded = load_all(signal, spec, &Filter::default());
        listen(&loaded);
        let deaf = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket::limit_receive_buffer(&deaf, 1);
        let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..100 {
            sender.send_to(&[0; 1000], deaf.local_addr().unwrap()).unwrap();
        }
        let cookie = socket::cookie(&deaf).to_ne_bytes();
        let sockets = batch::lookup(&map(&loaded, "sockets")).unwrap();
        let (_, value) = sockets.iter().find(|(key, _)| *key == cookie).unwrap();
        // struct udp_socket: the drops are the last but two of its words.
        let words: Vec<_> =
            value.as_chunks::<8>().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
        let truth = drops_at(deaf.local_addr().unwrap().port());
        assert!(truth > 0);
        assert_eq!(words[words.len() - 3], truth, "{}", rung.name);
    }
}

/// What the kernel has dropped at the UDP socket with this port.
fn drops_at(port: u16) -> u64 {
    let table = std::fs::read_to_string("/proc/net/udp").unwrap();
    let local = format!(":{port:04X}");
    let row = table.lines().find(|row| row.split_whitespace().nth(1).unwrap().ends_with(&local));
    row.unwrap().split_whitespace().last().unwrap().parse().unwrap()
}

/// How many connections of this process the probe remembers.
fn remembered(loaded: &Loaded) -> usize {
    let entries = batch::lookup(&map(loaded, "connections")).unwrap();
    let owner = |value| Process::read(value).unwrap().pid;
    entries.iter().filter(|(_, value)| owner(value) == std::process::id()).count()
}

/// A remembered connection is kept beyond its close for the resets that may follow, until its
/// socket is destroyed: with the hook it is forgotten, without it it would stay for ever.
#[test]
fn each_way_to_the_end_of_sockets_forgets_them() {
    needs!("root");
    let signal = signal("tcp");
    let state = hook(signal, "state");
    let lives = || {
        let (mut opener, mut acceptor) = connect();
        opener.shutdown(Shutdown::Write).unwrap();
        assert_eq!(acceptor.read(&mut [0]).unwrap(), 0);
        drop(acceptor);
        assert_eq!(opener.read(&mut [0]).unwrap(), 0);
    };
    let best = |hook| lone(hook, &hook.ladder[0]);
    let without = load_all(signal, with_hooks(signal, vec![best(state)]), &Filter::default());
    listen(&without);
    (0..10).for_each(|_| lives());
    // Not twenty: a new socket may lie where an old one lay.
    assert!(remembered(&without) > 0);
    drop(without);
    let destroy = hook(signal, "destroy");
    for rung in destroy.ladder {
        let hooks = vec![best(state), lone(destroy, rung)];
        let loaded = load_all(signal, with_hooks(signal, hooks), &Filter::default());
        assert_eq!(loaded.hooks[1].verdict, Verdict::Active(rung.name));
        listen(&loaded);
        let before = counters(&loaded).seen;
        let (opener, acceptor) = connect();
        assert!(remembered(&loaded) >= 1, "{}", rung.name);
        drop((opener, acceptor));
        (0..10).for_each(|_| lives());
        wait_for("sockets destroyed and forgotten", || (remembered(&loaded) == 0).then_some(()));
        assert!(counters(&loaded).seen >= before + 20);
    }
}

#[test]
fn each_way_to_what_is_open_finds_both_ends() {
    needs!("root");
    let signal = signal("tcp");
    let (opener, acceptor) = connect();
    prove_each(signal, &["open"], |hook, _, loaded| {
        let mut keys = Vec::new();
        loaded.iterate(hook.name, &mut keys).unwrap();
        assert!(keys.len() >= 2 * size_of::<u64>());
        assert!(remembered(loaded) >= 2);
    });
    drop((opener, acceptor));
}

/// A process that has this end of a connection, which this process then has no more.
fn give_away(end: TcpStream) -> Child {
    let mut command = Command::new("cat");
    command.stdin(Stdio::from(OwnedFd::from(end))).stdout(Stdio::null()).spawn().unwrap()
}

/// Where nobody looks for what is open, a connection is met when it closes. It is then told of
/// whole: which end it is, its key, and the process that closes, which here is not the one that
/// connected.
#[test]
fn a_connection_met_at_its_close_has_its_key_its_role_and_who_closed_it() {
    needs!("root");
    let signal = signal("tcp");
    for closes_first in ["opener", "acceptor"] {
        let (opener, acceptor) = connect();
        let [near, far] = [ports(&opener), ports(&acceptor)];
        acceptor.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut cat = give_away(opener);
        let pid = cat.id();
        let close = signal.kinds.iter().find(|(name, _)| *name == "tcp_close").unwrap().1;
        let config = Filter::default().config(1 << close, 0).unwrap();
        let loaded = load_hooks(&signal.spec, &["state"], config);
        let records = RefCell::new(Vec::new());
        let both = |record: &Record| {
            if is_of(record, "tcp_close", near) || is_of(record, "tcp_close", far) {
                records.borrow_mut().push(record.clone());
            }
            records.borrow().len() == 2
        };
        let act = || {
            if closes_first == "opener" {
                let mut acceptor = &acceptor;
                cat.kill().unwrap();
                assert_eq!(acceptor.read(&mut [0]).unwrap(), 0);
            } else {
                acceptor.shutdown(Shutdown::Write).unwrap();
                assert_eq!((&acceptor).read(&mut [0]).unwrap(), 0);
            }
            drop(acceptor);
            cat.wait().unwrap();
        };
        tells(signal, &loaded, act, both);
        let records = records.into_inner();
        let ends = [(near, "opener", pid), (far, "acceptor", std::process::id())];
        let mut keys = Vec::new();
        for (ports, role, closer) in ends {
            let record = records.iter().find(|record| is_of(record, "tcp_close", ports)).unwrap();
            assert_eq!(record.at("connection.opened_before_start"), Some(&true.into()));
            assert_eq!(record.text("connection.role"), Some(role));
            let owner = record.number("process.pid");
            assert_eq!(owner, Some(u64::from(closer)), "{role}, {closes_first} first: {record:?}");
            keys.push(record.text("connection.key").unwrap().to_owned());
        }
        assert_eq!(keys[0], keys[1]);
    }
}

#[test]
fn each_way_to_requests_counts_one_at_each_end() {
    needs!("root");
    let signal = signal("tcp_request");
    let send = hook(signal, "tcp_send");
    let read = hook(signal, "tcp_read");
    for (sends, reads) in
        send.ladder.iter().flat_map(|rung| read.ladder.iter().map(move |other| (rung, other)))
    {
        let spec = with_hooks(signal, vec![lone(send, sends), lone(read, reads)]);
        let (mut opener, mut acceptor) = connect();
        let port = opener.peer_addr().unwrap().port();
        let filter = Filter { ports: vec![port], ..Filter::default() };
        let loaded = load_all(signal, spec, &filter);
        if !loaded.hooks.iter().all(|hook| hook.verdict.is_active()) {
            println!("{} {}: {:?}", sends.name, reads.name, loaded.hooks);
            continue;
        }
        listen(&loaded);
        for _ in 0..10 {
            opener.write_all(b"request").unwrap();
            acceptor.read_exact(&mut [0; 7]).unwrap();
            acceptor.write_all(b"answer").unwrap();
            opener.read_exact(&mut [0; 6]).unwrap();
        }
        let counted = balanced(&loaded);
        // Where only a send's end is seen, its answer is on the way by then: which was first is not known.
        let at_least = if sends.name.ends_with("+length") { 18 } else { 20 };
        assert!((at_least..=20).contains(&counted.aggregated), "{}: {counted:?}", sends.name);
    }
}
