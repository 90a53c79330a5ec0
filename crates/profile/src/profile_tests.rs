//! What a profile keeps, and what it does when it is full.

use std::num::NonZeroU64;

use super::{LOST, Limits, Profile, TRUNCATED};
use crate::frame::{Frame, FrameId};
use crate::metadata::ValueType;
use crate::owner::{Owner, OwnerId};

fn profile(limits: Limits) -> Profile {
    Profile::new(vec![ValueType::samples()], limits)
}

fn frames(profile: &mut Profile, names: &str) -> Vec<FrameId> {
    let frame = |name| {
        let function = profile.text(name);
        profile.frame(Frame { function, ..Frame::default() })
    };
    names.split(';').map(frame).collect()
}

fn add(profile: &mut Profile, names: &str, value: u64) {
    let frames = frames(profile, names);
    let stack = profile.stack(&frames);
    profile.add(stack, OwnerId::UNKNOWN, None, &[value]).unwrap();
}

/// `main;work 3`, sorted.
fn lines(profile: &Profile) -> Vec<String> {
    let line = |sample: super::Sample<'_>| {
        let mut names: Vec<_> = profile
            .frames_from_leaf(sample.stack)
            .map(|frame| profile.frame_of(frame).name(profile.texts()))
            .collect();
        names.reverse();
        format!("{} {}", names.join(";"), sample.values[0])
    };
    let mut lines: Vec<_> = profile.samples().map(line).collect();
    lines.sort();
    lines
}

#[test]
fn samples_that_are_alike_are_one() {
    let mut profile = profile(Limits::default());
    add(&mut profile, "main;work", 1);
    add(&mut profile, "main;rest", 1);
    add(&mut profile, "main;work", 2);
    assert_eq!(lines(&profile), ["main;rest 1", "main;work 3"]);
    // The empty one, that of what is lost, main, and the two.
    assert_eq!(profile.stack_count(), 5);
}

#[test]
fn of_a_deep_stack_the_leaf_is_kept() {
    let mut profile = profile(Limits { depth: 2, ..Limits::default() });
    add(&mut profile, "main;a;b;leaf", 1);
    assert_eq!(lines(&profile), [format!("{TRUNCATED};b;leaf 1")]);
}

#[test]
fn a_full_profile_keeps_the_sum() {
    let limits = [
        Limits { frames: 3, ..Limits::default() },
        Limits { stacks: 4, ..Limits::default() },
        Limits { samples: 2, ..Limits::default() },
        Limits { text_bytes: 40, ..Limits::default() },
    ];
    for limits in limits {
        let mut profile = profile(limits);
        for number in 0..100 {
            add(&mut profile, &format!("main;function_{number}"), 1);
        }
        assert_eq!(profile.totals(), [100], "{limits:?}");
        let lines = lines(&profile);
        assert!(lines.iter().any(|line| line.contains(LOST)), "{limits:?}: {lines:?}");
        assert!(lines.len() <= 4, "{limits:?}: {lines:?}");
    }
}

#[test]
fn a_sample_has_a_value_for_each_type() {
    let mut profile = profile(Limits::default());
    let stack = profile.stack(&[]);
    let error = profile.add(stack, OwnerId::UNKNOWN, None, &[1, 2]).unwrap_err();
    assert_eq!((error.expected, error.found), (1, 2));
    assert_eq!(profile.sample_count(), 0);
}

#[test]
fn times_are_kept_in_steps() {
    let mut profile = profile(Limits::default());
    profile.keep_times(NonZeroU64::new(10).unwrap());
    let stack = profile.stack(&[]);
    for time in [0, 9, 10, 25, 29] {
        profile.add(stack, OwnerId::UNKNOWN, Some(time), &[1]).unwrap();
    }
    let times: Vec<_> = profile.samples().map(|it| (it.time_ns.unwrap(), it.values[0])).collect();
    assert_eq!(times, [(0, 2), (10, 1), (20, 2)]);
}

#[test]
fn merged_profiles_share_what_is_alike() {
    let mut one = profile(Limits::default());
    add(&mut one, "main;work", 1);
    let mut two = profile(Limits::default());
    let name = two.text("worker");
    let worker = two.owner(Owner { pid: 7, process: name, ..Owner::default() });
    add(&mut two, "other", 5);
    add(&mut two, "main;work", 2);
    let path = frames(&mut two, "main;work");
    let stack = two.stack(&path);
    two.add(stack, worker, None, &[4]).unwrap();
    one.merge(&two).unwrap();
    assert_eq!(lines(&one), ["main;work 3", "main;work 4", "other 5"]);
    let owner = one.owners().last().unwrap();
    assert_eq!((owner.pid, one.texts().get(owner.process)), (7, "worker"));
}

#[test]
fn profiles_of_different_things_are_not_merged() {
    let mut one = profile(Limits::default());
    let two = Profile::new(vec![ValueType::cpu()], Limits::default());
    let error = one.merge(&two).unwrap_err();
    assert_eq!(error.to_string(), "one profile has samples/count, the other cpu/nanoseconds");
}
