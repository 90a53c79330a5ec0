//! `fd.*`, and what `evt.*` says of opens.
//!
//! Opens are told as `openat`, whichever call it was. What could not be opened is told as Falco tells it,
//! because rules about failed opens are written so: `fd.num` is -1 and `fd.typechar` is `f`.

use chandra_event::file::{FileOpen, FileType};
use chandra_event::system_call::SystemCall;

use super::{Happening, RecordFacts};
use crate::catalogue::{self, EventField, EventType, EventTypes, FileField};
use crate::evaluate::{PathPart, Value, is_normal, part};

/// Bits of a mode that let somebody execute.
const EXECUTABLE: u32 = 0o111;
const NO_DESCRIPTOR: i64 = -1;

impl<'r> RecordFacts<'r> {
    pub(super) fn file_value(&self, field: FileField) -> Value<'r> {
        match (self.happening, field) {
            (Happening::Call(call), FileField::Number) => match self.descriptor_field() {
                Some(field) => self.number_of_call(call, field),
                None => Value::Absent,
            },
            (Happening::Tcp(_) | Happening::Udp(_), _) => self.socket_value(field),
            (Happening::Open(open), _) => opened_value(open, field),
            (Happening::Call(call), _) => match (call.descriptor_type, call.descriptor_family) {
                (Some(FileType::Socket), Some("ipv4" | "ipv6")) if call.socket.is_some() => {
                    self.socket_value(field)
                }
                (Some(FileType::Socket), family) => other_socket_value(call, family, field),
                (Some(file_type), _) => descriptor_value(call, file_type, field),
                (None, _) => Value::Absent,
            },
            _ => Value::Absent,
        }
    }
}

impl RecordFacts<'_> {
    /// The argument that is the descriptor of what the call is about.
    fn descriptor_field(&self) -> Option<EventField> {
        let is_told = |field: &EventField| {
            let place = catalogue::place(self.event_type, *field);
            place.is_some_and(|place| place != catalogue::Place::Returned)
        };
        let is_about_it = EventTypes::CALLS.contains(self.event_type)
            && ![EventType::Setns, EventType::Shutdown].contains(&self.event_type);
        [EventField::ArgDescriptor, EventField::ArgOldDescriptor]
            .into_iter()
            .find(is_told)
            .filter(|_| is_about_it)
    }
}

/// Of a socket whose ends are no addresses.
fn other_socket_value<'r>(
    call: &'r SystemCall<'r>,
    family: Option<&'static str>,
    field: FileField,
) -> Value<'r> {
    use FileField as Of;
    let is_unix = family == Some("unix");
    match field {
        // Of the rare families it is not known what Falco calls them.
        Of::FileType => match family {
            Some(family @ ("ipv4" | "ipv6" | "unix" | "netlink")) => Value::Text(family.as_bytes()),
            _ => Value::Unknown,
        },
        Of::TypeCharacter if is_unix => Value::Text(b"u"),
        Of::Family if is_unix => Value::Text(b"unix"),
        // What it is bound to; where it is bound to nothing, what was asked for.
        Of::Name if is_unix => {
            let given = || call.path.map(|given| given.path);
            match call.descriptor_path.or_else(given) {
                Some(name) => path(name, call.path_truncated, PathPart::Whole),
                None => Value::Absent,
            }
        }
        Of::TypeCharacter | Of::Family | Of::Name if !is_unix => Value::Unknown,
        _ => Value::Absent,
    }
}

/// Of a file that a call's descriptor stands for.
fn descriptor_value<'r>(
    call: &'r SystemCall<'r>,
    file_type: FileType,
    field: FileField,
) -> Value<'r> {
    use FileField as Of;
    let is_pipe = file_type == FileType::Fifo;
    let (word, letter) = if is_pipe { (&b"pipe"[..], &b"p"[..]) } else { type_of(file_type) };
    let named = |part| match call.descriptor_path {
        Some(name) => path(name, call.path_truncated, part),
        // Files of the kernel's own have none.
        None => Value::Unknown,
    };
    match field {
        Of::FileType => Value::Text(word),
        Of::TypeCharacter => Value::Text(letter),
        Of::Name => named(PathPart::Whole),
        Of::Directory if file_type == FileType::Directory => named(PathPart::Whole),
        Of::Directory => named(PathPart::Directory),
        Of::FileName if file_type == FileType::Directory => Value::Absent,
        Of::FileName => named(PathPart::Name),
        _ => Value::Absent,
    }
}

fn opened_value<'r>(open: &'r FileOpen<'r>, field: FileField) -> Value<'r> {
    use FileField as Of;
    let file_type = open.opened.map_or(FileType::Regular, |opened| opened.file_type);
    let of_file = |of: fn(&chandra_event::file::Opened) -> u64| match &open.opened {
        Some(opened) => Value::number(of(opened)),
        None => Value::Absent,
    };
    match field {
        Of::Number => match (&open.opened, open.descriptor) {
            (None, _) => Value::Number(NO_DESCRIPTOR),
            (Some(_), Some(descriptor)) => Value::Number(descriptor.into()),
            (Some(_), None) => Value::NotNegative,
        },
        Of::FileType => Value::Text(type_of(file_type).0),
        Of::TypeCharacter => Value::Text(type_of(file_type).1),
        Of::Name => path(open.path, open.path_truncated, PathPart::Whole),
        Of::RawName => Value::Text(open.name),
        Of::Directory if file_type == FileType::Directory => {
            path(open.path, open.path_truncated, PathPart::Whole)
        }
        Of::Directory => path(open.path, open.path_truncated, PathPart::Directory),
        Of::FileName if file_type == FileType::Directory => Value::Absent,
        Of::FileName => path(open.path, open.path_truncated, PathPart::Name),
        Of::Device => of_file(|opened| u64::from(as_stat_has_it(opened.device))),
        Of::DeviceMajor => of_file(|opened| u64::from(opened.device >> 20)),
        Of::DeviceMinor => of_file(|opened| u64::from(opened.device & 0xf_ffff)),
        Of::Inode => of_file(|opened| opened.inode),
        // What is only of sockets; the rest is not answered, as the catalogue says.
        _ => Value::Absent,
    }
}

pub(super) fn open_value<'r>(open: &'r FileOpen<'r>, field: EventField) -> Value<'r> {
    use EventField as Of;
    match field {
        Of::IsOpenRead => Value::Bool(open.is_read()),
        Of::IsOpenWrite => Value::Bool(open.is_write()),
        // O_PATH makes nothing.
        Of::IsOpenExec => Value::Bool(
            (open.is_read() || open.is_write())
                && open.given_mode().is_some_and(|mode| mode & EXECUTABLE != 0),
        ),
        Of::IsOpenCreate => Value::Bool(open.opened.is_some_and(|opened| opened.is_created)),
        Of::ArgFlags => Value::OpenFlags(open.flags),
        // What it stands for is put together where it is known.
        Of::ArgDescriptor => match (open.error, open.descriptor) {
            (0, Some(descriptor)) => Value::Number(descriptor.into()),
            (0, None) => Value::NotNegative,
            (error, _) => Value::Number(-i64::from(error)),
        },
        Of::ArgMode => open.given_mode().map_or(Value::Absent, super::call::permissions),
        Of::ArgName | Of::ArgFileName | Of::ArgPath | Of::AbsolutePath => {
            path(open.path, open.path_truncated, PathPart::Whole)
        }
        // What is only of calls; the rest is not answered, as the catalogue says.
        _ => Value::Absent,
    }
}

/// A path that reads normal, or a part of it. Of one whose beginning is missing the end is known.
pub(super) fn path(path: &[u8], is_truncated: bool, wanted: PathPart) -> Value<'_> {
    match (path, wanted) {
        ([], _) => Value::Unknown,
        (_, PathPart::Name) if is_truncated && path.contains(&b'/') => {
            Value::Text(part(path, wanted))
        }
        _ if is_truncated => Value::Cut { head: b"", tail: part(path, wanted) },
        ([b'/', ..], _) if !is_normal(path) => Value::Path(path, wanted),
        _ => Value::Text(part(path, wanted)),
    }
}

/// As `fd.type` and `fd.typechar` have it: Falco tells files from directories, and devices are files.
fn type_of(file_type: FileType) -> (&'static [u8], &'static [u8]) {
    match file_type {
        FileType::Directory => (b"directory", b"d"),
        _ => (b"file", b"f"),
    }
}

/// A device as stat(2) has it in 32 bits (`new_encode_dev` of `linux/kdev_t.h`).
fn as_stat_has_it(device: u32) -> u32 {
    let (major, minor) = (device >> 20, device & 0xf_ffff);
    minor & 0xff | major << 8 | (minor & !0xff) << 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_numbered_as_stat_numbers_them() {
        // makedev(8, 1) and makedev(259, 300) of sys/sysmacros.h.
        assert_eq!(as_stat_has_it(8 << 20 | 1), 0x801);
        assert_eq!(as_stat_has_it(259 << 20 | 300), 0x11_032c);
    }

    #[test]
    fn of_a_path_without_its_beginning_the_end_is_known() {
        assert_eq!(path(b"/x/y", true, PathPart::Name), Value::Text(b"y"));
        assert_eq!(path(b"/x/y", true, PathPart::Directory), Value::Cut { head: b"", tail: b"/x" });
        assert_eq!(path(b"", false, PathPart::Whole), Value::Unknown);
        assert_eq!(path(b"relative/..", false, PathPart::Whole), Value::Text(b"relative/.."));
    }
}
