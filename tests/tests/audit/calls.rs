//! Rules about sockets and descriptors, from the system call to the alert.

use std::fs::{self, File};
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::{UnixListener, UnixStream};

use chandra_tests::agent::Agent;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;

/// An agent with this rule, which prints its alerts as JSON, each with these fields.
fn auditing(scratch: &Scratch, condition: &str, fields: &str) -> Agent {
    let file = scratch.at("rules.yaml");
    let rule = format!(
        "- rule: R\n  desc: d\n  priority: INFO\n  output: \"{fields}\"\n  condition: {condition}\n"
    );
    fs::write(&file, rule).unwrap();
    let arguments = ["--rules", file.to_str().unwrap(), "--alerts", "json"];
    let mut agent = Agent::start(&arguments);
    agent.read_output();
    agent.wait_until_ready();
    agent
}

/// The one alert's fields.
fn alert(agent: Agent) -> Record {
    let own = std::process::id();
    let alert = agent.wait_for("the alert", |record| record.at("rule").is_some());
    assert_eq!(alert.at("process").unwrap()["pid"], own, "{alert:?}");
    let alerts = agent.stop().records();
    assert_eq!(alerts.len(), 1, "{alerts:#?}");
    alert
}

fn field<'a>(alert: &'a Record, name: &str) -> &'a str {
    alert.at("output_fields").unwrap()[name].as_str().unwrap()
}

#[test]
fn a_unix_socket_is_named_by_the_kernel_whatever_link_led_there() {
    needs!("root");
    let scratch = Scratch::new();
    let folder = scratch.path().canonicalize().unwrap();
    let path = folder.join("runtime.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let other = UnixListener::bind(folder.join("other.sock")).unwrap();
    symlink("runtime.sock", folder.join("innocent")).unwrap();
    let condition =
        format!("evt.type = connect and fd.typechar = u and fd.name = {}", path.display());
    let agent = auditing(&scratch, &condition, "%fd.name %evt.res %fd.type");
    drop(UnixStream::connect(folder.join("other.sock")).unwrap());
    drop(UnixStream::connect(folder.join("innocent")).unwrap());
    let alert = alert(agent);
    assert_eq!(field(&alert, "fd.name"), path.to_str().unwrap());
    assert_eq!((field(&alert, "evt.res"), field(&alert, "fd.type")), ("SUCCESS", "unix"));
    drop((listener, other));
}

#[test]
fn a_unix_socket_that_refuses_is_named_as_it_was_asked_for() {
    needs!("root");
    let scratch = Scratch::new();
    let path = scratch.path().canonicalize().unwrap().join("missing.sock");
    let condition = format!("evt.type = connect and fd.name = {}", path.display());
    let agent = auditing(&scratch, &condition, "%evt.res %fd.name");
    UnixStream::connect(path.with_file_name("./missing.sock")).unwrap_err();
    assert_eq!(field(&alert(agent), "evt.res"), "ENOENT");
}

#[test]
fn a_connection_over_tcp_fires_once_and_one_over_udp_with_its_local_port() {
    needs!("root");
    let scratch = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let condition = format!("evt.type = connect and fd.sport = {}", address.port());
    let agent = auditing(&scratch, &condition, "%fd.l4proto %fd.name");
    drop(TcpStream::connect(address).unwrap());
    let tcp = agent.wait_for("the handshake", |record| record.at("rule").is_some());
    assert_eq!(field(&tcp, "fd.l4proto"), "tcp");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(address).unwrap();
    let udp = agent.wait_for("the call", |record| {
        record.at("rule").is_some() && field(record, "fd.l4proto") == "udp"
    });
    let expected = format!("{}->{address}", socket.local_addr().unwrap());
    assert_eq!(field(&udp, "fd.name"), expected);
    assert_eq!(agent.stop().records().len(), 2);
}

#[test]
fn a_socket_that_listens_is_told_with_its_port() {
    needs!("root");
    let scratch = Scratch::new();
    let condition =
        "evt.type = listen and fd.sip = 127.0.0.1 and fd.l4proto = tcp and evt.rawres = 0";
    let agent = auditing(&scratch, condition, "%fd.sport %fd.name %fd.is_server");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let own = std::process::id();
    let alert = agent.wait_for("the alert", |record| {
        record.at("rule").is_some() && record.at("process").unwrap()["pid"] == own
    });
    assert_eq!(alert.at("output_fields").unwrap()["fd.sport"], address.port());
    assert_eq!(field(&alert, "fd.name"), address.to_string());
    agent.stop();
}

#[test]
fn a_connection_in_the_place_of_another_descriptor_is_told_with_its_peer() {
    needs!("root");
    let scratch = Scratch::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let opener = TcpStream::connect(address).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let condition = format!(
        "evt.type in (dup2, dup3) and fd.typechar in (4, 6) and fd.sip = 127.0.0.1 and fd.sport = {} and fd.is_server = false",
        address.port()
    );
    let agent = auditing(&scratch, &condition, "%fd.name %evt.rawres");
    let place = File::open("/dev/null").unwrap();
    for descriptor in [accepted.as_raw_fd(), opener.as_raw_fd()] {
        // SAFETY: both are open, and whatever was in that place is closed by it.
        unsafe { libc::dup3(descriptor, place.as_raw_fd(), libc::O_CLOEXEC) };
    }
    let expected = format!("{}->{address}", opener.local_addr().unwrap());
    assert_eq!(field(&alert(agent), "fd.name"), expected);
}

#[test]
fn a_mode_that_is_set_by_descriptor_names_the_file() {
    needs!("root");
    let scratch = Scratch::new();
    let path = scratch.path().canonicalize().unwrap().join("program");
    let file = File::create(&path).unwrap();
    let condition = format!(
        "evt.type = fchmod and evt.arg.mode contains S_IXUSR and fd.directory = {}",
        path.parent().unwrap().display()
    );
    let agent = auditing(&scratch, &condition, "%fd.name %fd.filename");
    file.set_permissions(fs::Permissions::from_mode(0o600)).unwrap();
    file.set_permissions(fs::Permissions::from_mode(0o700)).unwrap();
    let alert = alert(agent);
    assert_eq!(field(&alert, "fd.name"), path.to_str().unwrap());
    assert_eq!(field(&alert, "fd.filename"), "program");
}

#[test]
fn the_first_datagram_to_somebody_is_told_and_not_those_behind_it() {
    needs!("root");
    let scratch = Scratch::new();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = receiver.local_addr().unwrap();
    let condition = format!(
        "evt.type in (sendto, sendmsg) and fd.l4proto != tcp and fd.connected = false and fd.name_changed = true and fd.sport = {}",
        address.port()
    );
    let agent = auditing(&scratch, &condition, "%fd.name %evt.rawres");
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..5 {
        assert_eq!(sender.send_to(b"four", address).unwrap(), 4);
    }
    let alert = alert(agent);
    assert_eq!(field(&alert, "fd.name"), format!("{}->{address}", sender.local_addr().unwrap()));
    assert_eq!(alert.at("output_fields").unwrap()["evt.rawres"], 4);
}

/// Sends `data` through each of the calls to this address, and returns what each returned.
fn sent_each_way(socket: &UdpSocket, to: SocketAddr, data: &[u8]) -> [i64; 3] {
    let SocketAddr::V4(to) = to else { panic!("an address of IPv4") };
    let mut address = libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: to.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.ip().octets()) },
        sin_zero: [0; 8],
    };
    let bytes = size_of_val(&address) as u32;
    let mut piece = libc::iovec { iov_base: data.as_ptr().cast_mut().cast(), iov_len: data.len() };
    // SAFETY: numbers and null pointers are a message of nothing.
    let mut message: libc::mmsghdr = unsafe { std::mem::zeroed() };
    message.msg_hdr.msg_name = (&raw mut address).cast();
    message.msg_hdr.msg_namelen = bytes;
    message.msg_hdr.msg_iov = &raw mut piece;
    message.msg_hdr.msg_iovlen = 1;
    let socket = socket.as_raw_fd();
    // SAFETY: address, piece and data outlive the calls.
    unsafe {
        let (name, flags) = ((&raw const address).cast(), 0);
        let by_sendto = libc::sendto(socket, data.as_ptr().cast(), data.len(), flags, name, bytes);
        let by_sendmsg = libc::sendmsg(socket, &raw const message.msg_hdr, flags);
        let by_sendmmsg = libc::sendmmsg(socket, &raw mut message, 1, flags);
        [by_sendto as i64, by_sendmsg as i64, by_sendmmsg.into()]
    }
}

#[test]
fn every_datagram_is_told_by_its_call_with_where_it_went_and_what_came_of_it() {
    needs!("root");
    let scratch = Scratch::new();
    let (receiver, other) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let (to, elsewhere) = (receiver.local_addr().unwrap(), other.local_addr().unwrap());
    let condition = format!(
        "evt.type in (sendto, sendmsg, sendmmsg) and fd.l4proto = udp and fd.sip = 127.0.0.1 and fd.sport = {}",
        to.port()
    );
    let agent = auditing(&scratch, &condition, "%evt.type %evt.res %evt.rawres %fd.name %fd.cport");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let from = socket.local_addr().unwrap();
    // Near misses: another port, and a connection over TCP, which the kernel sends by the same call.
    sent_each_way(&socket, elsewhere, b"elsewhere");
    let listener = TcpListener::bind(to).unwrap();
    let mut connection = TcpStream::connect(to).unwrap();
    connection.write_all(b"by TCP").unwrap();
    let results = sent_each_way(&socket, to, b"datagram");
    assert_eq!(results, [8, 8, 1]);
    // Too large for a datagram.
    let refused = socket.send_to(&vec![0; 70_000], to).unwrap_err();
    assert_eq!(refused.raw_os_error(), Some(libc::EMSGSIZE));
    let connected = UdpSocket::bind("127.0.0.1:0").unwrap();
    connected.connect(to).unwrap();
    connected.send(b"connected").unwrap();
    let connected_from = connected.local_addr().unwrap();
    // In truth they came, and no others did.
    let mut came = Vec::new();
    for _ in 0..4 {
        let mut data = [0; 16];
        let (bytes, from) = receiver.recv_from(&mut data).unwrap();
        came.push((bytes, from));
    }
    assert_eq!(came, [(8, from), (8, from), (8, from), (9, connected_from)]);
    let told = |from: SocketAddr, name: &str, res: &str, rawres: i64| {
        (name.to_owned(), res.to_owned(), rawres, format!("{from}->{to}"))
    };
    let expected = [
        told(from, "sendto", "SUCCESS", 8),
        told(from, "sendmsg", "SUCCESS", 8),
        told(from, "sendmmsg", "SUCCESS", 1),
        told(from, "sendto", "EMSGSIZE", -90),
        told(connected_from, "sendto", "SUCCESS", 9),
    ];
    agent.wait_for("the last one", |record| {
        record.at("rule").is_some() && field(record, "fd.name") == expected[4].3
    });
    drop((connection, listener));
    let alerts = agent.stop().records();
    let alerts: Vec<_> = alerts
        .iter()
        .map(|alert| {
            assert_eq!(alert.at("process").unwrap()["pid"], std::process::id(), "{alert:?}");
            let text = |name: &str| field(alert, name).to_owned();
            let rawres = alert.at("output_fields").unwrap()["evt.rawres"].as_i64().unwrap();
            (text("evt.type"), text("evt.res"), rawres, text("fd.name"))
        })
        .collect();
    assert_eq!(alerts, expected);
}

#[test]
fn calls_that_send_are_attached_only_where_a_rule_asks_for_them() {
    needs!("root");
    let scratch = Scratch::new();
    let receiver = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = receiver.local_addr().unwrap();
    let new = "fd.l4proto != tcp and fd.connected = false and fd.name_changed = true";
    let condition = format!("evt.type in (sendto, sendmsg) and {new} and fd.sport = {}", to.port());
    let agent = auditing(&scratch, &condition, "%evt.type %fd.name");
    let signals = agent.get("/signals").body;
    let signals = signals.at("signals").unwrap().as_array().unwrap();
    assert!(signals.iter().all(|signal| signal["signal"] != "system_call"), "{signals:#?}");
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    for _ in 0..3 {
        sent_each_way(&socket, to, b"datagram");
    }
    // The first of nine.
    assert_eq!(field(&alert(agent), "evt.type"), "sendto");
}
