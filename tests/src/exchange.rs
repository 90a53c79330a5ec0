//! Requests over HTTP/1 and their answers between two actors: what is sent, what is to be told of it, and how long
//! it can have taken at least and at most, by the clock of whoever directs them.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::os::linux::fs::MetadataExt;
use std::time::Duration;

use crate::actor::{Actor, to_hex};
use crate::comparison::Comparison;
use crate::process::{Process, host_name};
use crate::record::Record;
use crate::turns::Pair;
use crate::wall_clock::since_boot;

/// Two processes with a connection between them.
#[derive(Debug)]
pub struct Talk {
    /// Who opened it, and asks.
    pub client: Actor,
    /// Who accepted it, and answers.
    pub server: Actor,
    /// As the client has them: its own end, and the server's.
    pub ends: [SocketAddr; 2],
    /// Of the client's socket, and of the server's.
    cookies: [String; 2],
}

/// A request and what is to be told of it.
#[derive(Debug, Clone, Default)]
pub struct Told {
    /// `answered`
    pub outcome: &'static str,
    /// Of the answer.
    pub status: Option<u16>,
    /// `GET`; without one nothing is known of the request.
    pub method: Option<&'static str>,
    /// `1.1`
    pub version: Option<&'static str>,
    /// Whom it asks.
    pub host: Option<&'static str>,
    /// Without its query.
    pub path: Option<&'static str>,
    /// The trace, the span of whoever asks, and whether that records it.
    pub trace: Option<(&'static str, &'static str, bool)>,
    /// Nanoseconds, where it took any.
    pub duration_ns: Option<RangeInclusive<u64>>,
    /// It did not end in what was captured.
    pub is_cut: bool,
}

impl Talk {
    /// Connects over this address, whose port is 0.
    pub fn connect(client: Actor, server: Actor, address: &str) -> Self {
        Self::of(Pair::connect(client, server, address))
    }

    /// Connects to where the server listens already.
    pub fn connect_to(client: Actor, server: Actor, address: &str) -> Self {
        Self::of(Pair::connect_to(client, server, address))
    }

    fn of(Pair { mut client, mut server, ends }: Pair) -> Self {
        let mut ends = ends.split(' ').map(|end| end.parse().unwrap());
        let ends = [ends.next().unwrap(), ends.next().unwrap()];
        let cookies = [client.ask("cookie"), server.ask("cookie")];
        Self { client, server, ends, cookies }
    }

    /// The client sends, and the server has it all.
    pub fn request(&mut self, bytes: &[u8]) {
        self.client.ask(&format!("send-bytes {}", to_hex(bytes)));
        self.server.ask(&format!("receive {}", bytes.len()));
    }

    /// The server sends, and the client has it all.
    pub fn answer(&mut self, bytes: &[u8]) {
        self.server.ask(&format!("send-bytes {}", to_hex(bytes)));
        self.client.ask(&format!("receive {}", bytes.len()));
    }

    /// A request, and an answer that the server begins after it has waited for so long. What it took, at either end.
    pub fn exchange(
        &mut self,
        request: &[u8],
        wait: Duration,
        answer: &[u8],
    ) -> RangeInclusive<u64> {
        let sending = since_boot();
        self.client.ask(&format!("send-bytes {}", to_hex(request)));
        let sent = since_boot();
        self.server.ask(&format!("receive {}", request.len()));
        std::thread::sleep(wait);
        let answering = since_boot();
        self.server.ask(&format!("send-bytes {}", to_hex(answer)));
        let answered = since_boot();
        self.client.ask(&format!("receive {}", answer.len()));
        answering - sent..=answered - sending
    }

    /// A record is of this connection, seen at the client's or the server's end.
    pub fn is_of(&self, record: &Record, role: &str) -> bool {
        let [client, server] = self.ends.map(|end| u64::from(end.port()));
        let [local, peer] = if role == "client" { [client, server] } else { [server, client] };
        let port = |name: &str| record.number(&format!("connection.{name}.port"));
        record.kind() == "http_request"
            && record.text("connection.role") == Some(role)
            && [port("local"), port("peer")] == [Some(local), Some(peer)]
    }

    /// Compares each field of a record of one end with the truth. Returns the connection key that it has.
    ///
    /// # Errors
    /// The differences, in words.
    ///
    /// # Panics
    /// When the end's process is gone.
    pub fn compare(
        &self,
        record: &Record,
        role: &'static str,
        told: &Told,
        when: RangeInclusive<u64>,
    ) -> Result<String, String> {
        let is_client = role == "client";
        let (actor, cookie) = match is_client {
            true => (&self.client, &self.cookies[0]),
            false => (&self.server, &self.cookies[1]),
        };
        let mut fields = Comparison::of(record, "http_request", "http_request", when);
        Process::of(actor.pid()).compare(&mut fields, "process");
        let [client, server] = self.ends;
        let (local, peer) = if is_client { (client, server) } else { (server, client) };
        fields.is("connection.family", if peer.is_ipv4() { "ipv4" } else { "ipv6" });
        fields.is("connection.protocol", "tcp");
        for (name, end) in [("local", local), ("peer", peer)] {
            fields.is(&format!("connection.{name}.address"), end.ip().to_string());
            fields.is(&format!("connection.{name}.port"), end.port());
        }
        fields.is("connection.role", role);
        let namespace = std::fs::metadata(format!("/proc/{}/ns/net", actor.pid())).unwrap();
        fields.is("connection.net_namespace", namespace.st_ino());
        fields.is("connection.socket_cookie", cookie.as_str());
        let key = fields.take("connection.key");
        fields.is("peer_entity", "host");
        fields.is("peer_node", host_name());
        told.compare(&mut fields);
        let key = key.as_ref().and_then(|key| key.as_str()).map(str::to_owned);
        fields.finish().and_then(|()| key.ok_or_else(|| "no connection.key".to_owned()))
    }
}

impl Told {
    /// Compares what a record has beside its process and its connection.
    pub fn compare(&self, fields: &mut Comparison) {
        fields.is("http.outcome", self.outcome);
        fields.is_optional("http.status", self.status);
        fields.is_optional("http.method", self.method);
        fields.is_optional("http.version", self.version);
        fields.is_optional("http.host", self.host);
        fields.is_optional("http.path", self.path);
        fields.is_optional("http.head_is_cut", self.method.map(|_| self.is_cut));
        fields.is_optional("trace_context.trace_id", self.trace.map(|(trace, _, _)| trace));
        fields.is_optional("trace_context.parent_id", self.trace.map(|(_, parent, _)| parent));
        fields.is_optional("trace_context.is_sampled", self.trace.map(|(_, _, sampled)| sampled));
        match &self.duration_ns {
            Some(duration) => fields.is_within("duration_ns", duration.clone()),
            None => fields.is_absent("duration_ns"),
        }
    }
}
