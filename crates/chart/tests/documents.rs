//! The chart, and what is written down of it: nothing in one that is not in the other.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what it expects by stopping")]

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use chandra_chart::{defaults, files, render, schema, values};
use serde_json::{Value, json};

fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/chart")
}

/// Compares a file with what it should be; `CHANDRA_BLESS=1` writes it.
fn is_current(path: &Path, wanted: &str) {
    if std::env::var_os("CHANDRA_BLESS").is_some_and(|bless| bless == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, wanted).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    let name = path.file_name().unwrap();
    assert!(
        committed == wanted,
        "{name:?} is out of date; `CHANDRA_BLESS=1 cargo test -p chandra-chart` rewrites it"
    );
}

fn files_below(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files_below(&path, found),
            false => found.push(path.strip_prefix(chart()).unwrap().to_str().unwrap().to_owned()),
        }
    }
}

#[test]
fn every_file_of_the_chart_is_in_the_binary() {
    let mut found = Vec::new();
    files_below(&chart(), &mut found);
    // For readers only.
    found.retain(|path| path != "README.md");
    found.sort();
    let mut known: Vec<_> = files::FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    known.sort();
    assert_eq!(known, found);
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let chart = values::parse(files::text("Chart.yaml").unwrap()).unwrap();
    assert_eq!(chart["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(chart["appVersion"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn plain_manifests_are_current() {
    let given = json!({ "namespace": { "create": true } });
    let manifests = render("chandra", &given).unwrap();
    is_current(&chart().join("../manifests/chandra.yaml"), &manifests);
}

/// The paths of all values, and of all that the schema knows.
fn paths(value: &Value, names: &str, prefix: &str, found: &mut Vec<String>) {
    let inside = if names.is_empty() { Some(value) } else { value.get(names) };
    for (name, value) in inside.and_then(Value::as_object).into_iter().flatten() {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        found.push(path.clone());
        paths(value, names, &path, found);
    }
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let text = files::text("values.schema.json").unwrap();
    let told: Value = serde_json::from_str(text).unwrap();
    assert_eq!(schema::mistakes(&told, &defaults()), Vec::<String>::new());
    let (mut known, mut there) = (Vec::new(), Vec::new());
    paths(&told, "properties", "", &mut known);
    paths(&defaults(), "", "", &mut there);
    // What Helm puts there, and what Kubernetes has the names of.
    known.retain(|path| path != "global");
    there.retain(|path| !path.starts_with("resources.") || path.matches('.').count() == 1);
    known.sort();
    there.sort();
    assert_eq!(known, there);
}

/// A keyword that only Helm checks would make it refuse what `chandra install` takes.
#[test]
fn the_schema_has_no_keyword_that_is_not_checked_here() {
    fn keywords(schema: &Value, found: &mut Vec<String>) {
        for (name, value) in schema.as_object().into_iter().flatten() {
            found.push(name.clone());
            match name.as_str() {
                "properties" => {
                    value.as_object().unwrap().values().for_each(|it| keywords(it, found))
                }
                "items" | "additionalProperties" => keywords(value, found),
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    keywords(
        &serde_json::from_str(files::text("values.schema.json").unwrap()).unwrap(),
        &mut found,
    );
    for keyword in found {
        assert!(schema::KEYWORDS.contains(&keyword.as_str()), "{keyword}");
    }
}

const HEAD: &str = "\
# The chart

One source for Helm and for `chandra install`; [how it is installed](../../docs/start/kubernetes.md) says which
command to start with. This page is drawn from [values.yaml](values.yaml).

- `chandra install [-n NAMESPACE] [--values FILE] [--set NAME=VALUE] | kubectl apply -f -`
- `helm install chandra deploy/chart -n chandra --create-namespace -f FILE`; the namespace has to let pods
  mount folders of the node (label `pod-security.kubernetes.io/enforce: privileged`).
- [chandra.yaml](../manifests/chandra.yaml) is what comes of it when nothing is set.

| value | usually | what it is |
|---|---|---|
";

/// Each value with the comment above it.
fn described() -> Vec<(String, String, String)> {
    let text = files::text("values.yaml").unwrap();
    let (mut rows, mut outer, mut comment) = (Vec::new(), Vec::<String>::new(), String::new());
    for line in text.lines() {
        let bare = line.trim_start();
        let depth = (line.len() - bare.len()) / 2;
        if let Some(words) = bare.strip_prefix("# ") {
            comment = words.to_owned();
        } else if let Some((name, value)) = bare.split_once(':') {
            outer.truncate(depth);
            outer.push(name.to_owned());
            if !value.is_empty() {
                rows.push((outer.join("."), value.trim().to_owned(), std::mem::take(&mut comment)));
            }
        }
    }
    rows
}

#[test]
fn the_table_of_values_is_current() {
    let mut page = HEAD.to_owned();
    for (path, usual, comment) in described() {
        assert!(!comment.is_empty(), "{path} says nothing of itself");
        writeln!(page, "| `{path}` | `{usual}` | {comment} |").unwrap();
    }
    is_current(&chart().join("README.md"), &page);
}
