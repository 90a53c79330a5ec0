//! `evt.arg.*` of system calls: which call has which argument, and where.
//!
//! The catalogue's answered events and the adapter's values both come from this one table.

mod names;

use super::{EventField, EventType, EventTypes};
pub(crate) use names::MODE;
use names::Names;
use names::{AT, BPF, CLONE, FAMILY, MEMFD, MODULE, MOUNT, PTRACE, RENAME, UMOUNT, UNLINK};

/// Where an argument is, and how it reads. Numbers count from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The first or second path, absolute and normalised.
    Path(u8),
    /// The first path, as it was given.
    Given,
    /// A signed number of 32 bits.
    Number(u8),
    /// The number of a user or group, -1 for none.
    Id(u8),
    /// Bits with names.
    Flags(u8, Names),
    /// One of some names; of another, the number.
    Name(u8, Names),
}

/// What some calls call an argument.
struct Row {
    field: EventField,
    calls: &'static [EventType],
    place: Place,
}

const fn row(field: EventField, place: Place, calls: &'static [EventType]) -> Row {
    Row { field, calls, place }
}

use EventField::{
    AbsoluteDestination, AbsolutePath, AbsoluteSource, ArgCmd, ArgDevice, ArgDirectory, ArgDomain,
    ArgFileName, ArgFlags, ArgGid, ArgLinkDirectory, ArgLinkPath, ArgMode, ArgName, ArgNamespaces,
    ArgNewPath, ArgOldPath, ArgPath, ArgPathName, ArgPid, ArgRequest, ArgTarget, ArgUid,
};
use EventType::{
    Bpf, Chmod, Chown, Chroot, DeleteModule, Fchmod, Fchmodat, Fchmodat2, Fchown, Fchownat,
    FinitModule, Kill, Lchown, Link, Linkat, MemfdCreate, Mkdir, Mkdirat, Mknod, Mknodat, Mount,
    Ptrace, Rename, Renameat, Renameat2, Rmdir, Setgid, Setns, Setuid, Socket, Symlink, Symlinkat,
    Tgkill, Truncate, Umount2, Unlink, Unlinkat, Unshare,
};
use Place::{Flags, Given, Id, Name, Number, Path};

const RENAMES: &[EventType] = &[Rename, Renameat, Renameat2, Link, Linkat];

#[rustfmt::skip]
const TABLE: &[Row] = &[
    row(ArgCmd, Name(0, BPF), &[Bpf]),
    row(ArgDomain, Name(0, FAMILY), &[Socket]),
    row(ArgFileName, Path(0), &[Chmod, Fchmodat, Fchmodat2]),
    row(ArgFlags, Flags(0, CLONE), &[Unshare]),
    row(ArgFlags, Flags(1, CLONE), &[Setns]),
    row(ArgFlags, Flags(3, MOUNT), &[Mount]),
    row(ArgFlags, Flags(1, UMOUNT), &[Umount2]),
    row(ArgFlags, Flags(2, UNLINK), &[Unlinkat]),
    row(ArgFlags, Flags(4, AT), &[Linkat, Fchownat]),
    row(ArgFlags, Flags(4, RENAME), &[Renameat2]),
    row(ArgFlags, Flags(1, MEMFD), &[MemfdCreate]),
    row(ArgFlags, Flags(2, MODULE), &[FinitModule]),
    row(ArgNamespaces, Flags(1, CLONE), &[Setns]),
    row(ArgMode, Flags(1, MODE), &[Chmod, Fchmod, Mkdir, Mknod]),
    row(ArgMode, Flags(2, MODE), &[Fchmodat, Fchmodat2, Mkdirat, Mknodat]),
    row(ArgName, Path(0), &[Unlinkat, Umount2]),
    row(ArgName, Given, &[MemfdCreate, DeleteModule]),
    row(ArgOldPath, Path(0), RENAMES),
    row(ArgNewPath, Path(1), RENAMES),
    row(ArgPath, Path(0), &[Mkdir, Mkdirat, Rmdir, Unlink, Chown, Lchown, Chroot, Mknod, Mknodat, Truncate]),
    row(ArgPathName, Path(0), &[Fchownat]),
    row(AbsolutePath, Path(0), &[
        Chmod, Chown, Chroot, Fchmodat, Fchmodat2, Fchownat, Lchown, Mkdir, Mkdirat, Mknod, Mknodat, Rmdir,
        Truncate, Umount2, Unlink, Unlinkat,
    ]),
    row(AbsolutePath, Path(1), &[Symlink, Symlinkat]),
    row(AbsoluteSource, Path(0), RENAMES),
    row(AbsoluteDestination, Path(1), RENAMES),
    row(ArgTarget, Given, &[Symlink, Symlinkat]),
    row(ArgLinkPath, Path(1), &[Symlink, Symlinkat]),
    row(ArgLinkDirectory, Number(1), &[Symlinkat]),
    row(ArgDevice, Path(0), &[Mount]),
    row(ArgDirectory, Path(1), &[Mount]),
    row(ArgRequest, Name(0, PTRACE), &[Ptrace]),
    row(ArgPid, Number(1), &[Ptrace]),
    row(ArgPid, Number(0), &[Kill, Tgkill]),
    row(ArgUid, Id(0), &[Setuid]),
    row(ArgUid, Id(1), &[Chown, Lchown, Fchown]),
    row(ArgUid, Id(2), &[Fchownat]),
    row(ArgGid, Id(0), &[Setgid]),
    row(ArgGid, Id(2), &[Chown, Lchown, Fchown]),
    row(ArgGid, Id(3), &[Fchownat]),
];

/// The calls that have an argument of a field.
pub(super) const fn calls_with(field: EventField) -> EventTypes {
    let (mut calls, mut index) = (EventTypes::NONE, 0);
    while index < TABLE.len() {
        if TABLE[index].field as u32 == field as u32 {
            calls = calls.union(EventTypes::of(TABLE[index].calls));
        }
        index += 1;
    }
    calls
}

/// Where a call has an argument.
pub(crate) fn place(call: EventType, field: EventField) -> Option<Place> {
    let has = |row: &&Row| row.field == field && row.calls.contains(&call);
    TABLE.iter().find(has).map(|row| row.place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_an_argument_once_and_is_captured() {
        for (index, row) in TABLE.iter().enumerate() {
            for call in row.calls {
                assert!(EventTypes::CALLS.contains(*call), "{call:?}");
                let before = TABLE.get(..index).unwrap_or_default();
                let is_twice =
                    before.iter().any(|one| one.field == row.field && one.calls.contains(call));
                assert!(!is_twice, "{call:?} {:?}", row.field);
            }
        }
    }
}
