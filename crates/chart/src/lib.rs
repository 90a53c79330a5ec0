//! What is installed in a cluster. The one source is the Helm chart in `deploy/chart`; [`render`] makes of it
//! what Helm makes of it, so that nobody needs Helm.
//!
//! The templates keep to a small part of Helm's language ([`template`]), and write every value as JSON, which
//! is YAML: so no value can break out of its place, and there is one way only in which it can look. A test
//! has Go's own `text/template` render the same templates, and compares.

#![forbid(unsafe_code)]

pub mod files;
pub mod schema;
pub mod template;
pub mod values;

use serde_json::{Map, Value, json};

/// Why there are no manifests.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Values that the chart does not take, each with its place.
    #[error("{}", .0.join("; "))]
    Values(Vec<String>),
    /// The chart itself is wrong.
    #[error("the chart is wrong: {0}")]
    Template(#[from] template::Error),
}

/// The values that hold where nothing is said.
pub fn defaults() -> Value {
    let text = files::text("values.yaml").unwrap_or_default();
    values::parse(text).unwrap_or_default()
}

/// The manifests for these values in this namespace, as one stream of YAML documents.
///
/// # Errors
/// When the schema of the values refuses them.
pub fn render(namespace: &str, given: &Value) -> Result<String, Error> {
    let values = checked(given)?;
    let mut stream = String::new();
    for (path, text) in files::FILES {
        if !(path.starts_with("templates/") && path.ends_with(".yaml")) {
            continue;
        }
        let rendered = render_one(namespace, &values, text)?;
        for document in documents(&rendered) {
            stream += "---\n";
            stream += document;
            stream += "\n";
        }
    }
    Ok(stream)
}

/// What a person does next, once these are applied.
///
/// # Errors
/// As of [`render`].
pub fn notes(namespace: &str, given: &Value) -> Result<String, Error> {
    let text = files::text("templates/NOTES.txt").unwrap_or_default();
    render_one(namespace, &checked(given)?, text)
}

/// The values with what is given put over the defaults, as far as the schema lets them.
fn checked(given: &Value) -> Result<Value, Error> {
    let values = values::over(defaults(), given);
    let text = files::text("values.schema.json").unwrap_or_default();
    let schema = serde_json::from_str(text).unwrap_or_default();
    match schema::mistakes(&schema, &values) {
        mistakes if mistakes.is_empty() => Ok(values),
        mistakes => Err(Error::Values(mistakes)),
    }
}

fn render_one(namespace: &str, values: &Value, text: &str) -> Result<String, Error> {
    let version = env!("CARGO_PKG_VERSION");
    let files = files::FILES.iter().map(|(path, text)| ((*path).to_owned(), Value::from(*text)));
    let top = json!({
        "Values": values,
        "Release": { "Name": "chandra", "Namespace": namespace },
        "Chart": { "Name": "chandra", "Version": version, "AppVersion": version },
        "Files": files.collect::<Map<_, _>>(),
    });
    Ok(template::render(text, &top)?)
}

/// The documents of a stream that hold anything.
fn documents(stream: &str) -> impl Iterator<Item = &str> {
    let is_empty = |document: &&str| {
        document.lines().all(|line| line.trim().is_empty() || line.trim().starts_with('#'))
    };
    let documents = stream.split("\n---\n").map(|document| document.trim_matches('\n'));
    documents
        .map(|document| document.strip_prefix("---\n").unwrap_or(document))
        .filter(move |document| !is_empty(document))
}
