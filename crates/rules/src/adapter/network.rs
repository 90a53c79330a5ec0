//! `fd.*` of connections

use std::net::SocketAddr;

use chandra_event::tcp::{Role, Tcp};

use super::{Happening, RecordFacts};
use crate::catalogue::FileField;
use crate::evaluate::Value;

impl<'r> RecordFacts<'r> {
    pub(super) fn connection_value(&self, tcp: &'r Tcp, field: FileField) -> Value<'r> {
        use FileField as Of;
        let (local, peer) = (tcp.connection.local, tcp.connection.peer);
        let is_server = tcp.connection.role == Some(Role::Acceptor);
        let (client, server) = if is_server { (peer, local) } else { (local, peer) };
        let is_ipv4 = tcp.connection.family() == "ipv4";
        let word = |ipv4: &'static str, ipv6: &'static str| {
            Value::Text(if is_ipv4 { ipv4 } else { ipv6 }.as_bytes())
        };
        match field {
            Of::FileType => word("ipv4", "ipv6"),
            Of::TypeCharacter => word("4", "6"),
            Of::Name => Value::Connection { client, server },
            Of::Address | Of::Network | Of::ClientAddress | Of::ClientNetwork => address(client),
            Of::ServerAddress | Of::ServerNetwork => address(server),
            Of::LocalAddress | Of::LocalNetwork => address(local),
            Of::RemoteAddress | Of::RemoteNetwork => address(peer),
            Of::Port | Of::ClientPort => port(client),
            Of::ServerPort => port(server),
            Of::LocalPort => port(local),
            Of::RemotePort => port(peer),
            Of::RemoteName => self.peer_name(),
            Of::ServerName if !is_server => self.peer_name(),
            Of::ClientName if is_server => self.peer_name(),
            Of::ServerName | Of::ClientName => Value::Unknown,
            Of::Protocol => Value::Text(b"tcp"),
            Of::Family => Value::Text(b"ip"),
            Of::IsServer => Value::Bool(is_server),
            Of::IsConnected => Value::Bool(true),
            Of::NameChanged => Value::Bool(true),
            // Not answered, as the catalogue says.
            _ => Value::Unknown,
        }
    }

    fn peer_name(&self) -> Value<'r> {
        Value::known_text(self.who.peer.name)
    }

    pub(super) fn another_of_file(&self, field: FileField, number: usize) -> Option<Value<'r>> {
        if number > 1 || !matches!(self.happening, Happening::Tcp(_)) {
            return None;
        }
        match field {
            FileField::Address | FileField::Network => {
                Some(self.file_value(FileField::ServerAddress))
            }
            FileField::Port => Some(self.file_value(FileField::ServerPort)),
            _ => None,
        }
    }
}

fn address<'r>(end: SocketAddr) -> Value<'r> {
    Value::Address(end.ip().to_canonical())
}

fn port<'r>(end: SocketAddr) -> Value<'r> {
    Value::Number(end.port().into())
}
