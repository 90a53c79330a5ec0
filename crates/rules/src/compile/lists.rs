//! Lists, with the lists that they are made of put in.

use std::sync::Arc;

use super::{Building, Compiler};
use crate::condition::Word;
use crate::diagnostic::{Code, nearest};
use crate::source::Place;
use crate::text::Text;

/// Items of a list with all others put in.
const MAX_ITEMS: usize = 1_000_000;

/// A value, and where it is written.
#[derive(Debug, Clone)]
pub(super) struct ListEntry {
    pub text: String,
    pub place: Place,
}

impl Compiler<'_> {
    /// Words of a list as written in a condition; those that name lists stand for their items.
    pub(super) fn entries(
        &mut self,
        words: &[Word],
        building: &mut Building<'_>,
    ) -> Vec<ListEntry> {
        let mut entries = Vec::new();
        for word in words {
            let place = self.place(building, word.span);
            self.entry(word.text.clone(), place, building, &mut entries);
        }
        entries
    }

    /// A word that may name a list.
    pub(super) fn entry(
        &mut self,
        text: String,
        place: Place,
        building: &mut Building<'_>,
        entries: &mut Vec<ListEntry>,
    ) {
        match self.definitions.lists.index(&text) {
            Some(index) => {
                let list = self.list(index, &place, building, &mut Vec::new());
                entries.extend(list.iter().cloned());
            }
            None => entries.push(ListEntry { text, place }),
        }
    }

    /// The list of a name.
    pub(super) fn list_of_name(
        &mut self,
        name: &Word,
        building: &mut Building<'_>,
    ) -> Option<Vec<ListEntry>> {
        let place = self.place(building, name.span);
        if let Some(index) = self.definitions.lists.index(&name.text) {
            return Some(self.list(index, &place, building, &mut Vec::new()).to_vec());
        }
        let hint = nearest(&name.text, self.definitions.lists.names());
        let hint = match hint {
            Some(known) => format!("did you mean {known}?"),
            None => format!("for a list of one value: ({})", name.text),
        };
        let message = format!("there is no list {}", name.text);
        let error = self.reporter.error(Code::UnknownList, &place, message);
        building.built.issues.push(error.hint(hint));
        None
    }

    fn list(
        &mut self,
        index: usize,
        used: &Place,
        building: &mut Building<'_>,
        within: &mut Vec<usize>,
    ) -> Arc<[ListEntry]> {
        let Some(list) = self.definitions.lists.at(index) else { return Arc::new([]) };
        let name = list.name.as_str();
        if within.contains(&index) || within.len() > 100 {
            let message = format!("the list {name} is made of itself");
            building.built.issues.push(self.reporter.error(Code::RecursiveList, used, message));
            return Arc::new([]);
        }
        if list.defined > building.changed {
            let defined = self.reporter.sources.spell(&list.name.place());
            let message = format!("the list {name} is defined only after this");
            let error = self.reporter.error(Code::UnknownList, used, message);
            building.built.issues.push(error.hint(format!("at {defined}: move it before")));
        }
        if let Some(known) = self.lists.get(&index) {
            return known.clone();
        }
        within.push(index);
        let mut entries = Vec::new();
        for item in &list.items {
            let text = unquoted(item);
            match self.definitions.lists.index(&text) {
                Some(inner) => {
                    entries.extend_from_slice(&self.list(inner, &item.place(), building, within));
                }
                None => entries.push(ListEntry { text, place: item.place() }),
            }
            if entries.len() > MAX_ITEMS {
                let message = format!("more than {MAX_ITEMS} items with all lists put in");
                building.built.issues.push(self.reporter.error(Code::TooLarge, used, message));
                entries.clear();
                break;
            }
        }
        within.pop();
        let entries: Arc<[ListEntry]> = entries.into();
        self.lists.insert(index, entries.clone());
        entries
    }
}

/// An item without the quotes that it has within those of YAML.
pub(super) fn unquoted(item: &Text) -> String {
    let text = item.as_str();
    let inner =
        ['"', '\''].iter().find_map(|quote| text.strip_prefix(*quote)?.strip_suffix(*quote));
    inner.unwrap_or(text).to_owned()
}
