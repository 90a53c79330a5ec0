//! What the standard library does not offer of TCP sockets.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::launch::checked;
use crate::patience::wait_for;

fn set<T>(socket: &impl AsRawFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).unwrap();
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: `value` points to `size` bytes that are read during the call.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, size) }).map(drop)
}

/// Opens connections of this machine to itself, sends a byte over each, and closes them, the opener first. Where to.
pub fn connections(count: usize) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..count {
        let mut opener = TcpStream::connect(address).unwrap();
        let (mut acceptor, _) = listener.accept().unwrap();
        opener.write_all(b"x").unwrap();
        drop(opener);
        assert_eq!(acceptor.read_to_end(&mut Vec::new()).unwrap(), 1);
    }
    address
}

/// Ends the connection with an RST instead of a FIN.
pub fn reset(socket: TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    set(&socket, libc::SOL_SOCKET, libc::SO_LINGER, &linger).unwrap();
    drop(socket);
}

/// From now on every segment that arrives for the socket is lost before TCP sees it.
pub fn lose_what_arrives(socket: &impl AsRawFd) {
    let mut program = [libc::sock_filter { code: 0x06, jt: 0, jf: 0, k: 0 }]; // return 0 bytes
    let filter = libc::sock_fprog { len: 1, filter: program.as_mut_ptr() };
    set(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter).unwrap();
}

/// Lets segments through again.
pub fn lose_nothing(socket: &impl AsRawFd) {
    set(socket, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0i32).unwrap();
}

/// Sends a delayed acknowledgement now.
pub fn acknowledge(socket: &TcpStream) {
    set(socket, libc::IPPROTO_TCP, libc::TCP_QUICKACK, &1i32).unwrap();
}

/// Waits until the peer has acknowledged everything that was sent.
pub fn wait_until_acknowledged(socket: &TcpStream) {
    wait_for("acknowledgement of all bytes", || (unacknowledged(socket) == 0).then_some(()));
}

/// Bytes that were sent and not acknowledged.
pub fn unacknowledged(socket: &TcpStream) -> i32 {
    let mut bytes = 0i32;
    // SAFETY: the kernel writes an int to `bytes`.
    checked(unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) }).unwrap();
    bytes
}

/// Ends the sending direction.
pub fn finish_sending(socket: &TcpStream) {
    socket.shutdown(Shutdown::Write).unwrap();
}

/// The kernel's cookie of this socket, which exists from when it is first asked for.
pub fn cookie(socket: &impl AsRawFd) -> u64 {
    let (mut cookie, mut size) = (0u64, 8);
    let place = (&raw mut cookie).cast();
    // SAFETY: the kernel writes `size` bytes to `cookie`.
    let asked = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_COOKIE,
            place,
            &raw mut size,
        )
    };
    checked(asked).unwrap();
    cookie
}

/// The number that names the socket among the machine's open ones.
pub fn inode(socket: &impl AsRawFd) -> u64 {
    let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let name = std::fs::read_link(path).unwrap().into_os_string().into_string().unwrap();
    name.strip_prefix("socket:[").unwrap().strip_suffix(']').unwrap().parse().unwrap()
}

/// The kernel keeps about so many bytes for the socket that nobody has read yet.
pub fn limit_receive_buffer(socket: &impl AsRawFd, bytes: i32) {
    set(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, &bytes).unwrap();
}

/// What is sent at once goes out as datagrams of so many bytes (UDP_SEGMENT, kernel 4.18).
pub fn send_in_segments(socket: &std::net::UdpSocket, bytes: i32) {
    const UDP_SEGMENT: i32 = 103;
    set(socket, libc::IPPROTO_UDP, UDP_SEGMENT, &bytes).unwrap();
}

/// A raw socket: what is sent is this protocol's, header and all; IPv6 where `address` is.
pub fn raw(address: std::net::IpAddr, protocol: i32) -> std::net::UdpSocket {
    let family = if address.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 };
    let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers only; the descriptor returned is new and nobody else's.
    let socket =
        unsafe { OwnedFd::from_raw_fd(checked(libc::socket(family, kind, protocol)).unwrap()) };
    std::net::UdpSocket::from(socket)
}

/// A socket that sends echo requests and gets their replies, and nothing else of ICMP.
pub fn ping(is_ipv4: bool) -> std::net::UdpSocket {
    let (family, protocol) = match is_ipv4 {
        true => (libc::AF_INET, libc::IPPROTO_ICMP),
        false => (libc::AF_INET6, libc::IPPROTO_ICMPV6),
    };
    let kind = libc::SOCK_DGRAM | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers only; the descriptor returned is new and nobody else's.
    let socket =
        unsafe { OwnedFd::from_raw_fd(checked(libc::socket(family, kind, protocol)).unwrap()) };
    let socket = std::net::UdpSocket::from(socket);
    socket.set_read_timeout(Some(crate::patience::PATIENCE)).unwrap();
    socket
}

/// What is sent is never cut into fragments, whatever the kernel knows of the way.
pub fn never_fragment(socket: &std::net::UdpSocket) {
    let (level, option) = match socket.local_addr().unwrap().is_ipv4() {
        true => (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER),
        false => (libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER),
    };
    set(socket, level, option, &libc::IP_PMTUDISC_DO).unwrap();
}

/// So many routers may pass on what is sent.
pub fn set_hops(socket: &impl AsRawFd, is_ipv4: bool, hops: i32) {
    let (level, option) = match is_ipv4 {
        true => (libc::IPPROTO_IP, libc::IP_TTL),
        false => (libc::IPPROTO_IPV6, libc::IPV6_UNICAST_HOPS),
    };
    set(socket, level, option, &hops).unwrap();
}

/// What the kernel says of a connection's life (`struct tcp_info`).
pub fn information(socket: &TcpStream) -> libc::tcp_info {
    // SAFETY: `tcp_info` is plain numbers, and the kernel writes at most its size.
    unsafe {
        let mut information: libc::tcp_info = std::mem::zeroed();
        let mut size = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).unwrap();
        checked(libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            (&raw mut information).cast(),
            &raw mut size,
        ))
        .unwrap();
        information
    }
}

/// An IPv4 socket of this protocol (0: TCP) that does nothing yet.
pub fn unbound(protocol: i32) -> io::Result<TcpStream> {
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC;
    // SAFETY: takes numbers only; the descriptor returned is new and nobody else's.
    let socket =
        unsafe { OwnedFd::from_raw_fd(checked(libc::socket(libc::AF_INET, kind, protocol))?) };
    Ok(TcpStream::from(socket))
}

/// The same, bound to a free port of the loopback.
pub fn bound(protocol: i32) -> io::Result<TcpStream> {
    let socket = unbound(protocol)?;
    bind_to(&socket, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    Ok(socket)
}

/// Gives an unbound socket this address.
pub fn bind_to(socket: &impl AsRawFd, address: SocketAddrV4) -> io::Result<()> {
    with_address(address, |address, size| {
        // SAFETY: `address` points to `size` bytes that are read during the call.
        checked(unsafe { libc::bind(socket.as_raw_fd(), address, size) }).map(drop)
    })
}

/// Connects a socket, as often as is wanted.
pub fn connect(socket: &impl AsRawFd, address: SocketAddrV4) -> io::Result<()> {
    with_address(address, |address, size| {
        // SAFETY: `address` points to `size` bytes that are read during the call.
        checked(unsafe { libc::connect(socket.as_raw_fd(), address, size) }).map(drop)
    })
}

/// Lets others connect to a bound socket; with `fast_open` so that their first data may come with
/// the SYN.
pub fn listen(socket: TcpStream, fast_open: bool) -> TcpListener {
    // SAFETY: takes numbers only.
    checked(unsafe { libc::listen(socket.as_raw_fd(), 16) }).unwrap();
    if fast_open {
        set(&socket, libc::IPPROTO_TCP, libc::TCP_FASTOPEN, &16i32).unwrap();
    }
    TcpListener::from(OwnedFd::from(socket))
}

/// Connects with these bytes in the SYN, where the kernel may.
pub fn connect_with(socket: &impl AsRawFd, address: SocketAddrV4, bytes: &[u8]) -> io::Result<()> {
    let sent = with_address(address, |address, size| {
        // SAFETY: both are read during the call, as many bytes as each is long.
        checked(unsafe {
            let bytes = (bytes.as_ptr().cast(), bytes.len());
            let flags = libc::MSG_FASTOPEN;
            libc::sendto(socket.as_raw_fd(), bytes.0, bytes.1, flags, address, size)
        })
    })?;
    assert_eq!(usize::try_from(sent), Ok(bytes.len()));
    Ok(())
}

fn with_address<T>(
    address: SocketAddrV4,
    act: impl FnOnce(*const libc::sockaddr, libc::socklen_t) -> T,
) -> T {
    let place = libc::sockaddr_in {
        sin_family: libc::AF_INET.cast_unsigned().try_into().unwrap(),
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    };
    act((&raw const place).cast(), libc::socklen_t::try_from(size_of_val(&place)).unwrap())
}
