//! The tree that is drawn: stacks merged by what their frames are called.
//!
//! A profile tells frames apart by line and address, a reader by name. Node 0 is the root, of everything; a
//! node's index is larger than its parent's, so that going backwards through them adds children up before
//! their parents. Each node has as many values as were asked for.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::frame::{FrameId, Kind};
use crate::interner::Interner;
use crate::owner::{Grouping, Owner};
use crate::profile::{Profile, StackId};
use crate::text::TextId;

/// What frames are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Label {
    /// The name.
    pub name: String,
    /// The module; empty if it is not known, or there is none.
    pub module: String,
    /// What kind of code it is.
    pub kind: Kind,
}

/// A node: a frame below the frames around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Node {
    /// Index of the node around it; that of the root is its own.
    pub parent: u32,
    /// Index of what it is called.
    pub label: u32,
}

/// Functions of the table: what is spent in them, and in them with all that they call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Index of what it is called.
    pub label: u32,
    /// In the function alone.
    pub own: u64,
    /// With what it calls; a stack counts once, however often the function is on it.
    pub total: u64,
}

/// Stacks merged by name.
#[derive(Debug, Clone)]
pub struct Tree {
    nodes: Vec<Node>,
    labels: Vec<Label>,
    /// How many values a node has.
    width: usize,
    own: Vec<u64>,
    totals: Vec<u64>,
    children: Vec<u32>,
    /// Where the children of each begin in `children`.
    starts: Vec<u32>,
}

impl Tree {
    /// Merges the stacks of a profile, grouped by whose they are; of the values those of these indexes.
    pub fn new(profile: &Profile, grouping: Grouping, values: &[usize]) -> Self {
        Self::with_stacks(profile, grouping, values).0
    }

    /// The same; with the node of each stack that has samples, by its index, where there is no grouping.
    pub(crate) fn with_stacks(
        profile: &Profile,
        grouping: Grouping,
        values: &[usize],
    ) -> (Self, Vec<u32>) {
        let mut builder = Builder::new(profile, grouping);
        let width = values.len();
        let mut own: Vec<u64> = Vec::new();
        for sample in profile.samples() {
            let group = builder.group(sample.owner.0);
            let node = builder.node(group, sample.stack) as usize;
            own.resize(builder.nodes.len() * width, 0);
            for (sum, index) in own.iter_mut().skip(node * width).zip(values) {
                *sum = sum.saturating_add(sample.values.get(*index).copied().unwrap_or(0));
            }
        }
        own.resize(builder.nodes.len() * width, 0);
        let stacks = std::mem::take(&mut builder.stacks);
        let (nodes, labels) = builder.finish();
        let mut tree = Self {
            totals: own.clone(),
            nodes,
            labels,
            width,
            own,
            children: Vec::new(),
            starts: Vec::new(),
        };
        tree.add_up();
        tree.order_children();
        (tree, stacks)
    }

    fn add_up(&mut self) {
        for (index, node) in self.nodes.iter().enumerate().skip(1).rev() {
            for which in 0..self.width {
                let child = self.totals.get(index * self.width + which).copied().unwrap_or(0);
                if let Some(sum) = self.totals.get_mut(node.parent as usize * self.width + which) {
                    *sum = sum.saturating_add(child);
                }
            }
        }
    }

    /// The largest first: of all values together, for a tree of two profiles.
    fn order_children(&mut self) {
        let weight = |index: u32| -> u128 {
            let start = index as usize * self.width;
            let values = self.totals.get(start..start + self.width).unwrap_or_default();
            values.iter().map(|value| u128::from(*value)).sum()
        };
        let mut order: Vec<u32> =
            (1..u32::try_from(self.nodes.len()).unwrap_or(u32::MAX)).collect();
        order.sort_by(|one, other| {
            let name = |index: u32| &self.label(index).name;
            let by_parent = self.parent(*one).cmp(&self.parent(*other));
            let by_weight = || weight(*other).cmp(&weight(*one));
            by_parent.then_with(by_weight).then_with(|| name(*one).cmp(name(*other)))
        });
        let mut starts = vec![0_u32; self.nodes.len() + 1];
        for node in self.nodes.iter().skip(1) {
            if let Some(count) = starts.get_mut(node.parent as usize + 1) {
                *count += 1;
            }
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        (self.children, self.starts) = (order, starts);
    }

    /// All nodes, parents before their children.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// What nodes are called.
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// What a node is called.
    pub fn label(&self, node: u32) -> &Label {
        static NONE: Label =
            Label { name: String::new(), module: String::new(), kind: Kind::Marker };
        let label = self.nodes.get(node as usize).map_or(u32::MAX, |node| node.label);
        self.labels.get(label as usize).unwrap_or(&NONE)
    }

    fn parent(&self, node: u32) -> u32 {
        self.nodes.get(node as usize).map_or(0, |node| node.parent)
    }

    /// The values of a node alone, without its children's.
    pub fn own(&self, node: u32) -> &[u64] {
        let start = node as usize * self.width;
        self.own.get(start..start + self.width).unwrap_or_default()
    }

    /// The values of a node with its children's.
    pub fn total(&self, node: u32) -> &[u64] {
        let start = node as usize * self.width;
        self.totals.get(start..start + self.width).unwrap_or_default()
    }

    /// The children of a node, the largest first.
    pub fn children(&self, node: u32) -> &[u32] {
        let at = |index: usize| self.starts.get(index).copied().unwrap_or(0) as usize;
        self.children.get(at(node as usize)..at(node as usize + 1)).unwrap_or_default()
    }

    /// Each function once, the most expensive first, by the value of this position.
    pub fn table(&self, value: usize) -> Vec<Row> {
        let mut rows: Vec<Row> =
            (0..).zip(&self.labels).map(|(label, _)| Row { label, own: 0, total: 0 }).collect();
        // How often each label is on the path to where the walk is.
        let mut on_path = vec![0_u32; self.labels.len()];
        let mut walk = vec![(0_u32, false)];
        while let Some((node, is_left)) = walk.pop() {
            let label = self.nodes.get(node as usize).map_or(0, |node| node.label) as usize;
            let (Some(row), Some(depth)) = (rows.get_mut(label), on_path.get_mut(label)) else {
                continue;
            };
            if is_left {
                *depth -= 1;
                continue;
            }
            row.own = row.own.saturating_add(self.own(node).get(value).copied().unwrap_or(0));
            if *depth == 0 {
                let total = self.total(node).get(value).copied().unwrap_or(0);
                row.total = row.total.saturating_add(total);
            }
            *depth += 1;
            walk.push((node, true));
            walk.extend(self.children(node).iter().rev().map(|child| (*child, false)));
        }
        let is_function = |row: &Row| {
            let kind = self.labels.get(row.label as usize).map(|label| label.kind);
            row.total > 0 && kind != Some(Kind::Owner)
        };
        rows.retain(is_function);
        rows.sort_by_key(|row| std::cmp::Reverse((row.own, row.total)));
        rows
    }
}

/// What tells labels apart: a function and its module, or a place where the function is not known; or a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum LabelKey {
    Root,
    Frame { function: TextId, module: TextId, kind: Kind, address: u64 },
    Group(Owner),
}

/// No tree has so many nodes.
const NOWHERE: u32 = u32::MAX;

struct Builder<'a> {
    profile: &'a Profile,
    grouping: Grouping,
    nodes: Interner<Node>,
    labels: Interner<LabelKey>,
    /// The label of each frame.
    frames: Vec<Option<u32>>,
    /// The node of each owner's group.
    groups: Vec<Option<u32>>,
    /// The node of each stack, where there are no groups; [`NOWHERE`] if it has none yet.
    stacks: Vec<u32>,
    /// The node of each stack in a group.
    grouped_stacks: HashMap<(u32, StackId), u32, RandomState>,
    path: Vec<(StackId, FrameId)>,
}

impl<'a> Builder<'a> {
    fn new(profile: &'a Profile, grouping: Grouping) -> Self {
        let mut builder = Self {
            profile,
            grouping,
            nodes: Interner::default(),
            labels: Interner::default(),
            frames: vec![None; profile.frames().len()],
            groups: vec![None; profile.owners().len()],
            stacks: vec![NOWHERE; profile.stack_count()],
            grouped_stacks: HashMap::default(),
            path: Vec::new(),
        };
        let label = intern(&mut builder.labels, LabelKey::Root);
        intern(&mut builder.nodes, Node { parent: 0, label });
        builder
    }

    fn group(&mut self, owner: u32) -> u32 {
        if self.grouping == Grouping::None {
            return 0;
        }
        if let Some(known) = self.groups.get(owner as usize).copied().flatten() {
            return known;
        }
        let key = self
            .grouping
            .key(&self.profile.owners().get(owner as usize).copied().unwrap_or_default());
        let label = intern(&mut self.labels, LabelKey::Group(key));
        let node = intern(&mut self.nodes, Node { parent: 0, label });
        if let Some(place) = self.groups.get_mut(owner as usize) {
            *place = Some(node);
        }
        node
    }

    /// Up to what is known already, and down again.
    fn node(&mut self, group: u32, stack: StackId) -> u32 {
        let mut at = stack;
        self.path.clear();
        let mut node = loop {
            if let Some(known) = self.known(group, at) {
                break known;
            }
            let Some((parent, frame)) = self.profile.split(at) else { break group };
            self.path.push((at, frame));
            at = parent;
        };
        while let Some((stack, frame)) = self.path.pop() {
            let label = self.label(frame);
            node = intern(&mut self.nodes, Node { parent: node, label });
            if group != 0 {
                self.grouped_stacks.insert((group, stack), node);
            } else if let Some(place) = self.stacks.get_mut(stack.index()) {
                *place = node;
            }
        }
        node
    }

    fn known(&self, group: u32, stack: StackId) -> Option<u32> {
        match group {
            0 => self.stacks.get(stack.index()).copied().filter(|node| *node != NOWHERE),
            group => self.grouped_stacks.get(&(group, stack)).copied(),
        }
    }

    fn label(&mut self, frame: FrameId) -> u32 {
        if let Some(known) = self.frames.get(frame.0 as usize).copied().flatten() {
            return known;
        }
        let it = self.profile.frame_of(frame);
        let address = if it.function == TextId::EMPTY { it.address } else { 0 };
        let key =
            LabelKey::Frame { function: it.function, module: it.module, kind: it.kind, address };
        let label = intern(&mut self.labels, key);
        if let Some(place) = self.frames.get_mut(frame.0 as usize) {
            *place = Some(label);
        }
        label
    }

    fn finish(self) -> (Vec<Node>, Vec<Label>) {
        let texts = self.profile.texts();
        let label = |key: &LabelKey| match *key {
            LabelKey::Root => {
                Label { name: "all".to_owned(), module: String::new(), kind: Kind::Owner }
            }
            LabelKey::Group(owner) => Label {
                name: self.grouping.name(&owner, texts),
                module: String::new(),
                kind: Kind::Owner,
            },
            LabelKey::Frame { function, module, kind, address } => {
                let frame = crate::frame::Frame { function, module, address, ..Default::default() };
                Label { name: frame.name(texts), module: texts.get(module).to_owned(), kind }
            }
        };
        (self.nodes.items().to_vec(), self.labels.items().iter().map(label).collect())
    }
}

/// A profile's limits keep trees far below what numbers can tell apart.
fn intern<T: Copy + Eq + std::hash::Hash>(items: &mut Interner<T>, item: T) -> u32 {
    items.intern(item, usize::MAX).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{Row, Tree};
    use crate::folded;
    use crate::owner::Grouping;
    use crate::profile::Limits;

    fn tree(text: &str) -> Tree {
        let profile = folded::read(text.as_bytes(), Limits::default()).unwrap();
        Tree::new(&profile, Grouping::None, &[0])
    }

    #[test]
    fn children_add_up_and_the_largest_is_first() {
        let tree = tree("main;a 1\nmain;b;c 5\nmain 2\nother 3\n");
        assert_eq!(tree.total(0), [11]);
        let names = |node| -> Vec<_> {
            let children = tree.children(node).iter();
            children.map(|child| (&*tree.label(*child).name, tree.total(*child)[0])).collect()
        };
        assert_eq!(names(0), [("main", 8), ("other", 3)]);
        assert_eq!(names(tree.children(0)[0]), [("b", 5), ("a", 1)]);
        assert_eq!(tree.own(tree.children(0)[0]), [2]);
    }

    #[test]
    fn a_function_that_calls_itself_counts_once() {
        let tree = tree("main;f;g;f 3\nmain;f 1\n");
        let row = |name: &str| {
            let rows = tree.table(0);
            rows.into_iter().find(|row| tree.labels()[row.label as usize].name == name).unwrap()
        };
        let Row { own, total, .. } = row("f");
        assert_eq!((own, total), (4, 4));
        let Row { own, total, .. } = row("g");
        assert_eq!((own, total), (0, 3));
    }
}
