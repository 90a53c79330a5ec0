//! `evt.arg.*` of system calls: which call has which argument, and where.
//!
//! The catalogue's answered events and the adapter's values both come from this one table.

mod names;
mod order;

use super::{EventField, EventType, EventTypes};
use crate::evaluate::Value;
pub(crate) use names::MODE;
use names::Names;
use names::{
    AT, BPF, CLONE, FAMILY, MEMFD, MODULE, MOUNT, OPEN, PRCTL, PTRACE, RENAME, SHUTDOWN, SIGNAL,
    UMOUNT, UNLINK,
};
pub(crate) use order::{in_order, ordered};

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
    /// What was returned.
    Returned,
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
    AbsoluteDestination, AbsolutePath, AbsoluteSource, ArgBacklog, ArgCmd, ArgDescriptor,
    ArgDevice, ArgDirectory, ArgDirectoryDescriptor, ArgDomain, ArgEffectiveGid, ArgEffectiveUid,
    ArgEntries, ArgFileName, ArgFlags, ArgGid, ArgHow, ArgLength, ArgLinkDirectory, ArgLinkPath,
    ArgMode, ArgName, ArgNamespaces, ArgNewDescriptor, ArgNewDirectory, ArgNewDirectoryDescriptor,
    ArgNewPath, ArgOldDescriptor, ArgOldDirectory, ArgOldDirectoryDescriptor, ArgOldPath,
    ArgOption, ArgPath, ArgPathName, ArgPid, ArgProcessGroup, ArgProtocol, ArgRealGid, ArgRealUid,
    ArgRequest, ArgSavedGid, ArgSavedUid, ArgSignal, ArgSize, ArgSocketType, ArgTarget, ArgThread,
    ArgUid,
};
use EventType::{
    Bind, Bpf, Chdir, Chmod, Chown, Chroot, DeleteModule, Dup, Dup2, Dup3, Fchdir, Fchmod,
    Fchmodat, Fchmodat2, Fchown, Fchownat, FinitModule, InitModule, IoUringSetup, KexecFileLoad,
    Kill, Lchown, Link, Linkat, Listen, MemfdCreate, Mkdir, Mkdirat, Mknod, Mknodat, Mount,
    OpenByHandleAt, Prctl, ProcessVmReadv, ProcessVmWritev, Ptrace, Rename, Renameat, Renameat2,
    Rmdir, Sendmmsg, Sendmsg, Sendto, Setgid, Setns, Setpgid, Setregid, Setresgid, Setresuid,
    Setreuid, Setuid, Shutdown, Socket, Socketpair, Symlink, Symlinkat, Tgkill, Tkill, Truncate,
    Umount2, Unlink, Unlinkat, Unshare,
};
use Place::{Flags, Given, Id, Name, Number, Path, Returned};

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
    row(ArgPath, Path(0), &[
        Chdir, Mkdir, Mkdirat, Rmdir, Unlink, Chown, Lchown, Chroot, Mknod, Mknodat, Truncate,
    ]),
    row(ArgPathName, Path(0), &[Fchownat]),
    row(AbsolutePath, Path(0), &[
        Chdir, Chmod, Chown, Chroot, Fchmodat, Fchmodat2, Fchownat, Lchown, Mkdir, Mkdirat, Mknod, Mknodat, Rmdir,
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
    row(ArgPid, Number(0), &[Kill, Tgkill, Setpgid, ProcessVmReadv, ProcessVmWritev]),
    row(ArgUid, Id(0), &[Setuid]),
    row(ArgUid, Id(1), &[Chown, Lchown, Fchown]),
    row(ArgUid, Id(2), &[Fchownat]),
    row(ArgGid, Id(0), &[Setgid]),
    row(ArgGid, Id(2), &[Chown, Lchown, Fchown]),
    row(ArgGid, Id(3), &[Fchownat]),
    row(ArgDescriptor, Number(0), &[
        Setns, Fchmod, Fchown, Fchdir, FinitModule, KexecFileLoad, Bind, Listen, Shutdown, Sendto, Sendmsg,
        Sendmmsg,
    ]),
    row(ArgDescriptor, Returned, &[Socket, MemfdCreate, Bpf, OpenByHandleAt]),
    row(ArgOldDescriptor, Number(0), &[Dup, Dup2, Dup3]),
    row(ArgNewDescriptor, Number(1), &[Dup2, Dup3]),
    row(ArgDirectoryDescriptor, Number(0), &[
        Unlinkat, Mkdirat, Fchmodat, Fchmodat2, Fchownat, Mknodat,
    ]),
    row(ArgOldDirectoryDescriptor, Number(0), &[Renameat, Renameat2]),
    row(ArgNewDirectoryDescriptor, Number(2), &[Renameat, Renameat2]),
    row(ArgOldDirectory, Number(0), &[Linkat]),
    row(ArgNewDirectory, Number(2), &[Linkat]),
    row(ArgRealUid, Id(0), &[Setreuid, Setresuid]),
    row(ArgEffectiveUid, Id(1), &[Setreuid, Setresuid]),
    row(ArgSavedUid, Id(2), &[Setresuid]),
    row(ArgRealGid, Id(0), &[Setregid, Setresgid]),
    row(ArgEffectiveGid, Id(1), &[Setregid, Setresgid]),
    row(ArgSavedGid, Id(2), &[Setresgid]),
    row(ArgThread, Number(0), &[Tkill]),
    row(ArgThread, Number(1), &[Tgkill]),
    row(ArgSignal, Name(1, SIGNAL), &[Kill, Tkill]),
    row(ArgSignal, Name(2, SIGNAL), &[Tgkill]),
    row(ArgSocketType, Number(1), &[Socket, Socketpair]),
    row(ArgProtocol, Number(2), &[Socket, Socketpair]),
    row(ArgDomain, Name(0, FAMILY), &[Socketpair]),
    row(ArgBacklog, Number(1), &[Listen]),
    row(ArgHow, Name(1, SHUTDOWN), &[Shutdown]),
    row(ArgOption, Name(0, PRCTL), &[Prctl]),
    row(ArgSize, Number(2), &[Sendto]),
    row(ArgLength, Number(1), &[InitModule]),
    row(ArgEntries, Number(0), &[IoUringSetup]),
    row(ArgFlags, Flags(2, OPEN), &[Dup3]),
    row(ArgProcessGroup, Number(1), &[Setpgid]),
];

/// A signal by its name, or its number where it has none.
pub(crate) fn signal(number: u64) -> Value<'static> {
    match SIGNAL.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => Value::Text(name.as_bytes()),
        None => Value::Flags(number, &[]),
    }
}

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
