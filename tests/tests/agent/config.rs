//! Where the agent's options come from: a flag goes before the environment, that before the file.
//! Each key is set to another value in each place, and what the agent then does tells which one won.

use std::fs;
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use chandra_tests::agent::{self, Agent};
use chandra_tests::dns::query;
use chandra_tests::failure::fails;
use chandra_tests::http::get_as;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::storm;
use chandra_tests::trace::chandra;
use simple_dns::TYPE;

/// Names and values in the environment.
type Variables<'a> = [(&'a str, &'a str)];

/// An option in a file, in the environment and as a flag.
#[derive(Default)]
struct Options<'a> {
    file: &'a str,
    variables: &'a Variables<'a>,
    flags: &'a [&'a str],
}

/// An agent with these options and, where they say nothing of it, a free port.
fn command(scratch: &Scratch, options: &Options<'_>) -> Command {
    let file = scratch.at("chandra.toml");
    let http = if options.file.contains("http") { "" } else { "http = \"127.0.0.1:0\"\n" };
    fs::write(&file, format!("{http}{}", options.file)).unwrap();
    let mut command = agent::command(&["--config", file.to_str().unwrap()]);
    command.args(options.flags).envs(options.variables.iter().copied());
    command
}

/// Starts it with the option in the file alone, then also in the environment, then also as a flag,
/// and asks `outcome` each time.
fn in_three_places<T: PartialEq<U> + std::fmt::Debug, U: std::fmt::Debug>(
    file: &str,
    variable: (&str, &str),
    flag: &[&str],
    expected: [U; 3],
    outcome: impl Fn(&mut Agent) -> T,
) {
    let [in_file, in_variable, in_flag] = expected;
    let cases: [(&Variables<'_>, &[&str], U); 3] =
        [(&[], &[], in_file), (&[variable], &[], in_variable), (&[variable], flag, in_flag)];
    for (variables, flags, expected) in cases {
        let scratch = Scratch::new();
        let mut command = command(&scratch, &Options { file, variables, flags });
        let mut agent = Agent::start_command(&mut command);
        assert_eq!(outcome(&mut agent), expected, "{variables:?} {flags:?} over {file:?}");
    }
}

#[test]
fn http() {
    needs!("root");
    in_three_places(
        "http = \"127.0.0.11:0\"",
        ("CHANDRA_HTTP", "127.0.0.12:0"),
        &["--http", "127.0.0.13:0"],
        ["127.0.0.11", "127.0.0.12", "127.0.0.13"],
        |agent| agent.address().ip().to_string(),
    );
}

#[test]
fn signals() {
    needs!("root");
    let active = |agent: &mut Agent| {
        let names = ["process", "tcp", "file_io"];
        let names = names.into_iter().filter(|name| agent.start_line(name).is_some());
        names.collect::<Vec<_>>().join(" ")
    };
    in_three_places(
        "signals = [\"file_io\"]",
        ("CHANDRA_SIGNALS", "process,tcp"),
        &["--signals", "tcp"],
        ["file_io", "process tcp", "tcp"],
        active,
    );
}

#[test]
fn rules() {
    needs!("root");
    let loaded = |flags: &[&str], variables: &Variables<'_>| {
        let scratch = Scratch::new();
        let file = "rules = [\"default\"]\nrules_minimum_priority = \"emergency\"\nsignals = [\"process\"]";
        let mut command = command(&scratch, &Options { file, variables, flags });
        let agent = Agent::start_command(command.env_remove("CHANDRA_RULES"));
        agent.metric("chandra_rules_loaded")
    };
    let variable = [("CHANDRA_RULES_MINIMUM_PRIORITY", "critical")];
    let (in_file, in_variable) = (loaded(&[], &[]), loaded(&[], &variable));
    let in_flag = loaded(&["--rules-minimum-priority", "debug"], &variable);
    assert_eq!(in_file, 0);
    assert!(0 < in_variable && in_variable < in_flag, "{in_variable} {in_flag}");
    let switches = [
        "--rules-minimum-priority",
        "debug",
        "--rules-disable",
        "*",
        "--rules-enable",
        "Crypto miner",
    ];
    assert_eq!(loaded(&switches, &variable), 1);
    // Nothing is audited, so nothing is told of it.
    assert_eq!(loaded(&["--rules", "off"], &[]), 0);
}

#[test]
fn ring_size() {
    needs!("root");
    in_three_places(
        "signals = [\"process\"]\nring_size = \"64k\"",
        ("CHANDRA_RING_SIZE", "128k"),
        &["--ring-size", "262144"],
        [64 << 10, 128 << 10, 256 << 10],
        |agent| agent.signal("process").number("ring_bytes").unwrap(),
    );
}

/// The ports, of these, where it sees DNS.
fn dns_ports_seen(agent: &Agent) -> Vec<u16> {
    const PORTS: [u16; 4] = [53, 5353, 5354, 5355];
    agent.wait_until_ready();
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let own_port = socket.local_addr().unwrap().port();
    let is_own = |record: &Record| {
        record.kind() == "dns_query"
            && record.number("connection.local.port") == Some(own_port.into())
    };
    // Two rounds: when something of the second is seen, all of the first has been.
    for port in PORTS.into_iter().chain(PORTS) {
        // Refused where nobody listens, which the next call tells.
        let _ = socket.send_to(&query(7, "web.example.test", TYPE::A), ("127.0.0.1", port));
    }
    wait_for("the second round", || {
        let records = agent.records().into_iter().filter(is_own);
        let port = |record: Record| record.number("connection.peer.port")?.try_into().ok();
        let seen: Vec<u16> = records.filter_map(port).collect();
        let times = |port: &u16| seen.iter().filter(|it| *it == port).count();
        let first_round = PORTS.into_iter().filter(|port| times(port) > 0).collect();
        PORTS.iter().any(|port| times(port) > 1).then_some(first_round)
    })
}

#[test]
fn dns_ports() {
    needs!("root");
    in_three_places(
        "print = true\noutput = \"json\"\nsignals = [\"dns\"]\ndns_ports = [53]",
        ("CHANDRA_DNS_PORTS", "5353,5354"),
        &["--dns-ports", "5355"],
        [vec![53], vec![5353, 5354], vec![5355]],
        |agent| {
            agent.read_output();
            dns_ports_seen(agent)
        },
    );
}

#[test]
fn ports_that_cannot_be_are_refused() {
    let words = ["--dns-ports", "0", "53,5353"];
    fails(&mut agent::command(&["--dns-ports", "53,0"]), 2, "filters", &words);
    fails(&mut agent::command(&["--dns-ports", "1,2,3,4,5,6,7,8,9"]), 2, "filters", &["eight"]);
    fails(&mut agent::command(&["--dns-ports", "domain"]), 2, "usage", &["domain"]);
}

#[test]
fn interval() {
    needs!("root");
    in_three_places(
        "signals = [\"udp\"]\ninterval = \"45s\"",
        ("CHANDRA_INTERVAL", "2m"),
        &["--interval", "7"],
        [45_000_000_000, 120_000_000_000, 7_000_000_000],
        |agent| agent.signal("udp").number("interval_ns").unwrap(),
    );
}

#[test]
fn event_budget() {
    needs!("root");
    in_three_places(
        "signals = [\"process\"]\nevent_budget = [\"2000\"]",
        ("CHANDRA_EVENT_BUDGET", "9,process=3000"),
        &["--event-budget", "off"],
        [Some(2000), Some(3000), None],
        |agent| agent.signal("process").number("records_per_second"),
    );
}

#[test]
fn packet_hooks() {
    needs!("root");
    in_three_places(
        "signals = [\"icmp\"]\npacket_hooks = true",
        ("CHANDRA_PACKET_HOOKS", "false"),
        &["--packet-hooks"],
        [true, false, true],
        |agent| agent.signal("icmp").at("programs").unwrap().to_string().contains("icmp_egress"),
    );
}

/// Hubble's families that it has.
fn hubble_families(agent: &Agent) -> Vec<String> {
    let (_, text) = get_as(agent.address(), "/metrics", "text/plain");
    let series = text.lines().filter_map(|line| {
        let (family, _) =
            line.strip_prefix("chandra_metrics_series{family=\"hubble_")?.split_once('"')?;
        Some(family.to_owned())
    });
    series.collect()
}

#[test]
fn hubble_metrics() {
    needs!("root");
    in_three_places(
        "hubble_metrics = \"icmp drop\"",
        ("CHANDRA_HUBBLE_METRICS", "tcp:sourceContext=pod|ip"),
        &["--hubble-metrics", ""],
        [
            vec!["icmp", "drop", "lost_events"],
            vec!["tcp_flags", "lost_events"],
            vec!["lost_events"],
        ],
        |agent| hubble_families(agent),
    );
}

#[test]
fn metrics_levels() {
    needs!("root");
    in_three_places(
        "metrics_levels = \"off tcp-connect=node\"",
        ("CHANDRA_METRICS_LEVELS", "dns-lookup=off"),
        &["--metrics-levels", "off"],
        [
            vec!["tcp_connect_duration_seconds"],
            vec![
                "tcp_connect_duration_seconds",
                "tcp_round_trip_seconds",
                "http_client_request_duration_seconds",
                "http_server_request_duration_seconds",
                "tcp_limited_seconds",
            ],
            vec![],
        ],
        |agent| {
            let (_, text) = get_as(agent.address(), "/metrics", "text/plain");
            let of = |line: &str| {
                let (name, _) = line
                    .strip_prefix("chandra_metrics_series{family=\"chandra_")?
                    .split_once('"')?;
                // What is told of processors has no level.
                let is_of_cpu = name.starts_with("cpu_") || name.starts_with("off_cpu_");
                (name.ends_with("_seconds") && !is_of_cpu).then(|| name.to_owned())
            };
            text.lines().filter_map(of).collect::<Vec<_>>()
        },
    );
}

#[test]
fn a_metric_that_there_is_not_is_told_with_its_place() {
    let scratch = Scratch::new();
    let options = Options { flags: &["--hubble-metrics", "drop flwo"], ..Options::default() };
    let words = ["at character 6", "\"flwo\"", "perhaps you meant \"flow\""];
    fails(&mut command(&scratch, &options), 2, "filters", &words);
}

#[test]
fn bounds_of_metrics() {
    needs!("root");
    // A budget that flows of one connection to each of many ports go beyond.
    in_three_places(
        "metrics_max_series = 10\nmetrics_expire_after = \"1h\"",
        ("CHANDRA_METRICS_MAX_SERIES", "12"),
        &["--metrics-max-series", "14", "--metrics-expire-after", "2h"],
        [11, 13, 15],
        |agent| {
            agent.wait_until_ready();
            for _ in 0..20 {
                let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
                drop(std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap());
            }
            let name = "chandra_metrics_series{family=\"hubble_port_distribution\"} ";
            wait_for("series up to the budget", || {
                let (_, text) = get_as(agent.address(), "/metrics", "text/plain");
                let overflowed = "hubble_port_distribution_total{protocol=\"overflow\"";
                let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
                text.contains(overflowed).then(|| line.parse::<u32>().unwrap())
            })
        },
    );
}

/// `BPF_MAP_TYPE_PERF_EVENT_ARRAY` and `BPF_MAP_TYPE_RINGBUF`.
const PERF_ARRAY: u32 = 4;
const RING_BUFFER: u32 = 27;

/// Which of the two kinds of maps a process holds, as its descriptors say.
fn ring_maps(pid: u32) -> Vec<u32> {
    let folder = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap();
    let texts = folder.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    let types = texts.filter_map(|text| {
        text.lines().find_map(|line| line.strip_prefix("map_type:")?.trim().parse().ok())
    });
    let mut types: Vec<_> = types.filter(|kind| [PERF_ARRAY, RING_BUFFER].contains(kind)).collect();
    // Identity has one more.
    types.dedup();
    types
}

#[test]
fn ring() {
    needs!("root");
    in_three_places(
        "signals = [\"process\"]\nring = \"perf\"",
        ("CHANDRA_RING", "ring"),
        &["--ring", "perf"],
        [[PERF_ARRAY], [RING_BUFFER], [PERF_ARRAY]],
        |agent| {
            // Records cross either way: a canary came through.
            agent.wait_until_ready();
            ring_maps(agent.pid())
        },
    );
}

/// Whether the first line that it prints is JSON.
fn prints_json(agent: &mut Agent) -> bool {
    agent.read_output();
    storm::execute_many(Path::new("/bin/true"), 3, storm::user());
    let line = wait_for("a line", || agent.lines(0).first().cloned());
    line.starts_with('{')
}

#[test]
fn output() {
    needs!("root");
    in_three_places(
        "print = true\noutput = \"json\"",
        ("CHANDRA_OUTPUT", "table"),
        &["--output", "json"],
        [true, false, true],
        prints_json,
    );
}

/// Whether it prints: one that does not has handed nothing to its printer, although it has seen
/// its own canary.
fn prints(agent: &mut Agent) -> bool {
    agent.read_output();
    agent.wait_until_ready();
    let decoded = |agent: &Agent| agent.signal("process").number("ledger.decoded").unwrap();
    wait_for("a record", || (decoded(agent) > 0).then_some(()));
    if agent.signal("process").number("ledger.delivered") == Some(0) {
        return false;
    }
    wait_for("a line", || agent.lines(0).first().cloned());
    true
}

#[test]
fn print() {
    needs!("root");
    in_three_places(
        "print = true",
        ("CHANDRA_PRINT", "false"),
        &["--print"],
        [true, false, true],
        prints,
    );
    in_three_places(
        "print = false",
        ("CHANDRA_PRINT", "true"),
        &["--print=false"],
        [false, true, false],
        prints,
    );
}

#[test]
fn btf() {
    needs!("root");
    let scratch = Scratch::new();
    let [file, variable, flag] = ["file", "variable", "flag"].map(|name| scratch.at(name));
    let names = [&file, &variable, &flag].map(|path| path.to_str().unwrap());
    let setting = format!("btf = {:?}", names[0]);
    let variables = [("CHANDRA_BTF", names[1])];
    let flags = ["--btf", names[2]];
    let options: [(&Variables<'_>, &[&str]); 3] =
        [(&[], &[]), (&variables, &[]), (&variables, &flags)];
    for ((variables, flags), named) in options.into_iter().zip(names) {
        let mut command = command(&scratch, &Options { file: &setting, variables, flags });
        fails(&mut command, 1, "btf", &[named]);
    }
}

#[test]
fn the_file_itself_is_named_by_a_variable_too() {
    needs!("root");
    let scratch = Scratch::new();
    let [named, over] = ["named", "over"].map(|name| scratch.at(name));
    fs::write(&named, "http = \"127.0.0.21:0\"").unwrap();
    fs::write(&over, "http = \"127.0.0.22:0\"").unwrap();
    let mut command = agent::command::<&str>(&[]);
    command.env("CHANDRA_CONFIG", &named);
    assert_eq!(Agent::start_command(&mut command).address().ip().to_string(), "127.0.0.21");
    command.arg("--config").arg(&over);
    assert_eq!(Agent::start_command(&mut command).address().ip().to_string(), "127.0.0.22");
}

/// In a mount namespace whose /etc has nothing else.
#[test]
fn the_file_in_etc_is_read_where_no_other_is_named() {
    needs!("root", "unshare");
    let script = "mount -t tmpfs none /etc && mkdir /etc/chandra && \
        echo 'http = \"127.0.0.23:0\"' > /etc/chandra/chandra.toml && exec \"$0\" agent";
    let mut command = Command::new("unshare");
    command.args(["--mount", "--propagation", "private", "sh", "-c", script]).arg(chandra());
    agent::without_variables(&mut command);
    assert_eq!(Agent::start_command(&mut command).address().ip().to_string(), "127.0.0.23");
}

fn refused(text: &str, words: &[&str]) {
    let scratch = Scratch::new();
    let mut command = command(&scratch, &Options { file: text, ..Options::default() });
    fails(&mut command, 2, "config", &[&["chandra.toml"], words].concat());
}

#[test]
fn a_key_that_there_is_not_is_named_with_its_line_and_the_nearest_that_there_is() {
    refused("print = true\nrign_size = \"1m\"", &["line 3", "rign_size", "\"ring_size\""]);
    refused("htpp = \"127.0.0.1:1\"", &["line 2", "htpp", "\"http\""]);
    refused("signal = [\"tcp\"]", &["line 2", "\"signals\""]);
}

#[test]
fn a_value_of_a_wrong_type_is_shown_with_its_line() {
    refused("print = \"yes\"", &["line 2", "print = \"yes\"", "boolean"]);
    refused("print = true\nsignals = \"tcp\"", &["line 3", "sequence"]);
    refused("ring_size = [1]", &["line 2", "ring_size"]);
    refused("output = \"xml\"", &["line 2", "xml", "json"]);
    refused("ring = \"round\"", &["line 2", "round", "perf"]);
    refused("this is no TOML", &["line 2"]);
    refused("print = true\nprint = true", &["line 3", "duplicate"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named_with_the_reason() {
    let scratch = Scratch::new();
    let missing = scratch.at("missing");
    for (path, why) in [(missing.as_path(), "No such file"), (scratch.path(), "Is a directory")] {
        let path = path.to_str().unwrap();
        fails(&mut agent::command(&["--config", path]), 2, "config", &[path, why, "--config"]);
    }
    let binary = scratch.at("binary");
    fs::write(&binary, b"\xff\xfe").unwrap();
    let path = binary.to_str().unwrap();
    fails(&mut agent::command(&["--config", path]), 2, "config", &[path, "UTF-8"]);
}

#[test]
fn a_file_that_belongs_to_another_is_named_with_the_reason() {
    needs!("root");
    let scratch = Scratch::new();
    let secret = scratch.at("secret");
    fs::write(&secret, "").unwrap();
    fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    let copy = scratch.copy(&chandra(), "chandra");
    let mut command = Command::new(copy);
    command.arg("agent").arg("--config").arg(&secret).uid(65_534).gid(65_534);
    agent::without_variables(&mut command);
    fails(&mut command, 2, "config", &[secret.to_str().unwrap(), "Permission denied"]);
}

#[test]
fn an_address_that_others_can_reach_is_refused_wherever_it_comes_from() {
    let scratch = Scratch::new();
    for address in ["0.0.0.0:9965", "[::]:0", "192.0.2.1:80", "[2001:db8::1]:80"] {
        let setting = format!("http = {address:?}");
        let words = [address, "other machines", "127.0.0.1:9965"];
        let [mut file, mut variable, mut flag] = [
            Options { file: &setting, ..Options::default() },
            Options { variables: &[("CHANDRA_HTTP", address)], ..Options::default() },
            Options { flags: &["--http", address], ..Options::default() },
        ]
        .map(|options| command(&scratch, &options));
        fails(&mut variable, 2, "filters", &words);
        fails(&mut flag, 2, "filters", &words);
        drop(fs::write(scratch.at("chandra.toml"), &setting));
        fails(&mut file, 2, "filters", &words);
    }
    for address in ["9965", "localhost:9965", "127.0.0.1", "127.0.0.1:65536", ""] {
        fails(&mut agent::command(&[&format!("--http={address}")]), 2, "filters", &["--http"]);
    }
}

#[test]
fn a_signal_that_there_is_not_is_refused_with_those_that_there_are() {
    let words = ["\"smtp\"", "dns", "file_io", "process", "tcp"];
    fails(&mut agent::command(&["--signals", "process,smtp"]), 2, "filters", &words);
    let scratch = Scratch::new();
    let setting = "signals = [\"process\", \"smtp\"]";
    let mut command = command(&scratch, &Options { file: setting, ..Options::default() });
    fails(&mut command, 2, "filters", &words);
}

#[test]
fn other_wrong_values_are_refused() {
    fails(&mut agent::command(&["--output", "xml"]), 2, "usage", &["xml"]);
    fails(&mut agent::command(&["--ring", "round"]), 2, "usage", &["round"]);
    fails(&mut agent::command(&["--ring-size", "huge"]), 2, "filters", &["huge"]);
    fails(&mut agent::command(&["--prnit"]), 2, "usage", &["--prnit", "--print"]);
    let mut command = agent::command::<&str>(&[]);
    fails(command.env("CHANDRA_PRINT", "perhaps"), 2, "usage", &["perhaps"]);
}
