//! What is known of a profile as a whole, for people.

use crate::profile::Profile;
use crate::units;

/// In facts: `on host`, `10.00 s`, `12 samples lost (ring full)`.
pub fn facts(profile: &Profile) -> Vec<String> {
    let metadata = &profile.metadata;
    let mut facts = Vec::new();
    let totals = profile.totals();
    for (total, of) in totals.iter().zip(profile.value_types()) {
        let name = if of.is_count() { "" } else { of.name.as_str() };
        let shown = units::show(*total, &of.name, &of.unit);
        facts.push(if name.is_empty() { shown } else { format!("{shown} {name}") });
    }
    if let Some(duration) = metadata.duration_ns {
        facts.push(format!("in {}", units::show(duration, "", "nanoseconds")));
    }
    if let Some(hertz) = metadata.frequency_hz {
        facts.push(format!("at {hertz} Hz"));
    }
    if let Some(host) = &metadata.host {
        facts.push(format!("on {host}"));
    }
    let start = metadata.start_unix_ns.map(i128::from);
    if let Some(start) = start.and_then(|ns| jiff::Timestamp::from_nanosecond(ns).ok()) {
        facts.push(format!("from {}", start.strftime("%Y-%m-%dT%H:%M:%SZ")));
    }
    for loss in &metadata.losses {
        facts.push(format!("{} samples lost ({})", units::grouped(loss.samples), loss.reason));
    }
    if profile.displaced() > 0 {
        let displaced = units::grouped(profile.displaced());
        facts.push(format!("{displaced} samples without their stacks (the profile was full)"));
    }
    facts
}

/// All of it in a line.
pub fn line(profile: &Profile) -> String {
    facts(profile).join(" · ")
}

#[cfg(test)]
mod tests {
    use super::line;
    use crate::metadata::ValueType;
    use crate::profile::{Limits, Profile};

    #[test]
    fn what_is_known_is_told_and_losses_are_never_left_out() {
        let types = vec![ValueType::samples(), ValueType::cpu()];
        let mut profile = Profile::new(types, Limits::default());
        let stack = profile.stack(&[]);
        profile.add(stack, Default::default(), None, &[990, 10_000_000_000]).unwrap();
        profile.metadata.duration_ns = Some(10_000_000_000);
        profile.metadata.frequency_hz = Some(99);
        profile.metadata.host = Some("node-1".to_owned());
        profile.metadata.start_unix_ns = Some(1_795_338_611_123_456_789);
        profile.metadata.lose("ring full", 1200);
        assert_eq!(
            line(&profile),
            "990 samples · 10.00 s cpu · in 10.00 s · at 99 Hz · on node-1 · from \
             2026-11-22T09:10:11Z · 1,200 samples lost (ring full)"
        );
    }
}
