//! What Sigma's rules detect, compared with a second reading of Sigma that shares nothing with the engine: trees
//! by chance, over values by chance, alone and a hundred together.

use std::collections::HashMap;

use chandra_rules::load::Options;

use crate::common::{Fake, Own, load, names_of};

/// Numbers by chance (xorshift64*), the same in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let number = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(number).unwrap() % limit
    }

    fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }
}

const FIELDS: [(&str, &str); 4] = [
    ("Image", "proc.image"),
    ("CommandLine", "proc.exeline"),
    ("ParentImage", "proc.pimage"),
    ("User", "user.name"),
];

/// `FIELD|…: [values]`; a value that is none is null.
#[derive(Debug, Clone)]
struct Item {
    field: usize,
    position: &'static str,
    cased: bool,
    all: bool,
    values: Vec<Option<String>>,
}

#[derive(Debug, Clone)]
enum Search {
    Map(Vec<Item>),
    List(Vec<Vec<Item>>),
}

#[derive(Debug, Clone)]
enum Condition {
    Name(usize),
    Not(Box<Condition>),
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    OneOf(char),
    AllOf(char),
    OneOfThem,
}

/// Searches are called `a0`, `b1`, `a2`, …
fn name(index: usize) -> String {
    format!("{}{index}", if index.is_multiple_of(2) { 'a' } else { 'b' })
}

fn item(chance: &mut Chance) -> Item {
    const POSITIONS: [&str; 4] = ["", "|contains", "|startswith", "|endswith"];
    const PIECES: [&str; 9] = ["a", "B", "ab", "/", "*", "?", "\\*", "\\", "-"];
    let values = (0..1 + chance.below(3)).map(|_| match chance.below(8) {
        0 => None,
        _ => Some((0..chance.below(4)).map(|_| *chance.of(&PIECES)).collect()),
    });
    Item {
        values: values.collect(),
        field: chance.below(FIELDS.len()),
        position: POSITIONS[chance.below(4)],
        cased: chance.below(4) == 0,
        all: chance.below(3) == 0,
    }
}

/// Items of distinct keys.
fn map(chance: &mut Chance) -> Vec<Item> {
    let mut items: Vec<Item> = Vec::new();
    for _ in 0..1 + chance.below(3) {
        let one = item(chance);
        if items.iter().all(|other| key(other) != key(&one)) {
            items.push(one);
        }
    }
    items
}

fn search(chance: &mut Chance) -> Search {
    match chance.below(3) {
        0 => Search::List((0..1 + chance.below(3)).map(|_| map(chance)).collect()),
        _ => Search::Map(map(chance)),
    }
}

fn condition(chance: &mut Chance, searches: usize, depth: usize) -> Condition {
    let part = |chance: &mut Chance| Box::new(condition(chance, searches, depth + 1));
    match chance.below(if depth > 3 { 1 } else { 7 }) {
        0 => Condition::Name(chance.below(searches)),
        1 => Condition::Not(part(chance)),
        2 => Condition::And(part(chance), part(chance)),
        3 => Condition::Or(part(chance), part(chance)),
        4 => Condition::OneOf(*chance.of(&['a', 'b'])),
        5 => Condition::AllOf(*chance.of(&['a', 'b'])),
        _ => Condition::OneOfThem,
    }
}

fn key(item: &Item) -> String {
    let (cased, all) = (if item.cased { "|cased" } else { "" }, if item.all { "|all" } else { "" });
    format!("{}{}{cased}{all}", FIELDS[item.field].0, item.position)
}

fn written_map(items: &[Item]) -> String {
    let items = items.iter().map(|item| {
        let values: Vec<String> = (item.values.iter())
            .map(|value| value.as_ref().map_or("null".to_owned(), |text| format!("'{text}'")))
            .collect();
        format!("'{}': [{}]", key(item), values.join(", "))
    });
    format!("{{ {} }}", items.collect::<Vec<_>>().join(", "))
}

fn written_condition(condition: &Condition) -> String {
    let of = |part: &Condition| written_condition(part);
    match condition {
        Condition::Name(index) => name(*index),
        Condition::Not(part) => format!("not ({})", of(part)),
        Condition::And(one, other) => format!("({} and {})", of(one), of(other)),
        Condition::Or(one, other) => format!("({} or {})", of(one), of(other)),
        Condition::OneOf(first) => format!("1 of {first}*"),
        Condition::AllOf(first) => format!("all of {first}*"),
        Condition::OneOfThem => "1 of them".to_owned(),
    }
}

fn written(title: &str, searches: &[Search], condition: &Condition) -> String {
    let mut text = format!(
        "title: {title}\nlogsource: {{ category: process_creation }}\ndetection:\n  condition: {}\n",
        written_condition(condition)
    );
    for (index, search) in searches.iter().enumerate() {
        let search = match search {
            Search::Map(items) => written_map(items),
            Search::List(maps) => {
                let maps: Vec<_> = maps.iter().map(|items| written_map(items)).collect();
                format!("[{}]", maps.join(", "))
            }
        };
        text += &format!("  {}: {search}\n", name(index));
    }
    text
}

// --- the second reading ---------------------------------------------------------------------------

/// Whether a text is as a pattern says, each wildcard tried in every way.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match pattern {
        [] => text.is_empty(),
        ['*', rest @ ..] => (0..=text.len()).any(|taken| matches(rest, &text[taken..])),
        ['?', rest @ ..] => !text.is_empty() && matches(rest, &text[1..]),
        ['\\', escaped @ ('*' | '?' | '\\'), rest @ ..] => {
            text.first() == Some(escaped) && matches(rest, &text[1..])
        }
        [other, rest @ ..] => text.first() == Some(other) && matches(rest, &text[1..]),
    }
}

type Values = HashMap<usize, Vec<String>>;

fn value_holds(item: &Item, value: Option<&String>, values: &Values) -> bool {
    let there = values.get(&item.field);
    let Some(value) = value else { return there.is_none() };
    // The stars of a modifier stand apart from the value's last backslash.
    let mut pattern: Vec<char> = Vec::new();
    let star = |wanted: &[&str]| wanted.contains(&item.position);
    let escape = |value: &str| -> Vec<char> {
        let mut characters: Vec<char> = value.chars().collect();
        let ending = characters.iter().rev().take_while(|one| **one == '\\').count();
        if ending % 2 == 1 {
            characters.push('\\');
        }
        characters
    };
    if star(&["|contains", "|endswith"]) {
        pattern.push('*');
    }
    pattern.extend(escape(value));
    if star(&["|contains", "|startswith"]) {
        pattern.push('*');
    }
    there.into_iter().flatten().any(|text| {
        let fold = |characters: Vec<char>| -> Vec<char> {
            let lower = |one: char| if item.cased { one } else { one.to_ascii_lowercase() };
            characters.into_iter().map(lower).collect()
        };
        matches(&fold(pattern.clone()), &fold(text.chars().collect()))
    })
}

fn item_holds(item: &Item, values: &Values) -> bool {
    let mut each = item.values.iter().map(|value| value_holds(item, value.as_ref(), values));
    if item.all { each.all(|holds| holds) } else { each.any(|holds| holds) }
}

fn search_holds(search: &Search, values: &Values) -> bool {
    let map = |items: &Vec<Item>| items.iter().all(|item| item_holds(item, values));
    match search {
        Search::Map(items) => map(items),
        Search::List(maps) => maps.iter().any(map),
    }
}

fn condition_holds(condition: &Condition, searches: &[Search], values: &Values) -> bool {
    let of = |part: &Condition| condition_holds(part, searches, values);
    let begins = |first: char| {
        let named =
            searches.iter().enumerate().filter(|(index, _)| name(*index).starts_with(first));
        named.map(|(_, search)| search_holds(search, values)).collect::<Vec<_>>()
    };
    match condition {
        Condition::Name(index) => search_holds(&searches[*index], values),
        Condition::Not(part) => !of(part),
        Condition::And(one, other) => of(one) && of(other),
        Condition::Or(one, other) => of(one) || of(other),
        Condition::OneOf(first) => begins(*first).contains(&true),
        Condition::AllOf(first) => !begins(*first).contains(&false),
        Condition::OneOfThem => searches.iter().any(|search| search_holds(search, values)),
    }
}

fn values(chance: &mut Chance) -> Values {
    const PIECES: [&str; 8] = ["a", "b", "A", "B", "/", "*", "\\", "-"];
    let text = |chance: &mut Chance| -> String {
        (0..chance.below(7)).map(|_| *chance.of(&PIECES)).collect()
    };
    let mut values = Values::new();
    for (field, (name, _)) in FIELDS.iter().enumerate() {
        let several = name.ends_with("Image") && chance.below(2) == 0;
        if chance.below(5) > 0 {
            let count = if several { 2 } else { 1 };
            values.insert(field, (0..count).map(|_| text(chance)).collect());
        }
    }
    values
}

fn facts(values: &Values) -> Fake {
    values.iter().fold(Fake::exec(), |facts, (field, texts)| {
        let own = Own::Many(texts.iter().map(|text| text.as_str().into()).collect());
        facts.with(FIELDS[*field].1, own)
    })
}

#[test]
fn the_engine_agrees_with_a_second_reading_of_sigma() {
    let mut chance = Chance(0x51_6d_a0_51_6d_a0);
    let (mut held, mut did_not) = (0, 0);
    for _ in 0..30 {
        let rules: Vec<(Vec<Search>, Condition)> = (0..100)
            .map(|_| {
                let searches: Vec<_> =
                    (0..2 + chance.below(3)).map(|_| search(&mut chance)).collect();
                let condition = condition(&mut chance, searches.len(), 0);
                (searches, condition)
            })
            .collect();
        let texts = rules.iter().enumerate();
        let texts = texts.map(|(index, (searches, condition))| {
            written(&format!("R{index}"), searches, condition)
        });
        let texts: Vec<String> = texts.collect();
        let files: Vec<&str> = texts.iter().map(String::as_str).collect();
        let (together, _) =
            load(&files, &Options::default()).unwrap_or_else(|report| panic!("{report}"));
        let (alone, _) = load(&files[..1], &Options::default()).unwrap();
        for _ in 0..50 {
            let values = values(&mut chance);
            let facts = facts(&values);
            let fired: Vec<String> =
                names_of(&together, &facts).into_iter().map(|(name, _)| name).collect();
            for (index, (searches, condition)) in rules.iter().enumerate() {
                let expected = condition_holds(condition, searches, &values);
                let found = fired.contains(&format!("R{index}"));
                assert_eq!(found, expected, "{}\n{values:?}", texts[index]);
                if expected {
                    held += 1;
                } else {
                    did_not += 1;
                }
            }
            let expected = condition_holds(&rules[0].1, &rules[0].0, &values);
            assert_eq!(!names_of(&alone, &facts).is_empty(), expected, "{}", texts[0]);
        }
    }
    assert!(held > 10_000 && did_not > 10_000, "{held} {did_not}: nothing was tried");
}
