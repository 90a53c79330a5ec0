//! How many, how long in all, and how many failed: a line for each group, of what the kernel keeps.

use std::collections::{BTreeMap, HashMap};

use chandra_doctor::Problem;
use chandra_event::histogram::Histogram;
use chandra_event::unit::Unit;
use chandra_loader::abi::{GroupKey, group_field};
use chandra_loader::load::Loaded;
use chandra_signals::{Context, HistogramSpec};
use serde_json::{Map, Value};

use super::terminal_width;
use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::counts;
use crate::output;

/// A group, and what it had.
struct Row {
    fields: Vec<(&'static str, Value)>,
    values: Histogram,
    /// How often each error came; none where errors are not counted.
    errors: BTreeMap<String, u64>,
}

/// Prints one line for each group, that with the largest sum first. Returns how many there were.
pub fn show(
    options: &TraceOptions,
    spec: &HistogramSpec,
    loaded: &Loaded,
    context: &Context,
) -> Result<u64, Problem> {
    let counts_errors =
        options.signal.group_by.iter().any(|(_, bit)| *bit == group_field::GROUP_ERROR);
    let mut errors = if counts_errors { errors(loaded)? } else { HashMap::new() };
    let rows = counts::histograms(loaded)?.into_iter().map(|(key, values)| {
        let operation = spec.operation(key.code).map(|operation| ("operation", operation.into()));
        let fields = counts::fields(options.signal, &options.by, &key, context);
        Row {
            fields: operation.into_iter().chain(fields).collect(),
            values,
            errors: errors.remove(&key.to_array()).unwrap_or_default(),
        }
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|row| std::cmp::Reverse((row.values.sum, row.values.count())));
    let limit = options.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    rows.truncate(limit);
    let unit = Unit::of_path(&format!("value_{}", spec.unit));
    let text = match options.format {
        Format::Json => {
            let line = |row: &Row| json_line(row, unit, counts_errors);
            rows.iter().flat_map(line).collect()
        }
        Format::Table | Format::Wide => table(options, &rows, unit, counts_errors).into_bytes(),
    };
    output::write(&text)?;
    Ok(rows.len() as u64)
}

/// The errors of each group, by its key without them.
fn errors(
    loaded: &Loaded,
) -> Result<HashMap<[u8; GroupKey::BYTES], BTreeMap<String, u64>>, Problem> {
    let mut errors: HashMap<_, BTreeMap<_, _>> = HashMap::new();
    for (key, count) in counts::groups(loaded)? {
        let group = GroupKey { number: 0, ..key }.to_array();
        *errors.entry(group).or_default().entry(counts::errno(key.number)).or_default() += count;
    }
    Ok(errors)
}

fn json_line(row: &Row, unit: Option<Unit>, counts_errors: bool) -> Vec<u8> {
    let mut object: Map<String, Value> =
        row.fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    if counts_errors {
        object.insert("errors".to_owned(), row.errors.values().sum::<u64>().into());
        let by_name = row.errors.iter().map(|(name, count)| (name.clone(), (*count).into()));
        object.insert("error_counts".to_owned(), Value::Object(by_name.collect()));
    }
    let mut line = Value::Object(object).to_string().into_bytes();
    line.pop();
    line.extend_from_slice(b",\"histogram\":");
    row.values.write_json(unit, &mut line);
    line.extend_from_slice(b"}\n");
    line
}

fn table(options: &TraceOptions, rows: &[Row], unit: Option<Unit>, counts_errors: bool) -> String {
    let width = terminal_width(options.format).unwrap_or(usize::MAX);
    let scaled = |value: u64| unit.map_or_else(|| value.to_string(), |unit| unit.scaled(value));
    let mut lines = vec![format!("{:>10}  {:>9}  {:>9}", "COUNT", "TOTAL", "MEAN")];
    if counts_errors {
        lines[0] += &format!("  {:>10}", "ERRORS");
    }
    let operation = rows.first().is_some_and(|row| row.fields.len() > options.by.len());
    let operation = operation.then_some("operation").into_iter();
    for name in operation.chain(options.by.iter().map(|(name, _)| *name)) {
        lines[0] += &format!("  {:<16}", name.to_uppercase());
    }
    for row in rows {
        let (count, sum) = (row.values.count(), row.values.sum);
        let (total, mean) = (scaled(sum), scaled(sum.checked_div(count).unwrap_or(0)));
        let mut line = format!("{count:>10}  {total:>9}  {mean:>9}");
        if counts_errors {
            line += &format!("  {:>10}", row.errors.values().sum::<u64>());
        }
        for (_, value) in &row.fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line += &format!("  {text:<16}");
        }
        lines.push(line);
    }
    let cut = |line: &String| line.trim_end().chars().take(width).chain(['\n']).collect::<String>();
    lines.iter().map(cut).collect()
}
