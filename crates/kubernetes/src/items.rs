//! The objects of a list, one by one while it arrives: a list of a large cluster has hundreds of
//! megabytes, and a server may send it in one piece whatever page was asked for.
//!
//! Only the outermost object is understood here: strings, brackets, `metadata` and `items`. Whether an
//! item is JSON is seen by who reads it.
//!
//! Invariant: no more than the ceilings is kept, however long an item or the list is.

/// What `metadata` of a list may have: a version and where the next page is.
const MAX_METADATA_BYTES: usize = 64 << 10;
/// Keys of the outermost object; those that matter are short.
const MAX_KEY_BYTES: usize = 16;
/// What is kept for the next item after a large one.
const USUAL_BYTES: usize = 64 << 10;

/// A part of a list.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Part<'a> {
    Metadata(&'a [u8]),
    Item(&'a [u8]),
    /// It was longer than the ceiling, and is passed over.
    TooLong,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// In the outermost object, where keys are.
    Keys,
    /// In a value that nobody wants.
    Other,
    Metadata,
    /// Behind `"items":`.
    BeforeItems,
    Items,
}

/// Takes a list apart.
#[derive(Debug)]
pub(crate) struct Items {
    place: Place,
    depth: u32,
    in_string: bool,
    is_escaped: bool,
    key: Vec<u8>,
    begun: Vec<u8>,
    is_too_long: bool,
    max_bytes: usize,
    has_items: bool,
    has_ended: bool,
}

impl Items {
    pub fn new(max_bytes: usize) -> Self {
        Self {
            place: Place::Keys,
            depth: 0,
            in_string: false,
            is_escaped: false,
            key: Vec::new(),
            begun: Vec::new(),
            is_too_long: false,
            max_bytes,
            has_items: false,
            has_ended: false,
        }
    }

    /// The list is whole, and it was one.
    pub fn is_whole(&self) -> bool {
        self.has_ended && self.has_items
    }

    /// Takes in the next bytes and gives each part that ends in them.
    pub fn feed<E>(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for byte in bytes {
            if self.has_ended {
                return Ok(());
            }
            self.step(*byte, &mut take)?;
        }
        Ok(())
    }

    fn step<E>(
        &mut self,
        byte: u8,
        take: &mut impl FnMut(Part<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let was_in_string = self.in_string;
        self.count_nesting(byte);
        let is_plain = !was_in_string && !self.in_string;
        // The end of a value at depth 1 is a comma, or the end of the list itself.
        let ends_value = is_plain && ((byte == b',' && self.depth == 1) || self.depth == 0);
        match self.place {
            Place::Keys => self.step_in_keys(byte, was_in_string, is_plain),
            Place::BeforeItems if byte == b'[' => {
                (self.place, self.has_items) = (Place::Items, true)
            }
            Place::BeforeItems if byte.is_ascii_whitespace() => {}
            Place::BeforeItems => {
                // An empty list may be null.
                self.has_items = byte == b'n';
                self.place = Place::Other;
            }
            Place::Other if ends_value => self.place = Place::Keys,
            Place::Other => {}
            Place::Metadata if ends_value => {
                self.place = Place::Keys;
                self.give(take, |bytes| Part::Metadata(bytes))?;
            }
            Place::Metadata => self.push(byte, MAX_METADATA_BYTES),
            Place::Items if is_plain && byte == b',' && self.depth == 2 => {
                self.give(take, |bytes| Part::Item(bytes))?;
            }
            Place::Items if is_plain && self.depth == 1 => {
                self.place = Place::Other;
                self.give(take, |bytes| Part::Item(bytes))?;
            }
            Place::Items => self.push(byte, self.max_bytes),
        }
        Ok(())
    }

    fn count_nesting(&mut self, byte: u8) {
        if self.in_string {
            match byte {
                _ if self.is_escaped => self.is_escaped = false,
                b'\\' => self.is_escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth = self.depth.saturating_add(1),
            b'}' | b']' => {
                self.depth = self.depth.saturating_sub(1);
                self.has_ended = self.depth == 0;
            }
            _ => {}
        }
    }

    fn step_in_keys(&mut self, byte: u8, was_in_string: bool, is_plain: bool) {
        if !was_in_string && self.in_string {
            self.key.clear();
        } else if self.in_string && self.key.len() < MAX_KEY_BYTES {
            self.key.push(byte);
        } else if is_plain && byte == b':' {
            self.place = match self.key.as_slice() {
                b"items" => Place::BeforeItems,
                b"metadata" => Place::Metadata,
                _ => Place::Other,
            };
        }
    }

    fn push(&mut self, byte: u8, max_bytes: usize) {
        if self.begun.len() >= max_bytes {
            self.is_too_long = true;
            self.begun = Vec::new();
            return;
        }
        let is_before = self.begun.is_empty() && byte.is_ascii_whitespace();
        if !self.is_too_long && !is_before {
            self.begun.push(byte);
        }
    }

    fn give<E>(
        &mut self,
        take: &mut impl FnMut(Part<'_>) -> Result<(), E>,
        part: impl for<'a> FnOnce(&'a [u8]) -> Part<'a>,
    ) -> Result<(), E> {
        let taken = if std::mem::take(&mut self.is_too_long) {
            take(Part::TooLong)
        } else if self.begun.is_empty() {
            Ok(())
        } else {
            take(part(&self.begun))
        };
        self.begun.clear();
        self.begun.shrink_to(USUAL_BYTES);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts(input: &str, step: usize) -> (Vec<String>, bool) {
        let mut items = Items::new(32);
        let mut out = Vec::new();
        for chunk in input.as_bytes().chunks(step) {
            let taken = items.feed(chunk, |part| {
                out.push(match part {
                    Part::Metadata(bytes) => format!("metadata {}", String::from_utf8_lossy(bytes)),
                    Part::Item(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    Part::TooLong => "(too long)".to_owned(),
                });
                Ok::<_, ()>(())
            });
            assert_eq!(taken, Ok(()));
        }
        (out, items.is_whole())
    }

    #[test]
    fn a_list_comes_apart_the_same_wherever_it_is_cut() {
        let list = r#" { "kind":"L,{", "metadata" : {"a":["}"]}, "other":[{"items":[1]}],
            "items": [ {"n":"a\"]}"},{"n":[[]]} , 7, {"n":"123456789012345678901234567890"},
            {"last":{}}] , "more":true }  {"items":[{}]}"#;
        let expected = [
            r#"metadata {"a":["}"]}"#,
            r#"{"n":"a\"]}"}"#,
            r#"{"n":[[]]} "#,
            "7",
            "(too long)",
            r#"{"last":{}}"#,
        ];
        for step in 1..40 {
            let (parts, is_whole) = parts(list, step);
            assert_eq!(parts, expected, "{step}");
            assert!(is_whole);
        }
    }

    #[test]
    fn an_empty_list_is_one_and_a_cut_or_another_object_is_none() {
        for (input, expected) in [
            (r#"{"metadata":{},"items":[]}"#, true),
            (r#"{"items":null,"metadata":{}}"#, true),
            (r#"{"items":[{}"#, false),
            (r#"{"items":[{}]"#, false),
            (r#"{"items":5}"#, false),
            (r#"{"kind":"Status","status":"Success"}"#, false),
            ("<html>{}", false),
            ("[]", false),
            ("]}]}{", false),
            ("", false),
        ] {
            assert_eq!(parts(input, 1).1, expected, "{input}");
        }
    }

    #[test]
    fn an_item_without_end_keeps_nothing() {
        let mut items = Items::new(1000);
        let fail = |_: Part<'_>| Err("a part");
        assert_eq!(items.feed(br#"{"items":[{""#, fail), Ok(()));
        for _ in 0..100 {
            assert_eq!(items.feed(&[b'x'; 1000], fail), Ok(()));
            assert!(items.begun.capacity() <= 2048);
        }
    }
}
