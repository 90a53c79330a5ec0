//! The part of Go's templates that the chart is written in: `{{ … }}` with `if`, `else`, `else if`, `range`
//! and `end`, fields, variables of a `range`, texts, whole numbers, brackets, and the functions `toJson`,
//! `printf`, `default`, `indent`, `and`, `or`, `not`, `eq` and `.Files.Get`. There are no pipes.
//!
//! What is written so means the same to Helm. Anything else is an error, never another meaning.

mod expression;
mod json;
mod parse;

use serde_json::Value;

use expression::Scope;
use parse::{Branch, Node};

/// Where a template is wrong, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Error {
    /// From 1 on.
    pub line: usize,
    /// In words.
    pub why: String,
}

/// The template with what it says of `top` in place.
///
/// # Errors
/// When it is no template of this kind, or asks for what is not there.
pub fn render(template: &str, top: &Value) -> Result<String, Error> {
    let nodes = parse::nodes(template)?;
    let mut out = String::with_capacity(template.len());
    write(&nodes, &Scope::new(top), &mut out)?;
    Ok(out)
}

fn write(nodes: &[Node], scope: &Scope<'_>, out: &mut String) -> Result<(), Error> {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Value(expression) => out.push_str(&json::shown(&scope.value(expression)?)),
            Node::If(branches) => {
                for Branch { condition, body } in branches {
                    let holds = match condition {
                        None => true,
                        Some(condition) => expression::is_true(&scope.value(condition)?),
                    };
                    if holds {
                        write(body, scope, out)?;
                        break;
                    }
                }
            }
            Node::Range { names, over, body } => match scope.value(over)? {
                Value::Array(items) => {
                    for (number, item) in items.iter().enumerate() {
                        write(body, &scope.inside(names, Value::from(number), item), out)?;
                    }
                }
                Value::Object(items) => {
                    // In the order of names, as Go goes through them.
                    let mut items: Vec<_> = items.iter().collect();
                    items.sort_unstable_by_key(|(name, _)| *name);
                    for (name, item) in items {
                        write(body, &scope.inside(names, Value::from(name.as_str()), item), out)?;
                    }
                }
                Value::Null => {}
                _ => return Err(over.error("range over what is no list and no mapping")),
            },
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rendered(template: &str) -> String {
        let top = json!({
            "Values": { "a": "x\"<", "n": 3, "no": false, "list": [1, "b"], "map": { "k": { "l": 1.0 } } },
            "Files": { "f": "one\ntwo" },
        });
        render(template, &top).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn values_are_written_as_json() {
        assert_eq!(rendered("a: {{ toJson .Values.a }}!"), "a: \"x\\\"\\u003c\"!");
        assert_eq!(
            rendered("{{ toJson .Values.map }}{{ toJson .Values.nothing }}"),
            "{\"k\":{\"l\":1}}null"
        );
        assert_eq!(
            rendered("{{ toJson (printf \"%s:%s\" .Values.a \"b\") }}"),
            "\"x\\\"\\u003c:b\""
        );
        assert_eq!(rendered("{{ .Values.n }} {{ default 7 .Values.no }}"), "3 7");
        assert_eq!(rendered("{{ indent 2 (.Files.Get \"f\") }}"), "  one\n  two");
    }

    #[test]
    fn the_first_branch_that_holds_is_taken() {
        let template = "{{ if eq .Values.n 4 }}a{{ else if and .Values.a (not .Values.no) }}b{{ else }}c{{ end }}";
        assert_eq!(rendered(template), "b");
        assert_eq!(rendered("{{ if or .Values.no .Values.nothing }}a{{ else }}b{{ end }}"), "b");
    }

    #[test]
    fn dashes_take_blanks_away() {
        assert_eq!(rendered("a \n {{- if true }} b {{- end -}} \n c"), "a bc");
        assert_eq!(rendered("a {{- /* c */ -}} b"), "ab");
    }

    #[test]
    fn ranges_go_through_lists_and_mappings() {
        assert_eq!(rendered("{{ range .Values.list }}<{{ toJson . }}>{{ end }}"), "<1><\"b\">");
        assert_eq!(
            rendered(
                "{{ range $name, $it := .Values.map }}{{ toJson $name }}={{ toJson $it.l }}{{ end }}"
            ),
            "\"k\"=1"
        );
        assert_eq!(rendered("{{ range .Values.nothing }}a{{ end }}"), "");
    }

    #[test]
    fn what_is_not_understood_is_said_with_its_line() {
        for (template, why) in [
            ("a\n{{ if .Values.a }}", "line 2: if without end"),
            ("{{ end }}", "line 1: end without a beginning"),
            ("{{ .Values.a | quote }}", "line 1: \"|\" is not understood"),
            ("\n\n{{ toYaml .Values.a }}", "line 3: there is no function toYaml"),
            ("{{ .Values.a.b }}", "line 1: .Values.a.b: a text has no names in it"),
            ("{{ $x }}", "line 1: there is no variable $x"),
            ("{{ .Files.Get \"g\" }}", "line 1: there is no file g"),
            ("{{ toJson }}", "line 1: toJson takes 1 value, not 0"),
            ("{{ \"a", "line 1: {{ without }}"),
            ("{{ \"a }}", "line 1: a text without its end"),
            ("{{ (.Values.a }}", "line 1: ( without )"),
        ] {
            assert_eq!(rendered(template), why, "{template}");
        }
    }
}
