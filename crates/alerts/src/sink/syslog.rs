//! Messages of syslog (RFC 5424), over a Unix socket or UDP (RFC 5426), one datagram each, or over TCP
//! with octet counting (RFC 6587, 3.4.1).
//!
//! A datagram that is not taken is tried once more over a new socket, then counted. Over TCP a message
//! is tried until it is taken, with growing waits, while the queue behind it holds up nobody; what a
//! receiver took and lost with its connection nobody can know.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use super::backoff::Backoff;
use super::{Format, Place, Prepared};

/// How long a receiver may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// What most receivers take in one message, in bytes.
const MAX_DATAGRAM: usize = 8192;

/// Where messages are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Transport {
    /// A Unix datagram socket, such as `/dev/log`.
    Unix(PathBuf),
    /// `host:port`
    Udp(String),
    /// `host:port`
    Tcp(String),
}

/// A receiver of syslog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syslog {
    /// Where it is.
    pub transport: Transport,
    /// 0 to 23; Falco's is 1 (user), of security are 4 and 10.
    pub facility: u8,
    /// What a message says.
    pub format: Format,
}

/// Sends messages.
#[derive(Debug)]
pub(super) struct Sender {
    syslog: Syslog,
    socket: Option<Socket>,
    backoff: Backoff,
    place: Place,
    has_failed: bool,
}

#[derive(Debug)]
enum Socket {
    Unix(UnixDatagram),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

impl Sender {
    pub fn new(syslog: Syslog, place: Place) -> Self {
        let backoff = Backoff::new(Duration::from_millis(250), Duration::from_secs(30));
        Self { syslog, socket: None, backoff, place, has_failed: false }
    }

    pub fn send(&mut self, alert: &Prepared) -> io::Result<()> {
        let is_stream = matches!(self.syslog.transport, Transport::Tcp(_));
        let message =
            message(&self.syslog, alert, if is_stream { usize::MAX } else { MAX_DATAGRAM });
        let Message { bytes, is_shortened } = message;
        if is_stream {
            self.send_until_taken(&bytes)?;
        } else if self.try_send(&bytes).is_err() {
            self.try_send(&bytes)?;
        }
        if is_shortened {
            self.place.counts.shortened();
        }
        Ok(())
    }

    fn send_until_taken(&mut self, bytes: &[u8]) -> io::Result<()> {
        loop {
            let Err(error) = self.try_send(bytes) else {
                self.backoff.reset();
                self.has_failed = false;
                return Ok(());
            };
            if self.place.stop.is_over() {
                return Err(error);
            }
            if !std::mem::replace(&mut self.has_failed, true) {
                (self.place.say)(&self.place.name, &error);
            }
            self.place.counts.retried();
            self.place.stop.wait(self.backoff.wait());
        }
    }

    fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut socket = match self.socket.take() {
            Some(socket) => socket,
            None => connect(&self.syslog.transport)?,
        };
        match &mut socket {
            Socket::Unix(socket) => socket.send(bytes).map(drop)?,
            Socket::Udp(socket) => socket.send(bytes).map(drop)?,
            Socket::Tcp(socket) => {
                let mut frame = format!("{} ", bytes.len()).into_bytes();
                frame.extend_from_slice(bytes);
                socket.write_all(&frame)?;
            }
        }
        self.socket = Some(socket);
        Ok(())
    }
}

fn connect(transport: &Transport) -> io::Result<Socket> {
    match transport {
        Transport::Unix(path) => {
            let socket = UnixDatagram::unbound()?;
            socket.connect(path)?;
            // A receiver that does not read makes its senders wait.
            socket.set_write_timeout(Some(PATIENCE))?;
            Ok(Socket::Unix(socket))
        }
        Transport::Udp(address) => first(address, |address| {
            let any: SocketAddr =
                if address.is_ipv4() { ([0, 0, 0, 0], 0).into() } else { ([0_u16; 8], 0).into() };
            let socket = UdpSocket::bind(any)?;
            socket.connect(address)?;
            Ok(Socket::Udp(socket))
        }),
        Transport::Tcp(address) => first(address, |address| {
            let socket = TcpStream::connect_timeout(&address, PATIENCE)?;
            socket.set_write_timeout(Some(PATIENCE))?;
            socket.set_nodelay(true)?;
            Ok(Socket::Tcp(socket))
        }),
    }
}

/// The first of a name's addresses that works.
fn first(name: &str, connect: impl Fn(SocketAddr) -> io::Result<Socket>) -> io::Result<Socket> {
    let mut failure = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
    for address in name.to_socket_addrs()? {
        match connect(address) {
            Ok(socket) => return Ok(socket),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

struct Message {
    bytes: Vec<u8>,
    is_shortened: bool,
}

/// `<PRI>1 TIMESTAMP HOSTNAME APP-NAME PROCID MSGID STRUCTURED-DATA MSG` (RFC 5424, 6).
fn message(syslog: &Syslog, alert: &Prepared, max_bytes: usize) -> Message {
    let inner = alert.redacted.alert();
    let priority = u16::from(syslog.facility.min(23)) * 8 + u16::from(inner.priority.severity());
    let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(inner.time_ns);
    // No more digits are allowed than microseconds have.
    let time = humantime::format_rfc3339_micros(time);
    let host: String = inner.hostname.chars().filter(char::is_ascii_graphic).take(255).collect();
    let host = if host.is_empty() { "-" } else { &host };
    let process = std::process::id();
    let version = env!("CARGO_PKG_VERSION");
    let mut bytes = format!(
        "<{priority}>1 {time} {host} chandra {process} alert [origin software=\"chandra\" swVersion=\"{version}\"] "
    )
    .into_bytes();
    let room = max_bytes.saturating_sub(bytes.len());
    let whole = alert.bytes(syslog.format);
    let is_shortened = whole.len() > room;
    match syslog.format {
        _ if !is_shortened => bytes.extend_from_slice(whole),
        Format::Text => bytes.extend_from_slice(cut(whole, room)),
        // What is cut is no JSON any more, so that comes last.
        Format::Json => bytes.extend_from_slice(cut(&alert.redacted.short_json(), room)),
    }
    Message { bytes, is_shortened }
}

/// The begin of a text, not cut within a character.
fn cut(text: &[u8], room: usize) -> &[u8] {
    let is_within = |byte: &u8| byte & 0xc0 == 0x80;
    let mut end = room.min(text.len());
    while end > 0 && text.get(end).is_some_and(is_within) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Alert, Redacted, sample};

    fn syslog(format: Format) -> Syslog {
        Syslog { transport: Transport::Udp("127.0.0.1:514".into()), facility: 10, format }
    }

    fn text(alert: Alert, format: Format, max_bytes: usize) -> String {
        let alert = Prepared::new(Redacted::new(alert, None));
        String::from_utf8(message(&syslog(format), &alert, max_bytes).bytes).unwrap()
    }

    #[test]
    fn a_message_is_as_the_standard_has_it() {
        let text = text(sample::alert(), Format::Text, MAX_DATAGRAM);
        let head = format!(
            "<83>1 2017-10-09T16:31:56.746609Z node-1 chandra {} alert [origin software=\"chandra\" \
             swVersion=\"0.1.0\"] 16:31:56.746609046: Error File below",
            std::process::id()
        );
        assert!(text.starts_with(&head), "{text}");
    }

    #[test]
    fn a_host_without_a_name_is_a_dash() {
        for hostname in ["", "ü ", "\n"] {
            let alert = Alert { hostname: hostname.into(), ..sample::alert() };
            assert!(text(alert, Format::Text, MAX_DATAGRAM).contains("Z - chandra "));
        }
    }

    #[test]
    fn json_that_is_too_long_is_told_without_additions() {
        let alert = Alert { context: sample::context(), ..sample::alert() };
        let whole = text(alert.clone(), Format::Json, MAX_DATAGRAM);
        assert!(whole.contains("\"process\":"));
        let short = text(alert, Format::Json, whole.len() - 1);
        let json: serde_json::Value =
            serde_json::from_str(short.split_once("] ").unwrap().1).unwrap();
        assert!(json.get("process").is_none() && json.get("output_fields").is_some());
    }

    #[test]
    fn text_that_is_too_long_is_cut_between_characters() {
        let alert = Alert { output: "ü".repeat(100), ..sample::alert() };
        let whole = text(alert.clone(), Format::Text, MAX_DATAGRAM).len();
        for less in 1..5 {
            let cut = text(alert.clone(), Format::Text, whole - less);
            assert!(cut.len() <= whole - less && cut.len() + less + 1 >= whole);
        }
    }
}
