//! A receiver of HTTP on loopback, with nothing in it that the sender uses.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::Value;

/// What was received: heads in small letters, and bodies.
#[derive(Clone, Default)]
pub struct Received(Arc<Mutex<Vec<(String, Value)>>>);

impl Received {
    pub fn all(&self) -> Vec<(String, Value)> {
        self.0.lock().unwrap().clone()
    }

    /// The number that each alert was given by its sender.
    pub fn numbers(&self) -> Vec<u64> {
        let number = |body: &Value| body["output_fields"]["fd.name"].as_u64().unwrap();
        self.0.lock().unwrap().iter().map(|(_, body)| number(body)).collect()
    }
}

/// Answers each request on a socket: the status is what `answer` makes of its place in the row. An answer
/// of 2xx means that it was received.
pub fn serve<S: Read + Write>(
    stream: S,
    received: &Received,
    answer: &impl Fn(u64, &Value) -> u16,
    count: &Mutex<u64>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if stream.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let head = head.to_ascii_lowercase();
        let length = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
        let mut body = vec![0; length.unwrap().trim().parse().unwrap()];
        stream.read_exact(&mut body)?;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let number = {
            let mut count = count.lock().unwrap();
            *count += 1;
            *count
        };
        let status = answer(number, &body);
        if status / 100 == 2 {
            received.0.lock().unwrap().push((head, body));
        }
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
        stream.get_mut().write_all(text.as_bytes())?;
        stream.get_mut().flush()?;
    }
}

/// Serves everybody who connects, until the test ends.
pub fn start(
    listener: TcpListener,
    answer: impl Fn(u64, &Value) -> u16 + Clone + Send + 'static,
) -> Received {
    let received = Received::default();
    let all = received.clone();
    let count = Arc::new(Mutex::new(0));
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (all, count, answer) = (all.clone(), Arc::clone(&count), answer.clone());
            // A sender that goes away is no failure of the receiver.
            thread::spawn(move || drop(serve(stream, &all, &answer, &count)));
        }
    });
    received
}

pub fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}
