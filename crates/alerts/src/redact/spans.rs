//! Which bytes are secret, and the same bytes without them.

use std::borrow::Cow;
use std::ops::Range;

use super::kind::Kind;

/// Ranges of one text that are secret. They may overlap until they are applied.
#[derive(Debug, Default)]
pub(crate) struct Spans(Vec<(Range<usize>, Kind)>);

impl Spans {
    pub fn add(&mut self, range: Range<usize>, kind: Kind) {
        if !range.is_empty() {
            self.0.push((range, kind));
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with each span replaced by what it was. What overlaps or touches is one secret, of the
    /// kind that begins first.
    pub fn apply<'t>(&mut self, text: &'t [u8], count: &mut dyn FnMut(Kind)) -> Cow<'t, [u8]> {
        if self.0.is_empty() {
            return Cow::Borrowed(text);
        }
        self.0.sort_by_key(|(range, _)| (range.start, std::cmp::Reverse(range.end)));
        let mut out = Vec::with_capacity(text.len());
        let mut told = 0;
        for (index, (range, kind)) in self.0.iter().enumerate() {
            if range.start > told || index == 0 {
                out.extend_from_slice(text.get(told..range.start).unwrap_or_default());
                out.extend_from_slice(kind.marker().as_bytes());
                count(*kind);
            }
            told = told.max(range.end);
        }
        out.extend_from_slice(text.get(told..).unwrap_or_default());
        Cow::Owned(out)
    }
}
