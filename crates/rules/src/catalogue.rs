//! The fields that conditions and outputs can name, each listed once: its type, its argument, and the
//! events of which this build can answer it.
//!
//! Checks at load, docs/reference/rules-fields.md and `rules check` all come from these lists. A field that
//! no captured event answers is listed with [`EventTypes::NONE`], and [`reason`] says why: rules that use it
//! are refused by its name, because a field that is silently never there would make rules that never fire.
//! To answer one of them, write the events behind it and its value in [`adapter`](crate::adapter).

mod arguments;
mod container;
mod event;
mod event_type;
mod file;
mod kubernetes;
mod process;
mod raw;
mod reference;
mod thread;
mod unanswered;
mod user;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::evaluate::Argument;

pub(crate) use arguments::{MODE, Place, in_order, place, signal};
pub use container::ContainerField;
pub use event::EventField;
pub use event_type::{EventType, EventTypes};
pub use file::FileField;
pub use kubernetes::KubernetesField;
pub use process::ProcessField;
pub use raw::RawField;
pub use reference::render;
pub use thread::ThreadField;
pub use unanswered::reason;
pub use user::UserField;

/// What kind of values a field has, which decides what it can be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Type {
    /// Text: bytes that are meant to be read.
    Text,
    /// Any bytes.
    Bytes,
    /// A whole number.
    Number,
    /// True or false.
    Bool,
    /// An IP address.
    Address,
    /// An IP address, compared with networks.
    Network,
}

impl Type {
    /// Its word in documents and messages.
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Bytes => "bytes",
            Self::Number => "number",
            Self::Bool => "boolean",
            Self::Address => "IP address",
            Self::Network => "network",
        }
    }
}

/// What may stand in brackets behind a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing.
    Nothing,
    /// The number of an ancestor, 0 being the process itself; without it, each ancestor in turn.
    Ancestor,
    /// A name, without which there is no value.
    Name,
    /// A name, or nothing.
    MaybeName,
    /// The number of an ancestor, or a name that is looked for in each ancestor in turn; without it, each
    /// ancestor in turn.
    AncestorOrName,
    /// The place of an argument, from 0.
    Place,
    /// The number of a mount, or a path of it, which may be a pattern.
    Mount,
}

/// How many values a field has, and what that means for a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// One.
    One,
    /// Any number; a comparison holds if it holds with one of them.
    Any,
    /// Some ways to say one thing. They are the same as something if one of them is, and differ (`!=`)
    /// from it if all do.
    Either,
}

/// Which field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[allow(missing_docs, reason = "each is of the list with its name")]
pub enum FieldId {
    Event(EventField),
    Raw(RawField),
    Process(ProcessField),
    Thread(ThreadField),
    User(UserField),
    File(FileField),
    Container(ContainerField),
    Kubernetes(KubernetesField),
}

/// A field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldSpec {
    /// Which it is.
    pub id: FieldId,
    /// Its name in conditions: `proc.name`.
    pub name: &'static str,
    /// What its values are.
    pub value_type: Type,
    /// What may stand in brackets behind it.
    pub takes: Takes,
    /// How many values it has.
    pub values: Values,
    /// Of which events it can be answered.
    pub answered: EventTypes,
    /// One line for docs/reference/rules-fields.md.
    pub summary: &'static str,
}

impl FieldSpec {
    /// It may have several values with this argument.
    pub fn has_several(&self, argument: &Argument) -> bool {
        match self.values {
            Values::One => false,
            Values::Either => true,
            Values::Any => *argument == Argument::None,
        }
    }
}

/// Makes a list of fields: an enum, and a description of each variant.
///
/// A line is `Variant = name, type, what it takes, values, answered of, "summary";`.
macro_rules! fields {
    (
        $(#[$attribute:meta])*
        $name:ident in $group:ident {
            $($variant:ident = $field:literal, $type:ident, $takes:ident, $values:ident, $answered:expr,
                $summary:literal;)*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $(#[doc = $summary] $variant,)*
        }

        impl $name {
            /// All of them, in the order of the reference page.
            pub const SPECS: &'static [$crate::catalogue::FieldSpec] = &[
                $($crate::catalogue::FieldSpec {
                    id: $crate::catalogue::FieldId::$group($name::$variant),
                    name: $field,
                    value_type: $crate::catalogue::Type::$type,
                    takes: $crate::catalogue::Takes::$takes,
                    values: $crate::catalogue::Values::$values,
                    answered: $answered,
                    summary: $summary,
                },)*
            ];
        }
    };
}
use fields;

/// The lists, each with what it is about.
pub static GROUPS: [(&str, &[FieldSpec]); 8] = [
    ("Event", EventField::SPECS),
    ("Arguments as numbers", RawField::SPECS),
    ("Process", ProcessField::SPECS),
    ("Thread", ThreadField::SPECS),
    ("User and group", UserField::SPECS),
    ("File descriptor", FileField::SPECS),
    ("Container", ContainerField::SPECS),
    ("Kubernetes", KubernetesField::SPECS),
];

static BY_NAME: LazyLock<HashMap<&'static str, &'static FieldSpec>> =
    LazyLock::new(|| all().map(|spec| (spec.name, spec)).collect());

/// Every field.
pub fn all() -> impl Iterator<Item = &'static FieldSpec> {
    GROUPS.iter().flat_map(|(_, specs)| *specs)
}

/// The field of a name.
pub fn field(name: &str) -> Option<&'static FieldSpec> {
    BY_NAME.get(name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_summaries_fit_a_table() {
        assert_eq!(all().count(), BY_NAME.len());
        for spec in all() {
            assert!(
                !spec.summary.is_empty() && !spec.summary.contains(['|', '\n']),
                "{}",
                spec.name
            );
            assert!(!spec.summary.ends_with('.'), "{}", spec.name);
            assert!(spec.name.contains('.'), "{}", spec.name);
        }
    }

    /// Distinct condition fields of all of Falco's own rules.
    #[test]
    fn every_field_that_falco_s_rules_use_is_listed() {
        let used = "container.id container.image.repository container.privileged container.mount.dest \
            evt.arg.domain evt.arg.flags evt.arg.oldpath evt.arg.request evt.arg.target evt.arg.cmd \
            evt.arg.filename evt.arg.mode evt.arg.name evt.arg.newpath evt.arg.path evt.arg.uid evt.buffer \
            evt.is_open_exec evt.is_open_read evt.is_open_write evt.num evt.rawres evt.res evt.type \
            fd.connected fd.directory fd.filename fd.ip fd.l4proto fd.name fd.name_changed fd.nameraw \
            fd.net fd.num fd.sip.name fd.snet fd.sport fd.type fd.typechar fd.cip fd.cip.name fd.cnet \
            fd.port fd.rnet fd.sip fd.sockfamily k8s.ns.name k8s.pod.name proc.aname proc.args \
            proc.cmdline proc.cwd proc.duration proc.exe proc.exepath proc.is_exe_from_memfd \
            proc.is_exe_upper_layer proc.name proc.pcmdline proc.pexe proc.pname proc.tty proc.aexe \
            proc.env proc.is_vpgid_leader proc.vpid thread.cap_effective thread.cap_permitted user.name \
            user.uid user.loginuid proc.pexepath proc.aexepath proc.sname proc.exe_ino.ctime \
            proc.exe_ino.mtime proc.exe_ino.ctime_duration_proc_start group.gid group.name \
            user.loginname container.start_ts evt.args fd.lport fd.rport";
        for name in used.split_whitespace() {
            assert!(field(name).is_some(), "{name}");
        }
    }
}
