use super::*;
use crate::diagnostic::Report;
use crate::reporter::Reporter;
use crate::source::{Source, Sources};

fn read_text(text: &str) -> (Vec<Item>, Report) {
    let mut sources = Sources::default();
    let source = sources.add(Source::new("f.yaml", text));
    let mut reporter = Reporter::new(&sources);
    let roots = documents(source, &mut reporter);
    let items = roots.iter().flat_map(|root| read(root, &mut reporter)).collect();
    (items, reporter.report)
}

#[track_caller]
fn found(text: &str, line: usize, column: usize, message: &str) {
    let (_, report) = read_text(text);
    let all = &report.diagnostics;
    let found = all.iter().any(|one| {
        (one.position.line, one.position.column) == (line, column) && one.message.contains(message)
    });
    assert!(found, "{text}\n{report}");
}

const EVERYTHING: &str = r#"
- required_engine_version: 13
- required_plugin_versions:
    - name: container
      version: 0.4.0
      alternatives:
        - name: other
          version: 1.2.3
- list: shells
  items: [bash, sh, '"odd one"', "tab\there"]
- list: shells
  items: [zsh]
  append: true
- macro: spawned
  condition: evt.type in (execve, execveat)
- rule: Shell
  desc: >
    A shell
    was started.
  condition: spawned and proc.name in (shells)
  output: Shell (user=%user.name "quoted" é \ )
  priority: NOTICE
  tags: [container, shell]
  source: syscall
  enabled: false
  warn_evttypes: no
  skip-if-unknown-filter: true
  capture: true
  capture_duration: 500
  exceptions:
    - name: trusted
      fields: [proc.name, fd.name]
      comps: [=, in]
      values:
        - [apt, [a, b]]
    - name: one
      fields: proc.name
      values: [x, y]
---
- rule: Shell
  condition: and true
  output: more
  override:
    condition: append
    output: replace
- rule: Shell
  enabled: true
"#;

#[test]
fn every_key_is_read() {
    let (items, report) = read_text(EVERYTHING);
    assert_eq!(report.diagnostics, [], "{report}");
    assert_eq!(items.len(), 8);
    let Item::Rule(rule) = &items[5] else { panic!("{:?}", items[5]) };
    assert_eq!(rule.priority, Some(Priority::Notice));
    assert_eq!(rule.desc.as_ref().map(Text::as_str), Some("A shell was started.\n"));
    assert_eq!((rule.enabled, rule.warn_evttypes), (Some(false), Some(false)));
    assert_eq!(rule.exceptions.as_ref().map(Vec::len), Some(2));
    let Item::Rule(change) = &items[6] else { panic!("{:?}", items[6]) };
    assert!(matches!(&change.change, Change::Override(all) if all.len() == 2));
}

#[test]
fn what_is_printed_reads_as_the_same_items() {
    let (items, _) = read_text(EVERYTHING);
    let printed: String = items.iter().map(Item::to_string).collect();
    let (again, report) = read_text(&printed);
    assert_eq!(report.diagnostics, [], "{printed}");
    assert_eq!(again, items, "{printed}");
}

#[test]
fn what_is_wrong_has_its_place() {
    found("- rule: A\n  priority: Warnin\n", 2, 13, "there is no priority \"Warnin\"");
    found("- rule: A\n  enabled: maybe\n", 2, 12, "enabled is true or false");
    found("- rule: A\n  output: x\n  output: y\n", 3, 3, "stands here twice");
    found("- rule: A\n  condtion: x\n", 2, 3, "there is no key condtion");
    found("- rule: A\n  tags: x\n", 2, 9, "tags is a sequence");
    found("- rule: [a]\n", 1, 9, "rule is a scalar");
    found("- macro: a-b\n  condition: x\n", 1, 10, "no condition can name this macro");
    found("- list: a b\n  items: []\n", 1, 9, "no condition can name this list");
    found("- macro: a\n", 1, 10, "the macro has no condition");
    found("- foo: a\n", 1, 3, "expected rule, macro");
    found("a: b\n", 1, 1, "a rules file is a sequence");
    found("- required_engine_version: x\n", 1, 28, "is no version");
    found("- rule: A\n  output: x\n  override:\n    output: add\n", 4, 13, "append or replace");
    let text = "- rule: A\n  priority: INFO\n  override:\n    priority: append\n";
    found(text, 4, 5, "priority cannot be appended");
    found("- rule: A\n  override:\n    desc: append\n", 3, 5, "which is not given");
    found("- rule: A\n  desc: x\n  override: {}\n", 1, 9, "desc is given, but override");
    found("- rule: A\n  condition: 'x\n", 2, 14, "unclosed quote");
}
