//! What an agent says of itself to who asks for its events: that it began, how each signal works, and
//! when one does not any more.

use std::process::Command;

use chandra_tests::flows::Observed;
use chandra_tests::needs;
use chandra_tests::observe::{Running, command};
use chandra_tests::patience::wait_for;
use serde_json::Value;

/// Events as JSON: type, and what more is said.
fn events(lines: &str) -> Vec<(String, Value)> {
    let event = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let event = line["agent_event"].clone();
        assert!(line["time"].is_string() && line["node_name"].is_string(), "{line}");
        // JSON of messages leaves out what has the number 0.
        (event["type"].as_str().unwrap_or("AGENT_EVENT_UNKNOWN").to_owned(), event)
    };
    lines.lines().map(event).collect()
}

/// Verdicts among events, as they came.
fn verdicts(lines: &str) -> Vec<Value> {
    let unknown = events(lines).into_iter().filter(|(kind, _)| kind == "AGENT_EVENT_UNKNOWN");
    let verdict = |(_, event): (String, Value)| {
        assert_eq!(event["unknown"]["type"], "signal_verdict");
        serde_json::from_str(event["unknown"]["notification"].as_str().unwrap()).unwrap()
    };
    unknown.map(verdict).collect()
}

#[test]
fn an_agent_tells_that_it_began_and_the_verdict_of_each_signal() {
    needs!("root");
    let observed = Observed::start(&["--signals", "tcp", "--identity", "off"]);
    let all = observed.printed(&["observe", "agent-events", "--all", "-o", "json"]);
    assert_eq!(events(&all)[0].0, "AGENT_STARTED");
    let verdicts = verdicts(&all);
    let signals = observed.agent.get("/signals").body;
    let told = signals.at("signals").unwrap().as_array().unwrap();
    assert_eq!((told.len(), told[0]["signal"].as_str()), (1, Some("tcp")));
    for name in ["signal", "verdict", "is_on", "hooks"] {
        assert_eq!(verdicts[0][name], told[0][name], "{name}");
    }
    assert_eq!(verdicts[0]["verdict"], "active");
    // All others are off.
    assert!(verdicts.len() > 3, "{verdicts:?}");
    for verdict in &verdicts[1..] {
        assert_eq!(verdict["verdict"], "off", "{verdict}");
        assert_ne!(verdict["signal"], "tcp");
    }
    let text = observed.printed(&["observe", "agent-events", "--first", "2"]);
    let line = text.lines().nth(1).unwrap();
    let begin = "AGENT_EVENT_UNKNOWN (type: signal_verdict, notification: {";
    assert!(line.contains(begin) && line.contains(r#""signal":"tcp""#), "{line}");
    observed.agent.stop();
}

/// The links of the kernel that programs of this name are attached by, as another tool lists them.
fn links_of(program: &str) -> Vec<u64> {
    let listed = |what: &str| -> Vec<Value> {
        let output = Command::new("bpftool").args(["-j", what, "show"]).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let programs: Vec<_> = listed("prog")
        .into_iter()
        .filter(|it| it["name"].as_str() == Some(program))
        .map(|it| it["id"].clone())
        .collect();
    let links = listed("link").into_iter().filter(|link| programs.contains(&link["prog_id"]));
    links.map(|link| link["id"].as_u64().unwrap()).collect()
}

#[test]
fn a_hook_that_somebody_detaches_has_failed_and_that_is_told_at_once() {
    needs!("root", "bpftool");
    let before = links_of("dns_egress");
    let observed = Observed::start(&["--signals", "dns,tcp"]);
    let follow = ["observe", "agent-events", "-f", "--last", "1000", "-o", "json"];
    let following = Running::start(command(&follow).args(observed.server()));
    let of_dns = || {
        let verdicts = verdicts(&following.lines().join("\n"));
        verdicts.into_iter().filter(|it| it["signal"] == "dns").collect::<Vec<_>>()
    };
    let first = wait_for("the verdict", || of_dns().first().cloned());
    assert_eq!(first["verdict"], "active", "{first}");
    let own: Vec<_> =
        links_of("dns_egress").into_iter().filter(|id| !before.contains(id)).collect();
    let [link] = own[..] else { panic!("one link of this agent: {own:?}") };
    let detach = ["link", "detach", "id", &link.to_string()];
    assert!(Command::new("bpftool").args(detach).status().unwrap().success());
    let second = wait_for("the new verdict", || of_dns().get(1).cloned());
    assert_eq!(second["verdict"], "failed", "{second}");
    let of_hook = |name: &str| {
        let hooks = second["hooks"].as_array().unwrap().iter();
        hooks.clone().find(|hook| hook["hook"] == name).unwrap().clone()
    };
    assert_eq!(of_hook("egress")["verdict"], "failed");
    assert!(of_hook("egress")["why"].as_str().unwrap().contains("detached"), "{second}");
    assert_eq!(of_hook("ingress")["verdict"], "active");
    assert_eq!(observed.agent.signal("dns").text("verdict"), Some("failed"));
    assert_eq!(observed.agent.signal("tcp").text("verdict"), Some("active"));
    let warns = |line: &String| line.starts_with("warning: hook egress of signal dns has failed: ");
    // It may lie in the pipe yet when the event is here.
    wait_for("the warning", || observed.agent.messages().iter().any(warns).then_some(()));
    // Told once, not again and again.
    assert_eq!(of_dns().len(), 2);
    following.interrupt();
    observed.agent.stop();
}
