//! What the probe of requests over HTTP costs, as the kernel measures its programs: a segment that is not HTTP, and a
//! request with its answer, both ends of which are on this machine. Medians are shown. Needs root:
//! `cargo run --release -p chandra-signals --example http_cost`
#![allow(clippy::unwrap_used, reason = "it stops where it cannot measure")]

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

use chandra_loader::cost::{self, Statistics};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::{ledger, ring};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_tests::loopback;

const ROUNDS: usize = 7;
const MESSAGES: u64 = 20_000;
const PROGRAMS: [&str; 2] = ["http_egress", "http_ingress"];

fn start() -> Loaded {
    let signal = signal("http_request").unwrap();
    let hooks: Vec<_> = signal.spec.hooks.iter().map(|hook| hook.name).collect();
    let request = Request {
        spec: &signal.spec,
        hooks: &hooks,
        config: Filter::default().config(u32::MAX, 0).unwrap(),
        map_entries: &[],
        tracepoints: Ok(&[]),
        // Nobody reads it: large enough for a round.
        options: &Options { ring_bytes: Some(64 << 20), ..Options::default() },
    };
    let loaded = load(&request).unwrap();
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

/// So many exchanges over one connection.
fn exchanges(asked: &[u8], answer: &[u8]) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let mut far = listener.accept().unwrap().0;
    near.set_nodelay(true).unwrap();
    far.set_nodelay(true).unwrap();
    let (mut question, mut reply) = (vec![0; asked.len()], vec![0; answer.len()]);
    for _ in 0..MESSAGES {
        near.write_all(asked).unwrap();
        far.read_exact(&mut question).unwrap();
        far.write_all(answer).unwrap();
        near.read_exact(&mut reply).unwrap();
    }
}

/// Nanoseconds in both programs so far, and how often they ran.
fn spent(loaded: &Loaded) -> [u64; 2] {
    let programs = cost::read(loaded.object());
    let ours = programs.iter().filter(|program| PROGRAMS.contains(&program.program.as_str()));
    ours.fold([0; 2], |[time, runs], program| {
        [time + program.run_time_ns, runs + program.run_count]
    })
}

fn median(mut figures: Vec<u64>) -> u64 {
    figures.sort_unstable();
    figures[figures.len() / 2]
}

fn main() {
    let head = "GET /cart/items HTTP/1.1\r\nHost: shop.test:8080\r\nUser-Agent: a program\r\n\
                traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n";
    let small = format!("{head}\r\n");
    let large = format!("{head}Cookie: {}\r\n\r\n", "c".repeat(3000));
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}";
    let cases = [
        ("not HTTP, 150 bytes each way", "x".repeat(150)),
        ("a request of 159 bytes and its answer", small),
        ("a request of 3169 bytes and its answer", large),
    ];
    loopback::in_new_namespace(|_| {
        let _statistics = Statistics::enable().unwrap();
        println!("{:<44}{:>14}{:>12}", "ns, measuring included", "an exchange", "a packet");
        for (name, asked) in cases {
            let (mut each, mut runs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let loaded = start();
                let answer: &str = if asked.starts_with('x') { &asked } else { answer };
                exchanges(asked.as_bytes(), answer.as_bytes());
                let [time_ns, count] = spent(&loaded);
                each.push(time_ns / MESSAGES);
                runs.push(time_ns / count.max(1));
                assert_eq!(ledger::read(loaded.object()).imbalance(), 0);
            }
            println!("{name:<44}{:>14}{:>12}", median(each), median(runs));
        }
    });
}
