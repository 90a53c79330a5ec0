//! What an agent exports by OpenTelemetry's protocol, read by OpenTelemetry's own types: the same numbers as a
//! scrape, the same alerts as a file, and the drops that were made.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use chandra_tests::actor::Actor;
use chandra_tests::agent::{self, Agent};
use chandra_tests::collector::{Collector, Received, Reply, Speaks, attribute};
use chandra_tests::exchange::Talk;
use chandra_tests::failure::fails;
use chandra_tests::http::get_as;
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::profiling::Workload;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};
use chandra_tests::socket::connections;
use chandra_tests::wall_clock::now;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::logs::v1::LogRecord;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Metric, NumberDataPoint, number_data_point};
use opentelemetry_proto::tonic::profiles::v1development::{ProfilesDictionary, Sample};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tonic::Code;

/// An agent that exports to this collector, each second unless the arguments say otherwise.
fn exporting(collector: &Collector, speaks: Speaks, arguments: &[&str]) -> Agent {
    let endpoint = format!("http://{}", collector.address());
    let protocol = if speaks == Speaks::Grpc { "grpc" } else { "http/protobuf" };
    let usual = ["--otlp-endpoint", &endpoint, "--otlp-protocol", protocol];
    let own = arguments.contains(&"--otlp-interval");
    let interval: &[&str] = if own { &[] } else { &["--otlp-interval", "1s"] };
    let agent = Agent::start(&[&usual, interval, arguments].concat());
    agent.wait_until_ready();
    agent
}

/// The latest points of a sum or a gauge.
fn points(received: &Received, name: &str) -> Vec<NumberDataPoint> {
    let latest = received.all_metrics().filter(|(_, metric)| metric.name == name).last();
    match latest.and_then(|(_, metric)| metric.data.clone()) {
        None => Vec::new(),
        Some(Data::Sum(sum)) => sum.data_points,
        Some(Data::Gauge(gauge)) => gauge.data_points,
        other => panic!("{other:?}"),
    }
}

fn number(point: &NumberDataPoint) -> f64 {
    match point.value.unwrap() {
        number_data_point::Value::AsInt(value) => value as f64,
        number_data_point::Value::AsDouble(value) => value,
    }
}

#[test]
fn an_agent_exports_what_a_scrape_of_it_says() {
    needs!("root");
    for speaks in [Speaks::Grpc, Speaks::Http] {
        let collector = Collector::start(speaks);
        let agent = exporting(&collector, speaks, &[]);
        const CONNECTIONS: usize = 25;
        let port = connections(CONNECTIONS).port();
        // A SYN that each end tells of, and the opener's FIN.
        let expected = 3 * CONNECTIONS as u64;
        let labels = format!("protocol=\"TCP\",port=\"{port}\"");
        let sample = format!("hubble_port_distribution_total{{{labels}}}");
        wait_for("all flows", || (agent.metric(&sample) == expected).then_some(()));
        let point = collector.wait("the same from the export", |received| {
            let points = points(received, "hubble_port_distribution");
            let is_it = |point: &NumberDataPoint| {
                attribute(&point.attributes, "port") == port.to_string()
                    && number(point) == expected as f64
            };
            points.into_iter().find(is_it)
        });
        assert_eq!(attribute(&point.attributes, "protocol"), "TCP");
        assert!(point.start_time_unix_nano < point.time_unix_nano);

        // Every family of the scrape is told under its name there.
        let (_, text) = get_as(agent.address(), "/metrics", "text/plain");
        let families = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        let families: Vec<_> = families.filter_map(|line| line.split_once(' ')).collect();
        assert!(families.len() > 12, "{families:?}");
        collector.wait("each family", |received| {
            let is_told = |(name, kind): &(&str, &str)| {
                let name = match *kind {
                    "counter" => name.strip_suffix("_total").unwrap(),
                    _ => name,
                };
                received.all_metrics().any(|(_, metric)| metric.name == name)
            };
            families.iter().all(is_told).then_some(())
        });
        let imbalances = collector.received(|it| points(it, "chandra_ledger_imbalance"));
        assert!(!imbalances.is_empty() && imbalances.iter().all(|point| number(point) == 0.0));
        collector.received(|received| {
            let (resource, _) = received.all_metrics().next().unwrap();
            let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
            assert_eq!(attribute(&resource.attributes, "host.name"), host.trim());
            assert_eq!(attribute(&resource.attributes, "service.name"), "chandra");
        });
        assert!(agent.metric("chandra_otlp_sent_total{signal=\"metrics\"}") > 0);
        agent.stop();
    }
}

/// `otlp: 12 of 12 data points sent, 0 dropped`
fn last_words(messages: &[String], items: &str) -> [u64; 3] {
    let ending = format!(" {items} sent, ");
    let line = messages.iter().find(|line| line.contains(&ending)).expect("no last words");
    let numbers = line.split([' ', ',']).filter_map(|word| word.parse().ok());
    numbers.collect::<Vec<_>>().try_into().expect(line)
}

#[test]
fn an_agent_that_is_told_to_end_exports_what_it_counted_last() {
    needs!("root");
    let collector = Collector::start(Speaks::Grpc);
    let agent = exporting(&collector, Speaks::Grpc, &["--otlp-interval", "1h"]);
    let port = connections(5).port();
    let sample = format!("hubble_port_distribution_total{{protocol=\"TCP\",port=\"{port}\"}}");
    wait_for("all flows", || (agent.metric(&sample) == 15).then_some(()));
    assert_eq!(collector.received(|received| received.metrics.len()), 0);
    let outcome = agent.stop();
    let [sent, made, dropped] = last_words(&outcome.messages, "data points");
    assert!(sent > 0 && sent == made && dropped == 0, "{:?}", outcome.messages);
    let points = collector.received(|received| points(received, "hubble_port_distribution"));
    let point = points.iter().find(|it| attribute(&it.attributes, "port") == port.to_string());
    assert_eq!(number(point.unwrap()), 15.0);
}

#[test]
fn a_collector_that_is_away_costs_counts_and_nothing_else() {
    needs!("root");
    let collector = Collector::start(Speaks::Http);
    let address = collector.address();
    let agent = exporting(&collector, Speaks::Http, &["--otlp-queue-size", "64k"]);
    collector.wait("a request", |received| (!received.metrics.is_empty()).then_some(()));
    drop(collector);
    let failed = "chandra_otlp_failed_requests_total{signal=\"metrics\",reason=\"unreachable\"}";
    wait_for("a failure", || (agent.metric(failed) > 0).then_some(()));
    let warnings =
        || agent.messages().iter().filter(|line| line.contains("warning: otlp: metrics")).count();
    wait_for("more of them", || (agent.metric(failed) > 2).then_some(()));
    assert_eq!(warnings(), 1, "{:?}", agent.messages());
    assert!(agent.metric("chandra_otlp_queue_bytes{signal=\"metrics\"}") <= 64 << 10);
    let collector = Collector::at(address, Speaks::Http, None);
    collector.reply([Reply::Refuse(503, Code::Ok, None)]);
    collector.wait("a request", |received| (!received.metrics.is_empty()).then_some(()));
    let outcome = agent.stop();
    let [sent, made, dropped] = last_words(&outcome.messages, "data points");
    assert!((sent, dropped) == (made, 0), "{:?}", outcome.messages);
}

#[test]
fn alerts_are_log_records_with_what_a_file_of_them_says() {
    needs!("root");
    let scratch = Scratch::new();
    let mark = format!("mark-{}", unique());
    let rules = scratch.at("rules.yaml");
    let rule = format!(
        "- rule: Marked program\n  desc: A test\n  condition: evt.type = execve and proc.args \
         contains \"{mark}\" and proc.name = true\n  priority: NOTICE\n  tags: [test]\n  \
         output: Seen (command=%proc.cmdline pid=%proc.pid)\n"
    );
    fs::write(&rules, rule).unwrap();
    let file = scratch.at("alerts.json");
    for speaks in [Speaks::Grpc, Speaks::Http] {
        drop(fs::remove_file(&file));
        let collector = Collector::start(speaks);
        let arguments = [
            "--rules",
            rules.to_str().unwrap(),
            "--alerts",
            "off",
            "--alerts-file",
            file.to_str().unwrap(),
            "--otlp-signals",
            "logs",
        ];
        let agent = exporting(&collector, speaks, &arguments);
        let secret = "--password=x8Kp2Qz7";
        assert!(Command::new("/bin/true").args([&mark, secret]).status().unwrap().success());
        let log = collector.wait("the alert", |received| {
            let mut logs = received.all_logs();
            logs.find(|log| log.event_name == "chandra.alert").cloned()
        });
        let line = wait_for("the alert's line", || {
            let text = fs::read_to_string(&file).ok()?;
            text.lines().next().filter(|_| text.ends_with('\n')).map(Record::parse)
        });
        let value = |key: &str| attribute(&log.attributes, key);
        assert_eq!((log.severity_number, log.severity_text.as_str()), (10, "Notice"));
        assert_eq!(Some(value("log.record.uid").as_str()), line.text("id"));
        assert_eq!(value("security_rule.name"), "Marked program");
        assert_eq!(value("chandra.alert.tags"), "test");
        assert_eq!(value("process.pid"), line.number("process.pid").unwrap().to_string());
        assert_eq!(value("process.parent_pid"), std::process::id().to_string());
        assert_eq!(Some(value("process.executable.path").as_str()), line.text("process.exe"));
        assert_eq!(
            value("process.executable.name"),
            value("process.executable.path").rsplit('/').next().unwrap()
        );
        let fields = line.at("output_fields").unwrap();
        assert_eq!(value("falco.proc.cmdline"), fields["proc.cmdline"]);
        let told = format!("{}", log.time_unix_nano);
        assert!(line.text("time").is_some() && told.len() == 19, "{told}");
        let whole = format!("{log:?}");
        assert!(!whole.contains("x8Kp2Qz7") && whole.contains("<redacted:password>"), "{whole}");
        let outcome = agent.stop();
        let [sent, made, dropped] = last_words(&outcome.messages, "log records");
        assert!(sent > 0 && sent == made && dropped == 0, "{:?}", outcome.messages);
        assert_eq!(collector.received(|received| received.metrics.len()), 0);
    }
}

#[test]
fn packets_that_are_dropped_are_log_records() {
    needs!("root", "ip", "nft");
    let net = Namespace::new("walled");
    net.run("nft add table inet wall");
    net.run("nft add chain inet wall in { type filter hook input priority -500 ; }");
    net.run("nft add rule inet wall in drop");
    let collector = Collector::start(Speaks::Grpc);
    let agent = exporting(&collector, Speaks::Grpc, &["--otlp-signals", "logs"]);
    let to = SocketAddr::from((Ipv4Addr::LOCALHOST, 2000));
    let from = net.enter(|| {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        socket.send_to(b"lost", to).unwrap();
        socket.local_addr().unwrap()
    });
    let port = from.port().to_string();
    let log: LogRecord = collector.wait("the packet", |received| {
        let is_it = |log: &&LogRecord| attribute(&log.attributes, "source.port") == port;
        received.all_logs().find(is_it).cloned()
    });
    assert_eq!((log.event_name.as_str(), log.severity_number), ("chandra.packet_drop", 13));
    for (key, expected) in [
        ("source.address", "127.0.0.1"),
        ("destination.address", "127.0.0.1"),
        ("destination.port", "2000"),
        ("network.transport", "udp"),
        ("network.type", "ipv4"),
        ("network.interface.name", "lo"),
        ("chandra.drop.reason", "netfilter_drop"),
    ] {
        assert_eq!(attribute(&log.attributes, key), expected, "{key} of {log:?}");
    }
    agent.stop();
}

const TRACED: &[u8] = b"GET /cart?token=x8Kp2Qz7 HTTP/1.1\r\nHost: shop.test:8080\r\n\
    traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";

#[test]
fn requests_over_http_that_are_part_of_a_trace_are_spans_at_both_ends() {
    needs!("root");
    let trace_id = 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736_u128.to_be_bytes();
    for speaks in [Speaks::Grpc, Speaks::Http] {
        let collector = Collector::start(speaks);
        let arguments = ["--otlp-signals", "metrics,traces", "--signals", "process,http_request"];
        let agent = exporting(&collector, speaks, &arguments);
        let actor = || Actor::start(&mut Command::new(env!("CARGO_BIN_EXE_actor")));
        let mut talk = Talk::connect(actor(), actor(), "127.0.0.1:0");
        let refusal = b"HTTP/1.1 430 Unassigned\r\ncontent-length: 0\r\n\r\n";
        let before = now();
        let took = talk.exchange(TRACED, Duration::from_millis(20), refusal);
        let after = now();
        // Neither what its trace does not record, nor what is part of none, is told.
        let unsampled = String::from_utf8(TRACED.to_vec()).unwrap().replace("-01\r\n", "-00\r\n");
        talk.exchange(unsampled.as_bytes(), Duration::ZERO, refusal);
        talk.exchange(b"GET /other HTTP/1.1\r\n\r\n", Duration::ZERO, refusal);
        let [client, server] = talk.ends;
        let spans = collector.wait("both spans", |received| {
            let is_it = |(_, span): &(&Resource, &Span)| span.trace_id == trace_id;
            let spans = received.all_spans().filter(is_it);
            let spans: Vec<_> = spans.map(|(of, span)| (of.clone(), span.clone())).collect();
            (spans.len() >= 2).then_some(spans)
        });
        let mut ids = Vec::new();
        for (kind, pid, ends, has_failed) in [
            (SpanKind::Client, talk.client.pid(), [client, server], true),
            (SpanKind::Server, talk.server.pid(), [server, client], false),
        ] {
            let of_kind = spans.iter().filter(|(_, span)| span.kind() == kind);
            let [(resource, span)] = &of_kind.collect::<Vec<_>>()[..] else { panic!("{spans:?}") };
            assert_eq!(span.parent_span_id, 0x00f0_67aa_0ba9_02b7_u64.to_be_bytes());
            assert_eq!((span.name.as_str(), span.flags & 1), ("GET", 1));
            let [start, end] = [span.start_time_unix_nano, span.end_time_unix_nano];
            assert!(before <= start && end <= after, "{before} {start} {end} {after}");
            assert!(took.contains(&(end - start)), "{took:?} {}", end - start);
            assert_eq!(span.status.is_some(), has_failed, "{span:?}");
            for (key, expected) in [
                ("http.request.method", "GET".to_owned()),
                ("url.path", "/cart".to_owned()),
                ("url.scheme", "http".to_owned()),
                ("http.response.status_code", "430".to_owned()),
                ("error.type", if has_failed { "430" } else { "" }.to_owned()),
                ("network.protocol.version", "1.1".to_owned()),
                ("server.address", "shop.test".to_owned()),
                ("server.port", "8080".to_owned()),
                ("network.local.port", ends[0].port().to_string()),
                ("network.peer.address", "127.0.0.1".to_owned()),
                ("network.peer.port", ends[1].port().to_string()),
                ("process.pid", pid.to_string()),
            ] {
                assert_eq!(attribute(&span.attributes, key), expected, "{key} of {span:?}");
            }
            assert_eq!(attribute(&resource.attributes, "service.name"), "unknown_service:actor");
            let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
            assert_eq!(attribute(&resource.attributes, "host.name"), host.trim());
            assert!(!format!("{span:?}").contains("x8Kp2Qz7"), "{span:?}");
            ids.push(span.span_id.clone());
        }
        assert!(ids[0] != ids[1] && ids.iter().all(|id| id.len() == 8), "{ids:?}");

        // The same as a histogram, under the name that the conventions have, which leads to the trace.
        for name in ["http.client.request.duration", "http.server.request.duration"] {
            collector.wait(name, |received| {
                let mut metrics = received.all_metrics().filter(|(_, metric)| metric.name == name);
                let is_it = |metric: &Metric| {
                    let Some(Data::ExponentialHistogram(histogram)) = &metric.data else {
                        return false;
                    };
                    histogram.data_points.iter().any(|point| {
                        let value = |key: &str| attribute(&point.attributes, key);
                        value("http.request.method") == "GET"
                            && value("http.response.status_code") == "430"
                            && point.count == 3
                            && point.exemplars.iter().any(|it| it.trace_id == trace_id)
                    })
                };
                metrics.any(|(_, metric)| metric.unit == "s" && is_it(metric)).then_some(())
            });
        }
        let outcome = agent.stop();
        let [sent, made, dropped] = last_words(&outcome.messages, "spans");
        assert!(sent >= 2 && sent == made && dropped == 0, "{:?}", outcome.messages);
    }
}

#[test]
fn what_cannot_be_exported_is_said_at_once() {
    for (variables, arguments, told) in [
        (
            &[][..],
            &["--otlp-endpoint", "collector:4317"][..],
            "--otlp-endpoint: \"collector:4317\"",
        ),
        (&[], &["--otlp-endpoint", "http://a", "--otlp-headers", "a=b,c"], "at character 5"),
        (
            &[],
            &["--otlp-endpoint", "http://a", "--otlp-signals", "spans"],
            "\"spans\" is no signal",
        ),
        (&[("OTEL_EXPORTER_OTLP_ENDPOINT", "x")], &[], "OTEL_EXPORTER_OTLP_ENDPOINT: \"x\""),
    ] {
        let mut command = agent::command(arguments);
        command.envs(variables.iter().copied());
        fails(&mut command, 2, "usage", &[told, "cannot export by OTLP"]);
    }
}

#[test]
fn the_variables_of_opentelemetry_are_heard() {
    needs!("root");
    let collector = Collector::start(Speaks::Grpc);
    let mut command = agent::command(&["--http", "127.0.0.1:0"]);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", collector.address()));
    command.env("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    command.env("OTEL_METRIC_EXPORT_INTERVAL", "1000");
    command.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test%20bed");
    let agent = Agent::start_command(&mut command);
    let resource = collector.wait("a request", |received| {
        received.all_metrics().next().map(|(resource, _)| resource.clone())
    });
    assert_eq!(attribute(&resource.attributes, "deployment.environment.name"), "test bed");
    agent.stop();
}

/// The functions of a stack in a profile, from the leaf.
fn functions(dictionary: &ProfilesDictionary, stack: i32) -> Vec<&str> {
    let locations = dictionary.stack_table[stack as usize].location_indices.iter();
    let lines = locations.flat_map(|index| &dictionary.location_table[*index as usize].lines);
    let functions = lines.map(|line| &dictionary.function_table[line.function_index as usize]);
    functions.map(|it| dictionary.string_table[it.name_strindex as usize].as_str()).collect()
}

#[test]
fn profiles_are_exported_as_their_windows_end() {
    needs!("root", "gcc");
    let collector = Collector::start(Speaks::Grpc);
    let arguments = ["--otlp-signals", "profiles", "--signals", "process,cpu_profile"];
    let agent = exporting(&collector, Speaks::Grpc, &arguments);
    let workload = Workload::build(&["-O2"]);
    let mut spinning = Command::new(workload.program());
    let mut spinning = spinning.args(["shares", "60", "3"]).spawn().unwrap();
    let pid = i64::from(spinning.id());
    let nanoseconds = collector.wait("the stacks of a program that spins", |received| {
        let mut sum = 0;
        for request in &received.profiles {
            let dictionary = request.dictionary.as_ref().unwrap();
            let is_of_it = |sample: &&Sample| {
                sample.attribute_indices.iter().any(|index| {
                    let attribute = &dictionary.attribute_table[*index as usize];
                    let key = &dictionary.string_table[attribute.key_strindex as usize];
                    let value = attribute.value.as_ref().and_then(|value| value.value.as_ref());
                    key == "process.pid" && value == Some(&Value::IntValue(pid))
                })
            };
            let scopes = request.resource_profiles.iter().flat_map(|it| &it.scope_profiles);
            let samples = scopes.flat_map(|it| &it.profiles).flat_map(|it| &it.samples);
            for sample in samples.filter(is_of_it) {
                if functions(dictionary, sample.stack_index).contains(&"main") {
                    sum += sample.values[0];
                }
            }
        }
        (sum > 1_000_000_000).then_some(sum)
    });
    spinning.kill().unwrap();
    spinning.wait().unwrap();
    // What one processor could do meanwhile, at most.
    assert!(nanoseconds < 60_000_000_000, "{nanoseconds}");
    wait_for("the same on /metrics", || {
        (agent.metric("chandra_otlp_sent_total{signal=\"profiles\"}") > 0).then_some(())
    });
    agent.stop();
}
