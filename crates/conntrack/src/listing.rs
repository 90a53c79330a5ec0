//! All translated connections that are tracked now. The kernel hands them over piece by piece as they are
//! read, so none is lost however many there are.

use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, SocketFlags, netlink, recv, send, sockopt};

use crate::message::{GET, Message, messages};
use crate::{Change, Error, events};

/// The kernel fills 32 KiB at most with one piece of a listing.
const PIECE_BYTES: usize = 64 << 10;
/// A kernel that has not answered by then will not.
const PATIENCE: Duration = Duration::from_secs(10);

/// `NLM_F_REQUEST | NLM_F_DUMP`.
const REQUEST_ALL: u16 = 0x301;

/// Lists those of this thread's network namespace, from [`Change::Listing`] to [`Change::Listed`], in
/// pieces, until `each` takes no more.
///
/// # Errors
/// When the kernel does not let us, has nothing that tells, or stops in the middle; then there is no
/// [`Change::Listed`].
pub fn list(each: &mut dyn FnMut(Vec<Change>) -> bool) -> Result<(), Error> {
    let socket = events::open(SocketFlags::CLOEXEC)?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE))?;
    rustix::net::bind(&socket, &netlink::SocketAddrNetlink::new(0, 0))?;
    if !each(vec![Change::Listing]) {
        return Ok(());
    }
    send(&socket, &request(), SendFlags::empty())?;
    let mut received = vec![0; PIECE_BYTES];
    loop {
        let length = match recv(&socket, &mut received[..], RecvFlags::TRUNC) {
            Ok((_, length)) => length,
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        };
        let mut changes = Vec::new();
        let end = read_piece(received.get(..length), &mut changes);
        if let End::Refused(error) = end {
            return Err(error);
        }
        let goes_on = changes.is_empty() || each(changes);
        if !goes_on || matches!(end, End::Done) {
            return Ok(());
        }
    }
}

/// Whether a piece is the last.
enum End {
    NotYet,
    Done,
    Refused(Error),
}

/// `piece` is absent where it was longer than its place.
fn read_piece(piece: Option<&[u8]>, changes: &mut Vec<Change>) -> End {
    let Some(piece) = piece else {
        changes.push(Change::Malformed);
        return End::NotYet;
    };
    for message in messages(piece) {
        match message {
            Ok(Message::Tracked(translation)) => changes.push(Change::Found(translation)),
            Ok(Message::Done) => {
                changes.push(Change::Listed);
                return End::Done;
            }
            Ok(Message::Refused(number)) => {
                let number = i32::try_from(number).unwrap_or(i32::MAX);
                return End::Refused(Errno::from_raw_os_error(number).into());
            }
            Ok(Message::Gone(_) | Message::Other) => {}
            Err(_) => changes.push(Change::Malformed),
        }
    }
    End::NotYet
}

/// Both headers: all families, all protocols.
fn request() -> [u8; 20] {
    let mut request = [0; 20];
    let words = [&20_u32.to_ne_bytes()[..], &GET.to_ne_bytes(), &REQUEST_ALL.to_ne_bytes()];
    for (place, byte) in request.iter_mut().zip(words.concat()) {
        *place = byte;
    }
    request
}
