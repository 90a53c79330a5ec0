//! The system calls that can be asked for: their numbers here, and where they have their paths.

use super::wire::{CallShape, call_sending, call_wanted};

/// Where a path begins that is not absolute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    /// At the working directory.
    Here,
    /// At the directory that the descriptor in this argument stands for.
    At(i8),
    /// Nowhere: it is a text, and no path.
    Nowhere,
}

/// A system call.
#[derive(Debug, PartialEq, Eq)]
pub struct Call {
    /// Its name, as in `man 2`.
    pub name: &'static str,
    number: i64,
    argument_count: u8,
    paths: &'static [(Start, i8)],
    descriptor: Option<i8>,
    address: Option<i8>,
    sending: u32,
    wanted: u32,
    /// It is watched where no calls are named.
    is_usual: bool,
}

impl Call {
    const fn new(name: &'static str, number: i64, argument_count: u8) -> Self {
        Self { name, number, argument_count, paths: &[], descriptor: None, address: None, sending: call_sending::CALL_SENDS_NOTHING, wanted: call_wanted::CALL_WANTED, is_usual: true }
    }

    const fn paths(self, paths: &'static [(Start, i8)]) -> Self {
        Self { paths, ..self }
    }

    /// The descriptor of what it is about.
    const fn descriptor(self, argument: i8) -> Self {
        Self { descriptor: Some(argument), ..self }
    }

    /// The address of a socket, with its length behind.
    const fn address(self, argument: i8) -> Self {
        Self { address: Some(argument), ..self }
    }

    /// The address, with its length behind, that it sends to.
    const fn sends_to(self, argument: i8) -> Self {
        Self { sending: call_sending::CALL_SENDS_TO, ..self.address(argument) }
    }

    /// The header, or the first of several, of what it sends.
    const fn sends_message(self, argument: i8) -> Self {
        Self { sending: call_sending::CALL_SENDS_MESSAGE, ..self.address(argument) }
    }

    /// Everyday programs call it often.
    const fn everyday(self) -> Self {
        Self { is_usual: false, ..self }
    }

    /// Its number on this architecture.
    pub fn number(&self) -> u32 {
        u32::try_from(self.number).unwrap_or(u32::MAX)
    }

    /// What the kernel calls it, which is behind `sys_exit_` in the name of its tracepoint.
    pub(super) fn tracepoint(&self) -> &'static str {
        match self.name {
            "umount2" => "umount",
            name => name,
        }
    }

    /// How many arguments it takes.
    pub fn argument_count(&self) -> u8 {
        self.argument_count
    }

    /// As the probe has it.
    pub(super) fn shape(&self) -> CallShape {
        let mut shape = CallShape {
            wanted: u8::try_from(self.wanted).unwrap_or_default(),
            path_count: u8::try_from(self.paths.len()).unwrap_or(0),
            descriptor: self.descriptor.unwrap_or(-1),
            address: self.address.unwrap_or(-1),
            sending: u8::try_from(self.sending).unwrap_or_default(),
            ..CallShape::ZERO
        };
        let places = shape.paths.iter_mut().zip(&mut shape.directories);
        for ((path, directory), (start, argument)) in places.zip(self.paths) {
            *path = *argument;
            *directory = match start {
                Here => -1,
                Nowhere => -2,
                At(argument) => *argument,
            };
        }
        shape
    }
}

/// The call of this name.
pub fn by_name(name: &str) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.name == name)
}

/// The call of this name, for somebody who is told of connections over TCP otherwise.
pub fn by_name_but_tcp(name: &str) -> Option<&'static Call> {
    match name {
        "connect" => Some(&CONNECT_BUT_TCP),
        _ => by_name(name),
    }
}

static CONNECT_BUT_TCP: Call = Call {
    wanted: call_wanted::CALL_WANTED_BUT_TCP,
    ..Call::new("connect", libc::SYS_connect, 3).descriptor(0).address(1)
};

/// The call of this number.
pub fn by_number(number: u32) -> Option<&'static Call> {
    CALLS.iter().find(|call| call.number() == number)
}

/// Those that are watched where none are named.
pub fn usual() -> impl Iterator<Item = &'static Call> {
    CALLS.iter().filter(|call| call.is_usual)
}

macro_rules! calls {
    ($($(#[$condition:meta])? $name:ident = $number:ident, $arguments:literal $(, $method:ident $value:tt)*;)*) => {
        &[$($(#[$condition])?
        Call::new(stringify!($name), number::$number, $arguments)
            $(.$method $value)*,)*]
    };
}

/// As libc has them, which leaves some out on some machines.
mod number {
    pub use libc::*;

    /// On all machines.
    #[expect(non_upper_case_globals, reason = "named as libc's are")]
    pub const SYS_fchmodat2: c_long = 452;
}

use Start::{At, Here, Nowhere};

/// All of them, by what they change.
#[rustfmt::skip]
pub static CALLS: &[Call] = calls! {
    setuid = SYS_setuid, 1; setgid = SYS_setgid, 1; setreuid = SYS_setreuid, 2; setregid = SYS_setregid, 2; setresuid = SYS_setresuid, 3; setresgid = SYS_setresgid, 3;
    setfsuid = SYS_setfsuid, 1; setfsgid = SYS_setfsgid, 1; setgroups = SYS_setgroups, 2; capset = SYS_capset, 2;
    setns = SYS_setns, 2, descriptor(0); unshare = SYS_unshare, 1;
    mount = SYS_mount, 5, paths(&[(Here, 0), (Here, 1)]); umount2 = SYS_umount2, 2, paths(&[(Here, 0)]);
    pivot_root = SYS_pivot_root, 2, paths(&[(Here, 0), (Here, 1)]); chroot = SYS_chroot, 1, paths(&[(Here, 0)]);
    move_mount = SYS_move_mount, 5, paths(&[(At(0), 1), (At(2), 3)]);
    ptrace = SYS_ptrace, 4; process_vm_readv = SYS_process_vm_readv, 6; process_vm_writev = SYS_process_vm_writev, 6; pidfd_getfd = SYS_pidfd_getfd, 3;
    init_module = SYS_init_module, 3; finit_module = SYS_finit_module, 3, descriptor(0); delete_module = SYS_delete_module, 2, paths(&[(Nowhere, 0)]);
    kexec_load = SYS_kexec_load, 4; kexec_file_load = SYS_kexec_file_load, 5, descriptor(0);
    bpf = SYS_bpf, 3; perf_event_open = SYS_perf_event_open, 5; userfaultfd = SYS_userfaultfd, 1; io_uring_setup = SYS_io_uring_setup, 2;
    memfd_create = SYS_memfd_create, 2, paths(&[(Nowhere, 0)]); open_by_handle_at = SYS_open_by_handle_at, 3, descriptor(0);
    #[cfg(target_arch = "x86_64")] symlink = SYS_symlink, 2, paths(&[(Nowhere, 0), (Here, 1)]);
    symlinkat = SYS_symlinkat, 3, paths(&[(Nowhere, 0), (At(1), 2)]);
    #[cfg(target_arch = "x86_64")] link = SYS_link, 2, paths(&[(Here, 0), (Here, 1)]);
    linkat = SYS_linkat, 5, paths(&[(At(0), 1), (At(2), 3)]);
    #[cfg(target_arch = "x86_64")] chmod = SYS_chmod, 2, paths(&[(Here, 0)]);
    fchmod = SYS_fchmod, 2, descriptor(0); fchmodat = SYS_fchmodat, 3, paths(&[(At(0), 1)]);
    fchmodat2 = SYS_fchmodat2, 4, paths(&[(At(0), 1)]);
    #[cfg(target_arch = "x86_64")] chown = SYS_chown, 3, paths(&[(Here, 0)]);
    #[cfg(target_arch = "x86_64")] lchown = SYS_lchown, 3, paths(&[(Here, 0)]);
    fchown = SYS_fchown, 3, descriptor(0); fchownat = SYS_fchownat, 5, paths(&[(At(0), 1)]);
    setxattr = SYS_setxattr, 5, paths(&[(Here, 0), (Nowhere, 1)]);
    lsetxattr = SYS_lsetxattr, 5, paths(&[(Here, 0), (Nowhere, 1)]);
    #[cfg(target_arch = "x86_64")] mknod = SYS_mknod, 3, paths(&[(Here, 0)]), everyday();
    mknodat = SYS_mknodat, 4, paths(&[(At(0), 1)]), everyday();
    #[cfg(target_arch = "x86_64")] rename = SYS_rename, 2, paths(&[(Here, 0), (Here, 1)]), everyday();
    #[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))] renameat = SYS_renameat, 4, paths(&[(At(0), 1), (At(2), 3)]), everyday();
    renameat2 = SYS_renameat2, 5, paths(&[(At(0), 1), (At(2), 3)]), everyday();
    #[cfg(target_arch = "x86_64")] unlink = SYS_unlink, 1, paths(&[(Here, 0)]), everyday();
    unlinkat = SYS_unlinkat, 3, paths(&[(At(0), 1)]), everyday();
    #[cfg(target_arch = "x86_64")] rmdir = SYS_rmdir, 1, paths(&[(Here, 0)]), everyday();
    #[cfg(target_arch = "x86_64")] mkdir = SYS_mkdir, 2, paths(&[(Here, 0)]), everyday();
    mkdirat = SYS_mkdirat, 3, paths(&[(At(0), 1)]), everyday();
    utimensat = SYS_utimensat, 4, paths(&[(At(0), 1)]), everyday();
    truncate = SYS_truncate, 2, paths(&[(Here, 0)]), everyday();
    prctl = SYS_prctl, 5, everyday(); socket = SYS_socket, 3, everyday();
    dup = SYS_dup, 1, descriptor(0), everyday(); dup3 = SYS_dup3, 3, descriptor(0), everyday();
    #[cfg(target_arch = "x86_64")] dup2 = SYS_dup2, 2, descriptor(0), everyday();
    bind = SYS_bind, 3, descriptor(0), address(1), everyday(); listen = SYS_listen, 2, descriptor(0), everyday();
    connect = SYS_connect, 3, descriptor(0), address(1), everyday(); shutdown = SYS_shutdown, 2, descriptor(0), everyday();
    socketpair = SYS_socketpair, 4, everyday();
    sendto = SYS_sendto, 6, descriptor(0), sends_to(4), everyday(); sendmsg = SYS_sendmsg, 3, descriptor(0), sends_message(1), everyday();
    sendmmsg = SYS_sendmmsg, 4, descriptor(0), sends_message(1), everyday();
    chdir = SYS_chdir, 1, paths(&[(Here, 0)]), everyday(); fchdir = SYS_fchdir, 1, descriptor(0), everyday();
    keyctl = SYS_keyctl, 5, everyday(); setsid = SYS_setsid, 0, everyday(); setpgid = SYS_setpgid, 2, everyday();
    tkill = SYS_tkill, 2, everyday(); kill = SYS_kill, 2, everyday(); tgkill = SYS_tgkill, 3, everyday();
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_unique_and_fit_the_probes_table() {
        for (index, call) in CALLS.iter().enumerate() {
            assert!(call.number() < 512, "{call:?}");
            let others = CALLS.iter().skip(index + 1);
            for other in others {
                assert!(call.name != other.name && call.number != other.number, "{call:?}");
            }
            assert_eq!(by_number(call.number()), by_name(call.name));
        }
    }

    #[test]
    fn places_are_among_the_arguments() {
        for call in CALLS {
            let mut places: Vec<i8> = call.paths.iter().map(|(_, argument)| *argument).collect();
            places.extend(call.paths.iter().filter_map(|(start, _)| match start {
                At(argument) => Some(*argument),
                _ => None,
            }));
            places.extend(call.descriptor);
            let has_header = call.sending == call_sending::CALL_SENDS_MESSAGE;
            let length = call.address.filter(|_| !has_header).map(|address| address + 1);
            places.extend(call.address.into_iter().chain(length));
            let count = i8::try_from(call.argument_count).unwrap();
            assert!(places.iter().all(|place| (0..count).contains(place)), "{call:?}");
            assert!(call.paths.len() <= 2, "{call:?}");
        }
    }
}
