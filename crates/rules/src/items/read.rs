//! From the nodes of a file to its items.

use super::keys::{Keys, expected, missing, sequence};
use super::{
    Change, Item, ListItem, MacroItem, Override, Plugin, Required, RuleItem, Way, called, exception,
};
use crate::condition::is_name;
use crate::diagnostic::{Code, nearest};
use crate::reporter::Reporter;
use crate::source::SourceId;
use crate::text::Text;
use crate::version::Version;
use crate::yaml::{self, Content, Node};
use chandra_event::priority::Priority;

/// The documents of a source, if it is YAML.
pub(crate) fn documents(source: SourceId, reporter: &mut Reporter<'_>) -> Vec<Node> {
    let text = reporter.sources.get(source).map_or("", |source| source.text());
    yaml::read(source, text).unwrap_or_else(|error| {
        reporter.put(reporter.error(Code::Yaml, &error.place, error.message));
        Vec::new()
    })
}

/// The items of a document, as far as they can be read.
pub(crate) fn read(root: &Node, reporter: &mut Reporter<'_>) -> Vec<Item> {
    let nodes = sequence(root, "a rules file", reporter).unwrap_or_default();
    nodes.iter().filter_map(|node| item(node, reporter)).collect()
}

fn item(node: &Node, reporter: &mut Reporter<'_>) -> Option<Item> {
    let Content::Mapping(pairs) = &node.content else {
        expected(node, "an item", "a mapping", reporter);
        return None;
    };
    let mut keys = Keys::new(pairs, reporter);
    let item = if keys.has("required_engine_version") {
        engine_version(&mut keys, reporter)
    } else if keys.has("required_plugin_versions") {
        plugin_versions(&mut keys, reporter)
    } else if keys.has("list") {
        named("list", &mut keys, reporter, list)
    } else if keys.has("macro") {
        named("macro", &mut keys, reporter, macro_item)
    } else if keys.has("rule") {
        named("rule", &mut keys, reporter, rule)
    } else {
        let message =
            "expected rule, macro, list, required_engine_version or required_plugin_versions";
        reporter.put(reporter.error(Code::Key, &node.place, message));
        return None;
    };
    keys.finish(reporter);
    reporter.within = None;
    item
}

fn engine_version(keys: &mut Keys<'_>, reporter: &mut Reporter<'_>) -> Option<Item> {
    let text = keys.text("required_engine_version", reporter)?;
    let place = text.place();
    let Some(version) = Version::parse_engine(text.as_str()) else {
        let message = format!("{:?} is no version", text.as_str());
        let error = reporter.error(Code::Version, &place, message);
        reporter.put(error.hint("a whole number, or three with dots between: 0.57.0"));
        return None;
    };
    Some(Item::EngineVersion(Required { version, place }))
}

fn plugin_versions(keys: &mut Keys<'_>, reporter: &mut Reporter<'_>) -> Option<Item> {
    let node = keys.take("required_plugin_versions")?;
    let nodes = sequence(node, "required_plugin_versions", reporter)?;
    let plugins = nodes.iter().map(|node| {
        let mut alternatives = Vec::new();
        plugin(node, &mut alternatives, reporter);
        alternatives
    });
    Some(Item::PluginVersions(plugins.filter(|all| !all.is_empty()).collect()))
}

fn plugin(node: &Node, alternatives: &mut Vec<Plugin>, reporter: &mut Reporter<'_>) {
    let Content::Mapping(pairs) = &node.content else {
        return expected(node, "a plugin", "a mapping", reporter);
    };
    let mut keys = Keys::new(pairs, reporter);
    let (name, version) = (keys.text("name", reporter), keys.text("version", reporter));
    let others = keys.take("alternatives");
    keys.finish(reporter);
    let (Some(name), Some(version)) = (name, version) else {
        return missing("a plugin", "name and version", &node.place, reporter);
    };
    let place = version.place();
    match Version::parse(version.as_str()) {
        Some(version) => alternatives.push(Plugin { name, required: Required { version, place } }),
        None => {
            let message = format!("{:?} is no version", version.as_str());
            reporter.put(reporter.error(Code::Version, &place, message));
        }
    }
    if let Some(others) = others {
        for node in sequence(others, "alternatives", reporter).unwrap_or_default() {
            plugin(node, alternatives, reporter);
        }
    }
}

fn named(
    kind: &'static str,
    keys: &mut Keys<'_>,
    reporter: &mut Reporter<'_>,
    make: fn(Text, &mut Keys<'_>, &mut Reporter<'_>) -> Item,
) -> Option<Item> {
    let name = keys.text(kind, reporter)?;
    reporter.within = Some(called(kind, &name));
    if name.as_str().is_empty() {
        reporter.put(reporter.error(Code::Name, &name.place(), format!("a {kind} needs a name")));
        return None;
    }
    Some(make(name, keys, reporter))
}

fn list(name: Text, keys: &mut Keys<'_>, reporter: &mut Reporter<'_>) -> Item {
    let is_odd = |character: char| matches!(character, '(' | ')' | '"' | '\'' | '=' | ',');
    if name.as_str().contains(|character: char| is_odd(character) || character.is_whitespace()) {
        let message = "no condition can name this list: it has blanks, quotes or one of ( ) = ,";
        reporter.put(reporter.warning(Code::Name, &name.place(), message));
    }
    let items = keys.texts("items", reporter);
    let change = change(keys, &["items"], &["items"], reporter);
    if items.is_none() && change == Change::Define {
        missing("the list", "items", &name.place(), reporter);
    }
    Item::List(ListItem { name, items, change })
}

fn macro_item(name: Text, keys: &mut Keys<'_>, reporter: &mut Reporter<'_>) -> Item {
    if !is_name(name.as_str()) {
        let message = "no condition can name this macro: letters, digits and _, a letter first";
        reporter.put(reporter.error(Code::Name, &name.place(), message));
    }
    let condition = keys.text("condition", reporter);
    let change = change(keys, &["condition"], &["condition"], reporter);
    if condition.is_none() && change == Change::Define {
        missing("the macro", "condition", &name.place(), reporter);
    }
    Item::Macro(MacroItem { name, condition, change })
}

const APPENDABLE: [&str; 5] = ["condition", "output", "desc", "tags", "exceptions"];
const REPLACEABLE: [&str; 11] = [
    "condition",
    "output",
    "desc",
    "tags",
    "exceptions",
    "priority",
    "enabled",
    "warn_evttypes",
    "skip-if-unknown-filter",
    "capture",
    "capture_duration",
];

fn rule(name: Text, keys: &mut Keys<'_>, reporter: &mut Reporter<'_>) -> Item {
    let given: Vec<&str> = REPLACEABLE.into_iter().filter(|key| keys.has(key)).collect();
    let mut rule = RuleItem {
        condition: keys.text("condition", reporter),
        output: keys.text("output", reporter),
        desc: keys.text("desc", reporter),
        priority: priority(keys, reporter),
        source: keys.text("source", reporter),
        enabled: keys.flag("enabled", reporter),
        tags: keys.texts("tags", reporter),
        exceptions: keys.take("exceptions").map(|node| exception::read(node, reporter)),
        warn_evttypes: keys.flag("warn_evttypes", reporter),
        skip_if_unknown_filter: keys.flag("skip-if-unknown-filter", reporter),
        capture: keys.flag("capture", reporter),
        capture_duration_ms: keys.number("capture_duration", reporter),
        change: Change::Define,
        name,
    };
    for later in ["capture_events", "capture_filesize"] {
        let _ = keys.take(later);
    }
    rule.change = change(keys, &APPENDABLE, &REPLACEABLE, reporter);
    if let Change::Override(all) = &rule.change {
        for key in given.iter().filter(|key| !all.iter().any(|one| one.key == **key)) {
            let message = format!("{key} is given, but override does not say what to do with it");
            let error = reporter.error(Code::Override, &rule.name.place(), message);
            reporter.put(error.hint(format!("add `{key}: replace` below override")));
        }
        for one in all.iter().filter(|one| !given.contains(&one.key.as_str())) {
            let message = format!("override names {}, which is not given", one.key);
            reporter.put(reporter.error(Code::Override, &one.place, message));
        }
    }
    Item::Rule(Box::new(rule))
}

fn priority(keys: &mut Keys<'_>, reporter: &mut Reporter<'_>) -> Option<Priority> {
    let text = keys.text("priority", reporter)?;
    let priority = Priority::of_word(text.as_str());
    if priority.is_none() {
        let words = Priority::ALL.map(Priority::word);
        let message = format!("there is no priority {:?}", text.as_str());
        let word = text.as_str().to_ascii_lowercase();
        let lower = words.map(str::to_ascii_lowercase);
        let hint = match nearest(&word, lower.iter().map(String::as_str)) {
            Some(word) => format!("did you mean {word}?"),
            None => format!("one of {}", words.join(", ")),
        };
        reporter.put(reporter.error(Code::Priority, &text.place(), message).hint(hint));
    }
    priority
}

/// What `append` and `override` say.
fn change(
    keys: &mut Keys<'_>,
    appendable: &[&str],
    replaceable: &[&str],
    reporter: &mut Reporter<'_>,
) -> Change {
    let append = keys.take("append");
    let Some(node) = keys.take("override") else {
        let text = append.and_then(Node::scalar).map(|text| text.as_str().to_ascii_lowercase());
        return match text.as_deref() {
            Some("true" | "yes" | "on") => Change::Append,
            _ => Change::Define,
        };
    };
    if append.is_some() {
        let message = "append and override do not go together";
        reporter.put(reporter.error(Code::Override, &node.place, message));
    }
    let Content::Mapping(pairs) = &node.content else {
        expected(node, "override", "a mapping", reporter);
        return Change::Override(Vec::new());
    };
    let mut all = Vec::new();
    for (key, way) in pairs {
        let (Some(name), Some(word)) = (key.scalar(), way.scalar()) else {
            expected(way, "override", "a mapping of words", reporter);
            continue;
        };
        let (way, allowed) = match word.as_str() {
            "append" => (Way::Append, appendable),
            "replace" => (Way::Replace, replaceable),
            other => {
                let message = format!("override is append or replace, not {other:?}");
                reporter.put(reporter.error(Code::Override, &way.place, message));
                continue;
            }
        };
        if allowed.contains(&name.as_str()) {
            let (key, place) = (name.as_str().to_owned(), key.place.clone());
            all.push(Override { key, way, place });
        } else {
            let done = if way == Way::Append { "appended" } else { "replaced" };
            let message = format!("{} cannot be {done}", name.as_str());
            let error = reporter.error(Code::Override, &key.place, message);
            reporter.put(error.hint(format!("one of {}", allowed.join(", "))));
        }
    }
    Change::Override(all)
}
