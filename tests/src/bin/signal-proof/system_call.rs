//! System calls with paths, with descriptors and with neither, that succeed and that fail.

use std::collections::BTreeSet;
use std::ffi::CString;
use std::fs;
use std::mem::ManuallyDrop;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, RawFd};
use std::path::Path;

use chandra_tests::comparison::Comparison;
use chandra_tests::process::Process;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;
use serde_json::{Value, json};

use crate::hooks::Hooks;

/// A call, and what its record must say of it.
struct Called {
    name: &'static str,
    number: i64,
    arguments: Vec<u64>,
    /// Each as it is made absolute, and as it was given.
    paths: Vec<(String, String)>,
    descriptor_type: Option<&'static str>,
    /// What the kernel says of where that is.
    descriptor_path: Option<String>,
    /// The socket that the call is about, with the word for its family.
    socket: Option<(RawFd, &'static str)>,
    /// Where it sends, if the call says so.
    destination: Option<SocketAddr>,
}

impl Called {
    fn make(&self) -> i64 {
        let mut all = [0; 6];
        all.iter_mut().zip(&self.arguments).for_each(|(to, from)| *to = *from);
        let [a, b, c, d, e, f] = all;
        // SAFETY: pointers among the arguments are to strings that outlive the call.
        unsafe { libc::syscall(self.number, a, b, c, d, e, f) }
    }
}

/// Few calls: each is watched by itself, where the kernel can do that.
pub fn calls(chandra: &Path, hooks: &mut Hooks) {
    prove(chandra, hooks, &[], "");
}

/// So many of them that all calls of the machine are looked at.
pub fn many_calls(chandra: &Path, hooks: &mut Hooks) {
    const OTHERS: &[&str] = &[
        "setuid",
        "setgid",
        "setreuid",
        "setregid",
        "setresuid",
        "setresgid",
        "setfsuid",
        "setfsgid",
        "setgroups",
        "capset",
        "ptrace",
        "bpf",
        "mount",
        "umount2",
        "chroot",
        "pivot_root",
    ];
    prove(chandra, hooks, OTHERS, ", many calls");
}

/// Every field of every record.
fn prove(chandra: &Path, hooks: &mut Hooks, others: &[&str], suffix: &str) {
    let scratch = Scratch::new();
    let root = scratch.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    fs::write(format!("{root}/there"), "text").unwrap();
    let folder = fs::File::open(root).unwrap();
    let file = fs::File::open(format!("{root}/there")).unwrap();
    let (below, here) = (folder.as_raw_fd() as u64, libc::AT_FDCWD as u64);
    let text = |text: &str| CString::new(text).unwrap();
    let (there, link, target) = (text("there"), text("link"), text("../any where"));
    let (moved, memfd) = (text(&format!("{root}/moved")), text("secret"));
    let none = text("chandra-not-there");
    let (unix, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let ipv4 = UdpSocket::bind("127.0.0.1:0").unwrap();
    let ipv6 = std::net::TcpListener::bind("[::1]:0").unwrap();
    let [server, client, stranger] = [(); 3].map(|()| unix_socket());
    let [bound, missing] = ["bound", "missing"].map(|name| unix_address(&format!("{root}/{name}")));
    let abstract_name = unix_address("\0chandra-signal-proof");
    let there_too = ipv4.local_addr().unwrap();
    let datagram_address = internet_address(there_too.port());
    let of_socket =
        |name, number, socket: RawFd, family, address: &[u8], path: Option<&str>| Called {
            name,
            number,
            arguments: vec![socket as u64, address.as_ptr() as u64, address.len() as u64],
            paths: Vec::new(),
            descriptor_type: Some("socket"),
            descriptor_path: path.map(str::to_owned),
            socket: Some((socket, family)),
            destination: None,
        };
    let at_file = |call: Called| Called { descriptor_path: Some(format!("{root}/there")), ..call };
    let listen = |socket: RawFd, family, path| {
        let call = of_socket("listen", libc::SYS_listen, socket, family, &[], path);
        Called { arguments: vec![socket as u64, 5], ..call }
    };
    let bound_path = format!("{root}/bound");
    let connect = libc::SYS_connect;
    let sender = UdpSocket::bind("127.0.0.1:0").unwrap();
    let (elsewhere, sender_6) =
        (UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("[::1]:0").unwrap());
    let (to, to_6) = (elsewhere.local_addr().unwrap(), sender_6.local_addr().unwrap());
    let (address, address_6) = (internet_address(to.port()), internet_address_6(to_6.port()));
    let headers = [&address, &address_6].map(|address| message_header(address));
    let sends = |name, number, socket: &UdpSocket, family, arguments: &[u64], destination| Called {
        arguments: [&[socket.as_raw_fd() as u64], arguments].concat(),
        destination,
        ..of_socket(name, number, socket.as_raw_fd(), family, &[], None)
    };
    let [header, header_6] = headers.each_ref().map(|header| header.as_ptr() as u64);
    let data = pointer_to(b"data");
    let pointer = |text: &CString| text.as_ptr() as u64;
    let working = std::env::current_dir().unwrap();
    let at = |path: &str| (format!("{root}/{path}"), path.to_owned());
    let plain = |text: &str| (text.to_owned(), text.to_owned());
    let call = |name, number, arguments: &[u64], paths: &[(String, String)], descriptor_type| {
        let (arguments, paths) = (arguments.to_vec(), paths.to_vec());
        let (descriptor_path, socket, destination) = (None, None, None);
        Called {
            name,
            number,
            arguments,
            paths,
            descriptor_type,
            descriptor_path,
            socket,
            destination,
        }
    };
    let all = [
        call(
            "symlinkat",
            libc::SYS_symlinkat,
            &[pointer(&target), below, pointer(&link)],
            &[plain("../any where"), at("link")],
            None,
        ),
        call(
            "linkat",
            libc::SYS_linkat,
            &[below, pointer(&there), here, pointer(&moved), 0],
            &[at("there"), plain(&format!("{root}/moved"))],
            None,
        ),
        at_file(call(
            "fchmod",
            libc::SYS_fchmod,
            &[file.as_raw_fd() as u64, 0o600],
            &[],
            Some("regular"),
        )),
        call(
            "fchmodat",
            libc::SYS_fchmodat,
            &[here, pointer(&none), 0o600],
            &[(
                working.join("chandra-not-there").to_str().unwrap().to_owned(),
                "chandra-not-there".to_owned(),
            )],
            None,
        ),
        call(
            "memfd_create",
            libc::SYS_memfd_create,
            &[pointer(&memfd), 0],
            &[plain("secret")],
            None,
        ),
        at_file(call(
            "setns",
            libc::SYS_setns,
            &[file.as_raw_fd() as u64, 0],
            &[],
            Some("regular"),
        )),
        call("unshare", libc::SYS_unshare, &[0], &[], None),
        Called {
            arguments: vec![unix.as_raw_fd() as u64],
            ..of_socket("dup", libc::SYS_dup, unix.as_raw_fd(), "unix", &[], None)
        },
        Called {
            arguments: vec![ipv4.as_raw_fd() as u64, ipv4.as_raw_fd() as u64, 0],
            ..of_socket("dup3", libc::SYS_dup3, ipv4.as_raw_fd(), "ipv4", &[], None)
        },
        of_socket("bind", libc::SYS_bind, server, "unix", &bound, Some(&bound_path)),
        listen(server, "unix", Some(&bound_path)),
        of_socket("connect", connect, client, "unix", &bound, Some(&bound_path)),
        Called {
            paths: vec![plain(&format!("{root}/missing"))],
            ..of_socket("connect", connect, stranger, "unix", &missing, None)
        },
        of_socket(
            "bind",
            libc::SYS_bind,
            stranger,
            "unix",
            &abstract_name,
            Some("@chandra-signal-proof"),
        ),
        of_socket("connect", connect, ipv4.as_raw_fd(), "ipv4", &datagram_address, None),
        listen(ipv6.as_raw_fd(), "ipv6", None),
        Called {
            arguments: vec![client as u64, 2],
            ..of_socket("shutdown", libc::SYS_shutdown, client, "unix", &[], Some(&bound_path))
        },
        sends(
            "sendto",
            libc::SYS_sendto,
            &sender,
            "ipv4",
            &[data, 4, 0, address.as_ptr() as u64, address.len() as u64],
            Some(to),
        ),
        // To whom it is connected by now.
        sends("sendto", libc::SYS_sendto, &ipv4, "ipv4", &[data, 4, 0, 0, 0], None),
        sends("sendmsg", libc::SYS_sendmsg, &sender, "ipv4", &[header, 0], Some(to)),
        sends("sendmsg", libc::SYS_sendmsg, &sender_6, "ipv6", &[header_6, 0], Some(to_6)),
        sends("sendmmsg", libc::SYS_sendmmsg, &sender, "ipv4", &[header, 1, 0], Some(to)),
        call("setpgid", libc::SYS_setpgid, &[0, u64::from(u32::MAX)], &[], None),
    ];
    let names: BTreeSet<_> =
        all.iter().map(|call| call.name).chain(others.iter().copied()).collect();
    let names: Vec<_> = names.into_iter().collect();
    let own = Process::own();
    let pid = std::process::id().to_string();
    let mut trace =
        Trace::start_program(chandra, &["syscalls", "--pid", &pid, "--call", &names.join(",")]);
    for call in &all {
        let before = wall_clock::now();
        let result = call.make();
        let error = std::io::Error::last_os_error().raw_os_error();
        let result = if result < 0 { -i64::from(error.unwrap_or(0)) } else { result };
        let record = trace.wait_for(call.name, |record| {
            // Calls of one name differ in their arguments.
            record.text("system_call.name") == Some(call.name)
                && record.at("system_call.arguments") == Some(&json!(hexadecimal(&call.arguments)))
        });
        let when = before..=wall_clock::now();
        let mut fields = Comparison::of(&record, "system_call", "system_call", when);
        own.compare(&mut fields, "process");
        compare(&mut fields, call, result);
        hooks.compared(&format!("sys_exit{suffix}"), fields.finish());
    }
    for socket in [server, client, stranger] {
        // SAFETY: it was made here, and nobody else closes it.
        unsafe { libc::close(socket) };
    }
    hooks.served_as(&trace.stop(), suffix);
}

fn unix_socket() -> RawFd {
    // SAFETY: numbers only.
    let socket = unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) };
    assert!(socket >= 0);
    socket
}

/// `struct sockaddr_un`, as long as its path, which has an end only where it is no abstract name.
fn unix_address(path: &str) -> Vec<u8> {
    let end: &[u8] = if path.starts_with('\0') { &[] } else { &[0] };
    [&(libc::AF_UNIX as u16).to_ne_bytes(), path.as_bytes(), end].concat()
}

/// `struct sockaddr_in` of the loopback interface.
fn internet_address(port: u16) -> Vec<u8> {
    let family = (libc::AF_INET as u16).to_ne_bytes();
    [&family[..], &port.to_be_bytes(), &[127, 0, 0, 1], &[0; 8]].concat()
}

/// `struct sockaddr_in6` of the loopback interface.
fn internet_address_6(port: u16) -> Vec<u8> {
    let family = (libc::AF_INET6 as u16).to_ne_bytes();
    let (flow, scope) = ([0; 4], [0; 4]);
    let address = std::net::Ipv6Addr::LOCALHOST.octets();
    [&family[..], &port.to_be_bytes(), &flow, &address, &scope].concat()
}

/// `struct mmsghdr` of a message without data to this address, which is a `struct msghdr`, too.
fn message_header(address: &[u8]) -> [u64; 8] {
    let (mut header, bytes) = ([0; 8], address.len() as u64);
    header[0] = address.as_ptr() as u64;
    // The upper half is padding.
    header[1] = u64::from(u32::try_from(bytes).unwrap());
    header
}

fn pointer_to(data: &'static [u8]) -> u64 {
    data.as_ptr() as u64
}

fn hexadecimal(arguments: &[u64]) -> Vec<String> {
    arguments.iter().map(|argument| format!("{argument:#x}")).collect()
}

fn option(socket: RawFd, name: libc::c_int) -> i32 {
    let (mut value, mut length) = (0i32, 4);
    // SAFETY: the value has as many bytes as it says.
    let failed = unsafe {
        libc::getsockopt(socket, libc::SOL_SOCKET, name, (&raw mut value).cast(), &raw mut length)
    };
    assert_eq!(failed, 0);
    value
}

/// What the kernel says of a socket when it is asked.
fn compare_socket(fields: &mut Comparison, socket: RawFd, destination: Option<SocketAddr>) {
    // SAFETY: it is open, and is not closed here.
    let asked = ManuallyDrop::new(unsafe { UdpSocket::from_raw_fd(socket) });
    let local = asked.local_addr().unwrap();
    let peer = destination.or_else(|| asked.peer_addr().ok());
    fields.is("system_call.socket.protocol", option(socket, libc::SO_PROTOCOL));
    fields.is("system_call.socket.local.address", local.ip().to_string());
    fields.is("system_call.socket.local.port", local.port());
    fields.is_optional("system_call.socket.peer.address", peer.map(|peer| peer.ip().to_string()));
    fields.is_optional("system_call.socket.peer.port", peer.map(|peer| peer.port()));
    fields.is("system_call.socket.is_server", option(socket, libc::SO_ACCEPTCONN) != 0);
}

fn compare(fields: &mut Comparison, call: &Called, result: i64) {
    fields.is("system_call.name", call.name);
    fields.is("system_call.number", call.number);
    fields.is("system_call.arguments", json!(hexadecimal(&call.arguments)));
    // SAFETY: it only asks.
    fields.is("system_call.effective_uid", unsafe { libc::geteuid() });
    fields.is_optional("system_call.descriptor_type", call.descriptor_type);
    fields.is_optional("system_call.descriptor_family", call.socket.map(|(_, family)| family));
    fields.is_optional("system_call.descriptor_path", call.descriptor_path.clone());
    if let Some((socket, "ipv4" | "ipv6")) = call.socket {
        compare_socket(fields, socket, call.destination);
    }
    let has_path = !call.paths.is_empty() || call.descriptor_path.is_some();
    fields.is_optional("system_call.path_truncated", has_path.then_some(false));
    for (index, object) in ["path", "second_path"].into_iter().enumerate() {
        let (path, given) = call.paths.get(index).cloned().unzip();
        fields.is_optional(&format!("system_call.{object}"), path);
        fields.is_optional(&format!("system_call.{object}_given"), given);
    }
    fields.is("result", result);
    let error = (result < 0).then_some(-result);
    fields.is_optional("error_number", error);
    let name = fields.take("error").as_ref().and_then(Value::as_str).map(str::to_owned);
    let expected = match error.map(|error| error as i32) {
        Some(libc::ENOENT) => Some("ENOENT"),
        Some(libc::EINVAL) => Some("EINVAL"),
        Some(libc::ESRCH) => Some("ESRCH"),
        Some(libc::EPERM) => Some("EPERM"),
        Some(other) => return fields.problem(format!("failed with {other}")),
        None => None,
    };
    if name.as_deref() != expected {
        fields.problem(format!("error is {name:?}, in truth {expected:?}"));
    }
}
