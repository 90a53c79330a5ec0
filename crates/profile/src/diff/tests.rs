//! What counts as a difference, and how it is told.

use super::{Comparison, Error, Options};
use crate::metadata::ValueType;
use crate::profile::{Limits, Profile};
use crate::{folded, layout};

fn read(text: &str) -> Profile {
    folded::read(text.as_bytes(), Limits::default()).unwrap()
}

fn compare(before: &str, after: &str, options: Options) -> Comparison {
    Comparison::new(&read(before), &read(after), options).unwrap()
}

fn svg(comparison: &Comparison) -> String {
    let mut out = Vec::new();
    super::write_svg(comparison, "t", layout::Limits::default(), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// The tooltip and the colour of the frame of this name.
fn frame(svg: &str, name: &str) -> (String, String) {
    let start = svg.find(&format!("<title>{name}\n")).unwrap_or_else(|| panic!("{name}: {svg}"));
    let (title, rest) = svg[start + 7..].split_once("</title>").unwrap();
    let (_, rest) = rest.split_once("fill=\"").unwrap();
    (title.to_owned(), rest[..7].to_owned())
}

/// Red has more red than blue; grey as much.
fn warmth(color: &str) -> i32 {
    let channel = |at: usize| i32::from_str_radix(&color[at..at + 2], 16).unwrap();
    channel(1) - channel(5)
}

const BEFORE: &str = "main;grows 100\nmain;shrinks 300\nmain;same 600\nmain;rare 0\n";
const AFTER: &str = "main;grows 300\nmain;shrinks 100\nmain;same 605\nmain;rare 1\n";

#[test]
fn what_grew_is_red_what_shrank_is_blue_and_chance_is_grey() {
    let svg = svg(&compare(BEFORE, AFTER, Options::default()));
    let (title, color) = frame(&svg, "grows");
    assert!(warmth(&color) > 30, "{color}");
    assert_eq!(
        title,
        "grows\nnative\nbefore 100 samples (10.00%), after 300 samples (29.82%): +19.82 points, z +11.1\n\
         self: before 100 samples (10.00%), after 300 samples (29.82%): +19.82 points, z +11.1"
    );
    let (_, color) = frame(&svg, "shrinks");
    assert!(warmth(&color) < -30, "{color}");
    for name in ["same", "rare"] {
        let (title, color) = frame(&svg, name);
        assert_eq!(color, "#c8c8c8", "{title}");
        assert!(title.contains("not significant"), "{title}");
    }
}

#[test]
fn what_vanished_is_still_there() {
    let svg = svg(&compare("main;gone 50\nmain 50\n", "main 100\n", Options::default()));
    let (title, color) = frame(&svg, "gone");
    assert!(title.contains("after 0 samples (0.00%)"), "{title}");
    assert!(warmth(&color) < -30, "{color}");
}

/// Twice of everything is the same share, and twice as much.
#[test]
fn shares_and_values_are_different_questions() {
    let (before, after) = ("main;a 500\nmain;b 500\n", "main;a 1000\nmain;b 1000\n");
    let shares = compare(before, after, Options::default());
    assert!(!shares.change(&[500, 1000, 500, 1000]).counts);
    let values = compare(before, after, Options { absolute: true, ..Options::default() });
    let change = values.change(&[500, 1000, 500, 1000]);
    assert!(change.counts && change.z.unwrap() > 10.0, "{change:?}");
    assert!(frame(&svg(&values), "a").0.contains("+500 samples"));
}

/// Nanoseconds are many, samples few: it is samples that chance is about.
#[test]
fn significance_is_about_samples_and_not_about_nanoseconds() {
    let of = |samples: u64| {
        let types = vec![ValueType::samples(), ValueType::cpu()];
        let mut profile = Profile::new(types, Limits::default());
        for (name, samples) in [("[few]", samples), ("[rest]", 100)] {
            let frame = profile.marker(name);
            let stack = profile.stack(&[frame]);
            let values = [samples, samples * 10_000_000];
            profile.add(stack, Default::default(), None, &values).unwrap();
        }
        profile
    };
    let comparison = Comparison::new(&of(6), &of(9), Options::default()).unwrap();
    assert_eq!(comparison.value(), &ValueType::cpu());
    let (title, color) = frame(&svg(&comparison), "[few]");
    assert_eq!(color, "#c8c8c8", "{title}");
}

#[test]
fn where_nobody_knows_the_samples_nothing_is_greyed_and_it_says_so() {
    let of = |value| {
        let mut profile = Profile::new(vec![ValueType::cpu()], Limits::default());
        let frame = profile.marker("[work]");
        let stack = profile.stack(&[frame]);
        profile.add(stack, Default::default(), None, &[value]).unwrap();
        profile
    };
    let comparison = Comparison::new(&of(5), &of(7), Options::default()).unwrap();
    assert!(comparison.how().contains("significance not tested"));
    assert!(comparison.whole().counts);
    let mut known = of(5_000);
    known.metadata.period = Some((ValueType::cpu(), 10));
    let comparison = Comparison::new(&known, &known, Options::default()).unwrap();
    assert!(comparison.how().contains("grey"), "{}", comparison.how());
}

#[test]
fn what_is_not_measured_by_both_is_refused() {
    let cpu = Profile::new(vec![ValueType::cpu()], Limits::default());
    let error = Comparison::new(&read("main 1\n"), &cpu, Options::default()).unwrap_err();
    assert!(matches!(error, Error::Types(_)), "{error}");
    let options = Options { value: Some("cpu".to_owned()), ..Options::default() };
    let error = Comparison::new(&read("main 1\n"), &read("main 1\n"), options).unwrap_err();
    assert_eq!(error.to_string(), "\"cpu\" is not measured by both; both measure samples");
}

#[test]
fn folded_stacks_have_both_values() {
    let mut out = Vec::new();
    compare("main;a 1\n", "main;a 2\nmain;b 3\n", Options::default())
        .write_folded(&mut out)
        .unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "main;a 1 2\nmain;b 0 3\n");
}

#[test]
fn the_table_has_what_changed_and_counts_the_rest() {
    let mut out = Vec::new();
    super::write_table(&compare(BEFORE, AFTER, Options::default()), 1, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let lines: Vec<_> = text.lines().collect();
    assert!(lines[0].starts_with("before 1,000 samples, after 1,006 samples; shares"), "{text}");
    assert!(lines[2].ends_with("shrinks") && lines[2].contains("-20.06"), "{text}");
    assert_eq!(lines[3], "1 more changed");
    assert_eq!(lines[4], "2 changed, 3 did not, or not more than by chance");
}
