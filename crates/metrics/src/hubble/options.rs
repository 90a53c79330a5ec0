//! The options of Hubble's metrics, in Hubble's syntax:
//!
//! ```text
//! dns:query;ignoreAAAA drop:sourceContext=pod|ip flow:labelsContext=source_pod,source_namespace
//! ```
//!
//! Metrics are separated by white space, options of a metric by `;`, what a source may be called by by
//! `|`, labels by `,`. Where Hubble passes over an option that it does not know, this is an error: a
//! mistyped option would else be found out by the metric that is not there.

use super::context::{Contexts, Identifier, Label};
use super::error::{OptionsError, Problem, What};

/// The metrics that are counted where nothing else is said.
pub const DEFAULT: &str = "dns drop tcp flow icmp port-distribution";

/// Which metrics are counted, and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    pub(super) metrics: Vec<Metric>,
}

/// A metric with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Metric {
    pub name: Name,
    pub contexts: Contexts,
    pub switches: Vec<Switch>,
}

macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $variant_doc:literal])* $variant:ident = $word:literal,)* }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum $name { $($(#[doc = $variant_doc])* $variant,)* }

        impl $name {
            pub(super) const ALL: &[Self] = &[$(Self::$variant,)*];

            pub(super) fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }
    };
}
pub(super) use words;

words! {
    /// A metric.
    Name {
        Dns = "dns",
        Drop = "drop",
        Flow = "flow",
        FlowsToWorld = "flows-to-world",
        Http = "http",
        HttpV2 = "httpV2",
        Icmp = "icmp",
        Policy = "policy",
        PortDistribution = "port-distribution",
        Sctp = "sctp",
        Tcp = "tcp",
    }
}

words! {
    /// An option that is on or off.
    Switch {
        /// Names that were asked for are a label.
        Query = "query",
        /// Questions for AAAA alone are not counted.
        IgnoreAaaa = "ignoreAAAA",
        /// Also what was not dropped by a policy.
        AnyDrop = "any-drop",
        /// The port is a label.
        Port = "port",
        /// Only what opens a connection.
        SynOnly = "syn-only",
        /// A trace beside a sample.
        Exemplars = "exemplars",
    }
}

/// Options that every metric has.
const CONTEXT_OPTIONS: [&str; 7] = [
    "sourceContext",
    "sourceEgressContext",
    "sourceIngressContext",
    "destinationContext",
    "destinationEgressContext",
    "destinationIngressContext",
    "labelsContext",
];

impl Switch {
    fn is_of(self, name: Name) -> bool {
        match self {
            Self::Query | Self::IgnoreAaaa => name == Name::Dns,
            Self::AnyDrop | Self::Port | Self::SynOnly => name == Name::FlowsToWorld,
            Self::Exemplars => name == Name::HttpV2,
        }
    }
}

impl Metric {
    pub fn has(&self, switch: Switch) -> bool {
        self.switches.contains(&switch)
    }
}

impl Options {
    /// Reads options.
    ///
    /// # Errors
    /// Where a word is not known, comes twice, or lacks its value.
    pub fn parse(text: &str) -> Result<Self, OptionsError> {
        let mut options = Self::default();
        for word in text.split_whitespace() {
            let fail = |at: &str, problem| Err(error(text, at, problem));
            let metric = metric(text, word)?;
            let names = || options.metrics.iter().map(|metric| metric.name);
            if names().any(|name| name == metric.name) {
                return fail(word, Problem::Twice(metric.name.word().into()));
            }
            let other = match metric.name {
                Name::Http => Name::HttpV2,
                Name::HttpV2 => Name::Http,
                name => name,
            };
            if names().any(|name| name == other) {
                return fail(word, Problem::Exclusive(other.word(), metric.name.word()));
            }
            options.metrics.push(metric);
        }
        Ok(options)
    }

    /// No metric is counted.
    pub fn is_empty(&self) -> bool {
        self.metrics.is_empty()
    }
}

/// An error at a piece of the text.
fn error(text: &str, at: &str, problem: Problem) -> OptionsError {
    // The piece is of the text, so the distance of their addresses is its place.
    let bytes = (at.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let character = text.get(..bytes).unwrap_or_default().chars().count() + 1;
    OptionsError { character, problem }
}

fn metric(text: &str, word: &str) -> Result<Metric, OptionsError> {
    let (name, options) = word.split_once(':').unwrap_or((word, ""));
    let Some(name) = Name::ALL.iter().copied().find(|known| known.word() == name) else {
        let known = Name::ALL.iter().map(|name| name.word()).collect();
        return Err(error(text, name, Problem::unknown(What::Metric, name, known)));
    };
    let mut metric = Metric { name, contexts: Contexts::default(), switches: Vec::new() };
    let mut seen: Vec<&str> = Vec::new();
    for option in options.split(';').filter(|option| !option.is_empty()) {
        let fail = |at: &str, problem| Err(error(text, at, problem));
        let (key, value) = match option.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (option, None),
        };
        let switches = Switch::ALL.iter().copied().filter(|switch| switch.is_of(name));
        let known = CONTEXT_OPTIONS.into_iter().chain(switches.clone().map(Switch::word));
        // Hubble takes them in any case.
        let Some(known_key) = known.clone().find(|known| known.eq_ignore_ascii_case(key)) else {
            return fail(key, Problem::unknown(What::Option, key, known.collect()));
        };
        if seen.contains(&known_key) {
            return fail(key, Problem::Twice(known_key.into()));
        }
        seen.push(known_key);
        if let Some(switch) = switches.clone().find(|switch| switch.word() == known_key) {
            let is_on = match value {
                None | Some("true") => true,
                Some("false") => false,
                Some(other) => {
                    let no_switch = Problem::NoSwitch { option: known_key, value: other.into() };
                    return fail(other, no_switch);
                }
            };
            if is_on && switch == Switch::Exemplars {
                return fail(key, Problem::NotHere("exemplars"));
            }
            metric.switches.extend(is_on.then_some(switch));
            continue;
        }
        let Some(value) = value.filter(|value| !value.is_empty()) else {
            return fail(key, Problem::NoValue(known_key));
        };
        context(text, known_key, value, &mut metric.contexts)?;
    }
    Ok(metric)
}

fn context(
    text: &str,
    key: &str,
    value: &str,
    contexts: &mut Contexts,
) -> Result<(), OptionsError> {
    let Contexts { source, destination, labels } = contexts;
    if key == "labelsContext" {
        *labels = self::labels(text, value)?;
        return Ok(());
    }
    let read = |word: &str| {
        let found = |known: &&Identifier| known.word().eq_ignore_ascii_case(word);
        Identifier::ALL.iter().find(found).copied().ok_or_else(|| {
            let known = Identifier::ALL.iter().map(|known| known.word()).collect();
            error(text, word, Problem::unknown(What::Context, word, known))
        })
    };
    let identifiers = Some(value.split('|').map(read).collect::<Result<_, _>>()?);
    match key {
        "sourceContext" => source.any = identifiers,
        "sourceEgressContext" => source.egress = identifiers,
        "sourceIngressContext" => source.ingress = identifiers,
        "destinationContext" => destination.any = identifiers,
        "destinationEgressContext" => destination.egress = identifiers,
        _ => destination.ingress = identifiers,
    }
    Ok(())
}

/// In the order in which Hubble has them, each once.
fn labels(text: &str, value: &str) -> Result<Vec<Label>, OptionsError> {
    let mut wanted = Vec::new();
    for word in value.split(',') {
        let Some(label) = Label::ALL.iter().find(|label| label.word() == word) else {
            let known = Label::ALL.iter().map(|label| label.word()).collect();
            return Err(error(text, word, Problem::unknown(What::Label, word, known)));
        };
        wanted.push(*label);
    }
    Ok(Label::ALL.iter().copied().filter(|label| wanted.contains(label)).collect())
}
