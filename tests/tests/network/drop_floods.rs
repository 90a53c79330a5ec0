//! Many drops, and none.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};

use chandra_tests::drops::{counted_in, of, start_counting};
use chandra_tests::namespaces::{Namespace, join};
use chandra_tests::needs;
use chandra_tests::trace::Trace;

const FLOOD: u64 = 100_000;
const PORT: u16 = 9;

/// From two threads, to a port on which nobody listens.
fn flood(namespace: &Namespace) {
    namespace.enter(|| {
        let one = || {
            let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
            for _ in 0..FLOOD / 2 {
                sender.send_to(b"x", (std::net::Ipv4Addr::LOCALHOST, PORT)).unwrap();
            }
        };
        // Threads of a thread are in its namespace.
        std::thread::scope(|scope| {
            scope.spawn(one);
            one();
        });
    });
}

#[test]
fn a_flood_is_counted_to_the_last_packet_and_told_by_a_few() {
    needs!("root", "ip");
    let net = Namespace::new("flood");
    let port = PORT.to_string();
    let counting = start_counting(&["--port", &port]);
    let telling = Trace::start(&["drops", "--port", &port]);
    let before = net.counter("Udp", "NoPorts");
    let started = std::time::Instant::now();
    flood(&net);
    let truth = net.counter("Udp", "NoPorts") - before;
    assert_eq!(truth, FLOOD);
    let counted = counting.stop();
    counted.summary_without_loss();
    assert_eq!(counted_in(&counted, &net), truth);

    let told = telling.stop();
    let seconds = started.elapsed().as_secs() + 1;
    let summary = told.summary_without_loss();
    let number = |name: &str| summary.number(name).unwrap();
    // Others may use the same port elsewhere; what they lose is in the same books.
    assert!(number("seen") - number("filtered") >= truth, "{summary:?}");
    assert_eq!(number("seen"), number("filtered") + number("rate_limited") + number("shown"));
    assert_eq!(number("missed"), 0, "{summary:?}");
    let shown = of(&told.records, &net).count() as u64;
    // Ten a second, and those that another processor sent at the very same moment.
    assert!((1..=seconds * 12).contains(&shown), "{shown} in {seconds} seconds");
}

/// Requests and answers over TCP as any program makes them, between two namespaces that come to be
/// meanwhile, and over the loopback.
#[test]
fn ordinary_traffic_shows_no_drop() {
    needs!("root", "ip");
    let trace = Trace::start(&["drops"]);
    let counting = start_counting(&[]);
    let (near, far) = (Namespace::new("near"), Namespace::new("calm"));
    join((&near, "wire", "10.211.0.1/24"), (&far, "wire", "10.211.0.2/24"));
    for (address, client) in [("10.211.0.2:80", &near), ("127.0.0.1:80", &far), ("[::1]:80", &far)]
    {
        let address: SocketAddr = address.parse().unwrap();
        let listener = far.enter(|| TcpListener::bind(address).unwrap());
        let datagrams = far.enter(|| UdpSocket::bind(address).unwrap());
        std::thread::scope(|scope| {
            scope.spawn(|| serve(&listener, REQUESTS));
            client.enter(|| (0..REQUESTS).for_each(|_| request(address)));
        });
        client.enter(|| {
            let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
            let sender = UdpSocket::bind(any).unwrap();
            for _ in 0..REQUESTS {
                sender.send_to(b"question", address).unwrap();
                let (bytes, asker) = datagrams.recv_from(&mut [0; 16]).unwrap();
                datagrams.send_to(b"answer", asker).unwrap();
                sender.recv(&mut [0; 16]).unwrap();
                assert_eq!(bytes, 8);
            }
            // One is never read.
            sender.send_to(b"question", address).unwrap();
        });
    }
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let counted = counting.stop();
    for net in [&near, &far] {
        let shown: Vec<_> = of(&outcome.records, net).collect();
        assert!(shown.is_empty(), "{shown:?}");
        assert_eq!(counted_in(&counted, net), 0);
    }
}

const REQUESTS: usize = 50;

fn serve(listener: &TcpListener, requests: usize) {
    for _ in 0..requests {
        let mut connection = listener.accept().unwrap().0;
        let mut request = [0; 18];
        connection.read_exact(&mut request).unwrap();
        connection.write_all(&[b'x'; 20_000]).unwrap();
    }
}

fn request(address: SocketAddr) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    connection.read_to_end(&mut answer).unwrap();
    assert_eq!(answer.len(), 20_000);
}
