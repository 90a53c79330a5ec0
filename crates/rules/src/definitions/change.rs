//! How an item changes a rule that is there.

use super::{Exception, Rule, way_of};
use crate::diagnostic::Code;
use crate::items::{ExceptionItem, RuleItem, Way};
use crate::reporter::Reporter;
use crate::text::Text;

/// `append: true`: condition, output, description, tags and exceptions are added.
pub(super) fn append(rule: &mut Rule, item: RuleItem, reporter: &mut Reporter<'_>) {
    if !is_of_source(rule, item.source.as_ref(), reporter) {
        return;
    }
    if item.condition.is_some() && !can_append_condition(rule, &item, reporter) {
        return;
    }
    let texts = [
        (&mut rule.condition, item.condition),
        (&mut rule.output, item.output),
        (&mut rule.desc, item.desc),
    ];
    for (known, more) in texts {
        if let Some(more) = more {
            known.append(&more);
        }
    }
    rule.tags.extend(item.tags.unwrap_or_default());
    add_exceptions(rule, item.exceptions.unwrap_or_default(), reporter);
}

/// `override:`: each key as it says.
pub(super) fn apply(rule: &mut Rule, item: RuleItem, reporter: &mut Reporter<'_>) {
    if !is_of_source(rule, item.source.as_ref(), reporter) {
        return;
    }
    let way = |key| way_of(&item.change, key);
    match way("condition") {
        Some(Way::Append) if !can_append_condition(rule, &item, reporter) => return,
        // From now on it is a condition of Falco's.
        Some(Way::Replace) => rule.sigma = None,
        _ => {}
    }
    let texts = [
        ("condition", &mut rule.condition, &item.condition),
        ("output", &mut rule.output, &item.output),
        ("desc", &mut rule.desc, &item.desc),
    ];
    for (key, known, given) in texts {
        match (way(key), given) {
            (Some(Way::Append), Some(given)) => known.append(given),
            (Some(Way::Replace), Some(given)) => *known = given.clone(),
            _ => {}
        }
    }
    let tags = item.tags.clone().unwrap_or_default();
    match way("tags") {
        Some(Way::Append) => rule.tags.extend(tags),
        Some(Way::Replace) => rule.tags = tags,
        None => {}
    }
    rule.priority = item.priority.filter(|_| way("priority").is_some()).unwrap_or(rule.priority);
    let flags = [
        ("enabled", &mut rule.enabled, item.enabled),
        ("warn_evttypes", &mut rule.warn_evttypes, item.warn_evttypes),
        ("skip-if-unknown-filter", &mut rule.skip_if_unknown_filter, item.skip_if_unknown_filter),
    ];
    for (key, known, given) in flags {
        *known = given.filter(|_| way(key).is_some()).unwrap_or(*known);
    }
    let exceptions = item.exceptions.clone().unwrap_or_default();
    match way("exceptions") {
        Some(Way::Append) => add_exceptions(rule, exceptions, reporter),
        Some(Way::Replace) => {
            rule.exceptions.clear();
            define_exceptions(rule, exceptions, reporter);
        }
        None => {}
    }
}

fn can_append_condition(rule: &Rule, item: &RuleItem, reporter: &mut Reporter<'_>) -> bool {
    if rule.sigma.is_some() {
        let place = item.condition.as_ref().map_or_else(|| item.name.place(), Text::place);
        let message = "nothing can be appended to the condition of a Sigma rule";
        let error = reporter.error(Code::Override, &place, message);
        reporter.put(error.hint("add `exceptions`, or replace the condition"));
    }
    rule.sigma.is_none()
}

fn is_of_source(rule: &Rule, source: Option<&Text>, reporter: &mut Reporter<'_>) -> bool {
    let Some(source) = source else { return true };
    let known = rule.source.as_ref().map_or("syscall", Text::as_str);
    let same = known == source.as_str();
    if !same {
        let message = format!("the rule's source is {known}, which cannot be changed");
        reporter.put(reporter.error(Code::Override, &source.place(), message));
    }
    same
}

/// The exceptions of a rule that has none yet.
pub(super) fn define_exceptions(
    rule: &mut Rule,
    items: Vec<ExceptionItem>,
    reporter: &mut Reporter<'_>,
) {
    for item in items {
        if let Some(known) = rule.exceptions.iter().find(|known| known.name == item.name) {
            let first = reporter.sources.spell(&known.name.place());
            let message = format!("there are two exceptions {:?}", item.name.as_str());
            let error = reporter.error(Code::Duplicate, &item.name.place(), message);
            reporter.put(error.hint(format!("the first is at {first}")));
        } else {
            define(rule, item, reporter);
        }
    }
}

fn define(rule: &mut Rule, item: ExceptionItem, reporter: &mut Reporter<'_>) {
    let ExceptionItem { name, fields, comps, values, place } = item;
    if fields.is_none() {
        reporter.put(reporter.error(Code::Exception, &place, "the exception has no fields"));
        return;
    }
    rule.exceptions.push(Exception { name, fields, comps, values, place });
}

/// Values for exceptions that are there, and others.
fn add_exceptions(rule: &mut Rule, items: Vec<ExceptionItem>, reporter: &mut Reporter<'_>) {
    for item in items {
        match rule.exceptions.iter_mut().find(|known| known.name == item.name) {
            None => define(rule, item, reporter),
            Some(_) if item.fields.is_some() || item.comps.is_some() => {
                let message = "an exception that is there can get values, no fields and no comps";
                reporter.put(reporter.error(Code::Exception, &item.place, message));
            }
            Some(known) => known.values.extend(item.values),
        }
    }
}
