//! Arguments of an event in the order that Falco has them in, for `evt.args` and for places in it (`evt.arg[0]`).
//!
//! What Falco has there and no record carries keeps its place. The environment of an execution does, too: it is
//! read only where a rule asks for it by its own field.

use EventField as E;
use EventType as T;

use super::{EventField, EventType, EventTypes};
use crate::catalogue::{FieldId, ProcessField, ThreadField, UserField};

/// The name of an argument, and the field that answers it.
pub(crate) type Ordered = (&'static str, Option<FieldId>);

const fn event(name: &'static str, field: EventField) -> Ordered {
    (name, Some(FieldId::Event(field)))
}

const fn process(name: &'static str, field: ProcessField) -> Ordered {
    (name, Some(FieldId::Process(field)))
}

const fn thread(name: &'static str, field: ThreadField) -> Ordered {
    (name, Some(FieldId::Thread(field)))
}

const fn user(name: &'static str, field: UserField) -> Ordered {
    (name, Some(FieldId::User(field)))
}

const fn none(name: &'static str) -> Ordered {
    (name, None)
}

const RES: Ordered = event("res", E::ArgResult);
const FD: Ordered = event("fd", E::ArgDescriptor);
const DIRFD: Ordered = event("dirfd", E::ArgDirectoryDescriptor);
const PATH: Ordered = event("path", E::ArgPath);
const MODE: Ordered = event("mode", E::ArgMode);
const FLAGS: Ordered = event("flags", E::ArgFlags);
const NAME: Ordered = event("name", E::ArgName);
const UID: Ordered = event("uid", E::ArgUid);
const GID: Ordered = event("gid", E::ArgGid);
const PID: Ordered = event("pid", E::ArgPid);
const OLD: Ordered = event("oldpath", E::ArgOldPath);
const NEW: Ordered = event("newpath", E::ArgNewPath);
const OLD_DIRFD: Ordered = event("olddirfd", E::ArgOldDirectoryDescriptor);
const NEW_DIRFD: Ordered = event("newdirfd", E::ArgNewDirectoryDescriptor);
const TARGET: Ordered = event("target", E::ArgTarget);
const LINK: Ordered = event("linkpath", E::ArgLinkPath);
const TUPLE: Ordered = event("tuple", E::ArgTuple);
const SIGNAL: Ordered = event("sig", E::ArgSignal);
const OLD_FD: Ordered = event("oldfd", E::ArgOldDescriptor);
const NEW_FD: Ordered = event("newfd", E::ArgNewDescriptor);

const EXECVE: &[Ordered] = &[
    RES,
    process("exe", ProcessField::Exe),
    process("args", ProcessField::Args),
    thread("tid", ThreadField::Id),
    process("pid", ProcessField::Pid),
    process("ptid", ProcessField::ParentPid),
    process("cwd", ProcessField::Cwd),
    none("fdlimit"),
    none("pgft_maj"),
    none("pgft_min"),
    none("vm_size"),
    none("vm_rss"),
    none("vm_swap"),
    process("comm", ProcessField::Name),
    none("cgroups"),
    none("env"),
    process("tty", ProcessField::Tty),
    process("vpgid", ProcessField::VirtualGroup),
    user("loginuid", UserField::LoginId),
    none("flags"),
    thread("cap_inheritable", ThreadField::CapInheritable),
    thread("cap_permitted", ThreadField::CapPermitted),
    thread("cap_effective", ThreadField::CapEffective),
    process("exe_ino", ProcessField::ExeInode),
    process("exe_ino_ctime", ProcessField::ExeChangeTime),
    process("exe_ino_mtime", ProcessField::ExeModifyTime),
    user("uid", UserField::Id),
    process("trusted_exepath", ProcessField::ExePath),
    process("pgid", ProcessField::ProcessGroup),
    user("gid", UserField::GroupId),
];

/// Those of an event, in order.
pub(crate) fn in_order(event_type: EventType) -> &'static [Ordered] {
    match event_type {
        T::Execve => EXECVE,
        T::ProcExit => {
            const {
                &[
                    event("status", E::ArgStatus),
                    event("ret", E::ArgReturn),
                    SIGNAL,
                    event("core", E::ArgCore),
                ]
            }
        }
        T::Connect => const { &[RES, TUPLE] },
        T::Accept => const { &[none("fd"), TUPLE] },
        T::FirstSent => {
            const { &[RES, none("data"), none("fd"), event("size", E::BufferLength), TUPLE] }
        }
        T::Recvfrom => const { &[RES, none("data"), TUPLE] },
        T::Sendto => const { &[RES, none("data"), FD, event("size", E::ArgSize), TUPLE] },
        T::Sendmsg | T::Sendmmsg => const { &[RES, none("data"), FD, none("size"), TUPLE] },
        T::Openat => {
            const {
                &[
                    FD,
                    none("dirfd"),
                    NAME,
                    FLAGS,
                    MODE,
                    ("dev", Some(FieldId::File(crate::catalogue::FileField::Device))),
                    ("ino", Some(FieldId::File(crate::catalogue::FileField::Inode))),
                ]
            }
        }
        T::Listen => const { &[RES, FD, event("backlog", E::ArgBacklog)] },
        T::Bind => const { &[RES, event("addr", E::ArgAddress), FD] },
        T::Socket => {
            const {
                &[
                    FD,
                    event("domain", E::ArgDomain),
                    event("type", E::ArgSocketType),
                    event("proto", E::ArgProtocol),
                ]
            }
        }
        T::Shutdown => const { &[RES, FD, event("how", E::ArgHow)] },
        T::Dup => const { &[RES, OLD_FD] },
        T::Dup2 => const { &[RES, OLD_FD, NEW_FD] },
        T::Dup3 => const { &[RES, OLD_FD, NEW_FD, FLAGS] },
        T::Rename | T::Link => const { &[RES, OLD, NEW] },
        T::Renameat => const { &[RES, OLD_DIRFD, OLD, NEW_DIRFD, NEW] },
        T::Renameat2 => const { &[RES, OLD_DIRFD, OLD, NEW_DIRFD, NEW, FLAGS] },
        T::Linkat => {
            const {
                &[
                    RES,
                    event("olddir", E::ArgOldDirectory),
                    OLD,
                    event("newdir", E::ArgNewDirectory),
                    NEW,
                    FLAGS,
                ]
            }
        }
        T::Unlink | T::Rmdir | T::Chroot | T::Chdir => const { &[RES, PATH] },
        T::Unlinkat => const { &[RES, DIRFD, NAME, FLAGS] },
        T::Mkdir => const { &[RES, PATH, MODE] },
        T::Mkdirat => const { &[RES, DIRFD, PATH, MODE] },
        T::Symlink => const { &[RES, TARGET, LINK] },
        T::Symlinkat => const { &[RES, TARGET, event("linkdirfd", E::ArgLinkDirectory), LINK] },
        T::Chmod => const { &[RES, event("filename", E::ArgFileName), MODE] },
        T::Fchmod => const { &[RES, FD, MODE] },
        T::Fchmodat => const { &[RES, DIRFD, event("filename", E::ArgFileName), MODE] },
        T::Chown | T::Lchown => const { &[RES, PATH, UID, GID] },
        T::Fchown => const { &[RES, FD, UID, GID] },
        T::Fchownat => const { &[RES, DIRFD, event("pathname", E::ArgPathName), UID, GID, FLAGS] },
        T::Fchdir => const { &[RES, FD] },
        T::Mount => {
            const {
                &[
                    RES,
                    event("dev", E::ArgDevice),
                    event("dir", E::ArgDirectory),
                    none("type"),
                    FLAGS,
                ]
            }
        }
        T::Umount2 => const { &[RES, NAME, FLAGS] },
        T::Setuid => const { &[RES, UID] },
        T::Setgid => const { &[RES, GID] },
        T::Setresuid => {
            const {
                &[
                    RES,
                    event("ruid", E::ArgRealUid),
                    event("euid", E::ArgEffectiveUid),
                    event("suid", E::ArgSavedUid),
                ]
            }
        }
        T::Setresgid => {
            const {
                &[
                    RES,
                    event("rgid", E::ArgRealGid),
                    event("egid", E::ArgEffectiveGid),
                    event("sgid", E::ArgSavedGid),
                ]
            }
        }
        T::Setreuid => {
            const { &[RES, event("ruid", E::ArgRealUid), event("euid", E::ArgEffectiveUid)] }
        }
        T::Setregid => {
            const { &[RES, event("rgid", E::ArgRealGid), event("egid", E::ArgEffectiveGid)] }
        }
        T::Setsid | T::Capset | T::ProcessVmReadv | T::ProcessVmWritev => const { &[RES] },
        T::Setpgid => const { &[RES, PID, event("pgid", E::ArgProcessGroup)] },
        T::Setns => const { &[RES, FD, event("nstype", E::ArgNamespaces)] },
        T::Unshare => const { &[RES, FLAGS] },
        T::Ptrace => {
            const { &[RES, none("addr"), none("data"), event("request", E::ArgRequest), PID] }
        }
        T::InitModule => const { &[RES, none("img"), event("length", E::ArgLength)] },
        T::FinitModule => const { &[RES, FD, none("uargs"), FLAGS] },
        T::DeleteModule => const { &[RES, NAME] },
        T::Bpf => const { &[FD, event("cmd", E::ArgCmd)] },
        T::MemfdCreate => const { &[FD, NAME, FLAGS] },
        T::Prctl => const { &[RES, event("option", E::ArgOption)] },
        T::Kill => const { &[RES, PID, SIGNAL] },
        T::Tkill => const { &[RES, event("tid", E::ArgThread), SIGNAL] },
        T::Tgkill => const { &[RES, PID, event("tid", E::ArgThread), SIGNAL] },
        T::IoUringSetup => const { &[RES, event("entries", E::ArgEntries)] },
        T::Mknod => const { &[RES, PATH, MODE] },
        T::Mknodat => const { &[RES, DIRFD, PATH, MODE] },
        _ => &[],
    }
}

/// The events that have some.
pub(crate) const fn ordered() -> EventTypes {
    EventTypes::CAPTURED.intersection(
        EventTypes::of(&[
            T::Clone,
            T::Socketpair,
            T::OpenByHandleAt,
            T::PivotRoot,
            T::PerfEventOpen,
            T::Userfaultfd,
            T::Keyctl,
            T::Setfsuid,
            T::Setfsgid,
            T::Setgroups,
            T::MoveMount,
            T::PidfdGetfd,
            T::KexecLoad,
            T::KexecFileLoad,
            T::Fchmodat2,
            T::Setxattr,
            T::Lsetxattr,
            T::Utimensat,
            T::Truncate,
        ])
        .complement(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn the_events_that_have_arguments_are_those_that_are_said_to() {
        for event_type in EventTypes::CAPTURED.iter() {
            let has_some = !in_order(event_type).is_empty();
            assert_eq!(has_some, ordered().contains(event_type), "{event_type:?}");
        }
    }

    #[test]
    fn an_argument_in_order_is_answered_of_its_event() {
        for event_type in ordered().iter() {
            for (name, field) in in_order(event_type) {
                let Some(field) = field else { continue };
                let spec = catalogue::all().find(|spec| spec.id == *field).unwrap();
                assert!(spec.answered.contains(event_type), "{event_type:?} {name}");
            }
        }
    }
}
