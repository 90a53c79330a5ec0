//! `fd.*` of sockets: of connections, of first datagrams, and of what system calls are about.

use std::net::{IpAddr, SocketAddr};

use chandra_event::socket::Part;
use chandra_event::system_call::{Socket, SystemCall};
use chandra_event::tcp::Role;

use super::{Happening, RecordFacts};
use crate::catalogue::FileField;
use crate::evaluate::Value;

/// Numbers of protocols in an IP header (IANA), and what `fd.l4proto` calls them.
const PROTOCOLS: [(u16, &str); 5] =
    [(super::TCP, "tcp"), (super::MPTCP, "tcp"), (17, "udp"), (1, "icmp"), (255, "raw")];

/// The ends of a socket. One without a peer serves.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    local: SocketAddr,
    peer: Option<SocketAddr>,
    is_server: bool,
    /// Nothing for a rare one.
    protocol: Option<&'static str>,
    is_connected: bool,
}

impl Ends {
    pub(super) fn of_call(socket: &Socket) -> Self {
        let protocol = PROTOCOLS.iter().find(|(number, _)| *number == socket.protocol);
        Self {
            local: socket.local,
            peer: socket.peer,
            is_server: socket.is_server || socket.peer.is_none(),
            protocol: protocol.map(|(_, word)| *word),
            is_connected: socket.peer.is_some(),
        }
    }

    fn client(&self) -> Option<SocketAddr> {
        if self.is_server { self.peer } else { Some(self.local) }
    }

    fn server(&self) -> Option<SocketAddr> {
        if self.is_server { Some(self.local) } else { self.peer }
    }
}

impl<'r> RecordFacts<'r> {
    fn ends(&self) -> Option<Ends> {
        Some(match self.happening {
            Happening::Tcp(tcp) => Ends {
                local: tcp.connection.local,
                peer: Some(tcp.connection.peer),
                is_server: tcp.connection.role == Some(Role::Acceptor),
                protocol: Some("tcp"),
                is_connected: true,
            },
            Happening::Udp(udp) => Ends {
                local: udp.ends.local,
                peer: Some(udp.ends.peer),
                is_server: match udp.ends.part {
                    Some(part) => part == Part::Server,
                    None => udp.received_first,
                },
                protocol: Some("udp"),
                // Falco asks so for datagrams that go to somebody new.
                is_connected: false,
            },
            Happening::Call(SystemCall { socket: Some(socket), .. }) => Ends::of_call(socket),
            _ => return None,
        })
    }

    pub(super) fn socket_value(&self, field: FileField) -> Value<'r> {
        use FileField as Of;
        let Some(ends) = self.ends() else { return Value::Absent };
        let word = |ipv4: &'static str, ipv6: &'static str| {
            let all = [Some(ends.local), ends.peer];
            let is_ipv4 = all.into_iter().flatten().any(|end| canonical(end).is_ipv4());
            Value::Text(if is_ipv4 { ipv4 } else { ipv6 }.as_bytes())
        };
        match field {
            Of::FileType => word("ipv4", "ipv6"),
            Of::TypeCharacter => word("4", "6"),
            Of::Name => match (ends.client(), ends.server()) {
                (Some(client), Some(server)) => Value::Connection { client, server },
                _ => Value::Endpoint(ends.local),
            },
            // The first of two; the other one is asked for by its number.
            Of::Address | Of::Network => address(ends.client().or(ends.server())),
            Of::Port => port(ends.client().or(ends.server())),
            Of::ClientAddress | Of::ClientNetwork => address(ends.client()),
            Of::ServerAddress | Of::ServerNetwork => address(ends.server()),
            Of::LocalAddress | Of::LocalNetwork => address(Some(ends.local)),
            Of::RemoteAddress | Of::RemoteNetwork => address(ends.peer),
            Of::ClientPort => port(ends.client()),
            Of::ServerPort => port(ends.server()),
            Of::LocalPort => port(Some(ends.local)),
            Of::RemotePort => port(ends.peer),
            Of::ServiceName => self.service(&ends, ends.client().or(ends.server())),
            Of::ClientServiceName => self.service(&ends, ends.client()),
            Of::ServerServiceName => self.service(&ends, ends.server()),
            Of::LocalServiceName => self.service(&ends, Some(ends.local)),
            Of::RemoteServiceName => self.service(&ends, ends.peer),
            _ if matches!(self.happening, Happening::Call(_)) => match field {
                Of::Protocol => Value::known_text(ends.protocol),
                Of::Family => Value::Text(b"ip"),
                Of::IsServer => Value::Bool(ends.is_server),
                Of::IsConnected if self.is_connect() => Value::Bool(ends.is_connected),
                Of::NameChanged if self.is_connect() => Value::Bool(true),
                // Whose names they are was not looked up.
                Of::RemoteName | Of::ServerName | Of::ClientName if self.is_connect() => {
                    Value::Unknown
                }
                _ => Value::Absent,
            },
            Of::RemoteName => self.peer_name(),
            Of::ServerName if !ends.is_server => self.peer_name(),
            Of::ClientName if ends.is_server => self.peer_name(),
            Of::ServerName | Of::ClientName => Value::Unknown,
            Of::Protocol => Value::known_text(ends.protocol),
            Of::Family => Value::Text(b"ip"),
            Of::IsServer => Value::Bool(ends.is_server),
            Of::IsConnected => Value::Bool(ends.is_connected),
            Of::NameChanged => Value::Bool(true),
            // Not answered, as the catalogue says.
            _ => Value::Unknown,
        }
    }

    /// What the port of an end belongs to by custom, or else the port.
    fn service(&self, ends: &Ends, end: Option<SocketAddr>) -> Value<'r> {
        let services = &self.node.services;
        let by_port = match ends.protocol {
            Some("tcp") => &services.tcp,
            Some("udp") => &services.udp,
            _ => return Value::Absent,
        };
        match end.map(|end| (end, by_port.get(&end.port()))) {
            Some((_, Some(name))) => Value::Text(name.as_bytes()),
            Some((end, None)) => Value::Number(end.port().into()),
            None => Value::Absent,
        }
    }

    fn peer_name(&self) -> Value<'r> {
        Value::known_text(self.who.peer.name)
    }

    pub(super) fn another_of_file(&self, field: FileField, number: usize) -> Option<Value<'r>> {
        let ends = self.ends()?;
        if field == FileField::ServiceName {
            let client = ends.client().or(ends.server());
            return match number {
                0 | 1 => Some(self.service(&ends, ends.server())),
                2 => Some(port(client)),
                3 => Some(port(ends.server())),
                _ => None,
            };
        }
        let (Some(_), Some(server), 0 | 1) = (ends.client(), ends.server(), number) else {
            return None;
        };
        match field {
            FileField::Address | FileField::Network => Some(address(Some(server))),
            FileField::Port => Some(port(Some(server))),
            _ => None,
        }
    }
}

fn canonical(end: SocketAddr) -> IpAddr {
    end.ip().to_canonical()
}

fn address<'r>(end: Option<SocketAddr>) -> Value<'r> {
    end.map_or(Value::Absent, |end| Value::Address(canonical(end)))
}

fn port<'r>(end: Option<SocketAddr>) -> Value<'r> {
    end.map_or(Value::Absent, |end| Value::Number(end.port().into()))
}
