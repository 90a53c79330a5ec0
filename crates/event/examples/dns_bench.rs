//! What reading DNS messages costs: `dns_NAME VALUE UNIT`, a line each. The best of some rounds.
//!
//! `cargo run --release -p chandra-event --example dns_bench`
#![allow(clippy::expect_used, reason = "a bench stops where it cannot go on")]

use std::hint::black_box;
use std::time::Instant;

use chandra_event::dns::Message;
use simple_dns::rdata::{A, AAAA, CNAME, RData};
use simple_dns::{CLASS, Name, Packet, PacketFlag, QCLASS, QTYPE, Question, ResourceRecord, TYPE};

const MESSAGES: usize = 200_000;
const ROUNDS: usize = 7;

/// A question, and these answers to it, each of the name before it.
fn message(name: &str, answers: Vec<RData<'_>>) -> Vec<u8> {
    let mut packet = match answers.is_empty() {
        true => Packet::new_query(7),
        false => Packet::new_reply(7),
    };
    packet.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(name).expect(name).into_owned();
    let (kind, class) = (QTYPE::TYPE(TYPE::A), QCLASS::CLASS(CLASS::IN));
    packet.questions.push(Question::new(name.clone(), kind, class, false));
    for answer in answers {
        packet.answers.push(ResourceRecord::new(name.clone(), CLASS::IN, 30, answer));
    }
    packet.build_bytes_vec_compressed().expect("a message")
}

fn measure(name: &str, bytes: &[u8]) {
    let round = || {
        let start = Instant::now();
        for _ in 0..MESSAGES {
            let message = Message::read(black_box(bytes)).expect("a message");
            assert_eq!(message.malformed, None);
            black_box(message.answers.iter().map(|answer| answer.ttl_seconds).sum::<u32>());
        }
        start.elapsed().as_nanos() as f64 / MESSAGES as f64
    };
    let best = (0..ROUNDS).map(|_| round()).fold(f64::INFINITY, f64::min);
    println!("dns_{name} {best:.1} ns");
    println!("dns_{name}_size {} bytes", bytes.len());
}

fn main() {
    let name = "orders.shop.svc.cluster.local";
    measure("query", &message(name, Vec::new()));
    let one = vec![RData::A(A { address: 0x0a00_0001 })];
    measure("answer_of_one", &message(name, one));
    let target = Name::new("edge-eu-1.cdn.example.com").expect("a name");
    let many = (0..8).map(|number| match number {
        0 => RData::CNAME(CNAME(target.clone())),
        4.. => RData::AAAA(AAAA { address: number }),
        _ => RData::A(A { address: 0x0a00_0001 + number as u32 }),
    });
    measure("answer_of_eight", &message(name, many.collect()));
}
