//! Histograms, kept in the kernel and read once at the end.

use chandra_doctor::Problem;
use chandra_event::unit::Unit;
use chandra_loader::load::Loaded;
use chandra_signals::{Context, HistogramSpec};

use super::terminal_width;
use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::counts;
use crate::output;

/// Columns of a drawing where there is no terminal to fill.
const DEFAULT_WIDTH: usize = 80;

/// Prints one histogram for each operation and group, the fullest last, where the eye is.
pub fn show(
    options: &TraceOptions,
    spec: &HistogramSpec,
    loaded: &Loaded,
    context: &Context,
) -> Result<u64, Problem> {
    let mut histograms = counts::histograms(loaded)?;
    histograms.sort_by_key(|(key, histogram)| (histogram.count(), key.code));
    let unit = Unit::of_path(&format!("value_{}", spec.unit));
    let mut out = Vec::new();
    for (key, histogram) in &histograms {
        let operation = spec.operation(key.code);
        let fields = counts::fields(options.signal, &options.by, key, context);
        if options.format == Format::Json {
            out.push(b'{');
            if let Some(operation) = operation {
                out.extend_from_slice(format!("\"operation\":\"{operation}\",").as_bytes());
            }
            for (name, value) in &fields {
                out.extend_from_slice(format!("\"{name}\":{value},").as_bytes());
            }
            out.extend_from_slice(b"\"histogram\":");
            histogram.write_json(unit, &mut out);
            out.extend_from_slice(b"}\n");
        } else {
            let fields = fields.iter().map(|(name, value)| {
                format!(
                    "{name}={}",
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                )
            });
            let title = operation.into_iter().map(str::to_owned).chain(fields);
            let title = title.collect::<Vec<_>>().join("  ");
            let width = terminal_width(options.format).unwrap_or(DEFAULT_WIDTH);
            out.extend_from_slice(histogram.draw(&title, unit, width).as_bytes());
            out.push(b'\n');
        }
    }
    output::write(&out)?;
    Ok(histograms.len() as u64)
}
