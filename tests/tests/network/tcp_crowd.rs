//! More connections at once than the tables of the probes have room for: those that are quiet make room, which is
//! counted, by an agent as well, and all that is summed is what the program that made them says, to the byte.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use chandra_tests::agent::Agent;
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::record::Record;
use chandra_tests::trace::{Outcome, Trace};

/// Both ends of each are here. A process may have 20,000 descriptors where nobody says otherwise.
const PROCESSES: u64 = 4;
const CONNECTIONS_OF_EACH: u64 = 9000;
const CONNECTIONS: u64 = PROCESSES * CONNECTIONS_OF_EACH;
const ENDS: u64 = 2 * CONNECTIONS;
/// What a table has room for. For each processor the kernel keeps some places free, and makes as many at once.
const ROOM: u64 = 65_536;
const FREE_BY_PROCESSOR: u64 = 2 * 128;
/// Others on this machine have connections, too.
const OTHERS: u64 = 2000;
const PORT: &str = "4242";
const ANSWER: u64 = 3;

/// So many connections with itself, with a request and its answer over each; they end when it is told so.
const CONVERSING: &str = r#"
import resource, socket, sys

resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
address, count = (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])
listener = socket.create_server(address)
pairs = []
for number in range(count):
    client = socket.create_connection(address)
    server = listener.accept()[0]
    pairs.append((client, server))
    request = bytes(1 + number % 100)
    client.sendall(request)
    server.recv(100)
    server.sendall(bytes(3))
    client.recv(3)
print("all", flush=True)
sys.stdin.readline()
for client, server in pairs:
    client.close()
    server.close()
"#;

/// All bytes that are asked.
fn asked() -> u64 {
    PROCESSES * (0..CONNECTIONS_OF_EACH).map(|number| 1 + number % 100).sum::<u64>()
}

/// All connections are open at once, before any of them ends.
fn converse(namespace: &Namespace) {
    let start = |number: u64| {
        let mut python = Command::new("python3");
        let address = format!("127.0.0.{}", 1 + number);
        let count = CONNECTIONS_OF_EACH.to_string();
        python.args(["-c", CONVERSING, &address, PORT, &count]);
        namespace.start_in(python.stdin(Stdio::piped()).stdout(Stdio::piped()));
        python.spawn().unwrap()
    };
    let mut processes: Vec<_> = (0..PROCESSES).map(start).collect();
    for process in &mut processes {
        let mut line = String::new();
        BufReader::new(process.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "all\n");
    }
    assert_eq!(namespace.tcp_counter("ActiveOpens"), CONNECTIONS);
    assert_eq!(namespace.tcp_counter("CurrEstab"), ENDS);
    for mut process in processes {
        process.stdin.take().unwrap().write_all(b"\n").unwrap();
        assert!(process.wait().unwrap().success());
    }
}

/// As many flows gave way as there was no room for; how many that was.
fn evicted(of: &Record) -> u64 {
    let [evicted, refused] =
        ["evicted", "refused"].map(|name| of.number(&format!("flow_table.{name}")).unwrap());
    let processors = std::thread::available_parallelism().unwrap().get() as u64;
    let least = ENDS - ROOM;
    let most = least + FREE_BY_PROCESSOR * processors + OTHERS;
    assert!((least..=most).contains(&evicted) && refused == 0, "{of:?}, not {least} to {most}");
    evicted
}

fn sums(outcome: &Outcome, role: &str) -> [u64; 3] {
    let of = |record: &&Record| record.text("connection.role") == Some(role);
    let closed: Vec<_> = outcome.records.iter().filter(of).collect();
    let sum = |name: &str| closed.iter().map(|record| record.number(name).unwrap()).sum();
    [closed.len() as u64, sum("bytes_sent"), sum("bytes_received")]
}

#[test]
fn those_that_are_quiet_make_room_and_sums_are_exact() {
    needs!("root", "ip", "python3");
    let namespace = Namespace::new("crowd");
    let agent = Agent::start(&["--signals", "process,tcp", "--event-budget", "off"]);
    agent.wait_until_ready();
    let mut closes = Trace::start(&["tcp-close", "--port", PORT, "--ring-size", "8m"]);
    let requests = Trace::start(&["request-latency", "--port", PORT, "--by", "role"]);
    converse(&namespace);
    closes.wait_for_lines(ENDS as usize);
    let (closes, requests) = (closes.stop(), requests.stop());
    closes.summary_without_loss();
    let all_answered = CONNECTIONS * ANSWER;
    assert_eq!(sums(&closes, "opener"), [CONNECTIONS, asked(), all_answered]);
    assert_eq!(sums(&closes, "acceptor"), [CONNECTIONS, all_answered, asked()]);
    evicted(&closes.summary());

    requests.summary_without_loss();
    for role in ["client", "server"] {
        let of = |record: &&Record| record.text("role") == Some(role);
        let row = requests.records.iter().find(of).unwrap();
        assert_eq!(row.number("histogram.count"), Some(CONNECTIONS), "{row:?}");
    }
    evicted(&requests.summary());

    let sample = "chandra_flow_table_overflows_total{signal=\"tcp\",outcome=\"evicted\"}";
    assert_eq!(agent.metric(sample), evicted(&agent.signal("tcp")));
    agent.stop();
}
