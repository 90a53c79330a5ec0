//! What is in the file; what a browser makes of it is shown by the tests that drive one.

use super::{Options, write};
use crate::owner::Grouping;
use crate::profile::{Limits, Profile};
use crate::{folded, layout};

fn svg_of(profile: &Profile, limits: layout::Limits) -> String {
    let options =
        Options { title: "A title".to_owned(), grouping: Grouping::None, value: 0, limits };
    let mut out = Vec::new();
    write(profile, &options, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

fn svg(text: &str) -> String {
    let profile = folded::read(text.as_bytes(), Limits::default()).unwrap();
    svg_of(&profile, layout::Limits::default())
}

#[test]
fn a_frame_says_its_total_and_what_it_is_alone() {
    let svg = svg("main;work 3\nmain 1\n");
    let title = "<title>main\nnative\n4 samples, 100.00% of all; self 1 samples, 25.00%</title>";
    assert!(svg.contains(title), "{svg}");
    assert!(svg.contains("<title>work\nnative\n3 samples, 75.00% of all; self 3 samples, 75.00%"));
}

#[test]
fn hostile_names_stay_text() {
    let names = [
        "</title><script>alert(1)</script>",
        "]]><script>alert(1)</script>",
        "\" onload=\"alert(1)",
        "&#60;script&#62;",
        "a\u{0}b\u{1b}[31m",
        "\u{202e}gnp.exe",
        "\u{ffff}",
    ];
    for name in names {
        let svg = svg(&format!("main;{} 5\n", name.replace(';', ":")));
        let own = svg.matches("<script").count();
        assert_eq!(own, 1, "{name:?}");
        assert_eq!(svg.matches("</script>").count(), 1, "{name:?}");
        assert!(!svg.contains("\" onload"), "{name:?}");
        let is_allowed = |c: char| c == '\n' || !c.is_control();
        assert!(svg.chars().all(is_allowed), "{name:?}");
        assert!(!svg.contains(['\u{202e}', '\u{ffff}']), "{name:?}");
    }
}

#[test]
fn the_size_is_bounded() {
    use std::fmt::Write;
    let mut text = String::new();
    for number in 0..20_000 {
        writeln!(text, "main;f{};{}{number} {}", number % 200, "long".repeat(500), number % 7 + 1)
            .unwrap();
    }
    let profile = folded::read(text.as_bytes(), Limits::default()).unwrap();
    let limits = layout::Limits { min_share: 0.0, max_frames: 1000 };
    let svg = svg_of(&profile, limits);
    assert!(svg.len() < 1000 * 2 * 1200, "{} bytes", svg.len());
    assert!(svg.contains("frames too narrow to draw]"));
}

#[test]
fn nothing_from_anywhere_is_asked_for() {
    let svg = svg("main 1\n");
    let addresses: Vec<_> = svg.match_indices("http").map(|(at, _)| &svg[at..at + 26]).collect();
    let namespaces = ["http://www.w3.org/2000/svg", "http://www.w3.org/1999/xht"];
    assert!(addresses.iter().all(|it| namespaces.contains(it)), "{addresses:?}");
    assert!(!svg.contains("url(") && !svg.contains("@import") && !svg.contains("href"));
}

#[test]
fn of_no_samples_there_is_a_picture_that_says_so() {
    let profile = Profile::new(vec![crate::metadata::ValueType::samples()], Limits::default());
    assert!(svg_of(&profile, layout::Limits::default()).contains("There are no samples."));
}
