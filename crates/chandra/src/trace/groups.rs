//! Counts by fields, kept in the kernel and read once at the end.

use chandra_doctor::Problem;
use chandra_loader::load::Loaded;
use chandra_signals::Context;
use serde_json::{Map, Value};

use super::terminal_width;
use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::counts;
use crate::output;

/// Prints one line for each group, the largest first. Returns how many there were.
pub fn show(options: &TraceOptions, loaded: &Loaded, context: &Context) -> Result<u64, Problem> {
    let mut groups = counts::groups(loaded)?;
    groups.sort_by(|(left_key, left), (right_key, right)| {
        right.cmp(left).then_with(|| left_key.comm.cmp(&right_key.comm))
    });
    let limit = options.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    groups.truncate(limit);
    let rows = groups
        .iter()
        .map(|(key, count)| (counts::fields(options.signal, &options.by, key, context), *count));
    let rows: Vec<_> = rows.collect();
    let text = match options.format {
        Format::Json => rows.iter().map(|(fields, count)| json_line(fields, *count)).collect(),
        Format::Table | Format::Wide => table(options, &rows),
    };
    output::write(text.as_bytes())?;
    Ok(rows.len() as u64)
}

fn json_line(fields: &[(&'static str, Value)], count: u64) -> String {
    let mut object: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    object.insert("count".to_owned(), count.to_string().into());
    Value::Object(object).to_string() + "\n"
}

fn table(options: &TraceOptions, rows: &[(Vec<(&'static str, Value)>, u64)]) -> String {
    let width = terminal_width(options.format).unwrap_or(usize::MAX);
    let mut out = format!("{:>10}", "COUNT");
    for (name, _) in &options.by {
        out += &format!("  {:<24}", name.to_uppercase());
    }
    let mut out = out.trim_end().to_owned() + "\n";
    for (fields, count) in rows {
        let mut line = format!("{count:>10}");
        for (_, value) in fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line += &format!("  {text:<24}");
        }
        out.extend(line.trim_end().chars().take(width));
        out.push('\n');
    }
    out
}
