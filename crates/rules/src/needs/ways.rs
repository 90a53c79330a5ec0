//! The ways in which a condition can hold of an open: each a beginning of paths, a use of the file, and
//! whether the open may have failed.
//!
//! Ways are joined as the condition joins its comparisons: those of an `or` lie beside each other, those
//! of an `and` are what both have. A comparison that is not to hold says nothing, because it may be not
//! known as well as false.

use super::Opens;
use crate::catalogue::{EventField, EventType, FieldId, FileField};
use crate::compile::Tree;
use crate::condition::Operator;
use crate::evaluate::{NumberTest, Operand, Position, Predicate, Test, TextTest};
use crate::rules::Ruleset;

const READ: u8 = 1;
const WRITE: u8 = 2;
const NONE: u8 = 4;
/// More ways than this become one that has them all.
const MOST: usize = 1024;
/// `fd.num` of an open that failed.
const NO_DESCRIPTOR: i64 = -1;

/// Opens whose path begins so, that use the file in one of these manners.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Way {
    path: Vec<u8>,
    accesses: u8,
    may_fail: bool,
}

impl Way {
    const ANY: Way = Way { path: Vec::new(), accesses: READ | WRITE | NONE, may_fail: true };

    /// All that the other has, it has.
    fn has(&self, other: &Self) -> bool {
        other.path.starts_with(&self.path)
            && other.accesses & !self.accesses == 0
            && (self.may_fail || !other.may_fail)
    }

    /// What both have, and maybe more: of two uses, both of which have to be, one is asked for.
    fn and(&self, other: &Self) -> Option<Self> {
        let (shorter, longer) = match self.path.len() < other.path.len() {
            true => (&self.path, &other.path),
            false => (&other.path, &self.path),
        };
        let fewer = |way: &&Way| way.accesses.count_ones();
        Some(Self {
            path: longer.starts_with(shorter).then(|| longer.clone())?,
            accesses: [self, other].into_iter().min_by_key(fewer)?.accesses,
            may_fail: self.may_fail && other.may_fail,
        })
    }
}

/// Ways beside each other.
type Ways = Vec<Way>;

fn any() -> Ways {
    vec![Way::ANY]
}

fn or(mut ways: Ways, others: Ways) -> Ways {
    for other in others {
        if !ways.iter().any(|way| way.has(&other)) {
            ways.retain(|way| !other.has(way));
            ways.push(other);
        }
    }
    if ways.len() <= MOST {
        return ways;
    }
    vec![Way {
        path: Vec::new(),
        accesses: ways.iter().fold(0, |accesses, way| accesses | way.accesses),
        may_fail: ways.iter().any(|way| way.may_fail),
    }]
}

fn and(ways: &Ways, others: &Ways) -> Ways {
    ways.iter().fold(Ways::new(), |all, way| {
        or(all, others.iter().filter_map(|other| way.and(other)).collect())
    })
}

/// The opens that some rule may fire of.
pub(super) fn opens(rules: &Ruleset) -> Vec<Opens> {
    let all = rules
        .active(EventType::Openat)
        .fold(Ways::new(), |all, rule| or(all, Asking { rules }.ways(&rule.tree, true)));
    let opens = all.into_iter().map(|Way { path, accesses, may_fail }| Opens {
        path,
        read: accesses & READ != 0,
        write: accesses & WRITE != 0,
        none: accesses & NONE != 0,
        failed: may_fail,
    });
    opens.collect()
}

struct Asking<'r> {
    rules: &'r Ruleset,
}

impl Asking<'_> {
    /// The ways in which a tree can be true, or can be not true.
    fn ways(&self, tree: &Tree, truth: bool) -> Ways {
        let each = |parts: &[Tree]| -> Vec<Ways> {
            parts.iter().map(|part| self.ways(part, truth)).collect()
        };
        match (tree, truth) {
            (Tree::Constant(holds), _) if *holds == truth => any(),
            (Tree::Constant(_), _) => Ways::new(),
            (Tree::Not(part), _) => self.ways(part, !truth),
            (Tree::Macro(_, tree), _) => self.ways(tree, truth),
            (Tree::And(parts), true) | (Tree::Or(parts), false) => {
                each(parts).iter().fold(any(), |all, ways| and(&all, ways))
            }
            (Tree::And(parts), false) | (Tree::Or(parts), true) => {
                each(parts).into_iter().fold(Ways::new(), or)
            }
            (Tree::Predicate(number), _) => self.ways_of_predicate(*number, truth),
        }
    }

    fn ways_of_predicate(&self, number: u32, truth: bool) -> Ways {
        let predicates = &self.rules.predicates;
        let Some(place) = self.rules.places.get(number as usize) else { return any() };
        match (predicates.of_type(*place, EventType::Openat), predicates.get(*place)) {
            (Some(holds), _) if holds != truth => Ways::new(),
            (Some(_), _) | (_, None) => any(),
            _ if !truth => any(),
            _ if !predicates.may(*place).be_true.contains(EventType::Openat) => Ways::new(),
            (_, Some(predicate)) => ways_of(predicate),
        }
    }
}

/// The ways in which a comparison is true.
fn ways_of(predicate: &Predicate) -> Ways {
    let Operand::Field(field) = &predicate.operand else { return any() };
    let using = |accesses| vec![Way { accesses, ..Way::ANY }];
    let succeeding = || vec![Way { may_fail: false, ..Way::ANY }];
    // What is not negated and asks for true only, or for false only.
    let asks_for = |wanted: bool| {
        !predicate.negated
            && matches!(&predicate.test, Test::Bool(set) if set.contains(&wanted) && set.len() == 1)
    };
    match field.spec.id {
        FieldId::File(FileField::Name | FileField::Directory)
        | FieldId::Event(EventField::ArgName | EventField::ArgFileName | EventField::ArgPath)
            if !predicate.negated =>
        {
            let Some(paths) = beginnings(&predicate.test) else { return any() };
            or(Ways::new(), paths.into_iter().map(|path| Way { path, ..Way::ANY }).collect())
        }
        FieldId::Event(EventField::IsOpenRead) if asks_for(true) => using(READ),
        FieldId::Event(EventField::IsOpenWrite | EventField::IsOpenCreate) if asks_for(true) => {
            using(WRITE)
        }
        FieldId::Event(EventField::IsOpenExec) if asks_for(true) => using(READ | WRITE),
        FieldId::Event(EventField::Failed) if asks_for(false) => succeeding(),
        FieldId::Event(EventField::RawResult) if holds_of_no_error(predicate) => succeeding(),
        FieldId::Event(EventField::Result) if is_success(predicate) => succeeding(),
        FieldId::File(FileField::Number) if !may_be(predicate, NO_DESCRIPTOR) => succeeding(),
        // What failed has none.
        FieldId::File(
            FileField::Inode | FileField::Device | FileField::DeviceMajor | FileField::DeviceMinor,
        ) => succeeding(),
        _ => any(),
    }
}

/// What each text begins with that a test holds of; nothing if that cannot be said.
fn beginnings(test: &Test) -> Option<Vec<Vec<u8>>> {
    match test {
        Test::Text(TextTest::Equal(text) | TextTest::StartsWith(text)) => Some(vec![text.to_vec()]),
        Test::Text(TextTest::In(texts)) => Some(texts.iter().map(|text| text.to_vec()).collect()),
        Test::Text(TextTest::Below(prefixes)) => Some(prefixes.beginnings()),
        Test::Text(TextTest::Glob(glob)) => Some(vec![glob.beginning()]),
        Test::Text(TextTest::AnyCase(texts)) => texts.texts().iter().map(in_any_case).collect(),
        // However many of them have to hold, one has to.
        Test::Several(_, tests) => {
            let each: Option<Vec<_>> = tests.iter().map(beginnings).collect();
            Some(each?.concat())
        }
        _ => None,
    }
}

/// What stands before the first letter, with which texts begin in two ways.
fn in_any_case((position, text): &(Position, Box<[u8]>)) -> Option<Vec<u8>> {
    let before = text.iter().take_while(|byte| !byte.is_ascii_alphabetic());
    matches!(position, Position::Whole | Position::Start).then(|| before.copied().collect())
}

/// A comparison of a number may be true of this one.
fn may_be(predicate: &Predicate, number: i64) -> bool {
    match &predicate.test {
        Test::Number(test) => test.holds(number) != predicate.negated,
        _ => true,
    }
}

fn holds_of_no_error(predicate: &Predicate) -> bool {
    match &predicate.test {
        _ if predicate.negated => false,
        Test::Number(NumberTest::In(set)) => set.iter().all(|number| *number >= 0),
        Test::Number(NumberTest::Compare(operator, number)) => match operator {
            Operator::Equal | Operator::GreaterOrEqual => *number >= 0,
            Operator::Greater => *number >= -1,
            _ => false,
        },
        _ => false,
    }
}

fn is_success(predicate: &Predicate) -> bool {
    let texts = whole_texts(&predicate.test);
    !predicate.negated && texts.is_some_and(|texts| texts.iter().all(|text| **text == *b"SUCCESS"))
}

/// The texts that a test holds of, if it holds of some only.
pub(super) fn whole_texts(test: &Test) -> Option<Vec<&[u8]>> {
    match test {
        Test::Text(TextTest::Equal(text)) => Some(vec![text]),
        Test::Text(TextTest::In(texts)) => Some(texts.iter().map(AsRef::as_ref).collect()),
        _ => None,
    }
}
