//! TCP connections of which a test knows everything: both ends, and every byte.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use crate::socket;

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// The opener ends its direction, then the acceptor its own.
    OpenerFirst,
    /// The other way round.
    AcceptorFirst,
    /// The opener closes both at once; the acceptor follows.
    OpenerCloses,
    /// The opener resets the connection.
    OpenerResets,
    /// The acceptor resets it.
    AcceptorResets,
}

/// What is said on a connection, and how it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// Bytes from the opener.
    pub opener_sends: usize,
    /// Bytes from the acceptor.
    pub acceptor_sends: usize,
    /// The end.
    pub ending: Ending,
}

/// A connection that happened: each end's local and peer address, and the plan it followed.
#[derive(Debug, Clone, Copy)]
pub struct Conversation {
    /// As the opener saw them.
    pub opener: [SocketAddr; 2],
    /// As the acceptor saw them.
    pub acceptor: [SocketAddr; 2],
    /// What was said.
    pub plan: Plan,
}

impl Plan {
    /// The plan of a number: many small ones, none at all, and some beyond 64 KiB; all endings.
    pub fn of(number: u32) -> Self {
        // Any fixed sequence without a pattern will do (Knuth's multiplicative hash).
        let random = |salt: u32| {
            (number.wrapping_mul(2_654_435_761) ^ salt).wrapping_mul(2_246_822_519) >> 8
        };
        let bytes = |random: u32| match random % 16 {
            0..=3 => 0,
            4 => 65_537 + random as usize % 70_000,
            _ => random as usize % 2_000,
        };
        let endings = [
            Ending::OpenerFirst,
            Ending::AcceptorFirst,
            Ending::OpenerCloses,
            Ending::OpenerResets,
            Ending::AcceptorResets,
        ];
        let (opener_sends, acceptor_sends) = (bytes(random(1)), bytes(random(2)));
        Self { opener_sends, acceptor_sends, ending: endings[number as usize % endings.len()] }
    }
}

/// Connects, accepts, says and ends what is planned. The listener must be this caller's alone.
///
/// # Panics
/// When a byte goes astray.
pub fn converse(address: SocketAddr, listener: &TcpListener, plan: Plan) -> Conversation {
    let mut opener = TcpStream::connect(address).unwrap();
    let mut acceptor = listener.accept().unwrap().0;
    let conversation = Conversation { opener: ends(&opener), acceptor: ends(&acceptor), plan };
    transfer(&mut opener, &mut acceptor, plan.opener_sends);
    transfer(&mut acceptor, &mut opener, plan.acceptor_sends);
    match plan.ending {
        Ending::OpenerFirst => end_both(opener, acceptor),
        Ending::AcceptorFirst => end_both(acceptor, opener),
        Ending::OpenerCloses => {
            drop(opener);
            assert_eq!(acceptor.read(&mut [0]).unwrap(), 0);
        }
        Ending::OpenerResets => reset(opener, acceptor),
        Ending::AcceptorResets => reset(acceptor, opener),
    }
    conversation
}

/// An end's local and peer address.
pub fn ends(socket: &TcpStream) -> [SocketAddr; 2] {
    [socket.local_addr().unwrap(), socket.peer_addr().unwrap()]
}

/// Sends and receives so many bytes, never more on their way than the kernel will hold.
pub fn transfer(from: &mut TcpStream, to: &mut TcpStream, bytes: usize) {
    let (mut buffer, mut sent, mut received) = (vec![0; bytes.min(1 << 20)], 0, 0);
    from.set_nonblocking(true).unwrap();
    while received < bytes {
        let left = buffer.len().min(bytes - sent);
        match from.write(&buffer[..left]) {
            Ok(written) => sent += written,
            Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
        while received < sent {
            received += to.read(&mut buffer).unwrap();
        }
    }
    from.set_nonblocking(false).unwrap();
}

fn end_both(first: TcpStream, mut second: TcpStream) {
    socket::finish_sending(&first);
    assert_eq!(second.read(&mut [0]).unwrap(), 0);
    socket::finish_sending(&second);
    assert_eq!((&first).read(&mut [0]).unwrap(), 0);
}

/// Only after all is acknowledged: a reset does not wait for that.
fn reset(first: TcpStream, mut second: TcpStream) {
    for (near, far) in [(&first, &second), (&second, &first)] {
        socket::acknowledge(far);
        socket::wait_until_acknowledged(near);
    }
    socket::reset(first);
    assert_eq!(second.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}
