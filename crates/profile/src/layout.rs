//! Where each frame of a tree is drawn, and which ones are too narrow to be.
//!
//! Positions are shares of the whole width. What is not drawn is never just left out: below each frame one box
//! stands for all of its children that are too narrow, as wide as they are together.

use crate::tree::Tree;

/// How much is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Frames of a smaller share of everything are not drawn.
    pub min_share: f64,
    /// Not more frames than these are drawn; beside each may be one box of what is not.
    pub max_frames: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A quarter of a pixel of 1,200.
        Self { min_share: 0.25 / 1200.0, max_frames: 20_000 }
    }
}

/// What a box shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// A frame.
    Node(u32),
    /// The children of a frame that are too narrow.
    Rest {
        /// How many.
        children: usize,
        /// Their values together.
        values: Vec<u64>,
    },
}

/// A box that is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Placed {
    /// What it shows.
    pub content: Content,
    /// Where it begins, from 0 to 1.
    pub x: f64,
    /// How wide it is.
    pub width: f64,
    /// How many boxes are around it.
    pub depth: usize,
}

/// Places the nodes of a tree, each as wide as `weight` says, parents before their children. A node weighs no
/// less than its children together.
pub fn place(tree: &Tree, weight: impl Fn(u32) -> f64, limits: Limits) -> Vec<Placed> {
    let all = weight(0);
    if all <= 0.0 {
        return Vec::new();
    }
    let threshold = threshold(tree, &weight, all, limits);
    let root = Placed { content: Content::Node(0), x: 0.0, width: 1.0, depth: 0 };
    let mut placed = Vec::new();
    let mut walk = vec![root];
    while let Some(it) = walk.pop() {
        if let Content::Node(node) = it.content {
            let mut below = Vec::new();
            let mut x = it.x;
            let (mut narrow, mut narrow_width, mut values) = (0, 0.0, Vec::new());
            for child in tree.children(node) {
                let width = weight(*child) / all;
                if weight(*child) > threshold {
                    let content = Content::Node(*child);
                    below.push(Placed { content, x, width, depth: it.depth + 1 });
                    x += width;
                } else if width > 0.0 {
                    narrow += 1;
                    narrow_width += width;
                    values.resize(tree.total(*child).len(), 0_u64);
                    for (sum, value) in values.iter_mut().zip(tree.total(*child)) {
                        *sum = sum.saturating_add(*value);
                    }
                }
            }
            if narrow > 0 {
                let content = Content::Rest { children: narrow, values };
                below.push(Placed { content, x, width: narrow_width, depth: it.depth + 1 });
            }
            walk.extend(below.into_iter().rev());
        }
        placed.push(it);
    }
    placed
}

/// The weight above which a node is drawn.
fn threshold(tree: &Tree, weight: impl Fn(u32) -> f64, all: f64, limits: Limits) -> f64 {
    let by_share = all * limits.min_share;
    let mut weights: Vec<f64> =
        (0..).zip(tree.nodes()).map(|(node, _)| weight(node)).filter(|it| *it > by_share).collect();
    if weights.len() <= limits.max_frames {
        return by_share;
    }
    let (_, first_too_many, _) =
        weights.select_nth_unstable_by(limits.max_frames, |one, other| other.total_cmp(one));
    *first_too_many
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::{Content, Limits, Placed, place};
    use crate::folded;
    use crate::owner::Grouping;
    use crate::profile;
    use crate::tree::Tree;

    fn tree(text: &str) -> Tree {
        let profile = folded::read(text.as_bytes(), profile::Limits::default()).unwrap();
        Tree::new(&profile, Grouping::None, &[0])
    }

    fn placed(tree: &Tree, limits: Limits) -> Vec<Placed> {
        place(tree, |node| tree.total(node)[0] as f64, limits)
    }

    #[test]
    fn children_lie_side_by_side_below_their_parent() {
        let tree = tree("main;a 1\nmain;b 2\nother 1\n");
        let boxes = placed(&tree, Limits::default());
        let shown: Vec<_> = boxes
            .iter()
            .map(|it| match it.content {
                Content::Node(node) => (&*tree.label(node).name, it.x, it.width, it.depth),
                Content::Rest { .. } => panic!("nothing is narrow"),
            })
            .collect();
        assert_eq!(
            shown,
            [
                ("all", 0.0, 1.0, 0),
                ("main", 0.0, 0.75, 1),
                ("b", 0.0, 0.5, 2),
                ("a", 0.5, 0.25, 2),
                ("other", 0.75, 0.25, 1),
            ]
        );
    }

    #[test]
    fn what_is_too_narrow_is_one_box_and_nothing_is_missing() {
        let mut text = "main;wide 9000\n".to_owned();
        for number in 0..1000 {
            writeln!(text, "main;narrow_{number};leaf 1").unwrap();
        }
        let tree = tree(&text);
        let limits = Limits { min_share: 0.001, max_frames: 100 };
        let boxes = placed(&tree, limits);
        assert_eq!(boxes.len(), 4);
        let rest = boxes.iter().find(|it| matches!(it.content, Content::Rest { .. })).unwrap();
        assert_eq!(rest.content, Content::Rest { children: 1000, values: vec![1000] });
        assert!((rest.width - 0.1).abs() < 1e-9 && (rest.x - 0.9).abs() < 1e-9);
    }

    #[test]
    fn there_are_never_too_many_boxes() {
        let mut text = String::new();
        for number in 0..5000 {
            writeln!(text, "main;f{};g{number} {}", number % 70, 1 + number % 3).unwrap();
        }
        let tree = tree(&text);
        let limits = Limits { min_share: 0.0, max_frames: 50 };
        let boxes = placed(&tree, limits);
        let frames = boxes.iter().filter(|it| matches!(it.content, Content::Node(_))).count();
        assert!(frames <= 50 && boxes.len() <= 100, "{frames} of {}", boxes.len());
        // What lies directly below a frame is as wide as the frame, for none of them has own time.
        let below: f64 = boxes.iter().filter(|it| it.depth == 2).map(|it| it.width).sum();
        assert!((below - 1.0).abs() < 1e-9, "{below}");
    }

    #[test]
    fn nothing_is_drawn_of_nothing() {
        assert_eq!(placed(&tree("main 0\n"), Limits::default()), []);
    }
}
