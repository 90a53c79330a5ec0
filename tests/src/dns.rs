//! A name server of the test's own, over UDP and TCP, that answers from a small zone and counts what it
//! was asked. Its messages are made by another library than the one under test.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use simple_dns::rdata::{A, AAAA, CNAME, RData, TXT};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

/// How often a server looks whether it shall end.
const TICK: Duration = Duration::from_millis(20);
/// What a datagram holds without EDNS (RFC 1035, 4.2.1).
const DATAGRAM_BYTES: usize = 512;

/// The addresses of `web.example.test`, each with the seconds that it may be kept.
pub const WEB: [(&str, u32); 3] =
    [("198.51.100.7", 300), ("198.51.100.8", 300), ("2001:db8::7", 120)];
/// Leads to `middle.example.test`, and that to `web.example.test`.
pub const ALIAS: &str = "alias.example.test";
/// How many texts `large.example.test` has, too many for a datagram.
pub const LARGE_ANSWERS: usize = 40;

/// A server; it ends when dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    ends: AtomicBool,
    datagrams: AtomicU64,
    tcp_messages: AtomicU64,
}

impl Server {
    /// Serves at this address, in the network namespace of the calling thread.
    ///
    /// # Panics
    /// When the address is taken.
    pub fn start(address: SocketAddr) -> Self {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(TICK)).unwrap();
        let address = socket.local_addr().unwrap();
        let listener = TcpListener::bind(address).unwrap();
        listener.set_nonblocking(true).unwrap();
        let shared = Arc::new(Shared::default());
        let (of_udp, of_tcp) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![
            std::thread::spawn(move || of_udp.serve_datagrams(&socket)),
            std::thread::spawn(move || of_tcp.serve_connections(&listener)),
        ];
        Self { address, shared, threads }
    }

    /// Where it serves.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Datagrams that came, and messages over TCP.
    pub fn counts(&self) -> (u64, u64) {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        (count(&self.shared.datagrams), count(&self.shared.tcp_messages))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.ends.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

impl Shared {
    fn goes_on(&self) -> bool {
        !self.ends.load(Ordering::Relaxed)
    }

    fn serve_datagrams(&self, socket: &UdpSocket) {
        let mut bytes = [0; 4096];
        while self.goes_on() {
            let Ok((length, client)) = socket.recv_from(&mut bytes) else { continue };
            self.datagrams.fetch_add(1, Ordering::Relaxed);
            if let Some(answer) = answer(&bytes[..length], false) {
                socket.send_to(&answer, client).unwrap();
            }
        }
    }

    fn serve_connections(&self, listener: &TcpListener) {
        while self.goes_on() {
            match listener.accept() {
                Ok((connection, _)) => self.serve_connection(connection),
                Err(_) => std::thread::sleep(TICK),
            }
        }
    }

    fn serve_connection(&self, mut connection: TcpStream) {
        connection.set_nonblocking(false).unwrap();
        let mut length = [0; 2];
        while connection.read_exact(&mut length).is_ok() {
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            if connection.read_exact(&mut query).is_err() {
                return;
            }
            self.tcp_messages.fetch_add(1, Ordering::Relaxed);
            let Some(answer) = answer(&query, true) else { return };
            if connection.write_all(&framed(&answer)).is_err() {
                return;
            }
        }
    }
}

/// A message as TCP carries it.
pub fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&length[..], message].concat()
}

/// A query, with recursion desired.
pub fn query(id: u16, name: &str, kind: TYPE) -> Vec<u8> {
    let mut packet = Packet::new_query(id);
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let (name, kind) = (Name::new_unchecked(name), QTYPE::TYPE(kind));
    packet.questions.push(simple_dns::Question::new(name, kind, CLASS::IN.into(), false));
    packet.build_bytes_vec().unwrap()
}

/// What the zone says; none to what is no query.
pub fn answer(query: &[u8], by_tcp: bool) -> Option<Vec<u8>> {
    let packet =
        Packet::parse(query).ok().filter(|packet| !packet.has_flags(PacketFlag::RESPONSE))?;
    let room = packet.opt().map_or(DATAGRAM_BYTES, |opt| usize::from(opt.udp_packet_size));
    let question = packet.questions.first()?.clone().into_owned();
    let name = question.qname.to_string().to_lowercase();
    let mut reply = packet.into_reply();
    reply.set_flags(PacketFlag::RECURSION_DESIRED | PacketFlag::RECURSION_AVAILABLE);
    let is = |kind| question.qtype == QTYPE::TYPE(kind);
    let mut add = |name: &'static str, seconds, data| {
        let name = Name::new_unchecked(name);
        reply.answers.push(ResourceRecord::new(name, CLASS::IN, seconds, data));
    };
    let alias = |to| RData::CNAME(CNAME(Name::new_unchecked(to)));
    match name.as_str() {
        "web.example.test" | ALIAS => {
            if name == ALIAS {
                add(ALIAS, 60, alias("middle.example.test"));
                add("middle.example.test", 30, alias("web.example.test"));
            }
            for (address, seconds) in WEB {
                let data = match address.parse().unwrap() {
                    IpAddr::V4(address) if is(TYPE::A) => RData::A(A { address: address.into() }),
                    IpAddr::V6(address) if is(TYPE::AAAA) => {
                        RData::AAAA(AAAA { address: address.into() })
                    }
                    _ => continue,
                };
                add("web.example.test", seconds, data);
            }
        }
        "large.example.test" => {
            for number in 0..LARGE_ANSWERS {
                let address = 0xc633_6500 + u32::try_from(number).unwrap();
                match is(TYPE::A) {
                    true => add("large.example.test", 5, RData::A(A { address })),
                    false => add(
                        "large.example.test",
                        5,
                        RData::TXT(TXT::new().with_string("x").unwrap()),
                    ),
                }
            }
        }
        "broken.example.test" => *reply.rcode_mut() = RCODE::ServerFailure,
        "refused.example.test" => *reply.rcode_mut() = RCODE::Refused,
        "silent.example.test" => return None,
        _ => *reply.rcode_mut() = RCODE::NameError,
    }
    let bytes = reply.build_bytes_vec_compressed().unwrap();
    if by_tcp || bytes.len() <= room {
        return Some(bytes);
    }
    reply.answers.clear();
    reply.set_flags(PacketFlag::TRUNCATION);
    Some(reply.build_bytes_vec_compressed().unwrap())
}
