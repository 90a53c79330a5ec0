//! No secret of the corpus survives, wherever it stands, and what holds none stays as it is.

use std::borrow::Cow;

use chandra_alerts::redact::Redactor;

use crate::shapes::{Shape, benign, shapes};

fn arguments(redactor: &Redactor, arguments: &[String]) -> Vec<String> {
    let borrowed: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
    let told = redactor.arguments(&borrowed).into_iter().map(Cow::into_owned);
    told.map(|argument| String::from_utf8(argument).unwrap()).collect()
}

fn line(redactor: &Redactor, line: &str) -> String {
    String::from_utf8(redactor.line(line.as_bytes()).into_owned()).unwrap()
}

/// Shapes of which a secret, or a good part of it, is in what was told.
fn survivors(told: impl Fn(&Redactor, &Shape) -> Option<String>) -> Vec<String> {
    let redactor = Redactor::default();
    let mut survivors = Vec::new();
    for shape in shapes() {
        let Some(told) = told(&redactor, &shape) else { continue };
        if shape.survives_in(&told) {
            survivors.push(format!("{}: {told}", shape.name));
        }
    }
    survivors
}

#[track_caller]
fn assert_none(survivors: &[String]) {
    assert!(survivors.is_empty(), "{} survive:\n{}", survivors.len(), survivors.join("\n"));
}

#[test]
fn the_corpus_has_as_many_shapes_as_promised() {
    let shapes = shapes();
    assert!(shapes.len() >= 200, "{}", shapes.len());
    let mut names: Vec<_> = shapes.iter().map(|shape| &shape.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), shapes.len(), "no shape comes twice");
    assert!(shapes.iter().all(|shape| shape.secrets().all(|secret| secret.len() >= 5)));
    assert!(benign().len() >= 300);
}

#[test]
fn no_secret_survives_among_arguments() {
    assert_none(&survivors(|redactor, shape| {
        Some(arguments(redactor, &shape.arguments()?).join(" "))
    }));
}

#[test]
fn no_secret_survives_in_a_text() {
    assert_none(&survivors(|redactor, shape| {
        Some(line(redactor, &shape.text().unwrap_or_else(|| shape.line())))
    }));
}

/// Joined by blanks nobody can say where an argument with blanks ended; such are left to the list.
#[test]
fn no_secret_survives_in_a_command_line_of_an_alert() {
    assert_none(&survivors(|redactor, shape| {
        let joined = shape.arguments()?.join(" ");
        let has_blanks = shape.secrets().any(|secret| secret.contains(char::is_whitespace));
        let output = format!("Odd thing done (user=root command={joined} pid=12)");
        (!has_blanks).then(|| line(redactor, &output))
    }));
}

#[test]
fn no_secret_survives_in_a_script_within_a_script() {
    assert_none(&survivors(|redactor, shape| {
        let script = shape.line();
        let quote = if script.contains('\'') { None } else { Some('\'') }?;
        let outer = ["sudo", "bash", "-c", &format!("cd /x && {script}")].map(String::from);
        let inner = format!("ssh host {quote}{script}{quote}");
        Some(format!("{}\n{}", arguments(redactor, &outer).join(" "), line(redactor, &inner)))
    }));
}

#[test]
fn what_holds_no_secret_stays_as_it_is() {
    let redactor = Redactor::default();
    let lines = benign();
    let mut changed = Vec::new();
    for text in &lines {
        let words: Vec<String> = crate::shapes::words(text);
        let told = (line(&redactor, text), arguments(&redactor, &words));
        if told != (text.clone(), words) {
            changed.push(told.0);
        }
    }
    let percent = 100.0 * changed.len() as f64 / lines.len() as f64;
    println!("{} of {} lines changed: {percent:.2} %", changed.len(), lines.len());
    assert!(percent <= 1.0, "{percent:.2} % changed:\n{}", changed.join("\n"));
}

#[test]
fn redacting_again_changes_nothing() {
    let redactor = Redactor::default();
    for shape in shapes() {
        let once = line(&redactor, &shape.text().unwrap_or_else(|| shape.line()));
        assert_eq!(line(&redactor, &once), once, "{}", shape.name);
        let Some(list) = shape.arguments() else { continue };
        let once = arguments(&redactor, &list);
        assert_eq!(arguments(&redactor, &once), once, "{}", shape.name);
    }
}

/// Pieces of the corpus in every order, cut anywhere: many thousand lines that nobody wrote.
#[test]
fn redacting_again_changes_nothing_of_what_nobody_wrote() {
    let redactor = Redactor::default();
    let mut random = crate::shapes::Random(20_261_126);
    let pieces: Vec<String> = shapes()
        .iter()
        .flat_map(|shape| crate::shapes::words(&shape.line()))
        .chain(
            ["'", "\"", "=", ":", " ", ";", "|", "\\\"", "<redacted:token>", "\n", "@", "://"]
                .map(String::from),
        )
        .collect();
    for round in 0..20_000 {
        let count = 1 + random.below(8);
        let mut text = String::new();
        for _ in 0..count {
            let piece = &pieces[random.below(pieces.len())];
            let cut =
                |at: usize| (0..=at).rev().find(|at| piece.is_char_boundary(*at)).unwrap_or(0);
            let (from, to) = (cut(random.below(4)), cut(1 + random.below(piece.len())));
            text.push_str(piece.get(from..to.max(from)).unwrap_or_default());
            text.push_str(["", " ", " ", ";", "="][random.below(5)]);
        }
        let once = line(&redactor, &text);
        assert_eq!(line(&redactor, &once), once, "round {round}: {text:?}");
        let list: Vec<String> = text.split(' ').map(String::from).collect();
        let once = arguments(&redactor, &list);
        assert_eq!(arguments(&redactor, &once), once, "round {round}: {list:?}");
    }
}

#[test]
fn what_was_taken_out_is_counted_by_kind() {
    let redactor = Redactor::default();
    line(
        &redactor,
        "mysql -phunter2; curl -H 'Authorization: Bearer abc' https://u:pass@h.example/",
    );
    let counted: Vec<_> = redactor.figures().filter(|(_, count)| *count > 0).collect();
    let names: Vec<_> = counted.iter().map(|(kind, count)| (kind.name(), *count)).collect();
    assert_eq!(names, [("password", 1), ("authorization", 1), ("url-password", 1)]);
}

#[test]
fn any_bytes_are_taken() {
    let redactor = Redactor::default();
    let all: Vec<u8> = (0..=u8::MAX).cycle().take(5000).collect();
    redactor.line(&all);
    let told = redactor.arguments(&[b"mysql", b"-p\xff\xfe\x00x"]);
    assert_eq!(told, [&b"mysql"[..], b"-p<redacted:password>"]);
}
