//! Rules: files of them, in Falco's language and in Sigma's, conditions, and the tests beside them.

use chandra_event::process::{Arguments, Exec, Executable};
use chandra_event::who::Who;
use chandra_rules::adapter::{IdMap, MAX_ENTRIES, Names, NoLineage, Node, RecordFacts, Services};
use chandra_rules::condition;
use chandra_rules::evaluate::{Scratch, Truth};
use chandra_rules::load::{Options, Unanswered};
use chandra_rules::rules::{Ruleset, State};
use chandra_rules::source::{Source, Sources};
use chandra_rules::testing::Tests;

/// A file of rules: whatever is wrong with it has a place in it.
pub fn rules_file(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut sources = Sources::default();
    sources.add(Source::new("fuzz.yaml", text));
    let options = Options { unanswered: Unanswered::LeaveOut, ..Options::default() };
    let report = match Ruleset::load(&sources, &options) {
        Ok((rules, report)) => {
            assert!(!report.has_errors());
            rules.rules().iter().for_each(|rule| assert!(!rule.name.is_empty()));
            report
        }
        Err(report) => {
            assert!(report.has_errors());
            report
        }
    };
    for one in &report.diagnostics {
        let lines = text.split('\n').count();
        assert!((1..=lines).contains(&one.position.line), "{one}");
        assert!(one.position.column <= one.line.chars().count() + 2, "{one}");
        let shown = one.to_string();
        assert!(shown.lines().all(|line| !line.contains(char::is_control)), "{shown:?}");
    }
}

/// A file of Sigma's rules: as one of Falco's, and what loads can be asked of an event, and explained.
pub fn sigma_file(bytes: &[u8]) {
    rules_file(bytes);
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut sources = Sources::default();
    sources.add(Source::new("fuzz.yaml", text));
    let options = Options { unanswered: Unanswered::LeaveOut, ..Options::default() };
    let Ok((rules, _)) = Ruleset::load(&sources, &options) else { return };
    let arguments = Arguments { head: b"Curl\0-k\0http://x/a.sh\0", tail: b"", total_bytes: 23 };
    let executable = Executable { path: b"/usr/bin/curl", inode: 5, ..Executable::default() };
    let exec = Exec { arguments, executable, filename: b"./link", ..Exec::default() };
    let (who, node) = (Who::default(), Node::default());
    let Some(facts) = RecordFacts::new(&exec, 1, &who, &NoLineage, &node) else { return };
    let (mut scratch, mut fired) = (Scratch::default(), Vec::new());
    rules.evaluate(&facts, &mut scratch, &mut |rule, _| fired.push(rule));
    for rule in rules.rules().iter().filter(|rule| rule.state == State::Active) {
        // What is found by one pass over a value is what each comparison says by itself.
        let fires = rules.explain(rule, &facts, &mut scratch).truth == Truth::True;
        let has_fired = fired.iter().any(|one| std::ptr::eq(*one, rule));
        assert!(!has_fired || fires, "{}", rule.name);
        assert!(has_fired || !fires || rule.sigma.is_none(), "{}", rule.name);
        let alert = rule.alert(&facts, facts.time(), &mut scratch);
        assert!(!alert.message.contains(char::is_control), "{:?}", alert.message);
    }
}

/// A condition: its printed form is the same condition, and what is wrong is within its text.
pub fn rules_condition(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    match condition::parse(text) {
        Ok(parsed) => {
            let printed = parsed.to_string();
            assert_eq!(condition::parse(&printed).as_ref(), Ok(&parsed), "{printed:?}");
        }
        Err(error) => {
            let range = error.span.range();
            assert!(text.get(range.clone()).is_some(), "{range:?} of {text:?}");
        }
    }
}

/// Tests beside rules: what is wrong has a place; what can be read can be run.
pub fn rules_tests(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let tests = match Tests::read("fuzz.yaml", text) {
        Ok(tests) => tests,
        Err(error) => {
            assert!(error.place.starts_with("fuzz.yaml:"), "{error}");
            return;
        }
    };
    let rule = "- rule: R\n  desc: d\n  condition: evt.type = execve and proc.name = a and \
                not proc.aname = b\n  output: o\n  priority: INFO\n";
    let mut sources = Sources::default();
    sources.add(Source::new("rules.yaml", rule));
    let Ok((rules, _)) = Ruleset::load(&sources, &Options::default()) else { return };
    for failure in tests.run(&rules) {
        assert!(failure.place.starts_with("fuzz.yaml:"), "{failure}");
    }
}

/// Users, groups, a map of their numbers, and services of a container's root, with NUL between: what is kept is
/// bounded and has a name.
pub fn user_databases(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let mut parts = text.split('\0');
    let mut next = || parts.next().unwrap_or_default();
    let (passwd, group, map, services) = (next(), next(), IdMap::read(next()), next());
    let names = Names::read(passwd, group, &map, &map);
    assert!(names.users.len() <= MAX_ENTRIES && names.groups.len() <= MAX_ENTRIES);
    assert!(names.users.values().all(|user| !user.name.is_empty() && !user.shell.contains(':')));
    assert!(names.groups.values().all(|name| !name.is_empty()));
    let Services { tcp, udp } = Services::read(services);
    assert!(tcp.values().chain(udp.values()).all(|name| !name.is_empty()));
}
