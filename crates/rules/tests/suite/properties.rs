//! What holds of every condition and every event, tried with many of both made by chance.

use chandra_rules::condition::{
    Call, Check, Comparison, Expression, Field, Modifier, Operand, Operator, Right, Span,
    Transformer, Word, parse,
};
use chandra_rules::evaluate::{Scratch, Truth};
use chandra_rules::load::{Matching, Options};
use chandra_rules::rules::Outcome;

use crate::common::{Fake, Own, load, many, names_of, rule_of};

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

const SPAN: Span = Span { start: 0, end: 0 };

fn word(chance: &mut Chance) -> Word {
    const PIECES: [&str; 20] = [
        "a", "or", "and", " ", "\"", "'", "\\", "(", ")", ",", "=", "\n", "\t", "é", "anyof", "[",
        "]", "val", "\u{8}", "not",
    ];
    let text: String = (0..1 + chance.below(4)).map(|_| *chance.of(&PIECES)).collect();
    Word { text, span: SPAN }
}

fn field(chance: &mut Chance) -> Field {
    let name = (*chance.of(&["proc.name", "evt.arg.flags", "x1.y_2.z"])).to_owned();
    let argument = (chance.below(3) == 0).then(|| word(chance).text);
    Field { name, argument, span: SPAN }
}

fn call(chance: &mut Chance, depth: usize) -> Call {
    let transformer = *chance.of(Transformer::ALL);
    let arguments = (0..1 + chance.below(3)).map(|_| argument(chance, depth + 1)).collect();
    let key = (chance.below(4) == 0).then(|| word(chance));
    Call { transformer, arguments, key, span: SPAN }
}

fn argument(chance: &mut Chance, depth: usize) -> Operand {
    match chance.below(if depth > 3 { 2 } else { 4 }) {
        0 => Operand::Field(field(chance)),
        1 => Operand::Literal(word(chance)),
        2 => Operand::Call(call(chance, depth)),
        _ => {
            let all = (0..1 + chance.below(3)).map(|_| argument(chance, depth + 1)).collect();
            Operand::List(all, SPAN)
        }
    }
}

fn check(chance: &mut Chance) -> Check {
    let left = match chance.below(3) {
        0 => Operand::Call(call(chance, 0)),
        _ => Operand::Field(field(chance)),
    };
    let operator = *chance.of(Operator::ALL);
    let may_have_modifier = operator.takes_modifier() && chance.below(4) == 0;
    let modifier = may_have_modifier.then(|| *chance.of(Modifier::ALL));
    let right = match (operator, chance.below(4)) {
        (Operator::Exists, _) => Right::Nothing,
        (_, 0) => Right::Field(field(chance)),
        (_, 1) => Right::Call(call(chance, 0)),
        _ if operator.takes_list() || modifier.is_some() => match chance.below(3) {
            0 => Right::ListName(Word { text: "a_list".to_owned(), span: SPAN }),
            _ => Right::List((0..chance.below(4)).map(|_| word(chance)).collect(), SPAN),
        },
        _ if operator.is_ordering() => {
            let text = (*chance.of(&["0", "-1", "0x1F", "1.5"])).to_owned();
            Right::Value(Word { text, span: SPAN })
        }
        _ => Right::Value(word(chance)),
    };
    // `= anyof val(x)` has a modifier that counts nothing: the language has no such thing.
    let modifier = modifier.filter(|_| matches!(right, Right::List(..) | Right::ListName(_)));
    let is_list = matches!(right, Right::List(..) | Right::ListName(_));
    let operator = if is_list && modifier.is_none() && !operator.takes_list() {
        Operator::In
    } else {
        operator
    };
    Check { left, comparison: Comparison { operator, modifier, span: SPAN }, right, span: SPAN }
}

fn expression(chance: &mut Chance, depth: usize) -> Expression {
    let some = |chance: &mut Chance| -> Vec<Expression> {
        (0..2 + chance.below(3)).map(|_| expression(chance, depth + 1)).collect()
    };
    match chance.below(if depth > 4 { 2 } else { 5 }) {
        0 => Expression::Macro(Word {
            text: (*chance.of(&["m", "never_true", "not1"])).to_owned(),
            span: SPAN,
        }),
        1 => Expression::Check(Box::new(check(chance))),
        2 => Expression::Or(some(chance)),
        3 => Expression::And(some(chance)),
        _ => Expression::Not(Box::new(expression(chance, depth + 1))),
    }
}

#[test]
fn what_is_printed_of_a_condition_parses_as_the_same_condition() {
    let mut chance = Chance(0x9e37_79b9_7f4a_7c15);
    for _ in 0..5000 {
        let made = expression(&mut chance, 0);
        let text = made.to_string();
        let parsed =
            parse(&text).unwrap_or_else(|error| panic!("{text}\n{error} {:?}", error.span));
        assert_eq!(parsed, made, "{text}");
        assert_eq!(parsed.to_string(), text);
    }
}

/// A condition that can be loaded, over few fields, so that rules share comparisons.
fn loadable(chance: &mut Chance, depth: usize) -> String {
    const CHECKS: [&str; 19] = [
        "proc.name = a",
        "proc.name = b",
        "proc.name in (a, b, c)",
        "proc.name != a",
        "proc.pname in (x, y)",
        "proc.pname = x",
        // Four and more of one field are a group, which one look-up answers.
        "proc.name = x",
        "proc.name in (x, ab)",
        "proc.name in ()",
        "proc.aname = b",
        "proc.aname in (c, x)",
        "k8s.ns.name in (a, b)",
        "proc.cmdline contains a",
        "proc.pid > 5",
        "k8s.ns.name = a",
        "k8s.ns.name exists",
        "evt.type = execve",
        "evt.type != connect",
        "proc.cmdline startswith oneof (a, ab, b)",
    ];
    let part = |chance: &mut Chance| loadable(chance, depth + 1);
    match chance.below(if depth > 4 { 1 } else { 4 }) {
        0 => (*chance.of(&CHECKS)).to_owned(),
        1 => format!("({} or {})", part(chance), part(chance)),
        2 => format!("({} and {} and {})", part(chance), part(chance), part(chance)),
        _ => format!("not ({})", part(chance)),
    }
}

fn event(chance: &mut Chance) -> Fake {
    let text = |chance: &mut Chance| -> Own { (*chance.of(&["a", "b", "x", "ab"])).into() };
    let mut facts = Fake::exec();
    for name in ["proc.name", "proc.pname", "proc.cmdline", "k8s.ns.name"] {
        facts = match chance.below(4) {
            0 => facts,
            1 => facts.with(name, Own::Unknown),
            2 if name.ends_with("name") && name.starts_with("proc") => {
                let both = Own::Many(vec![text(chance), text(chance)]);
                facts.with(name, both)
            }
            _ => facts.with(name, text(chance)),
        };
    }
    if chance.below(2) == 0 {
        facts = facts.with("proc.aname", many(&["b", "c"]));
    }
    facts.with("proc.pid", i64::try_from(chance.below(10)).unwrap())
}

/// Rules are walked as graphs, with comparisons shared and grouped; explanations go through the tree.
#[test]
fn walking_the_graph_agrees_with_the_tree_and_rules_do_not_disturb_each_other() {
    let mut chance = Chance(0x0123_4567_89ab_cdef);
    for strict_unknown in [false, true] {
        let options = Options { matching: Matching::All, strict_unknown, ..Options::default() };
        for _ in 0..40 {
            let conditions: Vec<String> = (0..20).map(|_| loadable(&mut chance, 0)).collect();
            let rules: Vec<String> = (conditions.iter().enumerate())
                .map(|(index, text)| {
                    rule_of(text).replace("rule: R", &format!("rule: R{index:02}"))
                })
                .collect();
            let (together, _) = load(&[&rules.concat()], &options).unwrap();
            let alone: Vec<_> =
                rules.iter().map(|rule| load(&[rule], &options).unwrap().0).collect();
            for _ in 0..20 {
                let facts = event(&mut chance);
                let found = names_of(&together, &facts);
                let mut scratch = Scratch::default();
                for (index, rule) in together.rules().iter().enumerate() {
                    let outcome = found.iter().find(|(name, _)| *name == rule.name);
                    let outcome = outcome.map(|(_, outcome)| *outcome);
                    let expected = match together.explain(rule, &facts, &mut scratch).truth {
                        Truth::True => Some(Outcome::Fires),
                        Truth::Unknown => Some(Outcome::Undecided),
                        Truth::False => None,
                    };
                    assert_eq!(outcome, expected, "{}", conditions[index]);
                    let alone =
                        names_of(&alone[index], &facts).first().map(|(_, outcome)| *outcome);
                    assert_eq!(outcome, alone, "{}", conditions[index]);
                }
            }
        }
    }
}
