//! What the records say of connections against what was said on them.

use std::collections::HashMap;
use std::net::SocketAddr;

use chandra_tests::conversation::Conversation;
use chandra_tests::record::Record;

/// An end's local and peer address.
type Ends = [SocketAddr; 2];

fn ends(record: &Record) -> Ends {
    ["local", "peer"].map(|end| {
        let address = record.text(&format!("connection.{end}.address")).unwrap();
        // Absent while the kernel has not chosen it yet.
        let port = record.number(&format!("connection.{end}.port")).unwrap_or(0);
        SocketAddr::new(address.parse().unwrap(), u16::try_from(port).unwrap())
    })
}

fn peer(record: &Record) -> SocketAddr {
    ends(record)[1]
}

fn key(record: &Record) -> &str {
    let key = record.text("connection.key");
    assert!(key.is_some(), "{} has no key: {record:?}", record.kind());
    key.unwrap()
}

/// An IPv4 address is one, however the socket writes it.
fn canonical([local, peer]: Ends) -> Ends {
    [local, peer].map(|end| SocketAddr::new(end.ip().to_canonical(), end.port()))
}

/// The records of one kind and role, by a name that each has alone.
fn index<'a, K: std::hash::Hash + Eq + std::fmt::Debug>(
    records: &'a [Record],
    kind: &str,
    role: &str,
    name: impl Fn(&'a Record) -> K,
) -> HashMap<K, &'a Record> {
    let mut found = HashMap::new();
    let of_role = |record: &&Record| record.text("connection.role") == Some(role);
    for record in records.iter().filter(|record| record.kind() == kind).filter(of_role) {
        let name = name(record);
        assert!(!found.contains_key(&name), "{kind} of {name:?} twice");
        found.insert(name, record);
    }
    found
}

/// Each conversation was opened, accepted and closed once, has one key at both ends that no other
/// has, belongs to this process, and said as many bytes as it did.
pub fn assert_seen_whole(records: &[Record], conversations: &[Conversation]) {
    let opened = index(records, "tcp_connect", "opener", peer);
    let established = index(records, "tcp_established", "opener", ends);
    let accepted = index(records, "tcp_accept", "acceptor", key);
    let closed_by_opener = index(records, "tcp_close", "opener", key);
    let closed_by_acceptor = index(records, "tcp_close", "acceptor", key);
    let counts = [
        opened.len(),
        established.len(),
        accepted.len(),
        closed_by_opener.len(),
        closed_by_acceptor.len(),
    ];
    assert_eq!(counts, [conversations.len(); 5]);
    assert_eq!(records.len(), counts.iter().sum::<usize>());
    let own = Some(u64::from(std::process::id()));
    assert!(records.iter().all(|record| record.number("process.pid") == own));
    let old = records
        .iter()
        .find(|record| record.at("connection.opened_before_start") != Some(&false.into()));
    assert_eq!(old.map(|record| &record.0), None);
    for conversation in conversations {
        let (opener, acceptor) = (canonical(conversation.opener), canonical(conversation.acceptor));
        let plan = conversation.plan;
        // Its port may not have been chosen yet.
        let address = opened[&opener[1]].text("connection.local.address");
        assert_eq!(address, Some(&*opener[0].ip().to_string()), "{conversation:?}");
        let key = key(established[&opener]);
        assert!(accepted.contains_key(key), "no accept: {conversation:?}");
        assert_eq!(ends(accepted[key]), acceptor, "{conversation:?}");
        let sent = [plan.opener_sends, plan.acceptor_sends];
        assert_closed(closed_by_opener[key], opener, sent, conversation);
        assert_closed(closed_by_acceptor[key], acceptor, [sent[1], sent[0]], conversation);
    }
}

/// The sent bytes and the received bytes of one end, to the byte.
pub fn assert_closed(record: &Record, at: Ends, bytes: [usize; 2], conversation: &Conversation) {
    assert_eq!(ends(record), at, "{conversation:?}");
    let counted = ["bytes_sent", "bytes_received"].map(|name| record.number(name));
    let truth = bytes.map(|bytes| Some(bytes as u64));
    assert_eq!(counted, truth, "bytes of {at:?} of {conversation:?}");
}
