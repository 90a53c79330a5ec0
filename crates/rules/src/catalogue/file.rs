//! `fd.*`: the file or socket.

use super::{EventType, EventTypes, fields};

const NETWORK: EventTypes = EventTypes::NETWORK;
const OPEN: EventTypes = EventTypes::OPEN;
const NAMED: EventTypes = OPEN.union(FILE).union(LOCAL);
/// First datagrams, sent and received.
const UDP: EventTypes = EventTypes::UDP;
const TALK: EventTypes = NETWORK.union(UDP);
/// Calls that put a descriptor in another's place, which may be that of a connection.
const DUP: EventTypes = EventTypes::of(&[EventType::Dup, EventType::Dup2, EventType::Dup3]);
const ENDS: EventTypes = TALK.union(DUP).union(EventTypes::SENDS);
/// Calls of a socket that may have no peer.
const SERVE: EventTypes = EventTypes::of(&[EventType::Bind, EventType::Listen]);
const LOCAL: EventTypes = ENDS.union(SERVE);
/// Calls about an open file.
const FILE: EventTypes = EventTypes::of(&[
    EventType::Fchmod,
    EventType::Fchown,
    EventType::Fchdir,
    EventType::FinitModule,
    EventType::KexecFileLoad,
]);
/// Those whose descriptor has a number that is told.
const NUMBERED: EventTypes = OPEN.union(FILE).union(DUP).union(EventTypes::SENDS).union(SERVE);
const NONE: EventTypes = EventTypes::NONE;

fields! {
    /// Fields of the file descriptor.
    FileField in File {
        Number = "fd.num", Number, Nothing, One, NUMBERED,
        "Number of the descriptor, of `dup` the one that is copied; of opens -1 where nothing was opened; where it is not known no more than that it is not below 0";
        FileType = "fd.type", Text, Nothing, One, NAMED,
        "`file`, `directory` or `pipe`; `ipv4`, `ipv6`, `unix` or `netlink`";
        TypeCharacter = "fd.typechar", Text, Nothing, One, NAMED,
        "`f` for a file, devices and what could not be opened included; `d` for a directory; `p` for a pipe; `4`, `6` or `u` for a socket";
        Name = "fd.name", Text, Nothing, One, NAMED,
        "Path of the file that was opened, links resolved; what was asked for, normalised, where nothing was; client and server: `10.0.0.1:40000->10.0.0.2:443`, of a socket without a peer where it is bound: `0.0.0.0:80`; what a Unix socket's peer, or else it, is bound to";
        RawName = "fd.nameraw", Text, Nothing, One, OPEN, "Path as it was given";
        Directory = "fd.directory", Text, Nothing, One, OPEN.union(FILE), "Directory of the file; a directory itself";
        FileName = "fd.filename", Text, Nothing, One, OPEN.union(FILE), "Name of the file without its directory; a directory has none";
        Address = "fd.ip", Address, Nothing, Either, LOCAL, "Address of the client or of the server";
        ClientAddress = "fd.cip", Address, Nothing, One, ENDS, "Address of the client";
        ServerAddress = "fd.sip", Address, Nothing, One, LOCAL, "Address of the server";
        LocalAddress = "fd.lip", Address, Nothing, One, LOCAL, "Local address";
        RemoteAddress = "fd.rip", Address, Nothing, One, ENDS, "Address of the other end";
        Port = "fd.port", Number, Nothing, Either, LOCAL, "Port of the client or of the server";
        ClientPort = "fd.cport", Number, Nothing, One, ENDS, "Port of the client";
        ServerPort = "fd.sport", Number, Nothing, One, LOCAL, "Port of the server";
        LocalPort = "fd.lport", Number, Nothing, One, LOCAL, "Local port";
        RemotePort = "fd.rport", Number, Nothing, One, ENDS, "Port of the other end";
        Network = "fd.net", Network, Nothing, Either, LOCAL, "Network of the client or of the server";
        ClientNetwork = "fd.cnet", Network, Nothing, One, ENDS, "Network of the client";
        ServerNetwork = "fd.snet", Network, Nothing, One, LOCAL, "Network of the server";
        LocalNetwork = "fd.lnet", Network, Nothing, One, LOCAL, "Network of the local address";
        RemoteNetwork = "fd.rnet", Network, Nothing, One, ENDS, "Network of the other end";
        ClientName = "fd.cip.name", Text, Nothing, One, TALK, "Name that was resolved to the client's address";
        ServerName = "fd.sip.name", Text, Nothing, One, TALK, "Name that was resolved to the server's address";
        LocalName = "fd.lip.name", Text, Nothing, One, NONE, "Name of the local address";
        RemoteName = "fd.rip.name", Text, Nothing, One, TALK, "Name that was resolved to the other end's address";
        Protocol = "fd.l4proto", Text, Nothing, One, LOCAL, "`tcp`, `udp`, `icmp` or `raw`";
        Family = "fd.sockfamily", Text, Nothing, One, LOCAL, "`ip` or `unix`";
        IsServer = "fd.is_server", Bool, Nothing, One, LOCAL, "This end accepted";
        IsConnected = "fd.connected", Bool, Nothing, One, TALK, "The socket is connected, or about to be; of datagrams `false`";
        NameChanged = "fd.name_changed", Bool, Nothing, One, TALK, "The event gave the descriptor its name";
        Device = "fd.dev", Number, Nothing, One, OPEN, "Device of the file, as stat(2) has it";
        DeviceMajor = "fd.dev.major", Number, Nothing, One, OPEN, "Major number of that device";
        DeviceMinor = "fd.dev.minor", Number, Nothing, One, OPEN, "Minor number of that device";
        Inode = "fd.ino", Number, Nothing, One, OPEN, "Inode number of the file";
        UniqueId = "fd.uid", Text, Nothing, One, NUMBERED, "Thread id and number of the descriptor, one behind the other";
        ContainerName = "fd.containername", Text, Nothing, One, NAMED, "`container.id` and `fd.name` with a colon between";
        ContainerDirectory = "fd.containerdirectory", Text, Nothing, One, OPEN.union(FILE), "`container.id` and `fd.directory` with a colon between";
        ServiceName = "fd.proto", Text, Nothing, Either, LOCAL,
        "Service that the client's or the server's port belongs to by the node's /etc/services: `https`; also the number of the port";
        ClientServiceName = "fd.cproto", Text, Nothing, One, ENDS, "Service that the client's port belongs to, or its number";
        ServerServiceName = "fd.sproto", Text, Nothing, One, LOCAL, "Service that the server's port belongs to, or its number";
        LocalServiceName = "fd.lproto", Text, Nothing, One, LOCAL, "Service that the local port belongs to, or its number";
        RemoteServiceName = "fd.rproto", Text, Nothing, One, ENDS, "Service that the other end's port belongs to, or its number";
        Types = "fd.types", Text, MaybeName, Any, NONE, "Types of all open descriptors";
    }
}
