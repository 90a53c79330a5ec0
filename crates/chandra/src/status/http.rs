//! The few words of HTTP that it takes to ask an agent of this machine how it is.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde::de::DeserializeOwned;

/// What connecting, and each wait for more of an answer, may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// Longer answers are none of an agent's.
const MOST_BYTES: u64 = 16 << 20;

/// An answer: its status, and its body.
#[derive(Debug, PartialEq, Eq)]
pub struct Answer {
    /// `200`
    pub status: u16,
    /// What it says.
    pub body: String,
}

/// Asks for a path.
///
/// # Errors
/// In words, when nothing listens there, or what does is no server of HTTP.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer, String> {
    let text = ask(address, path).map_err(|error| error.to_string())?;
    parse(&text).ok_or_else(|| "what answers does not speak HTTP".to_owned())
}

/// Asks for a path that is answered with JSON.
///
/// # Errors
/// In words, also when the answer is another one.
pub fn json<T: DeserializeOwned>(address: SocketAddr, path: &str) -> Result<T, String> {
    let answer = get(address, path)?;
    serde_json::from_str(&answer.body)
        .map_err(|error| format!("{path} is not answered as an agent does: {error}"))
}

fn ask(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    // Of version 1.0, so that the answer ends with the connection and comes in one piece.
    write!(connection, "GET {path} HTTP/1.0\r\nHost: {address}\r\n\r\n")?;
    let mut text = String::new();
    connection.take(MOST_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let (version, rest) = head.split_once(' ')?;
    let status = rest.get(..3)?.parse().ok()?;
    version.starts_with("HTTP/1.").then(|| Answer { status, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_a_status_and_a_body() {
        let answer = parse("HTTP/1.0 503 Service Unavailable\r\na: b\r\n\r\nno\r\n\r\nt").unwrap();
        assert_eq!(answer, Answer { status: 503, body: "no\r\n\r\nt".to_owned() });
        for wrong in ["", "SSH-2.0-x\r\n\r\n", "HTTP/1.1 2\r\n\r\n", "HTTP/1.1 200 OK\r\n"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
    }
}
