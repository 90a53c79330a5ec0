//! Connections that are opened or accepted, and first datagrams.

use chandra_event::socket::{Ends, Part, Transport};
use chandra_event::tcp::{Connection, Happened, NoKey, Role, Tcp};
use chandra_event::udp::{self, Totals, Udp};

use super::Recorded;

impl Recorded {
    pub(super) fn tcp(&self, happened: Happened) -> Option<Tcp> {
        let role = match happened {
            Happened::Accept { .. } => Role::Acceptor,
            _ => Role::Opener,
        };
        let key = self.text("/connection/key");
        let key = key.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let connection = Connection {
            key: key.ok_or(NoKey::NotEstablished),
            role: Some(role),
            local: self.end("/connection/local")?,
            peer: self.end("/connection/peer")?,
            net_namespace: self.small("/connection/net_namespace").unwrap_or_default(),
            socket_cookie: 0,
            opened_before_start: false,
        };
        let process = self.object.get("process").is_some().then(|| self.process());
        let sampled_one_in = self.small("/sampled_one_in").unwrap_or(1);
        Some(Tcp { time: self.time("/time"), process, connection, sampled_one_in, happened })
    }

    pub(super) fn udp(&self) -> Option<Udp> {
        let big = |path| self.number(path).unwrap_or_default();
        let (bytes_sent, bytes_received) = (big("/bytes_sent"), big("/bytes_received"));
        let part = match self.text("/connection/role") {
            Some("client") => Some(Part::Client),
            Some("server") => Some(Part::Server),
            _ => None,
        };
        Some(Udp {
            time: self.time("/time"),
            process: self.object.get("process").is_some().then(|| self.process()),
            ends: Ends {
                transport: Transport::Udp,
                part,
                local: self.end("/connection/local")?,
                peer: self.end("/connection/peer")?,
                net_namespace: self.small("/connection/net_namespace").unwrap_or_default(),
                cookie: 0,
            },
            opened_before_start: self.is("/connection/opened_before_start"),
            sampled_one_in: self.small("/sampled_one_in").unwrap_or(1),
            received_first: big("/datagrams_received") > 0,
            totals: Totals {
                datagrams_sent: big("/datagrams_sent"),
                datagrams_received: big("/datagrams_received"),
                bytes_sent,
                bytes_received,
                socket_drops: big("/socket_drops"),
            },
            duration_ns: 0,
            happened: udp::Happened::Open,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use chandra_event::time::Timestamp;

    use super::*;
    use crate::rules::recorded::tests::{comes_back, process};

    #[test]
    fn first_datagrams_come_back() {
        for (received_first, part) in [(true, Some(Part::Server)), (false, None)] {
            let sent = u64::from(!received_first);
            comes_back(&Udp {
                time: Timestamp(1_795_338_611_123_456_789),
                process: Some(process()),
                ends: Ends {
                    transport: Transport::Udp,
                    part,
                    local: "10.0.0.1:53".parse().unwrap(),
                    peer: "10.0.0.2:40000".parse().unwrap(),
                    net_namespace: 7,
                    cookie: 0,
                },
                opened_before_start: true,
                sampled_one_in: 8,
                received_first,
                totals: Totals {
                    datagrams_sent: sent,
                    datagrams_received: 1 - sent,
                    bytes_sent: 44 * sent,
                    bytes_received: 512 * (1 - sent),
                    socket_drops: 3,
                },
                duration_ns: 0,
                happened: udp::Happened::Open,
            });
        }
    }

    #[test]
    fn connections_come_back_as_they_were_written() {
        let connection = Connection {
            key: Err(NoKey::NotEstablished),
            role: Some(Role::Opener),
            local: SocketAddr::from(([10, 0, 0, 1], 0)),
            peer: "[2001:db8::1]:443".parse().unwrap(),
            net_namespace: 7,
            socket_cookie: 0,
            opened_before_start: false,
        };
        let (time, process) = (Timestamp(1_795_338_611_123_456_789), Some(process()));
        let sampled_one_in = 8;
        comes_back(&Tcp { time, process, connection, sampled_one_in, happened: Happened::Connect });
        let local = "[2001:db8::2]:80".parse().unwrap();
        let (key, role) = (Ok(0xdef5_7bc3_99c9_8eee), Some(Role::Acceptor));
        let connection = Connection { key, role, local, ..connection };
        let happened = Happened::Accept { queued_ns: Some(50_000) };
        comes_back(&Tcp { time, process, connection, sampled_one_in, happened });
    }
}
