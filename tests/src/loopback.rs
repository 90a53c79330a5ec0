//! A network namespace that a thread makes for itself with nothing but system calls, so that it can be
//! had in a bare guest: a loopback, and a way to lose what is sent by it.

use std::io::{Error, Result};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::linux::fs::MetadataExt;

use crate::launch::checked;

/// Does something in a thread with a network namespace of its own, whose loopback is up. Its inode
/// number is handed over.
///
/// # Panics
/// When it cannot be made, or `act` panics.
pub fn in_new_namespace<T: Send>(act: impl FnOnce(u64) -> T + Send) -> T {
    std::thread::scope(|scope| {
        let inside = scope.spawn(move || {
            // SAFETY: takes a number only, and changes this thread alone.
            checked(unsafe { libc::unshare(libc::CLONE_NEWNET) }).unwrap();
            bring_up().unwrap();
            act(std::fs::metadata("/proc/thread-self/ns/net").unwrap().st_ino())
        });
        inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn bring_up() -> Result<()> {
    // SAFETY: `request` is plain numbers, is read and written within its size, and the descriptor is new.
    unsafe {
        let socket =
            checked(libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0))?;
        let socket = OwnedFd::from_raw_fd(socket);
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[..2].copy_from_slice(&[b'l', b'o'].map(|byte| byte as libc::c_char));
        request.ifr_ifru.ifru_flags =
            (libc::IFF_UP as libc::c_short) | libc::IFF_RUNNING as libc::c_short;
        checked(libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS, &raw const request)).map(drop)
    }
}

/// From now on whatever this thread's namespace sends by its loopback is lost before it gets there.
///
/// # Errors
/// What the kernel says.
pub fn lose_what_is_sent() -> Result<()> {
    // struct nlmsghdr, struct tcmsg and one attribute (linux/netlink.h, linux/rtnetlink.h).
    const NEW_QDISC: u16 = 36;
    const KIND: u16 = 1;
    const ROOT: u32 = 0xffff_ffff;
    const LOOPBACK: u32 = 1;
    let flags = libc::NLM_F_REQUEST | libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_REPLACE;
    let name = b"blackhole\0\0\0";
    let mut message = Vec::new();
    for word in [52, u32::from(NEW_QDISC) | (flags.cast_unsigned() << 16), 1, 0] {
        message.extend_from_slice(&word.to_ne_bytes());
    }
    for word in [0, LOOPBACK, 1 << 16, ROOT, 0] {
        message.extend_from_slice(&word.to_ne_bytes());
    }
    message.extend_from_slice(&14_u16.to_ne_bytes());
    message.extend_from_slice(&KIND.to_ne_bytes());
    message.extend_from_slice(name);
    assert_eq!(message.len(), 52);
    let mut answer = [0; 1024];
    // SAFETY: both buffers live during the calls, which are told their lengths; the descriptor is new.
    let read = unsafe {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        let socket = checked(libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE))?;
        let socket = OwnedFd::from_raw_fd(socket);
        checked(libc::send(socket.as_raw_fd(), message.as_ptr().cast(), message.len(), 0))?;
        checked(libc::recv(socket.as_raw_fd(), answer.as_mut_ptr().cast(), answer.len(), 0))?
    };
    // struct nlmsgerr: the error, negative, behind the header.
    assert!(read >= 20, "{read} bytes of an answer");
    let error = i32::from_ne_bytes(*answer[16..].first_chunk().unwrap());
    if error == 0 { Ok(()) } else { Err(Error::from_raw_os_error(-error)) }
}
