//! What `chandra observe` does that Hubble's command line does not: by process and connection, counting,
//! and files with selectors.

use std::io::Write;
use std::process::Stdio;

use chandra_hubble::proto::chandra::v1::{FlowDetails, Process, Traffic};
use chandra_hubble::proto::flow::layer4::Protocol;
use chandra_hubble::proto::flow::{Flow, Ip, Layer4, Tcp, Verdict};
use chandra_hubble::proto::observer::GetFlowsResponse;
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use chandra_tests::failure::fails;
use chandra_tests::hubble::{Answers, HubbleServer};
use chandra_tests::observe::{Running, asking, command, printed, said};
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;
use prost::Message;
use serde_json::{Value, json};

/// Flow number `number`, a second after the one before, of a process of this name.
fn flow(number: i64, comm: &str) -> GetFlowsResponse {
    let details = FlowDetails {
        process: Some(Process {
            pid: 100 + u32::try_from(number).unwrap(),
            comm: comm.into(),
            ..Process::default()
        }),
        connection_key: 0xabc0 + u64::try_from(number).unwrap(),
        latency_ns: u64::try_from(number).unwrap() * 1_000_000,
        forward: Some(Traffic { bytes: 1000, packets: 2 }),
        ..FlowDetails::default()
    };
    let details = prost_types::Any {
        type_url: "type.googleapis.com/chandra.v1.FlowDetails".into(),
        value: details.encode_to_vec(),
    };
    let tcp = Tcp { source_port: 4000, destination_port: 443, flags: None };
    let ip = Ip {
        source: "10.0.0.1".into(),
        destination: format!("10.0.1.{}", number % 2),
        ..Ip::default()
    };
    let time = Some(prost_types::Timestamp { seconds: 1_767_366_240 + number, nanos: 0 });
    let flow = Flow {
        time,
        ip: Some(ip),
        l4: Some(Layer4 { protocol: Some(Protocol::Tcp(tcp)) }),
        verdict: Verdict::Forwarded.into(),
        uuid: format!("id-{number}"),
        extensions: Some(details),
        is_reply: Some(false),
        ..Flow::default()
    };
    let response_types = Some(ResponseTypes::Flow(flow));
    GetFlowsResponse { response_types, node_name: "n".into(), time }
}

/// Flows 1 to `count`, of curl and nginx in turn.
fn flows(count: i64) -> Vec<GetFlowsResponse> {
    let comm = |number| if number % 2 == 0 { "curl" } else { "nginx" };
    (1..=count).map(|number| flow(number, comm(number))).collect()
}

fn telling(flows: Vec<Vec<GetFlowsResponse>>) -> HubbleServer {
    HubbleServer::start(Answers { flows: flows.into(), ..Answers::default() })
}

/// The numbers of the flows in lines of JSON.
fn numbers(lines: &str) -> Vec<u32> {
    let number = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        line["flow"]["uuid"].as_str().unwrap().trim_start_matches("id-").parse().unwrap()
    };
    lines.lines().map(number).collect()
}

#[test]
fn the_last_flows_of_a_process_are_so_many() {
    let server = telling(vec![flows(100)]);
    for (arguments, expected) in [
        (&["--process", "curl", "--last", "3"][..], vec![96, 98, 100]),
        (&["--process", "curl", "--first", "2"], vec![2, 4]),
        (&["--pid", "105", "--pid", "106"], vec![5, 6]),
        (&["--conn-key", "000000000000abc7"], vec![7]),
        (&["--min-latency", "98ms"], vec![98, 99, 100]),
        (&["--min-latency", "98ms", "--process", "nginx"], vec![99]),
        (&["--process", "nobody"], vec![]),
    ] {
        let shown =
            printed(&mut asking(&server, &[&["observe", "-o", "json"], arguments].concat()));
        assert_eq!(numbers(&shown), expected, "{arguments:?}");
        assert_eq!(server.asked().flows.last().unwrap().number, u64::MAX, "{arguments:?}");
    }
    printed(&mut asking(&server, &["observe", "--process", "curl"]));
    let asked = server.asked().flows.last().cloned().unwrap();
    let paths = asked.field_mask.unwrap().paths;
    assert!(
        paths.contains(&"extensions".to_owned()) && paths.contains(&"uuid".to_owned()),
        "{paths:?}"
    );
}

#[test]
fn the_last_flows_of_a_process_and_then_those_that_come_are_told_once() {
    // What is there, and what is told when it goes on from there: some of it again.
    let again = flows(14).split_off(6);
    let server = telling(vec![flows(10), again]);
    let arguments = ["observe", "-f", "--last", "2", "--process", "curl", "-o", "json"];
    let running = Running::start(&mut asking(&server, &arguments));
    let shown = running.wait_for_lines(4).join("\n");
    assert_eq!(numbers(&shown), [8, 10, 12, 14]);
    running.interrupt();
    let asked = server.asked();
    let [first, then] = asked.flows.as_slice() else { panic!("{:?}", asked.flows) };
    assert_eq!((first.follow, first.number), (false, u64::MAX));
    assert!(then.follow && then.since.unwrap().seconds < 1_767_366_250, "{then:?}");
}

#[test]
fn wide_tells_of_process_and_connection() {
    let server = telling(vec![flows(2)]);
    let shown = printed(&mut asking(&server, &["observe", "-o", "wide"]));
    let second = shown.lines().nth(1).unwrap();
    assert!(second.contains("process=curl[102]") && second.contains("1000B"), "{second}");
}

#[test]
fn talkers_are_counted() {
    let server = telling(vec![flows(9)]);
    let arguments = ["observe", "--aggregate-by", "dst,port,verdict"];
    let table = printed(&mut asking(&server, &arguments));
    assert_eq!(
        table,
        "DST        PORT   VERDICT     FLOWS   BYTES\n\
         10.0.1.1   443    FORWARDED   5       5000\n\
         10.0.1.0   443    FORWARDED   4       4000\n"
    );
    assert_eq!(server.asked().flows[0].number, 0, "all there are");
    let json =
        printed(&mut asking(&server, &["observe", "--aggregate-by", "process", "-o", "json"]));
    let lines: Vec<Value> = json.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines[0], json!({"process": "nginx", "flows": 5, "bytes": "5000"}));
    // What comes is counted until it is told to stop.
    let running = Running::start(&mut asking(&server, &["observe", "-f", "--aggregate-by", "src"]));
    wait_for("a third request", || (server.asked().flows.len() == 3).then_some(()));
    let lines = running.interrupt();
    assert_eq!(lines[0].split_whitespace().collect::<Vec<_>>(), ["SRC", "FLOWS", "BYTES"]);
}

#[test]
fn a_file_is_observed_as_a_server_is() {
    let server = telling(vec![flows(10)]);
    let written = printed(&mut asking(&server, &["observe", "-o", "json", "--all"]));
    let folder = Scratch::new();
    let file = folder.at("flows.json");
    std::fs::write(&file, &written).unwrap();
    let file = file.to_str().unwrap();
    for (arguments, expected) in [
        (&[][..], (1..=10).collect::<Vec<_>>()),
        (&["--last", "2"], vec![9, 10]),
        (&["--first", "2"], vec![1, 2]),
        (&["--to-ip", "10.0.1.0"], vec![2, 4, 6, 8, 10]),
        (&["--not", "--to-ip", "10.0.1.0", "--last", "2"], vec![7, 9]),
        (&["--since", "2026-01-02T15:04:08Z"], vec![8, 9, 10]),
        (&["--until", "2026-01-02T15:04:02Z"], vec![1, 2]),
        (&["--process", "curl", "--first", "1"], vec![2]),
    ] {
        let from_file = [&["observe", "-o", "json", "--input-file", file], arguments].concat();
        assert_eq!(numbers(&printed(&mut command(&from_file))), expected, "{arguments:?}");
    }
    let again = printed(&mut command(&["observe", "-o", "json", "--input-file", file]));
    assert_eq!(again, written);
    let wrong = ["observe", "--input-file", file, "--ip", "nowhere"];
    fails(&mut command(&wrong), 2, "filters", &["nowhere"]);
    fails(
        &mut command(&["observe", "--input-file", "/nowhere.json"]),
        1,
        "hubble",
        &["/nowhere.json"],
    );
}

#[test]
fn standard_input_is_shown_as_it_comes_and_what_cannot_be_read_is_left_out() {
    let arguments = ["observe", "--input-file", "-", "-o", "json"];
    let mut command = command(&arguments);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let good = r#"{"flow":{"uuid":"id-1"}}"#;
    let later = r#"{"flow":{"uuid":"id-2","from_later":1}}"#;
    writeln!(input, "{good}\nnonsense\n{later}").unwrap();
    let mut lines = std::io::BufReader::new(child.stdout.take().unwrap());
    let mut shown = String::new();
    while shown.lines().count() < 2 {
        assert!(std::io::BufRead::read_line(&mut lines, &mut shown).unwrap() > 0);
    }
    assert_eq!(numbers(&shown), [1, 2], "while the pipe is open");
    drop(input);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("line 2") && error.contains("from_later"), "{error}");
    let folder = Scratch::new();
    std::fs::write(folder.at("input"), "nonsense\n").unwrap();
    let nonsense = std::fs::File::open(folder.at("input")).unwrap();
    let silent = said(self::command(&["observe", "--input-file", "-", "-s"]).stdin(nonsense));
    assert_eq!((silent.out.as_str(), silent.error.as_str(), silent.code), ("", "", Some(0)));
}
