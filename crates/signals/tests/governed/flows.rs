//! Connections and conversations: each is drawn once, both of its ends are told or neither, and those that are told
//! stand for all.

use std::collections::BTreeSet;
use std::net::{TcpListener, TcpStream, UdpSocket};

use chandra_event::tcp::{Happened, Role, Tcp};
use chandra_event::udp::{self, Udp};

use super::*;

/// So many that one percent is four standard deviations of those of which one in two is drawn.
const MANY: u64 = 160_000;
/// Then the ring is read.
const AT_ONCE: u64 = 2000;
/// As an agent has them, but for what goes on.
const KINDS: [&str; 7] = [
    "tcp_established",
    "tcp_accept",
    "tcp_close",
    "tcp_reset",
    "udp_open",
    "udp_reply",
    "udp_close",
];
/// Conversations of these whose two ends may be drawn apart, for an era ends between them.
const AT_A_TURN: usize = 1;

/// What a probe tells of this process.
struct Following {
    loaded: Loaded,
    reader: Reader<'static>,
    told: Rc<RefCell<Vec<Told>>>,
}

#[derive(Debug, Clone, Copy)]
enum Told {
    Tcp(Tcp),
    Udp(Udp),
}

impl Following {
    fn new(name: &str) -> Self {
        let (signal, context) = (signal(name).unwrap(), Context::new(None));
        let kinds = signal.kinds.iter().filter(|(name, _)| KINDS.contains(name));
        let loaded = telling(name, kinds.map(|(_, number)| 1 << number).sum(), 0);
        let told = Rc::new(RefCell::new(Vec::new()));
        let all = Rc::clone(&told);
        let events = loaded.map("events").unwrap();
        let reader = Reader::new(&events, loaded.ring_bytes, move |bytes| {
            let mut add = |record: &dyn Record| {
                if record.process().is_none_or(|process| process.pid != own_pid()) {
                    return;
                }
                match record.event() {
                    Event::Tcp(tcp) => all.borrow_mut().push(Told::Tcp(*tcp)),
                    Event::Udp(udp) => all.borrow_mut().push(Told::Udp(*udp)),
                    _ => {}
                }
            };
            (signal.decode)(bytes, &context, &mut add).unwrap();
        })
        .unwrap()
        .announce(MapHandle::try_from(&loaded.map("reader").unwrap()).unwrap())
        .unwrap();
        Self { loaded, reader, told }
    }

    /// All that was told since it was asked last.
    fn told(&mut self) -> Vec<Told> {
        let books = balanced(&self.loaded);
        assert_eq!(books.lost, 0, "{books:?}");
        wait_for("all records", || {
            self.reader.drain_all_sent().unwrap();
            (self.reader.taken() >= books.submitted).then_some(())
        });
        self.told.take()
    }

    fn closes(&mut self) -> Vec<Tcp> {
        let closes = |told: Told| match told {
            Told::Tcp(tcp) if matches!(tcp.happened, Happened::Close(_)) => Some(tcp),
            _ => None,
        };
        self.told().into_iter().filter_map(closes).collect()
    }

    fn conversations(&mut self) -> Vec<Udp> {
        let conversations = |told: Told| match told {
            Told::Udp(udp) => Some(udp),
            Told::Tcp(_) => None,
        };
        self.told().into_iter().filter_map(conversations).collect()
    }
}

/// Both ends of a connection over which ten bytes went.
fn connect(listener: &TcpListener) -> [TcpStream; 2] {
    let mut opener = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut acceptor = listener.accept().unwrap().0;
    opener.write_all(b"0123456789").unwrap();
    acceptor.read_exact(&mut [0; 10]).unwrap();
    [opener, acceptor]
}

fn keys(closes: &[Tcp], role: Role) -> BTreeSet<u64> {
    let ends = closes.iter().filter(|tcp| tcp.connection.role == Some(role));
    ends.map(|tcp| tcp.connection.key.unwrap()).collect()
}

#[test]
fn connections_are_told_at_both_ends_or_at_none_and_stand_for_all() {
    needs!("root");
    let mut following = Following::new("tcp");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    following.loaded.tell_share(one_in(2)).unwrap();
    let (mut ends, mut bytes) = (0, 0);
    for _ in 0..MANY / AT_ONCE {
        (0..AT_ONCE).for_each(|_| drop(connect(&listener)));
        let closes = following.closes();
        let [openers, acceptors] = [Role::Opener, Role::Acceptor].map(|role| keys(&closes, role));
        assert_eq!(openers, acceptors, "both ends or none");
        assert_eq!(openers.len() * 2, closes.len(), "each once");
        for close in closes {
            assert_eq!(close.sampled_one_in, 2);
            let Happened::Close(totals) = close.happened else { continue };
            ends += 2;
            bytes += 2 * totals.bytes_sent;
        }
    }
    assert!(is_near(ends, 2 * MANY), "{ends} ends of {MANY} connections");
    assert!(is_near(bytes, 10 * MANY), "{bytes} bytes over {MANY} connections");
    // Of each that was left out the closes, at the least. Half of what was summed was told.
    let books = balanced(&following.loaded);
    assert!(books.sampled_out >= 2 * MANY - ends / 2, "{books:?}");

    following.loaded.tell_share(Share::ALL).unwrap();
    (0..AT_ONCE).for_each(|_| drop(connect(&listener)));
    let closes = following.closes();
    assert_eq!(closes.len() as u64, 2 * AT_ONCE, "and again all of them");
    assert!(closes.iter().all(|close| close.sampled_one_in == 1));
}

#[test]
fn what_is_decided_while_a_connection_lasts_does_not_change_what_it_stands_for() {
    needs!("root");
    const CONNECTIONS: usize = 256;
    let mut following = Following::new("tcp");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut opened = Vec::new();
    for share in [one_in(4), Share::ALL] {
        following.loaded.tell_share(share).unwrap();
        opened.extend((0..CONNECTIONS).map(|_| connect(&listener)));
    }
    let established = |told: Told| match told {
        Told::Tcp(tcp) => matches!(tcp.happened, Happened::Established { .. })
            .then(|| (tcp.connection.key.unwrap(), tcp.sampled_one_in)),
        Told::Udp(_) => None,
    };
    let began: BTreeSet<_> = following.told().into_iter().filter_map(established).collect();
    assert_eq!(began.iter().filter(|(_, one_in)| *one_in == 1).count(), CONNECTIONS);
    following.loaded.tell_share(one_in(256)).unwrap();
    drop(opened);
    let closes = following.closes();
    for role in [Role::Opener, Role::Acceptor] {
        let ends = closes.iter().filter(|tcp| tcp.connection.role == Some(role));
        let ended: BTreeSet<_> =
            ends.map(|tcp| (tcp.connection.key.unwrap(), tcp.sampled_one_in)).collect();
        assert_eq!(ended, began, "{role:?}");
    }
}

#[test]
fn a_connection_that_began_while_nobody_looked_is_found_when_hooks_come_back() {
    needs!("root");
    let mut following = Following::new("tcp");
    if !come_back(&following.loaded) {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let [older, closed] = [connect(&listener), connect(&listener)];
    following.told();
    drop(following.loaded.take_hooks());
    // Their memory is likely to be that of the one that is closed now, of which nothing is told.
    drop(closed);
    let unseen: Vec<_> = (0..16).map(|_| connect(&listener)).collect();
    let hooks = following.loaded.attach_hooks().unwrap();
    following.loaded.keep_hooks(hooks);
    let tcp = signal("tcp").unwrap();
    let found = (tcp.seed)(&following.loaded, &Context::new(None), &mut |_| {});
    assert!(found >= 2 * (unseen.len() + 1), "{found}");
    drop((older, unseen));
    let closes = following.closes();
    assert_eq!(closes.len(), 2 * 17, "all that were open");
    assert!(closes.iter().all(|close| close.connection.opened_before_start), "{closes:?}");
    drop(connect(&listener));
    let closes = following.closes();
    assert_eq!(closes.len(), 2);
    assert!(closes.iter().all(|close| !close.connection.opened_before_start), "{closes:?}");
}

#[test]
fn conversations_are_told_at_both_ends_or_at_none_and_stand_for_all() {
    needs!("root");
    let mut following = Following::new("udp");
    let ask = |server: &UdpSocket, answers: bool| {
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(server.local_addr().unwrap()).unwrap();
        client.send(b"0123456789").unwrap();
        let (_, asker) = server.recv_from(&mut [0; 16]).unwrap();
        if answers {
            server.send_to(b"01234", asker).unwrap();
            client.recv(&mut [0; 16]).unwrap();
        }
        client
    };
    following.loaded.tell_share(one_in(2)).unwrap();
    let (mut ends, mut bytes) = (0, 0);
    for _ in 0..MANY / AT_ONCE {
        // A server that met none of these ports before.
        let server = UdpSocket::bind("127.0.0.1:0").unwrap();
        (0..AT_ONCE).for_each(|_| drop(ask(&server, false)));
        let told = following.conversations();
        let end = udp::Happened::Close(udp::End::SocketClosed);
        for close in told.iter().filter(|udp| udp.happened == end && !udp.received_first) {
            assert_eq!((close.sampled_one_in, close.totals.bytes_sent), (2, 10), "{close:?}");
            ends += 2;
            bytes += 2 * close.totals.bytes_sent;
        }
        let opened = |received_first: bool| -> BTreeSet<u16> {
            let opens = told.iter().filter(|udp| udp.happened == udp::Happened::Open);
            let opens = opens.filter(|udp| udp.received_first == received_first);
            opens
                .map(|udp| if received_first { udp.ends.peer } else { udp.ends.local }.port())
                .collect()
        };
        let (at_client, at_server) = (opened(false), opened(true));
        assert!(at_server.difference(&at_client).count() <= AT_A_TURN, "{told:?}");
    }
    assert!(is_near(ends, MANY), "{ends} of {MANY} conversations");
    assert!(is_near(bytes, 10 * MANY), "{bytes} bytes");
    assert!(balanced(&following.loaded).sampled_out > MANY / 3);

    // One that is left out stays so, whatever is decided while it lasts.
    following.loaded.tell_share(one_in(256)).unwrap();
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let lasting: Vec<_> = (0..64).map(|_| ask(&server, true)).collect();
    let began = following.conversations().len();
    following.loaded.tell_share(Share::ALL).unwrap();
    for client in &lasting {
        client.send(b"again").unwrap();
        server.recv_from(&mut [0; 16]).unwrap();
    }
    assert_eq!(following.conversations().len(), 0, "{began} were told of");
    drop(ask(&server, true));
    assert!(following.conversations().iter().any(|udp| udp.sampled_one_in == 1));
}
