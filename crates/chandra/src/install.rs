//! `chandra install`: the manifests of the chart that is part of this binary. Nothing is asked of a cluster.

use std::fs;
use std::path::Path;

use chandra_chart::values;
use chandra_doctor::{Check, Problem};
use serde_json::{Value, json};

use crate::cli::install::InstallOptions;
use crate::output;

/// Namespaces that every cluster has.
const THERE_ANYWAY: [&str; 2] = ["default", "kube-system"];

/// Prints manifests, and beside them what comes next.
pub fn run(options: &InstallOptions) -> Result<(), Problem> {
    let namespace = &options.namespace;
    let is_label =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if namespace.is_empty() || namespace.len() > 63 || !namespace.chars().all(is_label) {
        let why = "a namespace has small letters, digits and dashes, 63 at most";
        let what = format!("cannot use the namespace {namespace:?}");
        return Err(Problem::usage(Check::INSTALL, what, why, "for example: -n chandra"));
    }
    let creates = !THERE_ANYWAY.contains(&namespace.as_str());
    let mut given = json!({ "namespace": { "create": creates } });
    for path in &options.values {
        given = values::over(given, &file(path)?);
    }
    for assignment in &options.set {
        values::set(&mut given, assignment).map_err(|why| unusable("cannot use --set", why))?;
    }
    let rendered = chandra_chart::render(namespace, &given)
        .and_then(|manifests| Ok((manifests, chandra_chart::notes(namespace, &given)?)));
    let (manifests, notes) = rendered
        .map_err(|error| unusable("cannot make manifests of these values", error.to_string()))?;
    output::print(&manifests)?;
    eprint!("{notes}");
    Ok(())
}

fn file(path: &Path) -> Result<Value, Problem> {
    let text = fs::read_to_string(path).map_err(|error| error.to_string());
    text.and_then(|text| values::parse(&text))
        .map_err(|why| unusable(&format!("cannot use the values in {}", path.display()), why))
}

fn unusable(what: &str, why: String) -> Problem {
    Problem::usage(Check::INSTALL, what, why, "what can be set: deploy/chart/README.md")
}
