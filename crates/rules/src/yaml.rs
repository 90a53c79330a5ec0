//! YAML as a tree of nodes that know their place.
//!
//! The parser is a library's; here its events become nodes. All is bounded: depth by the parser's
//! options, size by a budget of nodes, so that aliases of aliases cost no more than a large file.

use std::collections::HashMap;

use granit_parser::{Event, Parser, ScalarStyle, Span};

use crate::source::{Place, SourceId};
use crate::text::{Style, Text};

/// Nodes of a file, what aliases repeat included. Falco's own rules have some 5,000.
const MAX_NODES: usize = 1_000_000;
const MAX_DEPTH: usize = 64;

/// A node.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub place: Place,
    pub content: Content,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar(Text, Style),
    Sequence(Vec<Node>),
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// What it is, for a message.
    pub fn kind(&self) -> &'static str {
        match self.content {
            Content::Scalar(..) => "a scalar",
            Content::Sequence(_) => "a sequence",
            Content::Mapping(_) => "a mapping",
        }
    }

    /// Its text, if it is a scalar.
    pub fn scalar(&self) -> Option<&Text> {
        match &self.content {
            Content::Scalar(text, _) => Some(text),
            _ => None,
        }
    }

    /// It says nothing: `key:`, `~`, `null`.
    pub fn is_null(&self) -> bool {
        let Content::Scalar(text, Style::Plain) = &self.content else { return false };
        matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL")
    }
}

/// Not YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Malformed {
    pub place: Place,
    pub message: String,
}

/// The documents of a file, each with its root.
pub(crate) fn read(source: SourceId, text: &str) -> Result<Vec<Node>, Malformed> {
    let options = granit_parser::options! {
        block_nesting_limit: MAX_DEPTH,
        flow_nesting_limit: MAX_DEPTH,
        emit_comments: false,
    };
    let mut reader = Reader {
        events: Parser::new_from_str_with_options(text, options),
        source,
        end: text.len(),
        anchors: HashMap::new(),
        nodes: 0,
    };
    let mut roots = Vec::new();
    while let Some((event, span)) = reader.next()? {
        match event {
            Event::StreamStart | Event::DocumentStart(..) | Event::DocumentEnd => {}
            Event::StreamEnd => break,
            event => roots.push(reader.node(event, &span, 0)?),
        }
    }
    Ok(roots)
}

struct Reader<'t> {
    events: Parser<'t, granit_parser::StrInput<'t>>,
    source: SourceId,
    end: usize,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, Span)>, Malformed> {
        loop {
            match self.events.next() {
                None => return Ok(None),
                Some(Ok((Event::Anchor(..), _))) => {}
                Some(Ok(next)) => return Ok(Some(next)),
                Some(Err(error)) => {
                    let at = error.marker().byte_offset().unwrap_or(self.end).min(self.end);
                    return Err(self.malformed(at..at, error.info().to_owned()));
                }
            }
        }
    }

    fn place(&self, span: &Span) -> Place {
        let bytes = span.byte_range().unwrap_or(self.end..self.end);
        Place { source: self.source, bytes }
    }

    fn malformed(&self, bytes: std::ops::Range<usize>, message: String) -> Malformed {
        Malformed { place: Place { source: self.source, bytes }, message }
    }

    /// The node that begins with this event.
    fn node(&mut self, event: Event<'t>, span: &Span, depth: usize) -> Result<Node, Malformed> {
        let place = self.place(span);
        self.take(1, &place)?;
        if depth > MAX_DEPTH {
            return Err(self.malformed(place.bytes, "too many levels".to_owned()));
        }
        let before = self.nodes;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, _) => (self.scalar(&text, style, place), anchor),
            Event::SequenceStart(_, anchor, _) => {
                let mut nodes = Vec::new();
                let mut end = place.bytes.end;
                while let Some((event, span)) = self.next()? {
                    if event == Event::SequenceEnd {
                        break;
                    }
                    nodes.push(self.node(event, &span, depth + 1)?);
                    end = nodes.last().map_or(end, |node| node.place.bytes.end);
                }
                let place = Place { bytes: place.bytes.start..end, ..place };
                (Node { place, content: Content::Sequence(nodes) }, anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let mut pairs: Vec<(Node, Node)> = Vec::new();
                while let Some((event, span)) = self.next()? {
                    if event == Event::MappingEnd {
                        break;
                    }
                    let key = self.node(event, &span, depth + 1)?;
                    let Some((event, span)) = self.next()? else { break };
                    pairs.push((key, self.node(event, &span, depth + 1)?));
                }
                let place = pairs.first().map_or(place, |(key, _)| key.place.clone());
                (Node { place, content: Content::Mapping(pairs) }, anchor)
            }
            Event::Alias(id) => {
                let Some((node, size)) = self.anchors.get(&id).cloned() else {
                    let message = "an alias within what it stands for".to_owned();
                    return Err(self.malformed(place.bytes, message));
                };
                self.take(size, &place)?;
                return Ok(node);
            }
            _ => return Err(self.malformed(place.bytes, "unexpected end".to_owned())),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before + 1));
        }
        Ok(node)
    }

    fn take(&mut self, nodes: usize, place: &Place) -> Result<(), Malformed> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            let message = format!("more than {MAX_NODES} nodes");
            return Err(self.malformed(place.bytes.clone(), message));
        }
        Ok(())
    }

    fn scalar(&self, text: &str, style: ScalarStyle, place: Place) -> Node {
        let style = match style {
            ScalarStyle::SingleQuoted => Style::Single,
            ScalarStyle::DoubleQuoted => Style::Double,
            ScalarStyle::Literal | ScalarStyle::Folded => Style::Block,
            _ => Style::Plain,
        };
        // What is written as nothing is told as `~`.
        let text = if place.bytes.is_empty() { "" } else { text };
        let text = Text::new(text.to_owned(), place.clone(), style);
        Node { place, content: Content::Scalar(text, style) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Source, Sources};

    fn read_text(text: &str) -> (Sources, Result<Vec<Node>, Malformed>) {
        let mut sources = Sources::default();
        let id = sources.add(Source::new("f", text));
        (sources, read(id, text))
    }

    fn show(node: &Node) -> String {
        match &node.content {
            Content::Scalar(text, _) => format!("{:?}", text.as_str()),
            Content::Sequence(nodes) => {
                format!("[{}]", nodes.iter().map(show).collect::<Vec<_>>().join(" "))
            }
            Content::Mapping(pairs) => {
                let pair = |(key, value): &(Node, Node)| format!("{}:{}", show(key), show(value));
                format!("{{{}}}", pairs.iter().map(pair).collect::<Vec<_>>().join(" "))
            }
        }
    }

    #[test]
    fn documents_aliases_and_nothing_become_nodes() {
        let (_, nodes) = read_text("- a: &x [1, 'two']\n  b: *x\n  c:\n---\n- d\n");
        let shown: Vec<String> = nodes.unwrap().iter().map(show).collect();
        let one = r#"[{"a":["1" "two"] "b":["1" "two"] "c":""}]"#;
        assert_eq!(shown, [one, r#"["d"]"#]);
    }

    #[test]
    fn aliases_of_aliases_do_not_fill_memory() {
        let mut text = "- &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..20 {
            let before = format!("*a{}, ", level - 1).repeat(10);
            text.push_str(&format!("- &a{level} [{}]\n", before.trim_end_matches(", ")));
        }
        assert!(read_text(&text).1.unwrap_err().message.contains("nodes"));
    }

    #[test]
    fn what_is_not_yaml_has_a_place() {
        let (sources, error) = read_text("- a: 1\n  b: [x\n- c\n");
        let error = error.unwrap_err();
        assert!(sources.spell(&error.place).starts_with("f:"), "{error:?}");
        assert!(!error.message.is_empty());
        let (_, deep) = read_text(&"[".repeat(10_000));
        assert!(deep.is_err());
    }
}
