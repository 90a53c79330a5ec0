//! Rules of Sigma in the agent: a folder of them is loaded, what they are about is watched, and an action fires.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use chandra_tests::agent::Agent;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;
use chandra_tests::scratch::{Scratch, unique};

/// A rule of this title and category.
fn rule(title: &str, category: &str, detection: &str) -> String {
    format!(
        "title: {title}\nid: 5b1d6a0e-77b2-4a0e-8f6f-2c7a6f6f0e01\nauthor: Ann Example\nlevel: high\n\
         tags: [attack.execution, attack.t1059.004]\nlogsource: {{ product: linux, category: {category} }}\n\
         detection:\n  selection:\n    {}\n  condition: selection\n",
        detection.replace('\n', "\n    ")
    )
}

/// An agent with the rules of a folder, which prints their alerts as JSON.
fn auditing(folder: &Path, arguments: &[&str]) -> Agent {
    let usual = ["--rules", folder.to_str().unwrap(), "--alerts", "json"];
    let mut agent = Agent::start(&[&usual, arguments].concat());
    agent.read_output();
    agent.wait_until_ready();
    agent
}

fn wait_for_alert(agent: &Agent, rule: &str) -> Record {
    agent.wait_for(rule, |record| record.text("rule") == Some(rule))
}

fn run(program: &Path, arguments: &[&str]) {
    assert!(Command::new(program).args(arguments).status().unwrap().success());
}

#[test]
fn an_executed_program_fires_a_rule_of_sigma() {
    needs!("root");
    let scratch = Scratch::new();
    let mark = format!("Mark-{}", unique());
    let folder = scratch.at("rules");
    fs::create_dir_all(folder.join("linux")).unwrap();
    let wanted = mark.to_ascii_uppercase();
    let detection =
        format!("Image|endswith: /seen-TOOL\nCommandLine|contains|all: ['--start ', '{wanted}']");
    let process = rule("Marked Tool", "process_creation", &detection);
    fs::write(folder.join("linux/process.yml"), process).unwrap();
    let windows = rule("Elsewhere", "process_creation", "Image: x").replace("linux", "windows");
    fs::write(folder.join("windows.yml"), windows).unwrap();
    let agent = auditing(&folder, &["--signals", "process"]);
    assert!(
        agent
            .messages()
            .iter()
            .any(|line| line.contains("product windows, category process_creation left out")),
        "{:?}",
        agent.messages()
    );
    // What runs is another file than the link it is called by.
    let program = scratch.copy("/bin/true".as_ref(), "real-file");
    symlink(&program, scratch.at("Seen-tool")).unwrap();
    run(&scratch.at("Seen-tool"), &["--start", "other"]);
    run(&program, &["--start", &mark]);
    run(&scratch.at("Seen-tool"), &["--start", &mark]);
    let alert = wait_for_alert(&agent, "Marked Tool");
    assert_eq!(alert.text("priority"), Some("Error"));
    assert_eq!(alert.strings("tags"), Some(vec!["mitre_execution", "T1059.004"]));
    assert_eq!(alert.text("process.exe"), program.to_str());
    let output = alert.text("output").unwrap();
    assert!(output.contains("Marked Tool (user=root process="), "{output}");
    assert!(output.contains(&format!("--start {mark}")), "{output}");
    assert!(output.ends_with("author=Ann Example)"), "{output}");
    // The near misses were before it.
    assert_eq!(agent.stop().records().len(), 1);
}

#[test]
fn connections_and_files_fire_and_a_file_that_is_added_is_read() {
    needs!("root");
    let scratch = Scratch::new();
    let folder = scratch.at("rules");
    fs::create_dir(&folder).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let connects =
        format!("Initiated: 'true'\nDestinationIp|cidr: 127.0.0.0/8\nDestinationPort: {port}");
    fs::write(folder.join("a.yml"), rule("Connects", "network_connection", &connects)).unwrap();
    let name = format!("Made-{}", unique());
    let writes = format!("TargetFilename|contains: '/{}'", name.to_ascii_lowercase());
    fs::write(folder.join("b.yml"), rule("Writes", "file_event", &writes)).unwrap();
    let agent = auditing(&folder, &["--signals", "tcp,file_open"]);
    drop(TcpStream::connect(("127.0.0.1", port)).unwrap());
    let alert = wait_for_alert(&agent, "Connects");
    assert_eq!(alert.number("connection.peer.port"), Some(port.into()), "{alert:?}");
    let file = scratch.at(&name);
    fs::write(&file, "x").unwrap();
    let alert = wait_for_alert(&agent, "Writes");
    assert!(
        alert.text("output").unwrap().contains(&format!("file={}", file.display())),
        "{alert:?}"
    );
    // Reading it is no event of files, as Sigma has them; another rule, in a file that was not there, is read.
    assert_eq!(fs::read(&file).unwrap(), b"x");
    let added = rule("Added", "file_event", &writes.replace(&name.to_ascii_lowercase(), "later"));
    fs::write(folder.join("c.yml"), added).unwrap();
    wait_for("the added rule", || {
        agent.messages().iter().any(|line| line.starts_with("rules: 3 of 3 watch")).then_some(())
    });
    fs::write(scratch.at("later"), "x").unwrap();
    wait_for_alert(&agent, "Added");
    let records = agent.stop().records();
    let of = |name: &str| records.iter().filter(|record| record.text("rule") == Some(name)).count();
    assert_eq!((of("Connects"), of("Writes"), of("Added")), (1, 1, 1), "{records:#?}");
}
