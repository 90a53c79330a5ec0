//! `evt.rawarg.*`: arguments as numbers.
//!
//! Only those are here whose numbers Falco has as the kernel has them. Flags, modes, domains, commands and requests
//! it numbers in its own way: a rule that compares those would mean other bits here, so they are no fields.

use super::arguments::calls_with;
use super::{EventField, EventTypes, fields};

const EXEC: EventTypes = EventTypes::EXEC;
const OPEN: EventTypes = EventTypes::OPEN;
const EXIT: EventTypes = EventTypes::EXIT;
const RESULT: EventTypes =
    EXEC.union(EventTypes::NETWORK).union(EventTypes::UDP).union(EventTypes::CALLS);

fields! {
    /// Arguments as numbers.
    RawField in Raw {
        Result = "evt.rawarg.res", Number, Nothing, One, RESULT, "As `evt.rawres`";
        Descriptor = "evt.rawarg.fd", Number, Nothing, One, OPEN.union(calls_with(EventField::ArgDescriptor)), "Number of the descriptor, a negative errno where none was opened";
        OldDescriptor = "evt.rawarg.oldfd", Number, Nothing, One, calls_with(EventField::ArgOldDescriptor), "As `evt.arg.oldfd`";
        NewDescriptor = "evt.rawarg.newfd", Number, Nothing, One, calls_with(EventField::ArgNewDescriptor), "As `evt.arg.newfd`";
        DirectoryDescriptor = "evt.rawarg.dirfd", Number, Nothing, One, calls_with(EventField::ArgDirectoryDescriptor), "As `evt.arg.dirfd`";
        OldDirectoryDescriptor = "evt.rawarg.olddirfd", Number, Nothing, One, calls_with(EventField::ArgOldDirectoryDescriptor), "As `evt.arg.olddirfd`";
        NewDirectoryDescriptor = "evt.rawarg.newdirfd", Number, Nothing, One, calls_with(EventField::ArgNewDirectoryDescriptor), "As `evt.arg.newdirfd`";
        Uid = "evt.rawarg.uid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgUid)), "As `evt.arg.uid`";
        Gid = "evt.rawarg.gid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgGid)), "As `evt.arg.gid`";
        RealUid = "evt.rawarg.ruid", Number, Nothing, One, calls_with(EventField::ArgRealUid), "As `evt.arg.ruid`";
        EffectiveUid = "evt.rawarg.euid", Number, Nothing, One, calls_with(EventField::ArgEffectiveUid), "As `evt.arg.euid`";
        SavedUid = "evt.rawarg.suid", Number, Nothing, One, calls_with(EventField::ArgSavedUid), "As `evt.arg.suid`";
        RealGid = "evt.rawarg.rgid", Number, Nothing, One, calls_with(EventField::ArgRealGid), "As `evt.arg.rgid`";
        EffectiveGid = "evt.rawarg.egid", Number, Nothing, One, calls_with(EventField::ArgEffectiveGid), "As `evt.arg.egid`";
        SavedGid = "evt.rawarg.sgid", Number, Nothing, One, calls_with(EventField::ArgSavedGid), "As `evt.arg.sgid`";
        Pid = "evt.rawarg.pid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgPid)), "As `evt.arg.pid`";
        Thread = "evt.rawarg.tid", Number, Nothing, One, EXEC.union(calls_with(EventField::ArgThread)), "As `evt.arg.tid`";
        Signal = "evt.rawarg.sig", Number, Nothing, One, EXIT.union(calls_with(EventField::ArgSignal)), "Number of the signal";
        SocketType = "evt.rawarg.type", Number, Nothing, One, calls_with(EventField::ArgSocketType), "As `evt.arg.type`";
        Protocol = "evt.rawarg.proto", Number, Nothing, One, calls_with(EventField::ArgProtocol), "As `evt.arg.proto`";
        Backlog = "evt.rawarg.backlog", Number, Nothing, One, calls_with(EventField::ArgBacklog), "As `evt.arg.backlog`";
        Size = "evt.rawarg.size", Number, Nothing, One, calls_with(EventField::ArgSize), "As `evt.arg.size`";
        Status = "evt.rawarg.status", Number, Nothing, One, EXIT, "As `evt.arg.status`";
    }
}

impl RawField {
    /// The field of the same argument.
    pub(crate) fn argument(self) -> EventField {
        match self {
            Self::Result => EventField::ArgResult,
            Self::Descriptor => EventField::ArgDescriptor,
            Self::OldDescriptor => EventField::ArgOldDescriptor,
            Self::NewDescriptor => EventField::ArgNewDescriptor,
            Self::DirectoryDescriptor => EventField::ArgDirectoryDescriptor,
            Self::OldDirectoryDescriptor => EventField::ArgOldDirectoryDescriptor,
            Self::NewDirectoryDescriptor => EventField::ArgNewDirectoryDescriptor,
            Self::Uid => EventField::ArgUid,
            Self::Gid => EventField::ArgGid,
            Self::RealUid => EventField::ArgRealUid,
            Self::EffectiveUid => EventField::ArgEffectiveUid,
            Self::SavedUid => EventField::ArgSavedUid,
            Self::RealGid => EventField::ArgRealGid,
            Self::EffectiveGid => EventField::ArgEffectiveGid,
            Self::SavedGid => EventField::ArgSavedGid,
            Self::Pid => EventField::ArgPid,
            Self::Thread => EventField::ArgThread,
            Self::Signal => EventField::ArgSignal,
            Self::SocketType => EventField::ArgSocketType,
            Self::Protocol => EventField::ArgProtocol,
            Self::Backlog => EventField::ArgBacklog,
            Self::Size => EventField::ArgSize,
            Self::Status => EventField::ArgStatus,
        }
    }
}
