//! The rules that Chandra comes with, by the tests that stand beside them.

use chandra_rules::load::{Matching, Options};
use chandra_rules::rules::{Ruleset, State};
use chandra_rules::source::{Source, Sources};
use chandra_rules::testing::{Tests, Why};
use chandra_rules::{DEFAULT_FILE_RULES, DEFAULT_RULES};

const TESTS: [(&str, &str); 2] = [
    ("default.tests.yaml", include_str!("../../rules/default.tests.yaml")),
    ("default-files.tests.yaml", include_str!("../../rules/default-files.tests.yaml")),
];

fn default_rules() -> Ruleset {
    load(&[DEFAULT_RULES, DEFAULT_FILE_RULES])
}

fn load(texts: &[&str]) -> Ruleset {
    let mut sources = Sources::default();
    for text in texts {
        sources.add(Source::new("rules.yaml", *text));
    }
    let options = Options { matching: Matching::All, ..Options::default() };
    let (rules, report) =
        Ruleset::load(&sources, &options).unwrap_or_else(|report| panic!("{report}"));
    assert!(report.diagnostics.is_empty(), "{report}");
    rules
}

fn tests() -> Tests {
    let mut tests = Tests::default();
    for (name, text) in TESTS {
        tests.add(Tests::read(name, text).unwrap_or_else(|error| panic!("{error}")));
    }
    tests
}

#[test]
fn the_default_rules_do_what_their_tests_say() {
    let failures = tests().run(&default_rules());
    let shown: Vec<String> = failures.iter().map(ToString::to_string).collect();
    assert!(shown.is_empty(), "{}", shown.join("\n"));
}

#[test]
fn every_default_rule_has_two_events_that_fire_and_two_near_misses() {
    let (rules, tests) = (default_rules(), tests());
    assert!(!rules.rules().is_empty());
    for rule in rules.rules() {
        let (fires, silent) = tests.count_of(&rule.name);
        assert!(fires >= 2 && silent >= 2, "{}: {fires} fire, {silent} are near misses", rule.name);
    }
}

#[test]
fn every_default_rule_is_on_and_says_what_it_is_for() {
    for rule in default_rules().rules() {
        let name = &rule.name;
        assert_eq!(rule.state, State::Active, "{name}");
        assert!(rule.description.len() > 40, "{name}");
        assert_eq!(rule.unanswered_output().count(), 0, "{name}");
        let is_technique = |tag: &String| {
            tag.strip_prefix('T').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        };
        assert!(rule.tags.iter().any(is_technique), "{name} names no technique of MITRE's");
        let has_tactic = rule.tags.iter().any(|tag| tag.starts_with("mitre_"));
        assert!(has_tactic, "{name} names no tactic of MITRE's");
    }
}

const RULE: &str = "\
- rule: R
  desc: d
  condition: evt.type = execve and proc.name = a and not proc.pname = b
  output: o
  priority: INFO
";

#[test]
fn a_test_that_fails_says_which_part_of_the_condition_decided() {
    let tests = "\
- rule: R
  fires:
    - { exe: /bin/a, ancestors: [/bin/b] }
  silent:
    - { title: it is a, exe: /bin/a }
- ordinary:
    - { exe: /bin/a, ancestors: [/bin/c] }
- rule: S
  fires: [{ exe: /bin/a }]
";
    let failures = Tests::read("t.yaml", tests).unwrap().run(&load(&[RULE]));
    let shown: Vec<String> =
        failures.iter().map(|failure| failure.to_string().trim_end().to_owned()).collect();
    let silent = "t.yaml:3:9: \"R\" does not fire of \"/bin/a\"\n  \
        false: not\n    true: proc.pname = b  (is \"b\")";
    assert_eq!(shown.len(), 4, "{shown:#?}");
    assert_eq!(shown[0], silent);
    assert!(shown[1].starts_with("t.yaml:5:9: \"R\" fires of \"it is a\"\n"), "{}", shown[1]);
    assert!(shown[1].contains("true: proc.name = a  (is \"a\")"), "{}", shown[1]);
    assert!(shown[2].starts_with("t.yaml:7:9: \"R\" fires of \"/bin/a\"\n"), "{}", shown[2]);
    assert_eq!(shown[3], "t.yaml:9:13: there is no rule \"S\"");
}

#[test]
fn tests_of_a_rule_that_is_off_fail() {
    let text = format!("{RULE}  enabled: false\n");
    let tests = "- rule: R\n  fires: [{ exe: /bin/x }]\n  silent: [{ exe: /bin/x }]\n";
    let failures = Tests::read("t.yaml", tests).unwrap().run(&load(&[&text]));
    let reasons: Vec<&Why> = failures.iter().map(|failure| &failure.why).collect();
    assert_eq!(reasons, [&Why::NotActive(Vec::new()), &Why::NotActive(Vec::new())]);
}
