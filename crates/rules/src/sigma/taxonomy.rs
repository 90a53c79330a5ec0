//! Which events a log source stands for, and which values Sigma's fields have there.
//!
//! A category's events are said in the language of the engine's conditions. A field of Sigma's is one of the
//! engine's, by a name that the engine's catalogue has; fields of the catalogue itself, which have a dot in
//! their names, can be named in Sigma's rules as they are.

/// What a log source's category stands for.
#[derive(Debug)]
pub(crate) struct Category {
    /// As `logsource` has it.
    pub name: &'static str,
    /// Of which events it is, as a condition.
    pub condition: &'static str,
    /// Fields that words without a field are looked for in.
    pub searched: &'static [&'static str],
    /// What an alert says beside who did it.
    pub output: &'static str,
    pub summary: &'static str,
}

pub(super) const PROCESS_CREATION: &str = "process_creation";
pub(super) const NETWORK_CONNECTION: &str = "network_connection";
pub(super) const FILE_EVENT: &str = "file_event";

/// All that are supported.
pub(super) static CATEGORIES: [Category; 3] = [
    Category {
        name: PROCESS_CREATION,
        condition: "evt.type = execve",
        searched: &["Image", "CommandLine", "ParentImage", "ParentCommandLine", "User"],
        output: "cwd=%proc.cwd",
        summary: "A program is executed",
    },
    Category {
        name: NETWORK_CONNECTION,
        condition: "evt.type in (connect, accept) and fd.l4proto = tcp",
        searched: &["Image", "SourceIp", "DestinationIp", "DestinationHostname", "User"],
        output: "connection=%fd.name",
        summary: "A connection over TCP is opened, or accepted",
    },
    Category {
        name: FILE_EVENT,
        // Creation and overwriting, as Sysmon has it: an open that may make or does cut the file.
        condition: "evt.type = openat and evt.failed = false and (evt.is_open_create = true or \
                    evt.is_open_write = true and \
                    (evt.arg.flags contains O_CREAT or evt.arg.flags contains O_TRUNC))",
        searched: &["Image", "TargetFilename", "User"],
        output: "file=%fd.name",
        summary: "A file is opened for writing in a way that makes it (`O_CREAT`) or cuts it (`O_TRUNC`)",
    },
];

pub(super) fn category(name: &str) -> Option<&'static Category> {
    CATEGORIES.iter().find(|category| category.name == name)
}

/// What a field of Sigma's is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Means {
    /// This field of the engine's.
    Field(&'static str),
    /// This field of the engine's, without the slash at its end.
    WithoutSlash(&'static str),
    /// True where this field of the engine's is false.
    Opposite(&'static str),
    /// Nothing: no program of Linux has it.
    Nothing,
}

/// A field of Sigma's.
#[derive(Debug)]
pub(super) struct SigmaField {
    pub name: &'static str,
    /// The categories that have it; none: all.
    pub of: &'static [&'static str],
    pub means: Means,
    pub summary: &'static str,
}

const fn field(name: &'static str, means: Means, summary: &'static str) -> SigmaField {
    SigmaField { name, of: &[], means, summary }
}

const fn of(
    of: &'static [&'static str],
    name: &'static str,
    means: Means,
    summary: &'static str,
) -> SigmaField {
    SigmaField { name, of, means, summary }
}

const NETWORK: &[&str] = &[NETWORK_CONNECTION];
const FILE: &[&str] = &[FILE_EVENT];
const OF_WINDOWS: &str =
    "Of executables of Windows only: it has no value, so that nothing but `null` holds of it";

/// All that are known. A name means the same in all categories that have it.
pub(super) static FIELDS: &[SigmaField] = &[
    field(
        "Image",
        Means::Field("proc.image"),
        "Path of the file that really runs, links resolved; also the path by which it was executed, of a script its own. One of them has to hold",
    ),
    field("CommandLine", Means::Field("proc.exeline"), "Arguments with the first, blanks between"),
    field(
        "CurrentDirectory",
        Means::WithoutSlash("proc.cwd"),
        "Working directory when it was executed",
    ),
    field("User", Means::Field("user.name"), "Name of the user whose rights it has"),
    field(
        "LogonId",
        Means::Field("user.uid"),
        "Number of that user, which Sysmon for Linux has there",
    ),
    field("ProcessId", Means::Field("proc.pid"), "Process id"),
    field("ParentImage", Means::Field("proc.pimage"), "`Image` of the parent"),
    field("ParentCommandLine", Means::Field("proc.pexeline"), "`CommandLine` of the parent"),
    field("ParentProcessId", Means::Field("proc.ppid"), "Process id of the parent"),
    field("Computer", Means::Field("evt.hostname"), "Name of the node"),
    field("OriginalFileName", Means::Nothing, OF_WINDOWS),
    field("Product", Means::Nothing, OF_WINDOWS),
    field("Company", Means::Nothing, OF_WINDOWS),
    field("Description", Means::Nothing, OF_WINDOWS),
    field("FileVersion", Means::Nothing, OF_WINDOWS),
    of(
        NETWORK,
        "Initiated",
        Means::Opposite("fd.is_server"),
        "`true` for a connection that was opened here",
    ),
    of(NETWORK, "Protocol", Means::Field("fd.l4proto"), "`tcp`"),
    of(NETWORK, "SourceIp", Means::Field("fd.cip"), "Address of who opened it"),
    of(NETWORK, "SourcePort", Means::Field("fd.cport"), "Port of who opened it"),
    of(
        NETWORK,
        "SourceHostname",
        Means::Field("fd.cip.name"),
        "Name that was resolved to `SourceIp`",
    ),
    of(NETWORK, "DestinationIp", Means::Field("fd.sip"), "Address of who accepts it"),
    of(NETWORK, "DestinationPort", Means::Field("fd.sport"), "Port of who accepts it"),
    of(
        NETWORK,
        "DestinationHostname",
        Means::Field("fd.sip.name"),
        "Name that was resolved to `DestinationIp`",
    ),
    of(FILE, "TargetFilename", Means::Field("fd.name"), "Path of the file, links resolved"),
];

pub(super) fn sigma_field(name: &str) -> Option<&'static SigmaField> {
    FIELDS.iter().find(|field| field.name == name)
}

impl SigmaField {
    pub fn is_of(&self, category: &Category) -> bool {
        self.of.is_empty() || self.of.contains(&category.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn fields_mean_what_the_catalogue_has() {
        for (index, one) in FIELDS.iter().enumerate() {
            let before = FIELDS.get(..index).unwrap_or_default();
            assert!(before.iter().all(|other| other.name != one.name), "{}", one.name);
            assert!(!one.name.contains('.'), "{}", one.name);
            let (Means::Field(name) | Means::WithoutSlash(name) | Means::Opposite(name)) =
                one.means
            else {
                continue;
            };
            let spec = catalogue::field(name).unwrap();
            assert!(!spec.answered.is_empty(), "{name} is answered");
        }
        for category in &CATEGORIES {
            crate::condition::parse(category.condition).unwrap();
            for name in category.searched {
                assert!(sigma_field(name).unwrap().is_of(category), "{name}");
            }
        }
    }
}
