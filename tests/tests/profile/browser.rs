//! Flame graphs in a browser that is not ours: clicked, searched, left without scripts, and fed with hostile
//! names.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use chandra_tests::browser::Browser;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;
use chandra_tests::{go_profile, needs};

const FOLDED: &str = "\
main;parse;read_file_[k] 300
main;parse;decode 100
main;render;draw_text 400
main;render;decode 50
main;narrow_a 1
idle_loop 149
";

/// A picture or page of these stacks.
fn converted(scratch: &Scratch, stacks: &str, name: &str) -> PathBuf {
    let input = scratch.at("in.folded");
    fs::write(&input, stacks).unwrap();
    let output = scratch.at(name);
    let mut command = Command::new(chandra());
    command.args(["profile", "convert"]).arg(&input).arg("-o").arg(&output);
    assert!(command.status().unwrap().success());
    output
}

/// The group of the frame of this name in a picture.
fn frame(name: &str) -> String {
    format!(
        "Array.from(document.querySelectorAll('.f')).find((it) => \
         it.querySelector('title').textContent.split('\\n')[0] === '{name}')"
    )
}

/// The width of its box; 0 when it is not shown.
fn width(browser: &mut Browser, name: &str) -> f64 {
    let script = format!("({}).querySelector('rect').getBoundingClientRect().width", frame(name));
    browser.evaluate(&script).as_f64().unwrap()
}

#[test]
fn a_picture_is_zoomed_by_clicks_and_reset_by_escape() {
    needs!("chromium-headless-shell");
    let scratch = Scratch::new();
    let mut browser = Browser::open(&converted(&scratch, FOLDED, "x.svg"), 1200);
    let whole = width(&mut browser, "main");
    let scale = width(&mut browser, "all") / 1000.0;
    assert!((whole - 851.0 * scale).abs() < 0.5, "{whole}");

    browser.click(&frame("parse"));
    browser.wait_until("document.getElementById('back').style.display !== 'none'");
    assert!((width(&mut browser, "parse") - 1000.0 * scale).abs() < 0.5);
    assert!((width(&mut browser, "read_file") - 750.0 * scale).abs() < 0.5);
    // What is around it stays as the way back, what is beside it goes.
    assert!((width(&mut browser, "main") - 1000.0 * scale).abs() < 0.5);
    assert!(width(&mut browser, "render") < 0.01);
    browser.click(&frame("read_file"));
    assert!((width(&mut browser, "read_file") - 1000.0 * scale).abs() < 0.5);
    browser.press("Backspace");
    assert!((width(&mut browser, "read_file") - 750.0 * scale).abs() < 0.5);
    browser.press("Escape");
    assert!((width(&mut browser, "main") - whole).abs() < 0.01);
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn a_search_marks_frames_and_says_their_share() {
    needs!("chromium-headless-shell");
    let scratch = Scratch::new();
    let mut browser = Browser::open(&converted(&scratch, FOLDED, "x.svg"), 1200);
    browser.press("/");
    browser.wait_until("document.activeElement.id === 'search'");
    browser.type_text("^DECODE$");
    browser.wait_until("document.querySelectorAll('.hit').length === 2");
    let matched = "document.getElementById('matched').textContent";
    assert_eq!(browser.evaluate(matched), "matched 15.00% in 2 frames");
    browser.press("Escape");
    browser.wait_until("document.querySelectorAll('.hit').length === 0");
    assert_eq!(browser.evaluate(matched), "");
    // A stack counts once: parse is above read_file. And what is no regular expression is looked for as it is.
    browser.press("/");
    browser.type_text("parse|read_file");
    assert_eq!(browser.evaluate(matched), "matched 40.00% in 2 frames");
    browser.evaluate("document.getElementById('search').value = ''");
    browser.type_text("(");
    assert_eq!(browser.evaluate(matched), "matched 0.00% in 0 frames");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn a_picture_turns_and_is_walked_by_arrows() {
    needs!("chromium-headless-shell");
    let scratch = Scratch::new();
    let mut browser = Browser::open(&converted(&scratch, FOLDED, "x.svg"), 1200);
    let top = |browser: &mut Browser, name: &str| {
        let script = format!("({}).getBoundingClientRect().top", frame(name));
        browser.evaluate(&script).as_f64().unwrap()
    };
    assert!(top(&mut browser, "all") < top(&mut browser, "parse"), "the root is on top");
    let chosen = "document.querySelector('.chosen title').textContent.split('\\n')[0]";
    for (key, expected) in [
        ("ArrowDown", "all"),
        ("ArrowDown", "main"),
        ("ArrowDown", "render"),
        ("ArrowRight", "parse"),
        ("ArrowDown", "read_file"),
        ("ArrowUp", "parse"),
        ("ArrowLeft", "render"),
    ] {
        browser.press(key);
        assert_eq!(browser.evaluate(chosen), expected, "{key}");
    }
    browser.press("Enter");
    assert!(width(&mut browser, "parse") < 0.01);
    browser.press("Escape");
    browser.click("document.getElementById('turn')");
    assert!(top(&mut browser, "all") > top(&mut browser, "parse"), "the root is at the bottom");
}

#[test]
fn a_picture_is_a_picture_without_scripts() {
    needs!("chromium-headless-shell");
    let scratch = Scratch::new();
    let mut browser = Browser::open(&converted(&scratch, FOLDED, "x.svg"), 1200);
    browser.wait_until("document.getElementById('search') !== null");
    browser.without_scripts();
    browser.wait_until("document.getElementById('search') === null");
    let scale = width(&mut browser, "all") / 1000.0;
    assert!((width(&mut browser, "main") - 851.0 * scale).abs() < 0.5);
    let script = format!("({}).querySelector('text').textContent", frame("draw_text"));
    assert_eq!(browser.evaluate(&script), "draw_text");
}

#[test]
fn the_ground_follows_the_colour_scheme() {
    needs!("chromium-headless-shell");
    let scratch = Scratch::new();
    let mut browser = Browser::open(&converted(&scratch, FOLDED, "x.svg"), 1200);
    let mut ground = |scheme: &str| {
        browser.prefer(scheme);
        let of = |browser: &mut Browser, id: &str| {
            browser.evaluate(&format!("getComputedStyle(document.getElementById('{id}')).fill"))
        };
        (of(&mut browser, "ground"), of(&mut browser, "title"))
    };
    assert_eq!(ground("light"), ("rgb(255, 255, 255)".into(), "rgb(17, 17, 17)".into()));
    assert_eq!(ground("dark"), ("rgb(21, 23, 26)".into(), "rgb(232, 232, 232)".into()));
}

const HOSTILE: &str = "\
main;</title><script>window.pwned=1</script> 10
main;]]></script><svg onload=window.pwned=1> 10
main;\"><img src=http://127.0.0.1:9/x onerror=window.pwned=1> 10
main;${window.pwned=1} 10
main;\u{202e}<!-- 10
";

#[test]
fn hostile_names_do_nothing_and_nothing_is_asked_of_anywhere() {
    needs!("chromium-headless-shell");
    let scratch = Scratch::new();
    for name in ["x.svg", "x.html"] {
        let file = converted(&scratch, HOSTILE, name);
        let mut browser = Browser::open(&file, 1200);
        browser.press("/");
        browser.type_text("script");
        // A click on each box, so that each name goes through everything that shows it.
        let boxes = browser.evaluate("document.querySelectorAll('.f').length").as_u64().unwrap();
        assert!(boxes >= 7, "{name}: {boxes}");
        for index in 0..boxes {
            browser.click(&format!("document.querySelectorAll('.f')[{index}]"));
            browser.press("Escape");
            browser.press("Escape");
        }
        assert!(browser.evaluate("window.pwned === undefined").as_bool().unwrap(), "{name}");
        assert!(browser.complaints.is_empty(), "{name}: {:?}", browser.complaints);
        let others: Vec<_> =
            browser.requests.iter().filter(|it| !it.starts_with("file://")).collect();
        assert!(others.is_empty(), "{name}: {others:?}");
    }
}

#[test]
fn a_page_lists_functions() {
    needs!("chromium-headless-shell");
    let scratch = Scratch::new();
    let mut browser = Browser::open(&converted(&scratch, FOLDED, "x.html"), 1200);
    let rows = "Array.from(document.querySelectorAll('#table tbody tr'), (row) => \
                Array.from(row.cells, (cell) => cell.textContent).join('|')).join('\\n')";
    assert_eq!(
        browser.evaluate(rows),
        "400 samples|40.00%|400 samples|40.00%|draw_text\n\
         300 samples|30.00%|300 samples|30.00%|read_file\n\
         150 samples|15.00%|150 samples|15.00%|decode\n\
         149 samples|14.90%|149 samples|14.90%|idle_loop\n\
         1 samples|0.10%|1 samples|0.10%|narrow_a\n\
         0 samples|0.00%|851 samples|85.10%|main\n\
         0 samples|0.00%|450 samples|45.00%|render\n\
         0 samples|0.00%|400 samples|40.00%|parse"
    );
    // Sorted by total, then filtered by what is searched for.
    browser.click("document.querySelector('th[data-sort=total]')");
    assert!(browser.evaluate(rows).as_str().unwrap().lines().next().unwrap().ends_with("|main"));
    browser.press("/");
    browser.type_text("^r");
    assert_eq!(browser.evaluate("document.querySelectorAll('#table tbody tr').length"), 2);
    assert_eq!(
        browser.evaluate("document.getElementById('matched').textContent"),
        "matched 75.00%"
    );
    browser.press("Escape");
    // A click zooms, and the table is of what is shown.
    let parse =
        "Array.from(document.querySelectorAll('.f')).find((it) => it.textContent === 'parse')";
    browser.click(parse);
    browser.wait_until("document.querySelectorAll('#table tbody tr').length === 3");
    browser.press("Escape");
    browser.wait_until("document.querySelectorAll('#table tbody tr').length === 8");
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}

#[test]
fn a_page_groups_stacks_by_pod() {
    needs!("chromium-headless-shell", "go");
    let scratch = Scratch::new();
    let profile = go_profile::take(&scratch);
    let page = scratch.at("x.html");
    let mut command = Command::new(chandra());
    command.args(["profile", "convert"]).arg(profile).arg("-o").arg(&page);
    assert!(command.status().unwrap().success());
    let mut browser = Browser::open(&page, 1200);
    let names = "Array.from(document.querySelectorAll('.f'), (it) => it.textContent)";
    let has = |name: &str| format!("{names}.includes('{name}')");
    assert_eq!(browser.evaluate(&has("shop/web-1")), false);
    let choose = |which: &str, value: &str| {
        format!(
            "(() => {{ const it = document.getElementById('{which}'); it.value = '{value}'; \
             it.dispatchEvent(new Event('change')); }})()"
        )
    };
    browser.evaluate(&choose("grouping", "pod"));
    for name in ["shop/web-1", "shop/db-1", "main.heavy"] {
        assert_eq!(browser.evaluate(&has(name)), true, "{name}");
    }
    browser.evaluate(&choose("grouping", "namespace"));
    assert_eq!(browser.evaluate(&has("shop/web-1")), false);
    assert_eq!(browser.evaluate(&has("shop")), true);
    // Another value: times instead of samples, or the other way round.
    let says = |unit: &str| {
        format!(
            "/[0-9.]+ {unit}, 100.00% of all/.test(document.getElementById('details').textContent)"
        )
    };
    browser.hover("document.querySelector('.f')");
    browser.wait_until(&says("m?s"));
    browser.evaluate(&choose("type", "0"));
    browser.hover("document.getElementById('facts')");
    browser.hover("document.querySelector('.f')");
    browser.wait_until(&says("samples"));
    assert!(browser.complaints.is_empty(), "{:?}", browser.complaints);
}
