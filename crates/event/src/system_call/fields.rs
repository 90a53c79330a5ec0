//! The fields of the `system_call` signal's record.

use super::{Socket, SystemCall};
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::fields! {
    /// The ends of a socket.
    pub struct SocketFields(socket: &Socket) = [] {
        "system_call.socket.protocol", "SOCKET_PROTOCOL", 8, Json, Number(socket.protocol),
        "Number of the socket's protocol, as in an IP header: 6 for TCP, 17 for UDP";
        "system_call.socket.local.address", "SOCKET_LOCAL", 15, Json,
        Address(socket.local.ip().to_canonical()),
        "Its local address";
        "system_call.socket.local.port", "SOCKET_LOCAL_PORT", 10, Json, Number(socket.local.port()),
        "Its local port, 0 for none";
        "system_call.socket.peer.address", "SOCKET_PEER", 15, Json,
        Address(socket.peer.map(|peer| peer.ip().to_canonical())),
        "Address of whom it is connected to, or sends to";
        "system_call.socket.peer.port", "SOCKET_PEER_PORT", 9, Json,
        Number(socket.peer.map(|peer| peer.port())),
        "Port of whom it is connected to, or sends to";
        "system_call.socket.is_server", "SOCKET_IS_SERVER", 6, Json, Bool(socket.is_server),
        "It listens, or was accepted";
    }
}

crate::record! {
    /// A system call was done, well or not
    pub static SYSTEM_CALL: Kind = ("system_call", "system_call");
    pub struct SystemCallFields(call: &SystemCall<'_>) = [
        OwnerFields(Some(&call.process)), SocketFields(call.socket.as_ref())
    ] {
        "system_call.name", "CALL", 14, Table, Word(call.name),
        "Its name, as in man 2";
        "system_call.number", "NUMBER", 6, Json, Number(call.number),
        "Its number on this architecture";
        "system_call.arguments", "ARGUMENTS", 24, Table, HexList(call.arguments()),
        "Its arguments; what a pointer leads to is not shown but paths";
        "system_call.effective_uid", "EUID_AFTER", 10, Wide, Number(call.effective_uid),
        "Effective user id after it";
        "system_call.descriptor_type", "DESCRIPTOR_TYPE", 15, Wide,
        Word(call.descriptor_type.map(|file_type| file_type.word())),
        "What is behind the descriptor that it was given";
        "system_call.descriptor_family", "DESCRIPTOR_FAMILY", 17, Json, Word(call.descriptor_family),
        "Where that is a socket, its family: `ipv4`, `ipv6`, `unix`, `netlink`, `packet`, `other`";
        "system_call.descriptor_path", "DESCRIPTOR_PATH", 30, Wide, Bytes(call.descriptor_path),
        "Path of that, as the kernel has it; of a Unix socket what its peer, or else it, is bound to";
        "system_call.path_truncated", "PATH_TRUNCATED", 5, Json,
        Bool(call.path.or(call.descriptor_path.map(|_| Default::default())).map(|_| call.path_truncated)),
        "The beginning of a path is missing";
        "system_call.path_given", "PATH_GIVEN", 24, Json, Bytes(call.path.map(|path| path.name)),
        "Its first path as it was given";
        "system_call.path", "PATH", 40, Table, Bytes(call.path.map(|path| path.path)),
        "Its first path, made absolute, not resolved";
        "system_call.second_path_given", "SECOND_PATH_GIVEN", 24, Json,
        Bytes(call.second_path.map(|path| path.name)),
        "Its second path as it was given";
        "system_call.second_path", "SECOND_PATH", 30, Table,
        Bytes(call.second_path.map(|path| path.path)),
        "Its second path: the new name of a rename or link, the target of a mount";
        "result", "RESULT", 6, Wide, Signed(call.result),
        "What it returned; below 0 a negative errno";
        "error", "ERROR", 12, Table, Errno(call.error()),
        "Why it failed";
        "error_number", "ERRNO", 5, Json, Number(call.error()),
        "Number of that error";
        "sampled_one_in", "SAMPLED", 7, Json, Number(Some(call.sampled_one_in).filter(|one_in| *one_in != 1)),
        "Of so many one was told, drawn at random, so that it stands for all of them; absent where all are told";
    }
}

impl Record for SystemCall<'_> {
    fn kind(&self) -> &'static Kind {
        &SYSTEM_CALL
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        SystemCallFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::SystemCall(self)
    }
}
