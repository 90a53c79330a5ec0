//! Files of profiles, whoever wrote them.

use chandra_profile::diff::{self, Comparison};
use chandra_profile::owner::Grouping;
use chandra_profile::profile::{Limits, Profile};
use chandra_profile::{firefox, folded, html, layout, pprof, speedscope, svg};

/// Small ones, so that what happens at them is tried, too.
const LIMITS: Limits =
    Limits { text_bytes: 4096, frames: 64, stacks: 256, owners: 8, samples: 64, depth: 16 };

/// pprof's message, packed or not: what is read keeps its sums within the limits, and is read back the same.
pub fn profile_pprof(bytes: &[u8]) {
    let Ok(profile) = pprof::read(bytes, LIMITS) else { return };
    check(&profile);
    let Ok(whole) = pprof::read(bytes, Limits::default()) else { panic!("limits are no errors") };
    assert_eq!(whole.totals(), profile.totals());
    let mut written = Vec::new();
    pprof::write(&whole, &mut written).expect("memory can be written");
    let again = pprof::read(&written, Limits::default()).expect("what was written can be read");
    // Sums stop at what the format's numbers hold.
    if whole.samples().all(|sample| sample.values.iter().all(|value| *value < 1 << 62)) {
        assert_eq!(again.totals(), whole.totals());
    }
    assert_eq!(again.value_types(), whole.value_types());
}

/// Folded stacks: what is read and written again is read the same.
pub fn profile_folded(bytes: &[u8]) {
    let Ok(profile) = folded::read(bytes, LIMITS) else { return };
    check(&profile);
    let whole = folded::read(bytes, Limits::default()).expect("limits are no errors");
    let write = |profile: &Profile| {
        let mut written = Vec::new();
        folded::write(profile, Grouping::None, 0, &mut written).expect("memory can be written");
        written
    };
    let written = write(&whole);
    if written.is_empty() {
        return;
    }
    let again = folded::read(&written, Limits::default()).expect("what was written can be read");
    assert_eq!(again.totals(), whole.totals());
}

/// It is within its limits, and every writer takes it.
fn check(profile: &Profile) {
    // What stands for the rest is there beside what was asked for.
    assert!(profile.sample_count() <= LIMITS.samples + 1);
    assert!(profile.stack_count() <= LIMITS.stacks && profile.frames().len() <= LIMITS.frames);
    let value = profile.default_value();
    let grouping = Grouping::Process;
    let mut out = Vec::new();
    let limits = layout::Limits { max_frames: 50, ..layout::Limits::default() };
    let options = svg::Options { title: String::new(), grouping, value, limits };
    svg::write(profile, &options, &mut out).expect("memory can be written");
    let picture = std::str::from_utf8(&out).expect("UTF-8");
    assert_eq!(picture.matches("<script").count(), 1);
    assert!(!picture.contains(|c: char| c.is_control() && c != '\n'));

    let mut out = Vec::new();
    let options = html::Options { title: String::new(), grouping, value, max_frames: 50 };
    html::write(profile, &options, &mut out).expect("memory can be written");
    let page = std::str::from_utf8(&out).expect("UTF-8");
    assert_eq!(page.matches("</script>").count(), 2);

    let mut out = Vec::new();
    speedscope::write(profile, "", value, &mut out).expect("memory can be written");
    let _: serde_json::Value = serde_json::from_slice(&out).expect("JSON");
    // A value may be too large for it.
    let _ = firefox::write(profile, "", value, &mut Vec::new());

    let comparison = Comparison::new(profile, profile, diff::Options::default());
    let comparison = comparison.expect("a profile measures what it measures");
    let whole = comparison.whole();
    assert_eq!(whole.before, whole.after);
    diff::write_svg(&comparison, "", limits, &mut Vec::new()).expect("memory can be written");
    diff::write_table(&comparison, 10, &mut Vec::new()).expect("memory can be written");
}
