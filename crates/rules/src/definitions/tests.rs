use super::*;
use crate::diagnostic::Report;
use crate::items;
use crate::source::{Source, Sources};

fn define(files: &[&str]) -> (Definitions, Report) {
    let mut sources = Sources::default();
    let ids: Vec<_> = (files.iter().enumerate())
        .map(|(index, text)| sources.add(Source::new(format!("{index}.yaml"), *text)))
        .collect();
    let mut reporter = Reporter::new(&sources);
    let mut definitions = Definitions::default();
    for id in ids {
        for root in items::documents(id, &mut reporter) {
            for item in items::read(&root, &mut reporter) {
                definitions.add(item, &mut reporter);
            }
        }
    }
    (definitions, reporter.report)
}

fn items_of(definitions: &Definitions, name: &str) -> Vec<String> {
    let list = definitions.lists.get(name).unwrap();
    list.items.iter().map(|item| item.as_str().to_owned()).collect()
}

#[track_caller]
fn found(files: &[&str], line: usize, column: usize, message: &str) {
    let (_, report) = define(files);
    let found = report.diagnostics.iter().any(|one| {
        (one.position.line, one.position.column) == (line, column) && one.message.contains(message)
    });
    assert!(found, "{report}");
}

const RULE: &str = "
- rule: R
  desc: d
  condition: a or b
  output: o
  priority: INFO
  tags: [one]
  exceptions:
    - name: e
      fields: proc.name
      values: [x]
";

#[test]
fn a_later_definition_takes_the_place_of_an_earlier_one() {
    let (known, report) = define(&[
        "- list: a\n  items: [1]\n- list: b\n  items: [2]\n",
        "- list: a\n  items: [3]\n",
    ]);
    assert_eq!(report.diagnostics, []);
    assert_eq!(items_of(&known, "a"), ["3"]);
    assert_eq!(known.lists.get("a").unwrap().defined, 1);
}

#[test]
fn append_and_override_change_what_is_there() {
    let (known, report) = define(&[
        "- list: a\n  items: [1]\n- macro: m\n  condition: x\n",
        RULE,
        "- list: a\n  items: [2]\n  append: true\n",
        "- list: a\n  items: [3]\n  override: {items: append}\n",
        "- macro: m\n  condition: or y\n  append: true\n",
        "- rule: R\n  condition: and c\n  output: p\n  priority: ERROR\n  tags: [two]\n  \
           exceptions: [{name: e, values: [y]}, {name: f, fields: proc.pname}]\n  \
           override: {condition: append, output: replace, priority: replace, tags: append, exceptions: append}\n",
        "- rule: R\n  enabled: false\n",
    ]);
    assert_eq!(report.diagnostics, [], "{report}");
    assert_eq!(items_of(&known, "a"), ["1", "2", "3"]);
    assert_eq!(known.macros.get("m").unwrap().condition.as_str(), "x or y");
    let rule = known.rules.get("R").unwrap();
    // The known trap of Falco's: `a or (b and c)`.
    assert_eq!(rule.condition.as_str(), "a or b and c");
    assert_eq!((rule.output.as_str(), rule.priority), ("p", Priority::Error));
    assert_eq!(rule.tags.len(), 2);
    assert_eq!(rule.exceptions.iter().map(|one| one.values.len()).collect::<Vec<_>>(), [2, 0]);
    assert!(!rule.enabled);
}

#[test]
fn what_cannot_be_done_has_its_place() {
    found(&["- rule: R\n  enabled: true\n"], 1, 9, "there is no rule \"R\" before this");
    found(&["- list: a\n  items: []\n  append: true\n"], 1, 9, "there is no list");
    found(&[RULE, "- rule: R\n  tags: [x]\n"], 1, 9, "a rule needs condition");
    found(&["- rule: R\n  condition: x\n"], 1, 9, "the rule has no output");
    found(&[RULE, "- rule: R\n  source: k8s_audit\n  append: true\n"], 2, 11, "cannot be changed");
    let text = "- rule: R\n  exceptions: [{name: e, fields: proc.name}]\n  append: true\n";
    found(&[RULE, text], 2, 17, "no fields and no comps");
    found(&[&format!("{RULE}{RULE}")], 13, 9, "takes the place of the one at 0.yaml:2:9");
    found(&["- required_engine_version: 0.99.0\n"], 1, 28, "rules for engine 0.99.0");
    let text = "- required_plugin_versions: [{name: json, version: 0.1.0}]\n";
    found(&[text], 1, 37, "plugin json 0.1.0 is not there");
    let two = RULE.replace("values: [x]\n", "values: [x]\n    - name: e\n      fields: fd.name\n");
    found(&[&two], 12, 13, "two exceptions \"e\"");
}

#[test]
fn what_is_built_in_may_be_required() {
    let text = "- required_engine_version: 0.57.0\n- required_plugin_versions:\n  - name: nope\n    \
        version: 1.0.0\n    alternatives:\n    - name: container\n      version: 0.4.0\n";
    let (_, report) = define(&[text]);
    assert_eq!(report.diagnostics, [], "{report}");
}
