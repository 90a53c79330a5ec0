//! Whole files: what loads, what does not, and where it is wrong.

use chandra_rules::catalogue::EventType;
use chandra_rules::diagnostic::{Code, Diagnostic, Severity};
use chandra_rules::load::{Matching, Options, Unanswered};
use chandra_rules::rules::State;
use chandra_rules::selection::{Choice, Selection, Switch};

use crate::common::{Fake, load, many, names_of, rule_of};

/// A file in the style of Falco's own, with every feature of the language.
const EVERYTHING: &str = include_str!("../rules/everything.yaml");
const CHANGES: &str = include_str!("../rules/changes.yaml");

fn shell() -> Fake {
    Fake::exec()
        .with("proc.name", many(&["bash"]))
        .with("proc.pname", many(&["nginx"]))
        .with("container.id", "c0ffee000000")
        .with("container.image.repository", "docker.io/library/nginx")
        .with("proc.tty", 34816)
        .with("user.name", "root")
        .with("proc.cmdline", "bash -i")
}

fn fired(files: &[&str], options: &Options, facts: &Fake) -> Vec<String> {
    let (rules, _) = load(files, options).unwrap_or_else(|report| panic!("{report}"));
    names_of(&rules, facts).into_iter().map(|(name, _)| name).collect()
}

#[test]
fn a_file_with_every_feature_of_the_language_loads_and_fires() {
    let (rules, report) = load(&[EVERYTHING], &Options::default()).unwrap();
    assert_eq!(report.count(Severity::Error), 0, "{report}");
    assert_eq!(report.diagnostics, [], "{report}");
    assert_eq!(rules.rules().len(), 10);
    let all = Options { matching: Matching::All, ..Options::default() };
    assert_eq!(fired(&[EVERYTHING], &all, &shell()), ["Terminal shell", "Server runs shell"]);
    let first = Options::default();
    assert_eq!(fired(&[EVERYTHING], &first, &shell()), ["Terminal shell"]);
    // Exceptions, each by another comparison.
    let trusted = shell().with("proc.pname", many(&["runc:[1:CHILD]"]));
    assert_eq!(fired(&[EVERYTHING], &all, &trusted), Vec::<String>::new());
    let trusted = shell().with("container.image.repository", "registry.example/debug/tools");
    assert_eq!(fired(&[EVERYTHING], &all, &trusted), ["Server runs shell"]);
}

#[test]
fn a_later_file_changes_what_an_earlier_one_says() {
    let all = Options { matching: Matching::All, ..Options::default() };
    let fired = fired(&[EVERYTHING, CHANGES], &all, &shell());
    assert_eq!(fired, ["Terminal shell", "Off by default"]);
    let (rules, _) = load(&[EVERYTHING, CHANGES], &all).unwrap();
    let rule = &rules.rules()[0];
    assert_eq!((rule.priority.word(), rule.tags.len()), ("Critical", 4));
}

#[test]
fn rules_are_indexed_by_the_events_they_can_fire_of() {
    let (rules, _) = load(&[EVERYTHING], &Options::default()).unwrap();
    let of = |name: &str| {
        let rule = rules.rules().iter().find(|rule| rule.name == name).unwrap();
        rule.event_types.names()
    };
    assert_eq!(of("Terminal shell"), "execve");
    assert_eq!(of("Connection outside"), "connect");
    assert_eq!(of("Never"), "");
    // It names no event, but only executions have a file that is looked at and only connections a port.
    assert_eq!(of("Any process of root"), "execve");
    assert_eq!(rules.event_types().names(), "execve, connect");
    assert!(names_of(&rules, &Fake::new(EventType::ProcExit)).is_empty());
}

#[test]
fn selection_switches_rules() {
    let switches = vec![
        (Switch::Disable, Choice::Rule("Terminal*".to_owned())),
        (Switch::Enable, Choice::Tag("opt-in".to_owned())),
    ];
    let selection = Selection { switches, minimum_priority: None };
    let options = Options { matching: Matching::All, selection, ..Options::default() };
    assert_eq!(fired(&[EVERYTHING], &options, &shell()), ["Server runs shell", "Off by default"]);
}

#[track_caller]
fn found(condition: &str, line: usize, column: usize, code: Code, message: &str) -> Diagnostic {
    let text = format!(
        "- list: shells\n  items: [bash, sh]\n- macro: spawned\n  condition: evt.type = execve\n{}",
        rule_of(condition)
    );
    let report = match load(&[&text], &Options::default()) {
        Ok((_, report)) | Err(report) => report,
    };
    let one = report
        .diagnostics
        .iter()
        .find(|one| one.position.line == line && one.position.column == column && one.code == code);
    let one = one.unwrap_or_else(|| panic!("{condition}\n{report}"));
    assert!(one.message.contains(message), "{report}");
    one.clone()
}

/// The condition is the tenth line on, from the fifth column on.
#[test]
fn what_is_wrong_with_a_condition_has_its_exact_place() {
    let one = found("spawned and proc.nmae = x", 10, 17, Code::UnknownField, "there is no field");
    assert_eq!((one.hint.as_deref(), one.width), (Some("did you mean proc.name?"), 9));
    assert_eq!(one.within.as_deref(), Some("rule \"R\""));
    found(
        "spawned\n  and proc.pid contains x",
        11,
        20,
        Code::Type,
        "contains does not compare proc.pid",
    );
    found("spawned and proc.pid = abc", 10, 28, Code::Type, "\"abc\" is not a whole number");
    found("spawned and proc.pid in (1, two)", 10, 33, Code::Type, "\"two\" is not a whole number");
    found("spawned and proc.pid in shells", 2, 11, Code::Type, "\"bash\" is not a whole number");
    found("proc.is_exe_deleted = maybe", 10, 27, Code::Type, "is not true or false");
    found("fd.sip = 10.0.0", 10, 14, Code::Type, "no IP address and no network");
    found("proc.name > 5", 10, 15, Code::Type, "> does not compare proc.name");
    found("proc.name regex '('", 10, 21, Code::Type, "no regular expression");
    found("proc.name regex 'a)(b'", 10, 21, Code::Type, "no regular expression");
    found("proc.name bcontains xy", 10, 25, Code::Type, "hexadecimal");
    found("proc.name = val(proc.pid)", 10, 15, Code::Type, "of type number");
    found(
        "proc.name regex val(proc.pname)",
        10,
        15,
        Code::Type,
        "does not compare with another field",
    );
    found("proc.name[1] = x", 10, 5, Code::FieldArgument, "takes no argument");
    found("proc.aname[x] = x", 10, 5, Code::FieldArgument, "the number of an ancestor");
    found("k8s.pod.label = x", 10, 5, Code::FieldArgument, "needs an argument");
    found("tolower(proc.pid) = x", 10, 13, Code::Type, "takes text");
    found("getopt(proc.name, 'a') = x", 10, 12, Code::Type, "no list of arguments");
    let one =
        found("spwned and proc.name = x", 10, 5, Code::UnknownMacro, "there is no macro spwned");
    assert_eq!(one.hint.as_deref(), Some("did you mean spawned?"));
    found("spawned and proc.name in shels", 10, 30, Code::UnknownList, "there is no list shels");
    found("spawned and and", 10, 17, Code::Syntax, "found `and`");
    found(
        "evt.type = execv and proc.name = x",
        10,
        16,
        Code::EventType,
        "no event is of type execv",
    );
    found("spawned and proc.name = shells", 10, 29, Code::Suspicious, "not with the list");
    found("spawned and proc.name = proc.pname", 10, 29, Code::Suspicious, "not with the field");
    found("proc.name = x", 10, 5, Code::EventType, "looks at all of them");
}

#[test]
fn what_no_captured_event_answers_is_an_error_that_names_it() {
    found(
        "spawned and fd.lip.name = x",
        10,
        17,
        Code::UnansweredField,
        "answers fd.lip.name: names are",
    );
    found("spawned and evt.buffer contains x", 10, 17, Code::UnansweredField, "evt.buffer");
    found(
        "evt.type in (read, write)",
        10,
        5,
        Code::UnansweredField,
        "none of its events is captured: read, write",
    );
    let text = rule_of("evt.type = execve and fd.lip.name = x")
        + &rule_of("evt.type = read").replace("rule: R", "rule: S");
    let options = Options { unanswered: Unanswered::LeaveOut, ..Options::default() };
    let (rules, report) = load(&[&text], &options).unwrap();
    assert_eq!(report.count(Severity::Warning), 2, "{report}");
    assert!(rules.rules().iter().all(|rule| matches!(rule.state, State::LeftOut(_))));
    let (rules, _) = load(
        &[&format!("{text}  skip-if-unknown-filter: true\n").replacen(
            "  priority: INFO\n",
            "  priority: INFO\n  skip-if-unknown-filter: true\n",
            1,
        )],
        &Options::default(),
    )
    .unwrap();
    assert!(rules.rules().iter().all(|rule| matches!(rule.state, State::LeftOut(_))));
    // A rule that is off does not keep others from loading.
    let (rules, _) =
        load(&[&(rule_of("evt.type = read") + "  enabled: false\n")], &Options::default()).unwrap();
    assert_eq!(rules.rules()[0].state, State::Disabled);
}

#[test]
fn a_rule_whose_events_do_not_answer_what_it_compares_is_an_error() {
    let why = "none of its events answers fd.filename: execve";
    found("spawned and fd.filename = x", 10, 5, Code::UnansweredField, why);
    let why = "none of its events answers evt.arg.flags: execve";
    found("spawned and evt.arg[flags] contains x", 10, 5, Code::UnansweredField, why);
    // Some of its events do, or it holds without.
    for condition in [
        "evt.type in (execve, openat) and fd.filename = x",
        "evt.type = execve and not fd.filename = x",
        "evt.type = execve and evt.num = 0",
    ] {
        let (rules, report) = load(&[&rule_of(condition)], &Options::default()).unwrap();
        assert_eq!((rules.rules()[0].state.clone(), report.diagnostics.len()), (State::Active, 0));
    }
}

#[test]
fn who_names_an_open_that_is_told_as_another_is_told_which() {
    let report = load(&[&rule_of("evt.type in (open, creat)")], &Options::default()).unwrap_err();
    assert!(report.to_string().contains("open is told as openat"), "{report}");
    let all = rule_of("evt.type in (open, openat, openat2, creat) and evt.is_open_write = true");
    let (rules, _) = load(&[&all], &Options::default()).unwrap();
    assert_eq!(rules.event_types().names(), "openat");
}

#[track_caller]
fn found_in(text: &str, line: usize, column: usize, code: Code, message: &str) {
    let report = match load(&[text], &Options::default()) {
        Ok((_, report)) | Err(report) => report,
    };
    let found = report.diagnostics.iter().any(|one| {
        (one.position.line, one.position.column, one.code) == (line, column, code)
            && one.message.contains(message)
    });
    assert!(found, "{text}\n{report}");
}

#[test]
fn macros_and_lists_do_not_run_in_circles_nor_ahead() {
    let text = "- macro: a\n  condition: b or c\n- macro: b\n  condition: not (a)\n- macro: c\n  condition: evt.type = execve\n";
    found_in(&format!("{text}{}", rule_of("a")), 4, 19, Code::RecursiveMacro, "made of itself");
    found_in(text, 4, 19, Code::RecursiveMacro, "made of itself");
    let text = "- list: a\n  items: [b]\n- list: b\n  items: [x, a]\n";
    found_in(
        &format!("{text}{}", rule_of("proc.name in (a)")),
        4,
        14,
        Code::RecursiveList,
        "list a is made of itself",
    );
    let late = format!("{}- macro: later\n  condition: evt.type = execve\n", rule_of("later"));
    found_in(&late, 6, 5, Code::UnknownMacro, "defined only after this");
    let late = format!(
        "{}- list: later\n  items: [x]\n",
        rule_of("evt.type = execve and proc.name in (later)")
    );
    found_in(&late, 6, 41, Code::UnknownList, "defined only after this");
}

#[test]
fn a_tower_of_macros_is_refused_before_it_falls() {
    let mut text = "- macro: m0\n  condition: proc.name = x or proc.name = y\n".to_owned();
    for level in 1..40 {
        let below = level - 1;
        text.push_str(&format!("- macro: m{level}\n  condition: m{below} or not m{below}\n"));
    }
    let report = load(&[&format!("{text}{}", rule_of("m39"))], &Options::default()).unwrap_err();
    assert!(report.diagnostics.iter().any(|one| one.code == Code::TooLarge), "{report}");
    let mut text = "- macro: m0\n  condition: proc.name = x\n".to_owned();
    for level in 1..1500 {
        text.push_str(&format!("- macro: m{level}\n  condition: (m{})\n", level - 1));
    }
    let report = load(&[&format!("{text}{}", rule_of("m1499"))], &Options::default()).unwrap_err();
    assert!(report.diagnostics.iter().any(|one| one.code == Code::TooLarge), "{report}");
}

#[test]
fn exceptions_are_checked_where_they_are_written() {
    let with = |exception: &str| {
        format!("{}  exceptions:\n    - {exception}\n", rule_of("evt.type = execve"))
    };
    let cases = [
        ("{name: e, fields: [proc.name, proc.pname], comps: [=], values: []}", 8, 8, "one length"),
        (
            "{name: e, fields: [proc.name, proc.pname], values: [[a]]}",
            8,
            60,
            "1 values for 2 fields",
        ),
        ("{name: e, fields: [proc.name], values: [a]}", 8, 47, "a list of values"),
        (
            "{name: e, fields: proc.name, comps: startswith, values: [a]}",
            8,
            43,
            "one field is compared by",
        ),
        ("{name: e, fields: proc.name, comps: like, values: [a]}", 8, 43, "no comparison \"like\""),
    ];
    for (exception, line, column, message) in cases {
        found_in(&with(exception), line, column, Code::Exception, message);
    }
    found_in(
        &with("{name: e, fields: proc.nme, values: [a]}"),
        8,
        25,
        Code::UnknownField,
        "proc.nme",
    );
    found_in(&with("{name: e, fields: proc.pid, values: [a]}"), 8, 44, Code::Type, "whole number");
}

#[test]
fn outputs_name_their_fields() {
    let text = |output: &str| {
        rule_of("evt.type = execve").replace("output: o", &format!("output: \"{output}\""))
    };
    found_in(&text("a %proc.nme b"), 3, 15, Code::UnknownField, "there is no field proc.nme");
    found_in(&text("a %fd.lip.name b"), 3, 15, Code::UnansweredField, "it reads <NA>");
    found_in(&text("a 100% b"), 3, 17, Code::Output, "no field follows");
    found_in(&text("a %tolower(proc.pid) b"), 3, 23, Code::Type, "takes text");
}
