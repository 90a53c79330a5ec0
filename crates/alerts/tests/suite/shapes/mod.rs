//! The corpora: shapes of secrets, and lines without any.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test takes what it needs, and stops where a corpus is not as it should be"
)]

use serde_json::Value;

/// One way in which a secret comes.
pub struct Shape {
    pub name: String,
    marked: Marked,
}

enum Marked {
    Arguments(Vec<String>),
    Text(String),
}

fn lines(text: &str) -> Vec<String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(String::from).collect()
}

pub fn shapes() -> Vec<Shape> {
    let shape = |line: String| {
        let (name, json) = line
            .replace('·', "")
            .split_once('\t')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        let marked = match serde_json::from_str(&json).unwrap() {
            Value::String(text) => Marked::Text(text),
            list => {
                let all = list.as_array().unwrap().iter();
                Marked::Arguments(all.map(|one| one.as_str().unwrap().to_owned()).collect())
            }
        };
        Shape { name, marked }
    };
    lines(include_str!("../../corpus/secrets.txt")).into_iter().map(shape).collect()
}

pub fn benign() -> Vec<String> {
    lines(include_str!("../../corpus/benign.txt"))
}

fn unmarked(text: &str) -> String {
    text.replace(['⟦', '⟧'], "")
}

impl Shape {
    pub fn arguments(&self) -> Option<Vec<String>> {
        match &self.marked {
            Marked::Arguments(all) => Some(all.iter().map(|one| unmarked(one)).collect()),
            Marked::Text(_) => None,
        }
    }

    pub fn text(&self) -> Option<String> {
        match &self.marked {
            Marked::Arguments(_) => None,
            Marked::Text(text) => Some(unmarked(text)),
        }
    }

    /// As a person would type it into a shell.
    pub fn line(&self) -> String {
        let plain =
            |one: &str| one.chars().all(|c| c.is_alphanumeric() || "-_./:@=%+,~".contains(c));
        let quoted = |one: &String| match one.as_str() {
            one if plain(one) && !one.is_empty() => one.to_owned(),
            one if one.contains('\'') => format!("\"{}\"", one.replace('"', "\\\"")),
            one => format!("'{one}'"),
        };
        match self.arguments() {
            Some(all) => all.iter().map(quoted).collect::<Vec<_>>().join(" "),
            None => self.text().unwrap(),
        }
    }

    pub fn secrets(&self) -> impl Iterator<Item = String> {
        let all = match &self.marked {
            Marked::Arguments(all) => all.join(" "),
            Marked::Text(text) => text.clone(),
        };
        let found: Vec<_> =
            all.split('⟦').skip(1).map(|rest| rest.split('⟧').next().unwrap().to_owned()).collect();
        assert!(!found.is_empty(), "{}", self.name);
        found.into_iter()
    }

    /// Whether any four bytes of a secret's end, or its begin, are told: part of one is too much.
    pub fn survives_in(&self, told: &str) -> bool {
        let without_markers = markers_cut(told);
        let secrets: Vec<_> = self.secrets().collect();
        secrets.iter().any(|secret| {
            let letters: Vec<char> = secret.chars().collect();
            let part = letters.len().min(5);
            let begin: String = letters[..part].iter().collect();
            let end: String = letters[letters.len() - part..].iter().collect();
            let is_elsewhere = |part: &str| {
                let rest = secrets
                    .iter()
                    .fold(self.line(), |line, secret| line.replace(secret.as_str(), ""));
                rest.contains(part)
            };
            [begin, end]
                .iter()
                .any(|part| without_markers.contains(part.as_str()) && !is_elsewhere(part))
        })
    }
}

/// The same without what redaction put there.
fn markers_cut(told: &str) -> String {
    let mut rest = told;
    let mut out = String::new();
    while let Some(at) = rest.find("<redacted:") {
        out.push_str(&rest[..at]);
        out.push('\u{0}');
        rest = rest[at..].split_once('>').map_or("", |(_, rest)| rest);
    }
    out + rest
}

/// The words of a line of a corpus; quotes are as a shell has them.
pub fn words(line: &str) -> Vec<String> {
    let mut words = vec![];
    let mut word = None::<String>;
    let mut quote = None;
    for letter in line.chars() {
        match quote {
            Some(open) if open == letter => quote = None,
            None if letter == '\'' || letter == '"' => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            None if letter.is_whitespace() => words.extend(word.take()),
            _ => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    words
}

/// The same numbers every time (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ mixed >> 31
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }
}
