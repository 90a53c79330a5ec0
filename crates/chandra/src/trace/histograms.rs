//! Histograms, kept in the kernel and read once at the end.

use chandra_doctor::Problem;
use chandra_event::histogram::Histogram;
use chandra_event::unit::Unit;
use chandra_loader::abi::{self, GroupKey};
use chandra_loader::batch;
use chandra_loader::load::Loaded;
use chandra_signals::{Context, HistogramSpec};

use super::{groups, terminal_width};
use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::output;
use crate::session;

/// Columns of a drawing where there is no terminal to fill.
const DEFAULT_WIDTH: usize = 80;

/// Prints one histogram for each operation and group, the fullest last, where the eye is.
pub fn show(
    options: &TraceOptions,
    spec: &HistogramSpec,
    loaded: &Loaded,
    context: &Context,
) -> Result<u64, Problem> {
    let mut histograms = read(options, loaded)?;
    histograms.sort_by_key(|(key, histogram)| (histogram.count(), key.code));
    let unit = Unit::of_path(&format!("value_{}", spec.unit));
    let mut out = Vec::new();
    for (key, histogram) in &histograms {
        let operation = usize::try_from(key.code).ok().and_then(|code| spec.operations.get(code));
        let operation = operation.copied().unwrap_or("unknown");
        let fields = groups::fields(options.signal, &options.by, key, context);
        if options.format == Format::Json {
            out.extend_from_slice(format!("{{\"operation\":\"{operation}\",").as_bytes());
            for (name, value) in &fields {
                out.extend_from_slice(format!("\"{name}\":{value},").as_bytes());
            }
            out.extend_from_slice(b"\"histogram\":");
            histogram.write_json(unit, &mut out);
            out.extend_from_slice(b"}\n");
        } else {
            let mut title = operation.to_owned();
            for (name, value) in &fields {
                title += &format!(
                    "  {name}={}",
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                );
            }
            let width = terminal_width(options.format).unwrap_or(DEFAULT_WIDTH);
            out.extend_from_slice(histogram.draw(&title, unit, width).as_bytes());
            out.push(b'\n');
        }
    }
    output::write(&out)?;
    Ok(histograms.len() as u64)
}

fn read(options: &TraceOptions, loaded: &Loaded) -> Result<Vec<(GroupKey, Histogram)>, Problem> {
    let signal = options.signal.spec.name;
    let map = loaded.map("histograms");
    let map =
        map.ok_or_else(|| session::ring_problem(signal, &"the object keeps no histograms"))?;
    let entries = batch::lookup(&map).map_err(|error| session::ring_problem(signal, &error))?;
    let histograms = entries.iter().filter_map(|(key, per_cpu)| {
        let mut sum = Histogram::default();
        for value in per_cpu.chunks_exact(abi::Histogram::BYTES) {
            let value = abi::Histogram::read(value)?;
            sum.merge(&Histogram { buckets: value.buckets, sum: value.sum });
        }
        Some((GroupKey::read(key)?, sum))
    });
    Ok(histograms.collect())
}
