//! speedscope's file format, <https://www.speedscope.app/file-format-schema.json>: frames shared by all, and for
//! each thread a profile of sampled stacks with weights.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use foldhash::fast::RandomState;
use serde_json::{Value, json};

use crate::owner::{Grouping, Owner};
use crate::profile::{Profile, Sample};

/// Writes the value of this index.
///
/// # Errors
/// When it cannot be written.
pub fn write(profile: &Profile, title: &str, value: usize, out: &mut dyn Write) -> io::Result<()> {
    let texts = profile.texts();
    let mut frames: Vec<Value> = Vec::new();
    let mut numbers: HashMap<u32, usize, RandomState> = HashMap::default();
    let mut stack = |sample: &Sample<'_>| {
        let mut stack: Vec<usize> = (profile.frames_from_leaf(sample.stack))
            .map(|id| {
                *numbers.entry(id.0).or_insert_with(|| {
                    let frame = profile.frame_of(id);
                    let mut object = json!({ "name": frame.name(texts) });
                    let file = texts.get(frame.file);
                    let file = if file.is_empty() { texts.get(frame.module) } else { file };
                    if !file.is_empty() {
                        object["file"] = file.into();
                    }
                    if frame.line > 0 {
                        object["line"] = frame.line.into();
                    }
                    frames.push(object);
                    frames.len() - 1
                })
            })
            .collect();
        stack.reverse();
        stack
    };
    let unit = profile.value_types().get(value).map_or("", |it| it.unit.as_str());
    let unit = match unit {
        "nanoseconds" | "microseconds" | "milliseconds" | "seconds" | "bytes" => unit,
        _ => "none",
    };
    // By thread, in the order of their numbers; samples in the order of their times.
    let mut threads: BTreeMap<(u32, u32), (Owner, Vec<Sample<'_>>)> = BTreeMap::new();
    for sample in profile.samples() {
        let owner = profile.owner_of(sample.owner);
        let thread = threads.entry((owner.pid, owner.tid)).or_insert_with(|| (owner, Vec::new()));
        thread.1.push(sample);
    }
    let mut profiles = Vec::with_capacity(threads.len());
    for (owner, mut samples) in threads.into_values() {
        samples.sort_by_key(|sample| sample.time_ns);
        let of = |sample: &Sample<'_>| sample.values.get(value).copied().unwrap_or(0);
        samples.retain(|sample| of(sample) > 0);
        let weights: Vec<u64> = samples.iter().map(of).collect();
        let name = match owner == Owner::default() {
            true => title.to_owned(),
            false => format!(
                "{} / {}",
                Grouping::Process.name(&owner, texts),
                Grouping::Thread.name(&owner, texts)
            ),
        };
        profiles.push(json!({
            "type": "sampled",
            "name": name,
            "unit": unit,
            "startValue": 0,
            "endValue": weights.iter().fold(0_u64, |sum, weight| sum.saturating_add(*weight)),
            "samples": samples.iter().map(&mut stack).collect::<Vec<_>>(),
            "weights": weights,
        }));
    }
    let file = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "exporter": concat!("chandra ", env!("CARGO_PKG_VERSION")),
        "name": title,
        "activeProfileIndex": 0,
        "shared": { "frames": frames },
        "profiles": profiles,
    });
    serde_json::to_writer(&mut *out, &file)?;
    out.write_all(b"\n")
}
