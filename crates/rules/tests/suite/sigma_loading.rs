//! Documents of Sigma: what becomes of them, what is wrong with them and where, and how they stand beside rules
//! of Falco's.

use chandra_event::priority::Priority;
use chandra_rules::catalogue::EventTypes;
use chandra_rules::diagnostic::{Code, Severity};
use chandra_rules::evaluate::Scratch;
use chandra_rules::load::{Matching, Options, Unanswered};
use chandra_rules::needs::Needs;
use chandra_rules::rules::State;
use chandra_rules::testing::Tests;

use crate::common::{Fake, load, names_of};

const SIGMA: &str = include_str!("../rules/sigma.yml");
const TESTS: &str = include_str!("../rules/sigma.tests.yaml");

fn rule(title: &str, detection: &str) -> String {
    format!(
        "title: {title}\nlogsource: {{ product: linux, category: process_creation }}\ndetection:\n{detection}\n"
    )
}

const ANY: &str = "  s:\n    Image|endswith: /x\n  condition: s";

fn leaving_out() -> Options {
    Options { unanswered: Unanswered::LeaveOut, ..Options::default() }
}

#[test]
fn a_rule_of_sigma_is_a_rule_like_others() {
    let (rules, report) =
        load(&[SIGMA], &Options::default()).unwrap_or_else(|report| panic!("{report}"));
    assert_eq!(report.diagnostics, [], "{report}");
    let [server, script, connection, job, miner] = rules.rules() else { panic!("five rules") };
    assert_eq!(server.name, "Network Tool Run by a Web Server");
    assert_eq!(server.place, "0.yaml:1:8");
    assert_eq!((server.priority, script.priority), (Priority::Error, Priority::Warning));
    assert_eq!((connection.priority, miner.priority), (Priority::Notice, Priority::Critical));
    assert_eq!(server.tags, ["mitre_persistence", "T1505.003"]);
    assert_eq!(script.tags, ["mitre_execution", "T1059.004", "mitre_command_and_control"]);
    assert!(server.description.starts_with("A web server runs a tool"));
    assert!(server.description.ends_with("False positives: Checks that a deployment made"));
    let origin = server.sigma.as_ref().unwrap();
    assert_eq!(origin.id.as_deref(), Some("7a0c4be2-5d0e-4a51-9a3f-0d5d5f6f1a01"));
    assert_eq!(origin.references, ["https://attack.mitre.org/techniques/T1505/003/"]);
    assert_eq!(server.event_types, EventTypes::EXEC);
    assert_eq!(connection.event_types, EventTypes::NETWORK);
    assert_eq!(job.event_types, EventTypes::OPEN);
    assert_eq!(server.fields, ["evt.type", "proc.exeline", "proc.image", "proc.pimage"]);
    assert_eq!(miner.state, State::Disabled, "it is deprecated");
}

#[test]
fn only_what_its_log_sources_stand_for_is_watched() {
    let (rules, _) = load(&[SIGMA], &Options::default()).unwrap();
    let needs = Needs::of(&rules);
    assert!(needs.exec && needs.tcp && !needs.fork && !needs.exit && needs.calls.is_empty());
    // In any case of letters, so that no more is known of the path than its first byte; and nothing that reads.
    let opens = needs.opens.unwrap();
    let shown: Vec<_> =
        opens.iter().map(|open| (&*open.path, open.read, open.write, open.failed)).collect();
    assert_eq!(shown, [(&b"/"[..], false, true, false)]);
    let cased = SIGMA.replace("TargetFilename|startswith", "TargetFilename|startswith|cased");
    let (rules, _) = load(&[&cased], &Options::default()).unwrap();
    let opens = Needs::of(&rules).opens.unwrap();
    let mut paths: Vec<_> = opens.iter().map(|open| String::from_utf8_lossy(&open.path)).collect();
    paths.sort();
    assert_eq!(paths, ["/etc/cron.", "/etc/crontab", "/var/spool/cron/"]);
}

#[test]
fn tests_beside_rules_are_about_sigmas_too() {
    let (rules, _) = load(&[SIGMA], &Options::default()).unwrap();
    let tests = Tests::read("sigma.tests.yaml", TESTS).unwrap();
    let failures = tests.run(&rules);
    let shown: Vec<_> = failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", shown.join("\n"));
    assert_eq!(tests.len(), 17);
}

#[test]
fn an_alert_names_rule_and_author() {
    let text = SIGMA.replace("author: Chandra", "author: Ann 100% (Example), %proc.name");
    let (rules, _) = load(&[&text], &Options::default()).unwrap();
    let facts = Fake::exec()
        .with("proc.exepath", "/bin/nc")
        .with("proc.exeline", "nc x\n")
        .with("user.name", "root");
    let rule = &rules.rules()[0];
    let alert = rule.alert(&facts, chandra_event::time::Timestamp(0), &mut Scratch::default());
    assert_eq!(
        alert.message,
        "Network Tool Run by a Web Server (user=root process=/bin/nc command=nc x\\n parent=<NA> cwd=<NA> \
         sigma=7a0c4be2-5d0e-4a51-9a3f-0d5d5f6f1a01 author=Ann 100% (Example), %proc.name)"
    );
    assert_eq!(alert.output_fields["proc.exepath"], "/bin/nc");
}

#[track_caller]
fn wrong(text: &str, line: usize, column: usize, code: Code, message: &str) {
    let report = match load(&[text], &Options::default()) {
        Ok((_, report)) | Err(report) => report,
    };
    let found = report.diagnostics.iter().any(|one| {
        (one.position.line, one.position.column, one.code) == (line, column, code)
            && one.message.contains(message)
    });
    assert!(found, "{text}\n{report:?}");
}

#[test]
fn what_is_wrong_is_shown_where_it_is_written() {
    let of = |detection: &str| rule("R", detection);
    for (detection, line, column, code, message) in [
        (
            "  s:\n    Imaeg|endswith: /x\n  condition: s",
            5,
            5,
            Code::UnknownField,
            "no field Imaeg of process_creation",
        ),
        (
            "  s:\n    DestinationIp: 1.1.1.1\n  condition: s",
            5,
            5,
            Code::UnknownField,
            "no field DestinationIp of",
        ),
        ("  s:\n    proc.nmae: x\n  condition: s", 5, 5, Code::UnknownField, "no field proc.nmae"),
        (
            "  s:\n    proc.vmsize: 5\n  condition: s",
            5,
            5,
            Code::UnansweredField,
            "no event that is captured answers",
        ),
        (
            "  s:\n    Image|endwith: /x\n  condition: s",
            5,
            11,
            Code::Modifier,
            "no modifier endwith",
        ),
        (
            "  s:\n    'Image|contains|re': /x\n  condition: s",
            5,
            21,
            Code::Modifier,
            "re does not go with",
        ),
        ("  s:\n    Image|expand: '%x%'\n  condition: s", 5, 11, Code::Modifier, "placeholders"),
        ("  s:\n    '|cidr': 10.0.0.0/8\n  condition: s", 5, 5, Code::Modifier, "needs a field"),
        (
            "  s:\n    Image|re: ['a', '(?=b)']\n  condition: s",
            5,
            21,
            Code::Unsupported,
            "cannot be used",
        ),
        ("  s:\n    ProcessId: [1, two]\n  condition: s", 5, 20, Code::Type, "not a whole number"),
        ("  s:\n    Image|gt: 5\n  condition: s", 5, 15, Code::Type, "Image is no number"),
        ("  s:\n    Image|cidr: 10.0.0.0/8\n  condition: s", 5, 17, Code::Type, "no address"),
        ("  s:\n    Image|exists: yes\n  condition: s", 5, 19, Code::Value, "not true or false"),
        (
            "  s:\n    CommandLine|windash: '-a -b -c -d -e'\n  condition: s",
            5,
            26,
            Code::Value,
            "windash makes",
        ),
        ("  s:\n    CommandLine|base64: 'a*'\n  condition: s", 5, 25, Code::Value, "wildcards"),
        (
            "  s:\n    Image|fieldref: Paren\n  condition: s",
            5,
            21,
            Code::UnknownField,
            "no field Paren",
        ),
        ("  s:\n    Image: { a: b }\n  condition: s", 5, 14, Code::Value, "a value is a scalar"),
        ("  s:\n    Image: []\n  condition: s", 5, 12, Code::Value, "is empty"),
        ("  s: {}\n  condition: s", 4, 6, Code::Value, "nothing in it"),
        ("  s:\n    Image: x\n  condition: s and t", 6, 20, Code::Syntax, "no search t"),
        (
            "  s:\n    Image: x\n  condition: >\n    s and\n    not (t)",
            8,
            10,
            Code::Syntax,
            "no search t",
        ),
        (
            "  s:\n    Image: x\n  condition: s | count() > 5",
            6,
            16,
            Code::Unsupported,
            "aggregations",
        ),
        (
            "  s:\n    Image: x\n  t:\n    Image: y\n  condition: s",
            6,
            3,
            Code::Suspicious,
            "does not name the search t",
        ),
        (
            "  s:\n    OriginalFileName: x\n  condition: s",
            5,
            23,
            Code::Suspicious,
            "never has a value",
        ),
        ("  s:\n    Image: x", 4, 3, Code::Key, "no condition"),
        ("  s:\n    Image: x\n    Image: y\n  condition: s", 6, 5, Code::Duplicate, "twice"),
    ] {
        wrong(&of(detection), line, column, code, message);
    }
    wrong("title: R\ndetection: {}\n", 1, 8, Code::Key, "no logsource");
    wrong("logsource: { category: x }\ndetection: {}\n", 1, 1, Code::Key, "no title");
    wrong(&(of(ANY) + "level: hihg\n"), 7, 8, Code::Priority, "no level \"hihg\"");
    wrong("title: C\ncorrelation:\n  type: event_count\n", 3, 3, Code::Unsupported, "correlations");
    let (_, report) = load(&[&of(ANY)], &Options::default()).unwrap();
    assert_eq!(report.diagnostics, []);
}

#[test]
fn a_mistake_has_its_caret_and_a_hint() {
    let text = rule("R", "  s:\n    CommandLine|contians: x\n  condition: s");
    let report = load(&[&text], &Options::default()).unwrap_err();
    assert_eq!(
        report.to_string(),
        "0.yaml:5:17: error: there is no modifier contians (in rule \"R\")\n    \
         5 |     CommandLine|contians: x\n      |                 ^^^^^^^^\n      \
         = did you mean contains?"
    );
}

/// People name whole trees of rules.
#[test]
fn rules_for_other_systems_are_left_out_with_one_warning_for_each_log_source() {
    let of = |title: &str, source: &str| {
        rule(title, ANY).replace("product: linux, category: process_creation", source)
    };
    let windows = "product: windows, category: process_creation";
    let files = [
        of("A", windows),
        of("B", windows) + "---\n" + &rule("C", ANY),
        of("D", "product: linux, service: auditd"),
        of("E", "category: process_creation"),
        of("F", "category: webserver"),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let (rules, report) = load(&files, &Options::default()).unwrap();
    let names: Vec<_> = rules.rules().iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["C", "E"]);
    let messages: Vec<_> =
        report.diagnostics.iter().map(|one| (one.file.as_str(), one.message.as_str())).collect();
    assert_eq!(
        messages,
        [
            (
                "0.yaml",
                "2 rules of product windows, category process_creation left out: no event is of that log source"
            ),
            (
                "2.yaml",
                "1 rule of product linux, service auditd left out: no event is of that log source"
            ),
            ("4.yaml", "1 rule of category webserver left out: no event is of that log source"),
        ]
    );
}

#[test]
fn a_wrong_rule_does_not_hide_the_others() {
    let files = [
        rule("A", "  s:\n    Imaeg: x\n  condition: s"),
        rule("B", ANY),
        rule("C", "  s:\n    Image|fuzzy: x\n  condition: s"),
        "title: D\ncorrelation: { type: temporal }\n".to_owned(),
    ];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let report = load(&files, &Options::default()).unwrap_err();
    let places: Vec<_> = report.diagnostics.iter().map(|one| one.file.as_str()).collect();
    assert_eq!(places, ["0.yaml", "2.yaml", "3.yaml"], "{report}");
    assert_eq!(report.count(Severity::Error), 3);
    // Leaving out what cannot be answered, the others watch.
    let (rules, report) = load(&files, &leaving_out()).unwrap();
    assert_eq!(
        (report.count(Severity::Error), report.count(Severity::Warning)),
        (0, 3),
        "{report}"
    );
    let states: Vec<_> =
        rules.rules().iter().map(|rule| (rule.name.as_str(), &rule.state)).collect();
    assert_eq!(states[1], ("B", &State::Active));
    let reasons = |why: &str| State::LeftOut(vec![why.to_owned()]);
    assert_eq!(states[0], ("A", &reasons("there is no field Imaeg of process_creation")));
    assert_eq!(states[2], ("C", &reasons("there is no modifier fuzzy")));
    let facts = Fake::exec().with("proc.image", "/x");
    assert_eq!(names_of(&rules, &facts).len(), 1);
}

#[test]
fn rules_of_one_title_are_told_apart_by_their_ids() {
    let with_id = |id: &str| format!("{}id: {id}\n", rule("T", ANY));
    let (rules, report) = load(&[&with_id("1"), &with_id("2")], &Options::default()).unwrap();
    let names: Vec<_> = rules.rules().iter().map(|rule| rule.name.as_str()).collect();
    assert_eq!(names, ["T", "T (2)"]);
    assert_eq!(report.diagnostics[0].code, Code::Duplicate);
    let report = load(&[&with_id("1"), &rule("T", ANY)], &Options::default()).unwrap_err();
    assert!(
        report.to_string().contains("there is a rule of this title, at 0.yaml:1:8"),
        "{report}"
    );
}

#[test]
fn falco_s_files_change_what_sigma_s_say() {
    let facts = Fake::exec().with("proc.image", "/x").with("user.name", "backup");
    let sigma = rule("R", ANY);
    let fires = |change: &str| {
        let (rules, _) = load(&[&sigma, change], &Options::default())
            .unwrap_or_else(|report| panic!("{report}"));
        !names_of(&rules, &facts).is_empty()
    };
    assert!(fires("[]"));
    assert!(!fires("- rule: R\n  enabled: false\n"));
    let exception = "- rule: R\n  exceptions:\n    - name: users\n      fields: user.name\n      values: [NAME]\n  \
                     override: { exceptions: append }\n";
    assert!(!fires(&exception.replace("NAME", "backup")));
    assert!(fires(&exception.replace("NAME", "other")));
    let replaced = "- rule: R\n  condition: evt.type = execve and user.name = other\n  override: { condition: replace }\n";
    assert!(!fires(replaced));
    let appended = "- rule: R\n  condition: and user.name = x\n  append: true\n";
    let report = load(&[&sigma, appended], &Options::default()).unwrap_err();
    assert!(report.to_string().contains("nothing can be appended"), "{report}");
}

/// The first of Falco's rules that matches fires alone; those of Sigma's know nothing of others.
#[test]
fn all_rules_of_sigma_fire() {
    let falco = |name: &str| {
        format!(
            "- rule: {name}\n  desc: d\n  condition: evt.type = execve\n  output: o\n  priority: INFO\n"
        )
    };
    let files = [rule("A", ANY), falco("B"), falco("C"), rule("D", ANY)];
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let facts = Fake::exec().with("proc.image", "/x");
    let fired = |matching| {
        let options = Options { matching, ..Options::default() };
        let (rules, _) = load(&files, &options).unwrap();
        names_of(&rules, &facts).into_iter().map(|(name, _)| name).collect::<Vec<_>>()
    };
    assert_eq!(fired(Matching::First), ["A", "B", "D"]);
    assert_eq!(fired(Matching::All), ["A", "B", "C", "D"]);
}

#[test]
fn hostile_documents_are_refused_in_bounds() {
    // A search that has 5,000 values, named a thousand times.
    let values = vec!["'v'"; 5000].join(", ");
    let names = vec!["s"; 1000].join(" and ");
    let text = rule("R", &format!("  s:\n    Image: [{values}]\n  condition: {names}"));
    let report = load(&[&text], &Options::default()).unwrap_err();
    assert_eq!(report.diagnostics[0].code, Code::TooLarge, "{report}");
    let deep = format!("{}s{}", "(".repeat(50_000), ")".repeat(50_000));
    let text = rule("R", &format!("  s:\n    Image: x\n  condition: {deep}"));
    assert_eq!(load(&[&text], &Options::default()).unwrap_err().diagnostics[0].code, Code::Syntax);
    let regex = rule("R", "  s:\n    CommandLine|re: '(a{1000}){1000}'\n  condition: s");
    assert_eq!(
        load(&[&regex], &Options::default()).unwrap_err().diagnostics[0].code,
        Code::Unsupported
    );
    for text in [
        "title: R",
        "title: [x]\nlogsource: y",
        "logsource: [a]\ntitle: x",
        "detection:\n",
        "title: ''\n",
        "filter: x\n",
    ] {
        assert!(load(&[text], &Options::default()).is_err(), "{text}");
    }
}
