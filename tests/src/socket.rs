//! What the standard library does not offer of TCP sockets.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsRawFd;

use crate::launch::checked;
use crate::patience::wait_for;

fn set<T>(socket: &impl AsRawFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).unwrap();
    let value = std::ptr::from_ref(value).cast();
    // SAFETY: `value` points to `size` bytes that are read during the call.
    checked(unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value, size) }).map(drop)
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
