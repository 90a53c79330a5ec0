//! The tables that there are: each once, in a budget of bytes, found by the file that it was made of.
//!
//! A file is known by device, inode, change time and size, which only the kernel sets. Two files with the same
//! content (a library in many images) have equal tables, and those are kept once: they are compared, because
//! a build id is only a claim, and whoever lied with one would give others wrong stacks.
//!
//! Who loads a table elsewhere (into BPF) says so with [`Tables::acquire`] and [`Tables::release`]. When there is
//! no room, tables that nobody has are put out first, those that were not asked for the longest before others; then
//! those that somebody has: the owner is told which, and must unload them. All of it is counted.

use std::collections::{BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use crate::format::Table;

/// What one entry costs beside its cells.
const ENTRY_BYTES: usize = 256;

/// A file's content, as the kernel tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FileKey {
    /// `st_dev`.
    pub device: u64,
    /// `st_ino`.
    pub inode: u64,
    /// `st_ctim`, in nanoseconds.
    pub changed_ns: i64,
    /// `st_size`.
    pub bytes: u64,
}

/// The number of a table. Never used again for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TableId(pub u64);

/// What is known of a file.
#[derive(Clone, Debug)]
pub enum Known {
    /// Its table.
    Table(TableId, Arc<Table>),
    /// That it has none: frame pointers are all there is.
    None,
}

/// What became of a table that was brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inserted {
    /// Its number; `None` where it is larger than the budget.
    pub id: Option<TableId>,
    /// Tables that were put out to make room and that somebody had acquired.
    pub evicted: Vec<TableId>,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Figures {
    /// Bytes of tables and what is known beside them.
    pub bytes: usize,
    /// Tables.
    pub tables: usize,
    /// Files.
    pub files: usize,
    /// Files whose table was there already.
    pub shared: u64,
    /// Tables that were put out, and nobody had.
    pub evicted_unused: u64,
    /// Tables that were put out, and somebody had.
    pub evicted_used: u64,
    /// Tables that were larger than the budget.
    pub refused: u64,
}

/// Tables within a budget.
#[derive(Debug)]
pub struct Tables {
    budget_bytes: usize,
    files: HashMap<FileKey, Entry>,
    tables: HashMap<TableId, Kept>,
    /// Tables by a hash of their cells.
    equal: HashMap<u64, Vec<TableId>>,
    /// Everything that can be put out: whether somebody has it, when it was last asked for, what it is.
    order: BTreeSet<(bool, u64, Item)>,
    /// Counts questions: the time that matters here.
    now: u64,
    next: u64,
    figures: Figures,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    table: Option<TableId>,
    asked: u64,
}

#[derive(Debug)]
struct Kept {
    table: Arc<Table>,
    hash: u64,
    files: Vec<FileKey>,
    users: usize,
    asked: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Item {
    Table(TableId),
    /// A file without a table, by the parts of its key.
    File(u64, u64, i64, u64),
}

impl Item {
    fn of(file: &FileKey) -> Self {
        Self::File(file.device, file.inode, file.changed_ns, file.bytes)
    }
}

impl Tables {
    /// None yet, and never more than so many bytes.
    pub fn new(budget_bytes: usize) -> Self {
        Self {
            budget_bytes,
            files: HashMap::new(),
            tables: HashMap::new(),
            equal: HashMap::new(),
            order: BTreeSet::new(),
            now: 0,
            next: 0,
            figures: Figures::default(),
        }
    }

    /// What is known of a file; `None`, nothing yet.
    pub fn find(&mut self, file: &FileKey) -> Option<Known> {
        let entry = *self.files.get(file)?;
        self.touch(file, entry);
        let Some(id) = entry.table else { return Some(Known::None) };
        let kept = self.tables.get(&id)?;
        Some(Known::Table(id, kept.table.clone()))
    }

    /// Keeps a file's table, or that it has none. What was known of the file is forgotten.
    pub fn insert(&mut self, file: FileKey, table: Option<Table>) -> Inserted {
        self.forget(&file);
        let bytes = table.as_ref().map_or(0, Table::bytes);
        if bytes + 2 * ENTRY_BYTES > self.budget_bytes {
            self.figures.refused += 1;
            return Inserted::default();
        }
        self.now += 1;
        let id = table.map(|table| self.keep(table));
        if let Some(kept) = id.and_then(|id| self.tables.get_mut(&id)) {
            kept.files.push(file);
        }
        self.figures.bytes += ENTRY_BYTES;
        self.files.insert(file, Entry { table: id, asked: self.now });
        if id.is_none() {
            self.order.insert((false, self.now, Item::of(&file)));
        }
        Inserted { id, evicted: self.make_room(id) }
    }

    /// Somebody has loaded a table. `false`: it is not here any more.
    pub fn acquire(&mut self, id: TableId) -> bool {
        self.use_by(id, |users| users + 1)
    }

    /// Somebody has a table no more. `false`: it is not here any more.
    pub fn release(&mut self, id: TableId) -> bool {
        self.use_by(id, |users| users.saturating_sub(1))
    }

    /// What happened so far.
    pub fn figures(&self) -> Figures {
        Figures { tables: self.tables.len(), files: self.files.len(), ..self.figures }
    }

    fn use_by(&mut self, id: TableId, change: impl Fn(usize) -> usize) -> bool {
        let Some(kept) = self.tables.get_mut(&id) else { return false };
        self.order.remove(&(kept.users > 0, kept.asked, Item::Table(id)));
        kept.users = change(kept.users);
        self.order.insert((kept.users > 0, kept.asked, Item::Table(id)));
        true
    }

    fn touch(&mut self, file: &FileKey, entry: Entry) {
        self.now += 1;
        let (used, item, asked) =
            match entry.table.and_then(|id| Some((id, self.tables.get_mut(&id)?))) {
                Some((id, kept)) => {
                    let asked = std::mem::replace(&mut kept.asked, self.now);
                    (kept.users > 0, Item::Table(id), asked)
                }
                None => (false, Item::of(file), entry.asked),
            };
        self.order.remove(&(used, asked, item));
        self.order.insert((used, self.now, item));
        if let Some(entry) = self.files.get_mut(file) {
            entry.asked = self.now;
        }
    }

    /// The number of a table, or of one that is equal.
    fn keep(&mut self, table: Table) -> TableId {
        let mut hasher = DefaultHasher::new();
        table.cells().hash(&mut hasher);
        let hash = hasher.finish();
        let equal = self.equal.entry(hash).or_default();
        let is_equal = |id: &TableId| {
            self.tables.get(id).is_some_and(|kept| kept.table.cells() == table.cells())
        };
        let there = equal.iter().copied().find(is_equal);
        if let Some((id, kept)) = there.and_then(|id| Some((id, self.tables.get_mut(&id)?))) {
            self.figures.shared += 1;
            self.order.remove(&(kept.users > 0, kept.asked, Item::Table(id)));
            kept.asked = self.now;
            self.order.insert((kept.users > 0, kept.asked, Item::Table(id)));
            return id;
        }
        let id = TableId(self.next);
        self.next += 1;
        equal.push(id);
        self.figures.bytes += table.bytes() + ENTRY_BYTES;
        let kept =
            Kept { table: Arc::new(table), hash, files: Vec::new(), users: 0, asked: self.now };
        self.tables.insert(id, kept);
        self.order.insert((false, self.now, Item::Table(id)));
        id
    }

    /// Puts out what was not asked for the longest, but not the table that is `new`.
    fn make_room(&mut self, new: Option<TableId>) -> Vec<TableId> {
        let mut evicted = Vec::new();
        while self.figures.bytes > self.budget_bytes {
            let is_new = |item: &Item| new.is_some_and(|id| *item == Item::Table(id));
            let first = self.order.iter().find(|(_, _, item)| !is_new(item)).copied();
            match first {
                Some((used, _, Item::Table(id))) => {
                    self.drop_table(id);
                    self.figures.evicted_used += u64::from(used);
                    self.figures.evicted_unused += u64::from(!used);
                    evicted.extend(used.then_some(id));
                }
                Some((_, _, Item::File(device, inode, changed_ns, bytes))) => {
                    self.forget(&FileKey { device, inode, changed_ns, bytes });
                }
                // The new table alone, with too many files that share it.
                None => {
                    let oldest = new.and_then(|id| self.tables.get(&id)?.files.first().copied());
                    let Some(oldest) = oldest else { break };
                    self.forget(&oldest);
                }
            }
        }
        evicted
    }

    fn drop_table(&mut self, id: TableId) {
        let Some(kept) = self.tables.remove(&id) else { return };
        self.order.remove(&(kept.users > 0, kept.asked, Item::Table(id)));
        self.figures.bytes -= kept.table.bytes() + ENTRY_BYTES;
        for file in &kept.files {
            self.figures.bytes -= self.files.remove(file).map_or(0, |_| ENTRY_BYTES);
        }
        if let Some(equal) = self.equal.get_mut(&kept.hash) {
            equal.retain(|other| *other != id);
            if equal.is_empty() {
                self.equal.remove(&kept.hash);
            }
        }
    }

    /// A file is known no more. Its table stays until there is no room.
    fn forget(&mut self, file: &FileKey) {
        let Some(entry) = self.files.remove(file) else { return };
        self.figures.bytes -= ENTRY_BYTES;
        match entry.table.and_then(|id| self.tables.get_mut(&id)) {
            Some(kept) => kept.files.retain(|other| other != file),
            None => {
                self.order.remove(&(false, entry.asked, Item::of(file)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
