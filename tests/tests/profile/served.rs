//! `chandra profile --server`: the profiles that an agent makes for clients, of programs whose shares are known and of
//! pods that a real containerd runs.

use std::fs;
use std::path::Path;
use std::process::Command;

use chandra_tests::agent::Agent;
use chandra_tests::certificates::{Authority, Validity};
use chandra_tests::containerd::{Container, Containerd, Pod};
use chandra_tests::failure::fails;
use chandra_tests::hubble::{Answers, HubbleServer};
use chandra_tests::observe::{command, said};
use chandra_tests::patience::wait_for;
use chandra_tests::profiling::{Profiling, Workload, is_share, succeed};
use chandra_tests::scratch::Scratch;
use chandra_tests::{needs, needs_containerd};

/// An agent that serves on a Unix socket, and how that is named.
fn serving(scratch: &Scratch, arguments: &[&str]) -> (Agent, String) {
    let socket = scratch.at("hubble.sock").display().to_string();
    let agent = Agent::start(&[&["--hubble-socket-path", &socket], arguments].concat());
    (agent, format!("unix://{socket}"))
}

/// `chandra profile --server SERVER ARGUMENTS`
fn asking(server: &str, arguments: &[&str]) -> Command {
    let mut command = command(&["profile", "--server", server]);
    command.args(arguments);
    command
}

#[test]
fn shares_are_right_of_another_nodes_agent_until_ctrl_c() {
    needs!("root", "gcc");
    let scratch = Scratch::new();
    let workload = Workload::build(&["-O2", "-fomit-frame-pointer"]);
    let (agent, server) = serving(&scratch, &["--signals", "process,cpu_profile"]);
    let other = Workload::build(&["-O2"]);
    let attempt = || {
        let profiling = Profiling::start(&["--server", &server, "--comm", &workload.name]);
        // What the agent samples at is little, so there are two of them, and what nobody asked for beside them.
        std::thread::scope(|scope| {
            scope.spawn(|| other.run(&["shares", "1", "3"]));
            for _ in 0..2 {
                scope.spawn(|| workload.run(&["shares", "8", "3"]));
            }
        });
        let profiled = profiling.stop();
        let all = profiled.samples();
        // 16 seconds of CPU time at 19 Hz, of which chance takes or gives some.
        assert!((230..400).contains(&all), "{all} samples: {}", profiled.summary);
        assert!(profiled.summary.contains(", 0 lost"), "{}", profiled.summary);
        assert!(
            profiled.summary.starts_with(&format!("{all} samples of ")),
            "{}",
            profiled.summary
        );
        let is_its = |frames: &[String]| frames[0].starts_with(&format!("{} (", workload.name));
        assert_eq!(profiled.samples_of(is_its), all, "{:#?}", profiled.stacks);
        let burning = profiled.samples_below(&["main", "recurse", "burn"]);
        assert!(burning * 100 >= all * 95, "{burning} of {all} are whole");
        for (middle, leaf, share) in
            [("middle_x", "leaf_a", 0.6), ("middle_x", "leaf_b", 0.3), ("middle_y", "leaf_c", 0.1)]
        {
            let below = profiled.samples_below(&["main", "recurse", middle, leaf, "burn"]);
            is_share(below, burning, share).map_err(|error| format!("{leaf}: {error}"))?;
        }
        Ok::<_, String>(())
    };
    // Chance is beyond three deviations once in 370 times: then it is asked once more.
    attempt().or_else(|_| attempt()).unwrap();
    assert_eq!(agent.metric("chandra_profile_clients"), 0);
    agent.stop();
}

/// A pod with one container that runs a shell's script.
fn run(containerd: &Containerd, pod: Pod, script: &str) {
    let pod = Pod { host_network: true, ..pod };
    let sandbox = containerd.cri().run_pod(&pod);
    let container = Container::named("main", &["/bin/sh", "-c", script]);
    containerd.cri().run(&sandbox, &pod, &container);
}

/// The folded stacks that this command prints: first frames, and values.
fn folded(command: &mut Command) -> Vec<(String, u64)> {
    let text = succeed(command);
    let stacks = text.lines().map(|line| {
        let (frames, value) = line.rsplit_once(' ').unwrap();
        (frames.split(';').next().unwrap().to_owned(), value.parse().unwrap())
    });
    stacks.collect()
}

#[test]
fn what_is_asked_for_is_one_pod_in_every_way_of_saying_so() {
    needs!("root", "go");
    needs_containerd!();
    let scratch = Scratch::new();
    let containerd = Containerd::start();
    let runtime = containerd.socket().display().to_string();
    let signals = ["--signals", "process,cgroup,cpu_profile,off_cpu", "--cri-socket", &runtime];
    let (agent, server) = serving(&scratch, &signals);
    run(&containerd, Pod::named("burns-0").labels(&[("app", "fire")]), "while :; do :; done");
    run(&containerd, Pod::named("burns-1").labels(&[("app", "ice")]), "while :; do :; done");
    run(&containerd, Pod::named("sleeps-0"), "while :; do sleep 0.2; done");
    wait_for("the pods' samples", || {
        let all = folded(&mut asking(&server, &["--last", "10m", "--by", "pod"]));
        let has = |pod: &str| all.iter().any(|(first, _)| first == &format!("test/{pod}"));
        (has("burns-0") && has("burns-1")).then_some(())
    });

    // Both burn all the time, so there are samples of each, and of whom nobody asked are none.
    for (filter, expected) in [
        (&["--pod", "burns-0"][..], "test/burns-0"),
        (&["--pod", "test/burns-1"], "test/burns-1"),
        (&["-l", "app=fire"], "test/burns-0"),
        (&["-n", "test", "-l", "app in (ice)", "--container", "main"], "test/burns-1"),
    ] {
        // A busy machine may give it no time in so little.
        let all = wait_for("samples of what is asked for", || {
            let all = folded(asking(&server, &["-d", "2s", "--by", "pod"]).args(filter));
            (!all.is_empty()).then_some(all)
        });
        assert!(all.iter().all(|(first, _)| first == expected), "{filter:?}: {all:#?}");
    }
    let nobody = said(&mut asking(&server, &["-d", "300ms", "-n", "nowhere"]));
    assert!(nobody.code == Some(0) && nobody.out.is_empty(), "{nobody:?}");
    assert!(nobody.error.contains("\n0 samples of "), "{nobody:?}");

    // Threads are told apart where somebody asks for it.
    let threads = folded(&mut asking(&server, &["-d", "2s", "--pod", "burns-0", "--per-thread"]));
    let is_thread = |(first, _): &(String, u64)| first.starts_with("sh (");
    assert!(!threads.is_empty() && threads.iter().all(is_thread), "{threads:#?}");

    // A sleep of 0.2 s is told once, when it ends.
    let waits =
        ["--off-cpu", "-d", "3s", "--pod", "sleeps-0", "--by", "pod", "--min-duration", "100ms"];
    let asleep = folded(&mut asking(&server, &waits));
    assert!(asleep.iter().all(|(first, _)| first == "test/sleeps-0"), "{asleep:#?}");
    let nanoseconds: u64 = asleep.iter().map(|(_, value)| value).sum();
    // The shell waits for the one that sleeps.
    assert!((1_000_000_000..=6_500_000_000).contains(&nanoseconds), "{asleep:#?}");

    // Another reader of what is written, and every other format.
    let file = scratch.at("burns.pb.gz").display().to_string();
    succeed(&mut asking(&server, &["-d", "1s", "--pod", "burns-0", "-o", &file]));
    let mut reader = Command::new("go");
    reader.env("GOCACHE", scratch.at("cache")).env("PPROF_TMPDIR", scratch.path());
    let raw = succeed(reader.args(["tool", "pprof", "-raw", &file]));
    assert!(raw.contains("pod:[burns-0]") && !raw.contains("pod:[burns-1]"), "{raw}");
    for name in ["x.svg", "x.html", "x.speedscope.json", "x.firefox.json"] {
        let file = scratch.at(name);
        let written = asking(&server, &["-d", "500ms", "-o"]).arg(&file).output().unwrap();
        assert!(written.status.success(), "{written:?}");
        assert!(fs::metadata(&file).unwrap().len() > 500, "{name}");
    }
    agent.stop();
}

#[test]
fn so_many_profiles_are_under_way_at_once_and_a_client_that_is_gone_leaves_its_place() {
    needs!("root");
    const MOST: usize = 8;
    let scratch = Scratch::new();
    let (agent, server) = serving(&scratch, &["--signals", "process,cpu_profile"]);
    let clients = |expected: u64| {
        wait_for("that many clients", || {
            (agent.metric("chandra_profile_clients") == expected).then_some(())
        });
    };
    let start = || Profiling::start(&["--server", &server]);
    let mut all: Vec<_> = (0..MOST).map(|_| start()).collect();
    clients(MOST as u64);
    fails(
        &mut asking(&server, &["-d", "1s"]),
        1,
        "profile",
        &["8 profiles are under way", "ask again"],
    );
    assert_eq!(agent.metric("chandra_profile_clients_failed_total{reason=\"refused\"}"), 1);
    all.pop().unwrap().kill();
    clients(MOST as u64 - 1);
    all.push(start());
    // Each has what was sampled since it began, whoever else asked.
    let profiled: Vec<_> = all.into_iter().map(Profiling::stop).collect();
    assert!(profiled.iter().all(|it| it.summary.contains(", 0 lost")), "{profiled:#?}");
    clients(0);
    assert_eq!(agent.metric("chandra_profile_client_bytes"), 0);
    assert_eq!(agent.metric("chandra_ledger_imbalance{signal=\"cpu_profile\"}"), 0);
    agent.stop();
}

#[test]
fn what_cannot_be_had_is_said_with_what_can() {
    needs!("root");
    let scratch = Scratch::new();
    let socket = scratch.at("none.sock").display().to_string();
    let absent = format!("unix://{socket}");
    fails(&mut asking(&absent, &["-d", "1s"]), 1, "hubble", &["cannot reach", "ls -l"]);
    let other = HubbleServer::start(Answers::default());
    let words = ["makes no profiles", "hubble.sock"];
    fails(&mut asking(other.address(), &["-d", "1s"]), 1, "profile", &words);

    let (agent, server) = serving(&scratch, &["--signals", "process,cpu_profile"]);
    let ask = |arguments: &[&str]| asking(&server, arguments);
    fails(&mut ask(&["--off-cpu", "-d", "1s"]), 1, "profile", &["--signals", "off_cpu"]);
    fails(&mut ask(&["-F", "99", "-d", "1s"]), 1, "profile", &["samples 19 times", "not 99"]);
    fails(&mut ask(&["--cgroup", "/etc", "-d", "1s"]), 1, "profile", &["no cgroup \"/etc\""]);
    fails(&mut ask(&["--last", "1m", "-l", "a=b"]), 1, "profile", &["pid, comm, container"]);
    fails(&mut ask(&["-d", "10000d"]), 1, "profile", &["longer than a day"]);
    // What is wrong here is said before anybody is asked.
    fails(&mut ask(&["-l", "a in b"]), 2, "filters", &["a in b"]);
    fails(&mut ask(&["--identity", "off"]), 2, "usage", &["--identity", "with --server"]);
    fails(&mut ask(&["-o", "x.what"]), 2, "profile", &["ends like no format"]);
    fails(&mut command(&["profile", "--last", "1m"]), 2, "usage", &["--last", "without --server"]);
    fails(&mut command(&["profile", "-P"]), 2, "usage", &["a relay makes no profiles"]);
    agent.stop();
    let (agent, server) = serving(&scratch, &["--signals", "process"]);
    let words = ["--signals …,cpu_profile", "chandra agent --signals"];
    fails(&mut asking(&server, &["-d", "1s"]), 1, "profile", &words);
    agent.stop();
}

#[test]
fn over_tls_it_is_given_to_who_may_have_it() {
    needs!("root");
    let scratch = Scratch::new();
    let [servers, clients] = ["servers", "clients"].map(|name| Authority::new(&scratch, name));
    let signed = servers.sign(&scratch, "agent", "agent.test", Validity::Now);
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let (address, certificate, key, authority) = (
        std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string(),
        text(&signed.certificate),
        text(&signed.key),
        text(&clients.file),
    );
    let agent = Agent::start(&[
        "--signals",
        "process,cpu_profile",
        "--hubble-listen-address",
        &address,
        "--hubble-tls-cert-file",
        &certificate,
        "--hubble-tls-key-file",
        &key,
        "--hubble-tls-client-ca-files",
        &authority,
    ]);
    let trusted = text(&servers.file);
    let ask = || {
        let mut command =
            asking(&address, &["-d", "500ms", "--tls", "--tls-server-name", "agent.test"]);
        command.args(["--tls-ca-cert-files", &trusted]);
        command
    };
    fails(&mut ask(), 1, "hubble", &["--tls-client-cert-file"]);
    let client = clients.sign(&scratch, "client", "client.test", Validity::Now);
    let mut shown = ask();
    shown.arg("--tls-client-cert-file").arg(&client.certificate);
    shown.arg("--tls-client-key-file").arg(&client.key);
    let told = said(&mut shown);
    assert!(told.code == Some(0) && told.error.contains(" samples of "), "{told:?}");
    agent.stop();
}
