//! What flows tell of one request, in the order in which it happened, with the programs at both ends.

use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::process::{Child, Command, Stdio};

use chandra_tests::dns::{Server, WEB};
use chandra_tests::flows::Observed;
use chandra_tests::namespaces::Namespace;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;

const NAME_SERVER: &str = "10.53.0.1";
const PORT: &str = "8080";

/// A namespace with a name server and a web server, and programs by names of their own.
struct Network {
    namespace: Namespace,
    _names: Server,
    programs: Scratch,
    web: Child,
}

impl Network {
    fn new() -> Self {
        let namespace = Namespace::new("web");
        let web = WEB.map(|(address, _)| address);
        namespace.add_addresses(&[NAME_SERVER, web[0], web[1]]);
        let address = SocketAddr::new(NAME_SERVER.parse().unwrap(), 53);
        let names = namespace.enter(|| Server::start(address));
        let folder = format!("/etc/netns/{}", namespace.name());
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(format!("{folder}/resolv.conf"), format!("nameserver {NAME_SERVER}\n"))
            .unwrap();
        let programs = Scratch::new();
        let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter();
        let busybox = busybox.map(std::path::Path::new).find(|path| path.exists()).unwrap();
        for name in ["wget", "httpd"] {
            symlink(busybox, programs.at(name)).unwrap();
        }
        std::fs::write(programs.at("page"), "x".repeat(1000)).unwrap();
        let home = programs.path().display().to_string();
        let mut serve = in_namespace(&namespace, &programs.at("httpd").display().to_string());
        let web = serve.args(["-f", "-p", PORT, "-h", &home]).spawn().unwrap();
        let network = Self { namespace, _names: names, programs, web };
        wait_for("the web server", || {
            let table = network.namespace.run("cat /proc/net/tcp6 /proc/net/tcp");
            table.contains(":1F90 ").then_some(())
        });
        network
    }

    /// Fetches a page by this address.
    fn fetch(&self, url: &str) -> bool {
        let mut get =
            in_namespace(&self.namespace, &self.programs.at("wget").display().to_string());
        get.args(["-q", "-O", "/dev/null", url]).status().unwrap().success()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        drop(self.web.kill());
        drop(self.web.wait());
        drop(std::fs::remove_dir_all(format!("/etc/netns/{}", self.namespace.name())));
    }
}

fn in_namespace(namespace: &Namespace, program: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace.name(), program]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// `SUMMARY by COMM`.
fn told(flow: &Record) -> String {
    let comm = flow.text("flow.extensions.process.comm").unwrap_or("-");
    format!("{} by {comm}", flow.text("flow.Summary").unwrap())
}

fn time(flow: &Record) -> &str {
    flow.text("time").unwrap()
}

#[test]
fn a_page_is_a_question_an_answer_a_handshake_bytes_and_an_end() {
    needs!("root", "ip", "busybox");
    let network = Network::new();
    let observed = Observed::start(&["--signals", "process,tcp,dns"]);
    assert!(network.fetch(&format!("http://web.example.test:{PORT}/page")));
    let asked = observed.wait_for_flows(2, &["--protocol", "dns", "--process", "wget"]);
    // The opener tells of its SYN and of the answer, the acceptor of the SYN; both of their end.
    let flows = observed.wait_for_flows(5, &["--port", PORT]);
    let (mut questions, mut answers) = (Vec::new(), Vec::new());
    for flow in &asked {
        assert!(told(flow).ends_with(" by wget"), "{flow:?}");
        let list = if told(flow).starts_with("DNS Query") { &mut questions } else { &mut answers };
        list.push(time(flow).to_owned());
        assert_eq!(flow.text("flow.l7.dns.query"), Some("web.example.test."), "{flow:?}");
    }
    assert_eq!(questions.len(), answers.len(), "{asked:#?}");
    let answered = asked.iter().find(|flow| told(flow).contains(WEB[0].0)).unwrap();
    assert!(told(answered).starts_with("DNS Answer \"198.51.100."), "{answered:?}");
    assert!(answered.text("flow.l7.latency_ns").is_some(), "{answered:?}");
    let find = |what: &str| {
        let flow = flows.iter().find(|flow| told(flow) == what);
        flow.unwrap_or_else(|| panic!("no {what} in {flows:#?}"))
    };
    let steps = [
        find("TCP Flags: SYN by wget"),
        find("TCP Flags: SYN, ACK by wget"),
        find("TCP Flags: SYN by httpd"),
        find("TCP Flags: ACK, FIN by httpd"),
    ];
    let last_question = questions.iter().max().unwrap();
    assert!(last_question.as_str() < time(steps[0]), "{asked:#?} {flows:#?}");
    assert!(steps.map(time).is_sorted(), "{flows:#?}");
    let [opened, _, accepted, sent] = steps;
    let ended = find("TCP Flags: ACK, FIN by wget");
    let keys = [accepted, sent, ended].map(|flow| flow.text("flow.extensions.connection_key"));
    assert!(keys[0].is_some() && keys.iter().all(|key| *key == keys[0]), "{flows:#?}");
    // What the one sent the other received.
    let bytes = |flow: &Record, way: &str| {
        flow.text(&format!("flow.extensions.{way}.bytes")).map(str::to_owned)
    };
    assert!(bytes(sent, "forward").unwrap().parse::<u64>().unwrap() > 1000);
    assert_eq!(bytes(sent, "forward"), bytes(ended, "backward"));
    assert_eq!(bytes(sent, "backward"), bytes(ended, "forward"));
    assert_ne!(opened.number("flow.l4.TCP.source_port"), Some(0));
    assert_eq!(opened.at("flow.is_reply"), Some(&false.into()), "{opened:?}");
    assert_eq!(steps[1].at("flow.is_reply"), Some(&true.into()));
    // The name that was resolved just before is that of where it went.
    let names = opened.strings("flow.destination_names");
    assert_eq!(names, Some(vec!["web.example.test"]), "{opened:?}");
    observed.agent.stop();
}

#[test]
fn a_closed_port_is_a_syn_and_a_reset() {
    needs!("root", "ip", "busybox");
    let network = Network::new();
    let observed = Observed::start(&["--signals", "process,tcp"]);
    assert!(!network.fetch(&format!("http://{NAME_SERVER}:8081/")));
    let flows = observed.wait_for_flows(2, &["--port", "8081", "--process", "wget"]);
    let all: Vec<_> = flows.iter().map(told).collect();
    assert_eq!(all, ["TCP Flags: SYN by wget", "TCP Flags: ACK, RST by wget"]);
    for (flow, verdict) in flows.iter().zip(["FORWARDED", "FORWARDED"]) {
        assert_eq!(flow.text("flow.verdict"), Some(verdict));
    }
    let line = observed.printed(&["observe", "--all", "--port", "8081", "--tcp-flags", "SYN"]);
    assert!(
        line.contains(&format!("{NAME_SERVER}:8081 "))
            && line.contains("to-stack FORWARDED (TCP Flags: SYN)"),
        "{line}"
    );
    observed.agent.stop();
}

#[test]
fn what_a_rule_drops_is_told_with_the_kernels_reason() {
    needs!("root", "ip", "nft", "busybox");
    let network = Network::new();
    network.namespace.run("nft add table inet chandra");
    network.namespace.run("nft add chain inet chandra in { type filter hook input priority 0 ; }");
    network.namespace.run("nft add rule inet chandra in tcp dport 8082 counter drop");
    let observed = Observed::start(&["--signals", "process,tcp,drop"]);
    // It is given up before the second SYN.
    let mut get = in_namespace(&network.namespace, "timeout");
    get.arg("0.5").arg(network.programs.at("wget")).args(["-q", "-O", "/dev/null"]);
    assert!(!get.arg(format!("http://{NAME_SERVER}:8082/")).status().unwrap().success());
    let drops = observed.wait_for_flows(1, &["--verdict", "DROPPED", "--to-port", "8082"]);
    let drop = &drops[0];
    assert_eq!(drop.text("flow.drop_reason_desc"), Some("POLICY_DENIED"), "{drop:?}");
    assert_eq!(drop.text("flow.extensions.drop.reason"), Some("NETFILTER_DROP"), "{drop:?}");
    let summary = drop.text("flow.Summary").unwrap();
    assert!(summary.starts_with("TCP Flags: SYN; NETFILTER_DROP"), "{summary}");
    assert_eq!(drop.text("flow.IP.destination"), Some(NAME_SERVER));
    assert_eq!(drop.at("flow.is_reply"), None, "whether it is a reply is not known of a drop");
    // As often as the rule counted.
    let ruleset = network.namespace.run("nft list ruleset");
    let (_, counted) = ruleset.split_once("counter packets ").unwrap();
    let counted: usize = counted.split(' ').next().unwrap().parse().unwrap();
    assert_eq!(drops.len(), counted, "{ruleset}");
    observed.agent.stop();
}
