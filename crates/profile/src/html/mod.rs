//! A profile as one page: the flame graph by thread, process, container, pod or node, and the table of functions.
//!
//! All data lies in the page as JSON, and the page may ask for nothing from anywhere: its policy forbids it.
//! Stacks that weigh too little for a page are one grey frame below their parent, as in the picture.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write};

use foldhash::fast::RandomState;
use serde_json::{Value, json};

use crate::frame::Kind;
use crate::interner::Interner;
use crate::owner::{Grouping, OwnerId};
use crate::profile::Profile;
use crate::text::{push_visible, push_xml};
use crate::tree::Tree;
use crate::{color, summary, units};

const SCRIPT: &str = include_str!("page.js");
const STYLE: &str = include_str!("page.css");

/// No name is longer in the page.
const MAX_NAME_CHARS: usize = 2000;

/// What is shown first, and how much there is.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Its title.
    pub title: String,
    /// Whose stacks are apart at first.
    pub grouping: Grouping,
    /// Index of the value that is shown at first.
    pub value: usize,
    /// Not more frames than these are in the page.
    pub max_frames: usize,
}

/// Frames in a page, unless another number is asked for.
pub const MAX_FRAMES: usize = 200_000;

/// Writes the page.
///
/// # Errors
/// When it cannot be written.
pub fn write(profile: &Profile, options: &Options, out: &mut dyn Write) -> io::Result<()> {
    let mut title = String::new();
    push_visible(&mut title, &options.title, 400);
    let mut escaped_title = String::new();
    push_xml(&mut escaped_title, &title);
    write!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>{escaped_title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <noscript>This page draws itself with a script. A picture that needs none: chandra profile \
         convert IN -o OUT.svg</noscript>\n<script type=\"application/json\" id=\"data\">"
    )?;
    let data = serde_json::to_string(&data(profile, &title, options))?;
    out.write_all(data_in_page(&data).as_bytes())?;
    write!(out, "</script>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n")
}

/// JSON that no parser of HTML can take for anything else: there is no `<`, `>` or `&` outside of strings.
fn data_in_page(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

fn data(profile: &Profile, title: &str, options: &Options) -> Value {
    // Each owner apart for now: the page groups them.
    let all_values: Vec<usize> = (0..profile.value_types().len()).collect();
    let (tree, stacks) = Tree::with_stacks(profile, Grouping::None, &all_values);
    let pruned = Pruned::new(&tree, options);
    let labels: Vec<Value> = (tree.labels().iter())
        .map(|label| {
            let visible = |text: &str| {
                let mut out = String::new();
                push_visible(&mut out, text, MAX_NAME_CHARS);
                out
            };
            let color = color::of(label);
            json!([
                visible(&label.name),
                visible(&label.module),
                label.kind.word(),
                color::text(&color)
            ])
        })
        .chain([json!([REST, "", Kind::Marker.word(), color::text(&color::GREY)])])
        .collect();
    let mut owners = Owners::default();
    let mut samples: HashMap<(u32, u32), Vec<u64>, RandomState> = HashMap::default();
    for sample in profile.samples() {
        let node = pruned.number(stacks.get(sample.stack.index()).copied().unwrap_or(0));
        let owner = owners.number(profile, sample.owner);
        let sums = samples.entry((node, owner)).or_insert_with(|| vec![0; all_values.len()]);
        for (sum, value) in sums.iter_mut().zip(sample.values) {
            *sum = sum.saturating_add(*value);
        }
    }
    let mut samples: Vec<_> = samples.into_iter().collect();
    samples.sort_by_key(|(key, _)| *key);
    let values = all_values.iter().map(|value| -> Vec<u64> {
        samples.iter().map(|(_, sums)| sums.get(*value).copied().unwrap_or(0)).collect()
    });
    json!({
        "title": title,
        "facts": summary::facts(profile),
        "types": profile.value_types().iter().map(|it| [&it.name, &it.unit]).collect::<Vec<_>>(),
        "type": options.value,
        "grouping": options.grouping.word(),
        "labels": labels,
        "parents": pruned.parents,
        "frames": pruned.labels,
        "owners": owners.groups(profile),
        "nodes": samples.iter().map(|(key, _)| key.0).collect::<Vec<_>>(),
        "whose": samples.iter().map(|(key, _)| key.1).collect::<Vec<_>>(),
        "values": values.collect::<Vec<_>>(),
        "dropped": units::grouped(pruned.dropped as u64),
    })
}

/// What stands for frames that are not in the page.
const REST: &str = "[frames too small for this page]";

/// The heaviest nodes of a tree; the others are part of a rest below the nearest that is there.
struct Pruned {
    parents: Vec<u32>,
    labels: Vec<u32>,
    /// Where each node of the tree went.
    numbers: Vec<u32>,
    dropped: usize,
}

impl Pruned {
    fn new(tree: &Tree, options: &Options) -> Self {
        let rest_label = u32::try_from(tree.labels().len()).unwrap_or(u32::MAX);
        let weight = |node: u32| tree.total(node).get(options.value).copied().unwrap_or(0);
        let mut weights: Vec<u64> = (0..).zip(tree.nodes()).map(|(node, _)| weight(node)).collect();
        let too_many = weights.len() > options.max_frames;
        let threshold = if too_many {
            *weights.select_nth_unstable_by(options.max_frames, |one, other| other.cmp(one)).1
        } else {
            0
        };
        let mut pruned =
            Self { parents: Vec::new(), labels: Vec::new(), numbers: Vec::new(), dropped: 0 };
        let mut rests: HashMap<u32, u32, RandomState> = HashMap::default();
        let mut is_rest: Vec<bool> = Vec::new();
        for (index, node) in (0..).zip(tree.nodes()) {
            let parent = pruned.number(node.parent);
            let number = if is_rest.get(parent as usize).copied().unwrap_or(false) {
                pruned.dropped += 1;
                parent
            } else if index == 0 || !too_many || weight(index) > threshold {
                is_rest.push(false);
                pruned.push(parent, node.label)
            } else {
                pruned.dropped += 1;
                *rests.entry(parent).or_insert_with(|| {
                    is_rest.push(true);
                    pruned.push(parent, rest_label)
                })
            };
            pruned.numbers.push(number);
        }
        pruned
    }

    fn push(&mut self, parent: u32, label: u32) -> u32 {
        let number = u32::try_from(self.parents.len()).unwrap_or(u32::MAX);
        self.parents.push(parent);
        self.labels.push(label);
        number
    }

    fn number(&self, node: u32) -> u32 {
        self.numbers.get(node as usize).copied().unwrap_or(0)
    }
}

/// Owners that have samples.
#[derive(Default)]
struct Owners(Interner<OwnerId>);

impl Owners {
    fn number(&mut self, profile: &Profile, owner: OwnerId) -> u32 {
        self.0.intern(owner, profile.owners().len()).unwrap_or(0)
    }

    /// For each grouping that tells anything apart, the names of groups, and each owner's.
    fn groups(&self, profile: &Profile) -> BTreeMap<&'static str, Value> {
        let mut all = BTreeMap::new();
        for grouping in Grouping::ALL.into_iter().skip(1) {
            let mut groups: Vec<String> = Vec::new();
            let mut numbers = HashMap::new();
            let mut of = Vec::with_capacity(self.0.len());
            for owner in self.0.items() {
                let owner = profile.owner_of(*owner);
                let number = *numbers.entry(grouping.key(&owner)).or_insert_with(|| {
                    let mut visible = String::new();
                    let name = grouping.name(&owner, profile.texts());
                    push_visible(&mut visible, &name, MAX_NAME_CHARS);
                    groups.push(visible);
                    groups.len() - 1
                });
                of.push(number);
            }
            let is_known = numbers.keys().any(|key| *key != Default::default());
            if is_known {
                all.insert(grouping.word(), json!({ "names": groups, "of": of }));
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{MAX_FRAMES, Options, REST, write};
    use crate::folded;
    use crate::owner::{Grouping, Owner};
    use crate::profile::{Limits, Profile};

    fn page(profile: &Profile, max_frames: usize) -> String {
        let options =
            Options { title: "<t>".to_owned(), grouping: Grouping::None, value: 0, max_frames };
        let mut out = Vec::new();
        write(profile, &options, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn data(page: &str) -> Value {
        let (_, rest) = page.split_once("id=\"data\">").unwrap();
        serde_json::from_str(rest.split_once("</script>").unwrap().0).unwrap()
    }

    fn read(text: &str) -> Profile {
        folded::read(text.as_bytes(), Limits::default()).unwrap()
    }

    #[test]
    fn hostile_names_stay_in_their_strings() {
        let name = "</script><img src=x onerror=alert(1)><!--";
        let page = page(&read(&format!("main;{name} 1\n")), MAX_FRAMES);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(!page.contains("<img") && !page.contains("<!--") && !page.contains("<t>"));
        assert!(data(&page)["labels"].as_array().unwrap().iter().any(|label| label[0] == name));
    }

    #[test]
    fn the_page_may_ask_for_nothing() {
        let page = page(&read("main 1\n"), MAX_FRAMES);
        assert!(page.contains("default-src 'none'"));
        assert!(
            !page.contains("http")
                || page.matches("http").count() == page.matches("http-equiv").count()
        );
    }

    #[test]
    fn what_is_too_much_for_a_page_is_a_frame_and_sums_stay_right() {
        let mut text = "main;heavy 1000\n".to_owned();
        for number in 0..500 {
            text.push_str(&format!("main;light_{number};leaf 1\n"));
        }
        let data = data(&page(&read(&text), 10));
        let nodes = data["parents"].as_array().unwrap().len();
        assert!(nodes <= 20, "{nodes}");
        let values: u64 =
            data["values"][0].as_array().unwrap().iter().filter_map(Value::as_u64).sum();
        assert_eq!(values, 1500);
        let rest = data["labels"].as_array().unwrap().len() - 1;
        assert_eq!(data["labels"][rest][0], REST);
        assert!(data["frames"].as_array().unwrap().contains(&rest.into()));
    }

    #[test]
    fn only_groups_that_are_known_can_be_chosen() {
        let mut profile = read("main 1\n");
        let process = profile.text("nginx");
        let owner = profile.owner(Owner { pid: 7, process, ..Owner::default() });
        let stack = profile.stack(&[]);
        profile.add(stack, owner, None, &[5]).unwrap();
        let data = data(&page(&profile, MAX_FRAMES));
        let groups: Vec<_> = data["owners"].as_object().unwrap().keys().collect();
        assert_eq!(groups, ["process", "thread"]);
        assert_eq!(data["owners"]["process"]["names"][1], "nginx (7)");
    }
}
