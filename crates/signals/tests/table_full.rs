//! More connections than the probe remembers: quiet ones make room, which is counted, and what it tells of each is still
//! right.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::cell::RefCell;
use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use chandra_event::record::Event;
use chandra_event::tcp::{Happened, Role, Tcp};
use chandra_loader::flow_table::{self, Overflow};
use chandra_loader::load::{Options, Request, load};
use chandra_loader::ring::Reader;
use chandra_loader::{MapCore, MapHandle};
use chandra_signals::Context;
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;

/// Fewer than the ends of all connections, which are open at once.
const REMEMBERED: u32 = 400;
const CONNECTIONS: usize = 300;

/// Opens all connections, then ends them one by one; the number of each is what it sends.
fn converse(listener: &TcpListener) {
    let connect = |_| {
        let opener = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        (opener, listener.accept().unwrap().0)
    };
    let pairs: Vec<_> = (0..CONNECTIONS).map(connect).collect();
    for (number, (mut opener, mut acceptor)) in pairs.into_iter().enumerate() {
        opener.write_all(&vec![0; number]).unwrap();
        opener.shutdown(Shutdown::Write).unwrap();
        assert_eq!(acceptor.read_to_end(&mut Vec::new()).unwrap(), number);
        drop(acceptor);
        assert_eq!(opener.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn connections_beyond_the_table_are_told_of_all_the_same() {
    let signal = signal("tcp").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let filter = Filter { ports: vec![listener.local_addr().unwrap().port()], ..Filter::default() };
    let wanted = ["tcp_established", "tcp_accept", "tcp_close"];
    let kinds = signal.kinds.iter().filter(|(name, _)| wanted.contains(name));
    let kinds = kinds.map(|(_, number)| 1 << number).sum();
    let request = Request {
        spec: &signal.spec,
        hooks: &["state", "accept"],
        config: filter.config(kinds, 0).unwrap(),
        map_entries: &[("connections", REMEMBERED)],
        tracepoints: Ok(&[]),
        options: &Options::default(),
    };
    let Ok(loaded) = load(&request) else {
        println!("skipped: needs root to load BPF");
        return;
    };
    let map = |name: &str| loaded.object().maps().find(|map| map.name() == name).unwrap();
    let context = Context::new(None);
    let seen = RefCell::new(Vec::<Tcp>::new());
    let mut reader = Reader::new(&map("events"), loaded.ring_bytes, |bytes| {
        (signal.decode)(bytes, &context, &mut |record| {
            let Event::Tcp(tcp) = record.event() else { panic!("{:?}", record.kind()) };
            seen.borrow_mut().push(*tcp);
        })
        .unwrap();
    })
    .unwrap()
    .announce(MapHandle::try_from(&map("reader")).unwrap())
    .unwrap();

    converse(&listener);
    let began = Instant::now();
    while seen.borrow().len() < 4 * CONNECTIONS && began.elapsed() < Duration::from_secs(5) {
        reader.wait(Duration::from_millis(50)).unwrap();
    }

    let seen = seen.borrow();
    let of = |wanted: fn(&Happened) -> bool| seen.iter().filter(move |tcp| wanted(&tcp.happened));
    let established = |happened: &Happened| matches!(happened, Happened::Established { .. });
    assert_eq!(of(established).count(), CONNECTIONS);
    assert_eq!(of(|happened| matches!(happened, Happened::Accept { .. })).count(), CONNECTIONS);
    // New ones have been remembered from their beginning to the end of their handshakes.
    let measured =
        |happened: &Happened| matches!(happened, Happened::Established { latency_ns: Some(_) });
    assert_eq!(of(measured).count(), CONNECTIONS);
    let Overflow { evicted, refused } = flow_table::overflow(&loaded, "connections").unwrap();
    assert!(evicted >= 2 * CONNECTIONS as u64 - u64::from(REMEMBERED), "{evicted}");
    assert_eq!(refused, 0);
    let mut keys = HashSet::new();
    for role in [Role::Opener, Role::Acceptor] {
        let mut bytes: Vec<_> = seen
            .iter()
            .filter(|tcp| tcp.connection.role == Some(role))
            .filter_map(|tcp| match tcp.happened {
                Happened::Close(totals) => {
                    keys.insert(tcp.connection.key.unwrap());
                    let owner = tcp.process.map(|process| process.pid);
                    assert!(owner.is_none_or(|pid| pid == std::process::id()));
                    Some((totals.bytes_sent, totals.bytes_received))
                }
                _ => None,
            })
            .collect();
        bytes.sort_unstable();
        let truth = (0..CONNECTIONS as u64)
            .map(|number| if role == Role::Opener { (number, 0) } else { (0, number) });
        assert_eq!(bytes, truth.collect::<Vec<_>>(), "{role:?}");
    }
    assert_eq!(keys.len(), CONNECTIONS, "a key at one end is that at the other");
}
