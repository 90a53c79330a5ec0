//! The connection key as it was on the wire: the sequence numbers that both ends chose.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use crate::launch::checked;
use crate::patience::wait_for;

/// Sees the IPv4 segments that reach this network namespace, while it lives.
#[derive(Debug)]
pub struct Wire {
    socket: OwnedFd,
    /// The sequence number of the first byte after the SYN, by source and destination port.
    first: HashMap<(u16, u16), u32>,
}

const SYN: u8 = 2;

impl Wire {
    /// Begins to look.
    ///
    /// # Panics
    /// Without the right to.
    pub fn new() -> Self {
        let kind = libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        // SAFETY: takes numbers only; the descriptor returned is new and nobody else's.
        let socket = unsafe {
            OwnedFd::from_raw_fd(
                checked(libc::socket(libc::AF_INET, kind, libc::IPPROTO_TCP)).unwrap(),
            )
        };
        Self { socket, first: HashMap::new() }
    }

    /// The key of the connection between these ports: what the opener's first byte is numbered,
    /// then what the acceptor's is.
    pub fn key(&mut self, opener: SocketAddr, acceptor: SocketAddr) -> String {
        let (opener, acceptor) = (opener.port(), acceptor.port());
        wait_for("a handshake on the wire", || {
            self.look();
            let there = self.first.get(&(opener, acceptor))?;
            let back = self.first.get(&(acceptor, opener))?;
            Some(format!("{there:08x}{back:08x}"))
        })
    }

    fn look(&mut self) {
        let mut packet = [0u8; 2048];
        loop {
            // SAFETY: the kernel writes at most as many bytes as `packet` has.
            let read = unsafe {
                libc::recv(self.socket.as_raw_fd(), packet.as_mut_ptr().cast(), packet.len(), 0)
            };
            let Ok(length) = usize::try_from(read) else { return };
            let header = usize::from(packet[0] & 15) * 4;
            let segment = &packet[header..length.max(header + 20)];
            let number = |at: usize| u16::from_be_bytes([segment[at], segment[at + 1]]);
            if segment[13] & SYN != 0 {
                let sequence = u32::from(number(4)) << 16 | u32::from(number(6));
                self.first.insert((number(0), number(2)), sequence.wrapping_add(1));
            }
        }
    }
}

impl Default for Wire {
    fn default() -> Self {
        Self::new()
    }
}
