//! Selectors of labels as Hubble has them: those of Kubernetes, in which a key may begin with the source
//! of the label: `k8s:app in (a, b), !reserved:world`.
//!
//! The grammar is Kubernetes' own, which `identity` reads; the sources are taken out first.

use chandra_identity::selector::{LabelSelector, Operator};

use super::Why;

/// A selector. Its requirements must all hold.
#[derive(Debug, PartialEq, Eq)]
pub struct Selector(Vec<Requirement>);

#[derive(Debug, PartialEq, Eq)]
struct Requirement {
    /// `None` is any.
    source: Option<Box<str>>,
    key: Box<str>,
    operator: Operator,
}

impl Selector {
    /// What was typed.
    pub fn parse(text: &str) -> Result<Self, Why> {
        let bare = Bare::of(text)?;
        let selector = LabelSelector::parse(&bare.text)
            .map_err(|(at, why)| Why::Label { at: bare.place(at), why: why.to_string() })?;
        let requirements = selector.requirements().iter().zip(bare.sources);
        let requirement = |(of, source): (&chandra_identity::selector::Requirement, _)| {
            Requirement { source, key: of.key.clone(), operator: of.operator.clone() }
        };
        Ok(Self(requirements.map(requirement).collect()))
    }

    /// Whether labels, `source:key=value` each, are as it asks.
    pub fn matches(&self, labels: &[String]) -> bool {
        self.0.iter().all(|requirement| requirement.matches(labels))
    }
}

impl Requirement {
    fn matches(&self, labels: &[String]) -> bool {
        let mut values = labels.iter().filter_map(|label| self.value(label));
        let is_one_of = |values: &[Box<str>], value: &str| {
            values.binary_search_by(|one| (**one).cmp(value)).is_ok()
        };
        match &self.operator {
            Operator::In(wanted) => values.any(|value| is_one_of(wanted, value)),
            Operator::NotIn(unwanted) => !values.any(|value| is_one_of(unwanted, value)),
            Operator::Exists => values.next().is_some(),
            Operator::DoesNotExist => values.next().is_none(),
            Operator::Greater(least) => values.any(|value| number(value) > Some(*least)),
            Operator::Less(most) => {
                values.any(|value| number(value).is_some_and(|number| number < *most))
            }
        }
    }

    /// The value of a label, if the requirement is about it.
    fn value<'a>(&self, label: &'a str) -> Option<&'a str> {
        let (name, value) = label.split_once('=').unwrap_or((label, ""));
        let (source, key) = match name.split_once(':') {
            Some((source, key)) => (Some(source), key),
            None => (None, name),
        };
        let is_of_source = self.source.is_none() || self.source.as_deref() == source;
        (is_of_source && *key == *self.key).then_some(value)
    }
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// A selector without the sources of its keys.
struct Bare {
    text: String,
    /// One for each requirement.
    sources: Vec<Option<Box<str>>>,
    /// Where something is left out of the text, and how many bytes.
    left_out: Vec<(usize, usize)>,
}

/// Any source, said in so many words.
const ANY: &str = "any";

impl Bare {
    fn of(text: &str) -> Result<Self, Why> {
        let mut bare =
            Self { text: String::with_capacity(text.len()), sources: vec![], left_out: vec![] };
        let mut depth = 0_u32;
        let mut is_before_key = true;
        let mut rest = text;
        while let Some(character) = rest.chars().next() {
            if is_before_key && !character.is_whitespace() && character != '!' {
                is_before_key = false;
                let ends = |found: char| found.is_whitespace() || "=!,()<>".contains(found);
                let key = rest.split(ends).next().unwrap_or(rest);
                let named = key.split_once(':');
                let source = named.map(|(source, _)| source);
                if let Some((source, name)) = named {
                    check_source(text.len() - rest.len(), source, name)?;
                    let skipped = source.len() + 1;
                    bare.left_out.push((bare.text.len(), skipped));
                    rest = rest.get(skipped..).unwrap_or_default();
                }
                bare.sources.push(source.filter(|source| *source != ANY).map(Box::from));
                continue;
            }
            match character {
                '(' => depth += 1,
                ')' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => is_before_key = true,
                _ => {}
            }
            bare.text.push(character);
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
        Ok(bare)
    }

    /// A place in the bare text as one in the whole.
    fn place(&self, at: usize) -> usize {
        let before = self.left_out.iter().filter(|(place, _)| *place <= at);
        at + before.map(|(_, bytes)| bytes).sum::<usize>()
    }
}

fn check_source(at: usize, source: &str, name: &str) -> Result<(), Why> {
    let is_fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if source.is_empty() || !source.bytes().all(is_fine) {
        return Err(Why::Label { at, why: "the source of a label has a-z, 0-9 and -".into() });
    }
    if name.is_empty() {
        let at = at + source.len() + 1;
        return Err(Why::Label { at, why: "expected a key".into() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<String> {
        ["k8s:app=web", "k8s:io.kubernetes.pod.namespace=shop", "container:tier=1", "reserved:host"]
            .map(String::from)
            .into()
    }

    #[test]
    fn selectors_are_kubernetes_with_sources() {
        for (selector, expected) in [
            ("", true),
            ("app", true),
            ("!app", false),
            ("app=web", true),
            ("app==web", true),
            ("app!=web", false),
            ("absent!=web", true),
            ("k8s:app=web", true),
            ("any:app=web", true),
            ("container:app=web", false),
            ("container:app!=web", true),
            ("!container:app", true),
            ("! k8s:app", false),
            ("app in (api, web)", true),
            ("k8s:app in (api, web), reserved:host", true),
            ("k8s:app notin (api, web)", false),
            ("reserved:host", true),
            ("reserved:world", false),
            ("io.kubernetes.pod.namespace=shop", true),
            ("k8s:io.kubernetes.pod.namespace in (shop),tier>0", true),
            ("tier>1", false),
            ("tier<2", true),
            ("app>0", false),
            ("app=web,tier=1", true),
            ("app=web,tier=2", false),
            ("app=", false),
            ("host=", true),
        ] {
            let parsed = Selector::parse(selector).expect(selector);
            assert_eq!(parsed.matches(&labels()), expected, "{selector}");
        }
        assert!(!Selector::parse("app").expect("a selector").matches(&[]));
    }

    #[test]
    fn an_error_says_its_place_in_what_was_typed() {
        for (selector, place) in [
            ("app in web", 7),
            ("k8s:app in web", 11),
            ("k8s:a=b,reserved:x=(", 19),
            ("K8S:app", 0),
            (":app", 0),
            ("a,,b", 2),
            ("k8s:", 4),
            ("a:b:c", 3),
        ] {
            match Selector::parse(selector) {
                Err(Why::Label { at, .. }) => assert_eq!(at, place, "{selector}"),
                other => panic!("{selector}: {other:?}"),
            }
        }
    }
}
