//! Requests over HTTP/1 in clear as a trace tells of them: of real programs, and of what goes otherwise than it
//! usually does.

use std::process::Command;
use std::time::Duration;

use chandra_tests::actor::{Actor, to_hex};
use chandra_tests::exchange::{Talk, Told};
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::trace::{Outcome, Trace};

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const GET: &[u8] = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n";
const NO_CONTENT: &[u8] = b"HTTP/1.1 204 No Content\r\n\r\n";

fn actor() -> Actor {
    Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")))
}

/// Two actors that are connected, and a trace of their port.
fn traced(more: &[&str]) -> (Talk, Trace) {
    let talk = Talk::connect(actor(), actor(), "127.0.0.1:0");
    let port = talk.ends[1].port().to_string();
    (talk, Trace::start(&[&["http", "--port", &port], more].concat()))
}

/// `OUTCOME STATUS PATH` of each record of an end, in order.
fn lines(outcome: &Outcome, talk: &Talk, role: &str) -> Vec<String> {
    let line = |record: &Record| {
        let status = record.number("http.status").map_or("-".to_owned(), |it| it.to_string());
        let text = |path| record.text(path).unwrap_or("-");
        format!("{} {status} {}", text("http.outcome"), text("http.path"))
    };
    outcome.records.iter().filter(|record| talk.is_of(record, role)).map(line).collect()
}

/// What both ends are to tell, alike.
fn assert_told(outcome: &Outcome, talk: &Talk, expected: &[&str]) {
    outcome.summary_without_loss();
    for role in ["client", "server"] {
        assert_eq!(lines(outcome, talk, role), expected, "{role}: {:#?}", outcome.records);
    }
}

const SERVER: &str = r#"
import http.server, time
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.path.startswith("/slow"):
            time.sleep(0.2)
        body = b"x8Kp2Qz7 " * 20000
        self.send_response(503 if self.path.startswith("/fails") else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
    def log_message(self, *ignored):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
"#;

const CLIENT: &str = r#"
import http.client, sys
connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]))
def ask(method, target, body=None, headers={}):
    connection.request(method, target, body, headers)
    connection.getresponse().read()
for number in range(100):
    ask("GET", "/many?token=x8Kp2Qz7")
ask("GET", "/slow", headers={"Cookie": "id=x8Kp2Qz7", "traceparent": sys.argv[2]})
ask("POST", "/fails", b"x8Kp2Qz7 " * 100000, {"Expect": "nothing of me"})
"#;

#[test]
fn each_request_of_a_real_client_to_a_real_server_is_told_at_both_ends_and_no_secret_of_it() {
    needs!("root", "python3");
    let mut server = Command::new("python3");
    let server = server.args(["-c", SERVER]).stdout(std::process::Stdio::piped());
    let mut server = Ended(server.spawn().unwrap());
    let mut port = String::new();
    let output = std::io::BufReader::new(server.0.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut { output }, &mut port).unwrap();
    let port = port.trim();
    let trace = Trace::start(&["http", "--port", port]);
    let mut client = Command::new("python3").args(["-c", CLIENT, port, PARENT]).spawn().unwrap();
    let client_pid = u64::from(client.id());
    assert!(client.wait().unwrap().success());
    let outcome = trace.stop();
    outcome.summary_without_loss();
    let server_pid = u64::from(server.0.id());
    for (role, pid) in [("client", client_pid), ("server", server_pid)] {
        let of = |record: &&Record| record.text("connection.role") == Some(role);
        let records: Vec<_> = outcome.records.iter().filter(of).collect();
        assert_eq!(records.len(), 102, "{role}");
        for (number, record) in records.iter().enumerate() {
            let (method, path, status) = match number {
                100 => ("GET", "/slow", 200),
                101 => ("POST", "/fails", 503),
                _ => ("GET", "/many", 200),
            };
            assert_eq!(record.text("http.outcome"), Some("answered"), "{record:?}");
            assert_eq!(record.text("http.method"), Some(method), "{record:?}");
            assert_eq!(record.text("http.path"), Some(path), "{record:?}");
            assert_eq!(record.number("http.status"), Some(status), "{record:?}");
            assert_eq!(record.number("process.pid"), Some(pid), "{record:?}");
            let host = format!("127.0.0.1:{port}");
            assert_eq!(record.text("http.host"), Some(host.as_str()), "{record:?}");
            let traced = record.text("trace_context.parent_id");
            assert_eq!(traced, (number == 100).then_some("b7ad6b7169203331"), "{record:?}");
        }
        assert!(records[100].number("duration_ns").unwrap() >= 200_000_000, "{:?}", records[100]);
    }
    let all = format!("{:?}", outcome.records);
    assert!(!all.contains("x8Kp2Qz7"), "a secret is told");
}

/// A process that is ended with the test.
struct Ended(std::process::Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn an_interim_answer_is_not_the_answer_and_a_switch_of_protocols_is() {
    needs!("root");
    let (mut talk, trace) = traced(&[]);
    talk.request(b"POST /b HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
    talk.answer(b"HTTP/1.1 100 Continue\r\n\r\n");
    talk.request(b"abc");
    talk.answer(b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n");
    talk.answer(NO_CONTENT);
    talk.request(b"GET /socket HTTP/1.1\r\nUpgrade: websocket\r\n\r\n");
    talk.answer(b"HTTP/1.1 101 Switching Protocols\r\n\r\n");
    assert_told(&trace.stop(), &talk, &["answered 204 /b", "answered 101 /socket"]);
}

/// The first answer is the first request's. Of those that were sent meanwhile none is looked for.
#[test]
fn pipelined_requests_are_told_as_such_and_never_with_the_answer_to_another() {
    needs!("root");
    let (mut talk, trace) = traced(&[]);
    talk.request(GET);
    talk.request(b"GET /b HTTP/1.1\r\n\r\n");
    talk.answer(NO_CONTENT);
    talk.request(b"GET /c HTTP/1.1\r\n\r\n");
    talk.answer(b"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
    talk.answer(b"HTTP/1.1 501 Broken\r\nContent-Length: 0\r\n\r\n");
    talk.request(b"GET /d HTTP/1.1\r\n\r\n");
    talk.answer(NO_CONTENT);
    let expected = ["pipelined - -", "answered 204 /a", "pipelined - -", "answered 204 /d"];
    assert_told(&trace.stop(), &talk, &expected);
}

/// An answer whose line comes in pieces is not recognised; the next request shows that there was one.
#[test]
fn an_answer_that_was_not_recognised_is_not_made_up_for_by_the_next() {
    needs!("root");
    let (mut talk, trace) = traced(&[]);
    talk.request(GET);
    talk.answer(b"HTTP/");
    talk.answer(b"1.1 500 Broken\r\nContent-Length: 0\r\n\r\n");
    talk.request(b"GET /b HTTP/1.1\r\n\r\n");
    talk.answer(NO_CONTENT);
    assert_told(&trace.stop(), &talk, &["unseen - /a", "answered 204 /b"]);
}

#[test]
fn an_answer_to_a_request_before_the_trace_is_told_as_such() {
    needs!("root");
    let mut talk = Talk::connect(actor(), actor(), "127.0.0.1:0");
    talk.request(GET);
    let trace = Trace::start(&["http", "--port", &talk.ends[1].port().to_string()]);
    talk.answer(NO_CONTENT);
    talk.request(GET);
    talk.answer(NO_CONTENT);
    assert_told(&trace.stop(), &talk, &["unasked 204 -", "answered 204 /a"]);
}

#[test]
fn what_only_looks_like_http_is_none() {
    needs!("root");
    let (mut talk, trace) = traced(&[]);
    // Redis takes commands so, too, and RTSP answers in its own way.
    talk.request(b"GET user:1:password\r\n");
    talk.answer(b"$8\r\nx8Kp2Qz7\r\n");
    talk.request(b"OPTIONS rtsp://camera.test RTSP/1.0\r\nCSeq: 1\r\n\r\n");
    talk.answer(b"RTSP/1.0 200 OK\r\nCSeq: 1\r\n\r\n");
    talk.request(b"GETTING /a HTTP/1.1\r\n\r\n");
    talk.answer(b"HTTP/2 200\r\n\r\n");
    talk.request(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    talk.answer(b"HTTP/1.1 OK then\r\n\r\n");
    talk.request(GET);
    talk.answer(NO_CONTENT);
    assert_told(&trace.stop(), &talk, &["answered 204 /a"]);
}

/// What arrives is lost at first: TCP sends it again, which is no second request, and the time is from the first.
#[test]
fn a_request_that_is_sent_again_by_tcp_is_one() {
    needs!("root");
    let (mut talk, trace) = traced(&[]);
    talk.server.ask("lose");
    talk.client.ask(&format!("send-bytes {}", to_hex(GET)));
    talk.server.ask("lose-nothing");
    talk.server.ask(&format!("receive {}", GET.len()));
    talk.answer(NO_CONTENT);
    let outcome = trace.stop();
    assert_told(&outcome, &talk, &["answered 204 /a"]);
    // TCP waits for 200 ms at least before it sends again.
    for record in &outcome.records {
        assert!(record.number("duration_ns").unwrap() >= 200_000_000, "{record:?}");
    }
}

#[test]
fn a_head_that_is_longer_than_what_is_captured_says_so() {
    needs!("root");
    let (mut talk, trace) = traced(&[]);
    // An actor takes commands of 4096 bytes, of two digits each.
    let with_cookie = |bytes: usize, path: &str| {
        let cookie = "c".repeat(bytes);
        format!("GET {path} HTTP/1.1\r\nCookie: {cookie}\r\ntraceparent: {PARENT}\r\n\r\n")
    };
    for (bytes, path) in [(1600, "/whole"), (1800, "/cut")] {
        talk.request(with_cookie(bytes, path).as_bytes());
        talk.answer(NO_CONTENT);
    }
    let outcome = trace.stop();
    assert_told(&outcome, &talk, &["answered 204 /whole", "answered 204 /cut"]);
    for record in &outcome.records {
        let is_cut = record.text("http.path") == Some("/cut");
        assert_eq!(record.at("http.head_is_cut"), Some(&is_cut.into()), "{record:?}");
        assert_eq!(record.at("trace_context").is_none(), is_cut, "{record:?}");
    }
}

#[test]
fn filters_and_counts_are_by_who_asks_and_who_answers() {
    needs!("root");
    let mut talk = Talk::connect(actor(), actor(), "127.0.0.1:0");
    let [client, server] = [talk.client.pid(), talk.server.pid()].map(|pid| pid.to_string());
    let traces = [&client, &server].map(|pid| Trace::start(&["http", "--pid", pid]));
    let port = talk.ends[1].port().to_string();
    let counted = Trace::start(&["http", "--port", &port, "--by", "pid,status"]);
    for answer in [NO_CONTENT, NO_CONTENT, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"] {
        talk.exchange(GET, Duration::ZERO, answer);
    }
    for (trace, role) in traces.into_iter().zip(["client", "server"]) {
        let outcome = trace.stop();
        outcome.summary_without_loss();
        assert_eq!(lines(&outcome, &talk, role).len(), 3, "{role}");
        assert_eq!(outcome.records.len(), 3, "{role}: {:?}", outcome.records);
    }
    let outcome = counted.stop();
    outcome.summary_without_loss();
    for pid in [client, server] {
        for (status, count) in [("204", 2), ("404", 1)] {
            let is_it = |record: &&Record| {
                record.number("pid").map(|it| it.to_string()) == Some(pid.clone())
                    && record.text("status") == Some(status)
            };
            let found = outcome.records.iter().find(is_it).expect("a group");
            assert_eq!(found.number("count"), Some(count), "{found:?}");
        }
    }
}

/// A client that gives up: its own close, and the server's later one, are what came of it.
#[test]
fn a_request_without_an_answer_is_told_as_its_socket_is_closed() {
    needs!("root");
    let (mut talk, mut trace) = traced(&[]);
    talk.request(GET);
    talk.client.ask("close");
    for role in ["client", "server"] {
        if role == "server" {
            talk.server.ask("close");
        }
        let is_it = |record: &Record| talk.is_of(record, role);
        let record = trace.wait_for(role, is_it);
        let told = Told {
            outcome: "closed",
            method: Some("GET"),
            version: Some("1.1"),
            host: Some("h"),
            path: Some("/a"),
            duration_ns: Some(1..=u64::MAX),
            ..Told::default()
        };
        talk.compare(&record, role, &told, 0..=u64::MAX).unwrap();
    }
    trace.stop().summary_without_loss();
}
