//! Identical alerts are told once at once, and then as a count per interval.
//!
//! Two alerts are identical when rule, priority, source, container, program and all fields of the
//! output are, but for fields that differ each time ([`differs_each_time`]): whoever wrote the rule said by
//! its output what tells one case from another. A connection's own port at the client's end differs
//! each time as well.
//!
//! Invariants: the table has a bound, and what it gives up to keep it is told with its count; the counts
//! that are told, with one for each alert that was told at once, are as many as came in.

use std::collections::VecDeque;
use std::hash::{BuildHasher, Hash, Hasher};
use std::time::{Duration, Instant};

use foldhash::quality::RandomState;
use hashbrown::HashMap;

use crate::alert::{Alert, Folded, Value};

/// How alerts are folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// After the first, identical ones are told as a count this often.
    pub interval: Duration,
    /// So many different ones are known at a time.
    pub capacity: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { interval: Duration::from_secs(60), capacity: 1024 }
    }
}

/// An alert that is to be told, perhaps for several.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// The alert, or the latest of several, then without what preceded it.
    pub alert: Alert,
    /// The count, where it is told for others.
    pub folded: Option<Folded>,
}

impl Told {
    /// So many alerts are told by it.
    pub fn count(&self) -> u64 {
        self.folded.map_or(1, |folded| folded.count)
    }
}

/// Names what is identical.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key(u64);

/// The table.
#[derive(Debug)]
pub struct Fold {
    options: Options,
    /// With a seed of its own, so that nobody outside makes alerts that only seem identical.
    hasher: RandomState,
    table: HashMap<Key, Entry, RandomState>,
    /// Each key of the table once, by when it was told.
    order: VecDeque<(Key, Instant)>,
}

/// What is known of alerts that are identical.
#[derive(Debug, Default)]
struct Entry {
    /// Those that are not told yet, by the latest of them.
    held: Option<Told>,
}

impl Entry {
    fn hold(&mut self, mut told: Told) {
        let before = self.held.as_ref();
        let first = |told: &Told| told.folded.map_or(told.alert.time_ns, |folded| folded.first_ns);
        let first_ns =
            before.map_or_else(|| first(&told), |before| first(before).min(first(&told)));
        let count = before.map_or(0, Told::count) + told.count();
        told.folded = Some(Folded { count, first_ns });
        // The first of them was told with it; a table full of these would be large.
        told.alert.context.preceding = Vec::new();
        self.held = Some(told);
    }
}

impl Fold {
    /// An empty table.
    pub fn new(mut options: Options) -> Self {
        options.capacity = options.capacity.max(1);
        let hasher = RandomState::default();
        let table = HashMap::with_hasher(RandomState::default());
        Self { options, hasher, table, order: VecDeque::new() }
    }

    /// Takes an alert; hands to `tell` what is to be told now: the alert itself if it is the first of its
    /// kind, and what had to make room for it. What `tell` gives back is held and told later.
    pub fn take(
        &mut self,
        alert: Alert,
        now: Instant,
        mut tell: impl FnMut(Told) -> Option<Told>,
    ) -> Taken {
        let key = self.key(&alert);
        let told = Told { alert, folded: None };
        if let Some(entry) = self.table.get_mut(&key) {
            entry.hold(told);
            return Taken::Folded;
        }
        let mut lost = 0;
        if self.table.len() >= self.options.capacity
            && let Some((oldest, _)) = self.order.pop_front()
            && let Some(held) = self.table.remove(&oldest).and_then(|entry| entry.held)
        {
            lost = tell(held).map_or(0, |refused| refused.count());
        }
        let mut entry = Entry::default();
        let refused = tell(told);
        let is_told = refused.is_none();
        refused.into_iter().for_each(|told| entry.hold(told));
        self.table.insert(key, entry);
        self.order.push_back((key, now));
        if is_told { Taken::Told { lost } } else { Taken::Held { lost } }
    }

    /// Hands to `tell` what was held for an interval. What it gives back is held on, and nothing more is
    /// handed to it this time.
    pub fn tick(&mut self, now: Instant, mut tell: impl FnMut(Told) -> Option<Told>) {
        while let Some((key, told_at)) = self.order.front().copied() {
            if now.saturating_duration_since(told_at) < self.options.interval {
                return;
            }
            self.order.pop_front();
            let Some(held) = self.table.get_mut(&key).and_then(|entry| entry.held.take()) else {
                // Nothing came for an interval: the next one is a first one again.
                self.table.remove(&key);
                continue;
            };
            match tell(held) {
                None => self.order.push_back((key, now)),
                Some(refused) => {
                    self.order.push_front((key, told_at));
                    if let Some(entry) = self.table.get_mut(&key) {
                        entry.hold(refused);
                    }
                    return;
                }
            }
        }
    }

    /// Hands out all that is held, at the end.
    pub fn drain(&mut self) -> impl Iterator<Item = Told> {
        self.order.clear();
        self.table.drain().filter_map(|(_, entry)| entry.held)
    }

    /// So many alerts are held.
    pub fn held(&self) -> u64 {
        self.table.values().filter_map(|entry| entry.held.as_ref()).map(Told::count).sum()
    }

    fn key(&self, alert: &Alert) -> Key {
        let Alert { rule, priority, source, output_fields, context, .. } = alert;
        let mut hasher = self.hasher.build_hasher();
        (rule, priority, source).hash(&mut hasher);
        context.container.as_ref().map(|container| &container.id).hash(&mut hasher);
        context.process.as_ref().map(|process| &process.exe).hash(&mut hasher);
        for (name, value) in output_fields.iter().filter(|(name, _)| !differs_each_time(name)) {
            name.hash(&mut hasher);
            hash_value(value, &mut hasher);
        }
        Key(hasher.finish())
    }
}

/// What became of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It was the first of its kind and is told.
    Told {
        /// So many others, which had to make room for it, could not be told.
        lost: u64,
    },
    /// It was the first of its kind, could not be told now, and will be.
    Held {
        /// The same.
        lost: u64,
    },
    /// It will be told with others.
    Folded,
}

fn hash_value(value: &Value, hasher: &mut impl Hasher) {
    std::mem::discriminant(value).hash(hasher);
    match value {
        Value::Null => {}
        Value::Bool(truth) => truth.hash(hasher),
        Value::Int(number) => number.hash(hasher),
        Value::Uint(number) => number.hash(hasher),
        Value::Float(number) => number.to_bits().hash(hasher),
        Value::Text(text) => hash_text(text, hasher),
        Value::Texts(texts) => texts.iter().for_each(|text| hash_text(text, hasher)),
    }
}

/// `10.0.0.1:40312->10.0.0.2:443` without the port that the client has for this one connection.
fn hash_text(text: &str, hasher: &mut impl Hasher) {
    match text.split_once("->") {
        Some((client, server)) => {
            let address = client.rsplit_once(':').filter(|(_, port)| {
                !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit())
            });
            (address.map_or(client, |(address, _)| address), server).hash(hasher);
        }
        None => text.hash(hasher),
    }
}

/// Beginnings of such names.
const FAMILIES: &[&str] = &[
    "evt.time",
    "evt.datetime",
    "evt.rawtime",
    "evt.reltime",
    "evt.latency",
    "evt.deltatime",
    "evt.outputtime",
    "proc.duration",
    "proc.ppid",
    "proc.pid",
    "proc.apid",
    "proc.vpid",
    "proc.pvpid",
];

/// Fields of Falco whose values say when, how long, or which of many alike: times, process ids, the numbers
/// of events and descriptors, the client's port.
pub fn differs_each_time(name: &str) -> bool {
    let is_family = |family: &&str| name.starts_with(family);
    FAMILIES.iter().any(is_family)
        || matches!(
            name,
            "evt.num"
                | "evt.cpu"
                | "thread.tid"
                | "thread.vtid"
                | "thread.exectime"
                | "fd.num"
                | "fd.cport"
                | "proc.sid"
                | "proc.pgid"
                | "proc.vpgid"
                | "evt.count"
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::sample;

    fn alert(name: &str, time_ns: u64) -> Alert {
        let fields = vec![
            ("fd.name".into(), Value::Text(name.into())),
            ("evt.time".into(), Value::Uint(time_ns)),
            ("proc.pid".into(), Value::Uint(time_ns + 7)),
        ];
        Alert { time_ns, output_fields: fields, ..sample::alert() }
    }

    fn fold(capacity: usize) -> Fold {
        Fold::new(Options { interval: Duration::from_secs(60), capacity })
    }

    fn accept(all: &mut Vec<Told>) -> impl FnMut(Told) -> Option<Told> {
        |told| {
            all.push(told);
            None
        }
    }

    #[test]
    fn the_first_is_told_at_once_and_the_rest_as_a_count() {
        let (mut fold, start) = (fold(10), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let mut told = Vec::new();
        for second in 0..5 {
            fold.take(alert("a", second), after(second), accept(&mut told));
        }
        assert_eq!(told, [Told { alert: alert("a", 0), folded: None }]);
        fold.tick(after(59), accept(&mut told));
        assert_eq!((told.len(), fold.held()), (1, 4));
        fold.tick(after(60), accept(&mut told));
        let expected = Folded { count: 4, first_ns: 1 };
        assert_eq!(told.pop().unwrap(), Told { alert: alert("a", 4), folded: Some(expected) });
        // Quiet for an interval: the next is a first one.
        fold.take(alert("a", 61), after(61), accept(&mut told));
        fold.tick(after(120), accept(&mut told));
        assert_eq!(told.pop().unwrap().count(), 1);
        fold.tick(after(180), accept(&mut told));
        assert_eq!(fold.take(alert("a", 181), after(181), |_| None), Taken::Told { lost: 0 });
    }

    #[test]
    fn what_differs_is_not_folded() {
        let (mut fold, now) = (fold(100), Instant::now());
        let first = Alert { context: sample::context(), ..alert("a", 1) };
        let mut others = vec![first.clone(), alert("b", 1)];
        let change = |change: &dyn Fn(&mut Alert)| {
            let mut alert = first.clone();
            change(&mut alert);
            alert
        };
        others.push(change(&|alert| alert.rule = "other".into()));
        others.push(change(&|alert| alert.context.container.as_mut().unwrap().id.push('x')));
        others.push(change(&|alert| alert.context.process.as_mut().unwrap().exe.push('x')));
        others.push(change(&|alert| alert.output_fields.truncate(0)));
        for other in others {
            assert_eq!(
                fold.take(other.clone(), now, |_| None),
                Taken::Told { lost: 0 },
                "{other:?}"
            );
        }
        let same = change(&|alert| alert.context.process.as_mut().unwrap().pid += 1);
        assert_eq!(fold.take(same, now, |_| None), Taken::Folded);
    }

    #[test]
    fn connections_of_one_client_are_alike() {
        let (mut fold, now) = (fold(100), Instant::now());
        let mut take = |name: &str| fold.take(alert(name, 1), now, |_| None);
        assert_eq!(take("10.0.0.1:40000->10.0.0.2:443"), Taken::Told { lost: 0 });
        assert_eq!(take("10.0.0.1:40001->10.0.0.2:443"), Taken::Folded);
        assert_eq!(take("10.0.0.1:40001->10.0.0.2:444"), Taken::Told { lost: 0 });
    }

    /// A splitmix64 of its own: the same numbers every time.
    fn random(state: &mut u64, below: u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (*state ^ *state >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ mixed >> 27) % below
    }

    /// With a table that is much too small, and a receiver that often refuses.
    #[test]
    fn as_many_are_told_as_came_in() {
        let mut state = 20_261_126;
        for round in 0..50 {
            let (mut fold, start) = (fold(1 + round % 7), Instant::now());
            let refuses = round as u64 % 4;
            let (mut came, mut told_count, mut lost, mut first_told) = (0, 0, 0, 0);
            for step in 0..2000_u64 {
                let now = start + Duration::from_secs(step);
                let refusal = random(&mut state, 10) < refuses;
                let mut tell = |told: Told| {
                    if refusal {
                        return Some(told);
                    }
                    told_count += told.count();
                    first_told += u64::from(told.folded.is_none());
                    None
                };
                if random(&mut state, 10) < 8 {
                    came += 1;
                    let name = random(&mut state, 12).to_string();
                    match fold.take(alert(&name, step), now, &mut tell) {
                        Taken::Told { lost: more } | Taken::Held { lost: more } => lost += more,
                        Taken::Folded => {}
                    }
                } else {
                    fold.tick(now, &mut tell);
                }
                assert!(fold.table.len() <= fold.options.capacity);
                assert_eq!(fold.table.len(), fold.order.len());
                assert_eq!(came, told_count + lost + fold.held(), "round {round}, step {step}");
            }
            assert!(first_told > 0 && told_count > first_told);
            let held = fold.held();
            assert_eq!(fold.drain().map(|told| told.count()).sum::<u64>(), held);
        }
    }
}
