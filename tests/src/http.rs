//! The few words of HTTP that it takes to ask an agent how it is.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::patience::PATIENCE;
use crate::record::Record;

/// An answer: its status, and its body, which is one JSON object.
#[derive(Debug)]
pub struct Answer {
    /// `200`
    pub status: u16,
    /// What it says.
    pub body: Record,
}

/// Asks for a path that is answered with JSON.
///
/// # Panics
/// When there is no answer, or no such one.
pub fn get(address: SocketAddr, path: &str) -> Answer {
    let (status, head, body) = request(address, "GET", path);
    assert!(head.contains("content-type: application/json"), "{path}: {head}");
    Answer { status, body: Record::parse(&body) }
}

/// Asks for a path in the format that `accept` likes; returns the kind of the answer, and the answer.
///
/// # Panics
/// When there is no answer, or not all is well.
pub fn get_as(address: SocketAddr, path: &str, accept: &str) -> (String, String) {
    let accept = format!("Accept: {accept}\r\n");
    let (status, head, body) = request_with(address, "GET", path, &accept);
    assert_eq!(status, 200, "{head}");
    let kind = head.lines().find_map(|line| line.strip_prefix("content-type: "));
    (kind.expect(&head).to_owned(), body)
}

/// Sends a request and returns the status, the head (in lower case) and the body of its answer.
///
/// # Panics
/// When there is no answer, or the body is not as long as the head says.
pub fn request(address: SocketAddr, method: &str, path: &str) -> (u16, String, String) {
    request_with(address, method, path, "")
}

/// The same with more lines in the head, each ended by CR LF.
fn request_with(
    address: SocketAddr,
    method: &str,
    path: &str,
    more: &str,
) -> (u16, String, String) {
    let mut connection = TcpStream::connect(address).unwrap();
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let request =
        format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{more}\r\n");
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    let head = head.to_lowercase();
    let status = head.strip_prefix("http/1.1 ").and_then(|head| head.get(..3)).expect(&head);
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    assert_eq!(length, Some(body.len().to_string().as_str()), "{head}");
    (status.parse().unwrap(), head.clone(), body.to_owned())
}

/// Takes a request and answers it so, in place of an agent.
///
/// # Panics
/// When there is no request.
pub fn answer(connection: &mut TcpStream, status: &str, body: &str) {
    let mut request = Vec::new();
    let mut byte = [0];
    while !request.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).unwrap();
        request.extend(byte);
    }
    let length = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n");
    connection.write_all((head + body).as_bytes()).unwrap();
}
