//! Items as YAML, from which reading makes the same items again.

use std::fmt;

use super::{Change, ExceptionItem, Item, OneOrMany, Plugin, RuleItem, ValueItem, Way};
use crate::text::Text;

impl fmt::Display for Item {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::List(list) => {
                writeln!(out, "- list: {}", Scalar(&list.name))?;
                if let Some(items) = &list.items {
                    writeln!(out, "  items: {}", Flow(items))?;
                }
                list.change.fmt(out)
            }
            Self::Macro(one) => {
                writeln!(out, "- macro: {}", Scalar(&one.name))?;
                if let Some(condition) = &one.condition {
                    writeln!(out, "  condition: {}", Scalar(condition))?;
                }
                one.change.fmt(out)
            }
            Self::Rule(rule) => rule.fmt(out),
            Self::EngineVersion(required) => {
                writeln!(out, "- required_engine_version: {}", required.version)
            }
            Self::PluginVersions(all) => {
                writeln!(out, "- required_plugin_versions:")?;
                all.iter().try_for_each(|alternatives| plugins(out, alternatives))
            }
        }
    }
}

fn plugins(out: &mut fmt::Formatter<'_>, all: &[Plugin]) -> fmt::Result {
    for (index, plugin) in all.iter().enumerate() {
        let indent = if index == 0 { "    " } else { "        " };
        if index == 1 {
            writeln!(out, "      alternatives:")?;
        }
        writeln!(out, "{indent}- name: {}", Scalar(&plugin.name))?;
        writeln!(out, "{indent}  version: {}", plugin.required.version)?;
    }
    Ok(())
}

impl fmt::Display for RuleItem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "- rule: {}", Scalar(&self.name))?;
        let texts = [
            ("desc", &self.desc),
            ("condition", &self.condition),
            ("output", &self.output),
            ("source", &self.source),
        ];
        for (key, text) in texts {
            if let Some(text) = text {
                writeln!(out, "  {key}: {}", Scalar(text))?;
            }
        }
        if let Some(priority) = self.priority {
            writeln!(out, "  priority: {priority}")?;
        }
        let flags = [
            ("enabled", self.enabled),
            ("warn_evttypes", self.warn_evttypes),
            ("skip-if-unknown-filter", self.skip_if_unknown_filter),
            ("capture", self.capture),
        ];
        for (key, flag) in flags {
            if let Some(flag) = flag {
                writeln!(out, "  {key}: {flag}")?;
            }
        }
        if let Some(duration) = self.capture_duration_ms {
            writeln!(out, "  capture_duration: {duration}")?;
        }
        if let Some(tags) = &self.tags {
            writeln!(out, "  tags: {}", Flow(tags))?;
        }
        if let Some(exceptions) = &self.exceptions {
            writeln!(out, "  exceptions:")?;
            exceptions.iter().try_for_each(|exception| exception.fmt(out))?;
        }
        self.change.fmt(out)
    }
}

impl fmt::Display for ExceptionItem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "    - name: {}", Scalar(&self.name))?;
        for (key, texts) in [("fields", &self.fields), ("comps", &self.comps)] {
            match texts {
                None => {}
                Some(OneOrMany::One(text)) => writeln!(out, "      {key}: {}", Scalar(text))?,
                Some(OneOrMany::Many(texts)) => writeln!(out, "      {key}: {}", Flow(texts))?,
            }
        }
        writeln!(out, "      values:")?;
        self.values.iter().try_for_each(|value| writeln!(out, "        - {value}"))
    }
}

impl fmt::Display for ValueItem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::One(text) => Scalar(text).fmt(out),
            Self::Many(values) => {
                out.write_str("[")?;
                for (index, value) in values.iter().enumerate() {
                    write!(out, "{}{value}", if index > 0 { ", " } else { "" })?;
                }
                out.write_str("]")
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Define => Ok(()),
            Self::Append => writeln!(out, "  append: true"),
            Self::Override(all) => {
                writeln!(out, "  override:{}", if all.is_empty() { " {}" } else { "" })?;
                for one in all {
                    let way = if one.way == Way::Append { "append" } else { "replace" };
                    writeln!(out, "    {}: {way}", one.key)?;
                }
                Ok(())
            }
        }
    }
}

/// A scalar in double quotes, on one line.
struct Scalar<'t>(&'t Text);

impl fmt::Display for Scalar<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("\"")?;
        for character in self.0.as_str().chars() {
            match character {
                '"' => out.write_str("\\\"")?,
                '\\' => out.write_str("\\\\")?,
                '\n' => out.write_str("\\n")?,
                '\t' => out.write_str("\\t")?,
                ' '..='~' => write!(out, "{character}")?,
                _ => write!(out, "\\U{:08x}", u32::from(character))?,
            }
        }
        out.write_str("\"")
    }
}

struct Flow<'t>(&'t [Text]);

impl fmt::Display for Flow<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[")?;
        for (index, text) in self.0.iter().enumerate() {
            write!(out, "{}{}", if index > 0 { ", " } else { "" }, Scalar(text))?;
        }
        out.write_str("]")
    }
}
