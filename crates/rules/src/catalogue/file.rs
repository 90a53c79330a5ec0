//! `fd.*`: the file or socket.

use super::{EventType, EventTypes, fields};

const NETWORK: EventTypes = EventTypes::NETWORK;
const OPEN: EventTypes = EventTypes::OPEN;
const NAMED: EventTypes = OPEN.union(NETWORK);
/// Calls that put a descriptor in another's place.
const DUP: EventTypes = EventTypes::of(&[EventType::Dup, EventType::Dup2, EventType::Dup3]);
const NONE: EventTypes = EventTypes::NONE;

fields! {
    /// Fields of the file descriptor.
    FileField in File {
        Number = "fd.num", Number, Nothing, One, OPEN,
        "Number of the descriptor; -1 where nothing was opened; where it is not known no more than that it is not below 0";
        FileType = "fd.type", Text, Nothing, One, NAMED.union(DUP),
        "`file` or `directory`; `ipv4` or `ipv6`; of `dup` not known if it is a socket";
        TypeCharacter = "fd.typechar", Text, Nothing, One, NAMED,
        "`f` for a file, devices and what could not be opened included; `d` for a directory; `4` or `6`";
        Name = "fd.name", Text, Nothing, One, NAMED,
        "Path of the file that was opened, links resolved; what was asked for, normalised, where nothing was; client and server: `10.0.0.1:40000->10.0.0.2:443`";
        RawName = "fd.nameraw", Text, Nothing, One, OPEN, "Path as it was given";
        Directory = "fd.directory", Text, Nothing, One, OPEN, "Directory of the file; a directory itself";
        FileName = "fd.filename", Text, Nothing, One, OPEN, "Name of the file without its directory; a directory has none";
        Address = "fd.ip", Address, Nothing, Either, NETWORK, "Address of the client or of the server";
        ClientAddress = "fd.cip", Address, Nothing, One, NETWORK, "Address of the client";
        ServerAddress = "fd.sip", Address, Nothing, One, NETWORK, "Address of the server";
        LocalAddress = "fd.lip", Address, Nothing, One, NETWORK, "Local address";
        RemoteAddress = "fd.rip", Address, Nothing, One, NETWORK, "Address of the other end";
        Port = "fd.port", Number, Nothing, Either, NETWORK, "Port of the client or of the server";
        ClientPort = "fd.cport", Number, Nothing, One, NETWORK, "Port of the client";
        ServerPort = "fd.sport", Number, Nothing, One, NETWORK, "Port of the server";
        LocalPort = "fd.lport", Number, Nothing, One, NETWORK, "Local port";
        RemotePort = "fd.rport", Number, Nothing, One, NETWORK, "Port of the other end";
        Network = "fd.net", Network, Nothing, Either, NETWORK, "Network of the client or of the server";
        ClientNetwork = "fd.cnet", Network, Nothing, One, NETWORK, "Network of the client";
        ServerNetwork = "fd.snet", Network, Nothing, One, NETWORK, "Network of the server";
        LocalNetwork = "fd.lnet", Network, Nothing, One, NETWORK, "Network of the local address";
        RemoteNetwork = "fd.rnet", Network, Nothing, One, NETWORK, "Network of the other end";
        ClientName = "fd.cip.name", Text, Nothing, One, NETWORK, "Name that was resolved to the client's address";
        ServerName = "fd.sip.name", Text, Nothing, One, NETWORK, "Name that was resolved to the server's address";
        LocalName = "fd.lip.name", Text, Nothing, One, NONE, "Name of the local address";
        RemoteName = "fd.rip.name", Text, Nothing, One, NETWORK, "Name that was resolved to the other end's address";
        Protocol = "fd.l4proto", Text, Nothing, One, NETWORK, "`tcp`";
        Family = "fd.sockfamily", Text, Nothing, One, NETWORK, "`ip`";
        IsServer = "fd.is_server", Bool, Nothing, One, NETWORK, "This end accepted";
        IsConnected = "fd.connected", Bool, Nothing, One, NETWORK, "The socket is connected, or about to be";
        NameChanged = "fd.name_changed", Bool, Nothing, One, NETWORK, "The event gave the descriptor its name";
        Device = "fd.dev", Number, Nothing, One, OPEN, "Device of the file, as stat(2) has it";
        DeviceMajor = "fd.dev.major", Number, Nothing, One, OPEN, "Major number of that device";
        DeviceMinor = "fd.dev.minor", Number, Nothing, One, OPEN, "Minor number of that device";
        Inode = "fd.ino", Number, Nothing, One, OPEN, "Inode number of the file";
        UniqueId = "fd.uid", Text, Nothing, One, NONE, "Thread id and number of the descriptor";
        ContainerName = "fd.containername", Text, Nothing, One, NONE, "Container id and name of the descriptor";
        ContainerDirectory = "fd.containerdirectory", Text, Nothing, One, NONE, "Container id and directory of the file";
        ServiceName = "fd.proto", Text, Nothing, Either, NONE, "Service that a port belongs to by custom";
        ClientServiceName = "fd.cproto", Text, Nothing, One, NONE, "Service that the client's port belongs to";
        ServerServiceName = "fd.sproto", Text, Nothing, One, NONE, "Service that the server's port belongs to";
        LocalServiceName = "fd.lproto", Text, Nothing, One, NONE, "Service that the local port belongs to";
        RemoteServiceName = "fd.rproto", Text, Nothing, One, NONE, "Service that the other end's port belongs to";
        Types = "fd.types", Text, MaybeName, Any, NONE, "Types of all open descriptors";
    }
}
