//! What connection tracking says as it happens.

use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
use rustix::net::{RecvFlags, netlink, recv, sockopt};
use socket2::SockRef;

use crate::message::{Message, messages};
use crate::{Change, Error, filter};

/// The groups, as bits: `NFNLGRP_CONNTRACK_NEW` is the first, `NFNLGRP_CONNTRACK_DESTROY` the third.
const GROUPS: u32 = 1 | 1 << 2;
/// What may wait in the kernel: a few thousand events.
const RECEIVE_BUFFER_BYTES: usize = 4 << 20;
/// An event takes a few hundred bytes.
const EVENT_BYTES: usize = 8 << 10;
/// Events that are taken at once: more than can wait, so that what waited is among them.
const AT_ONCE: usize = 16_384;

/// Connections of this thread's network namespace that are translated or gone, from when this was opened.
#[derive(Debug)]
pub struct Events {
    socket: OwnedFd,
    received: Box<[u8]>,
}

impl Events {
    /// Listens from now on.
    ///
    /// # Errors
    /// When the kernel does not let us, or has nothing that tells.
    pub fn open() -> Result<Self, Error> {
        let socket = open(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)?;
        // Without it more comes here than is kept, nothing else.
        let _ = SockRef::from(&socket).attach_filter(&filter::translated_tcp());
        // The smaller one that every socket has is lost from sooner, and that is told.
        let _ = sockopt::set_socket_recv_buffer_size_force(&socket, RECEIVE_BUFFER_BYTES);
        bind(&socket, &netlink::SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self { socket, received: vec![0; EVENT_BYTES].into() })
    }

    /// Takes what waits, without waiting for more. Returns how many events that were.
    pub fn take(&mut self, each: &mut dyn FnMut(Change)) -> usize {
        let mut taken = 0;
        for _ in 0..AT_ONCE {
            // The true length is told also of what is longer than its place.
            match recv(&self.socket, &mut self.received[..], RecvFlags::TRUNC) {
                Ok((_, length)) => {
                    taken += 1;
                    match self.received.get(..length) {
                        Some(received) => changes(received, each),
                        None => each(Change::Malformed),
                    }
                }
                Err(Errno::NOBUFS) => each(Change::Lost),
                Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        taken
    }
}

/// A socket to netfilter.
pub(crate) fn open(flags: SocketFlags) -> Result<OwnedFd, Error> {
    Ok(socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, Some(netlink::NETFILTER))?)
}

fn changes(received: &[u8], each: &mut dyn FnMut(Change)) {
    for message in messages(received) {
        match message {
            Ok(Message::Tracked(translation)) => each(Change::Made(translation)),
            Ok(Message::Gone(translation)) => each(Change::Gone(translation)),
            Ok(_) => {}
            Err(_) => each(Change::Malformed),
        }
    }
}
