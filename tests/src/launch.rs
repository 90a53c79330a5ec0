//! Ways to start a program that `std::process::Command` has no word for.

use std::ffi::{CString, OsStr};
use std::fs::File;
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, FromRawFd, IntoRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use crate::socket;

/// Turns the `-1` of a system call into its error.
///
/// # Errors
/// The error that the system call left.
pub fn checked<T: Copy + TryInto<i64>>(result: T) -> io::Result<T> {
    if result.try_into().ok() == Some(-1) { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Lets the child do this right before it executes the program. Only system calls belong in it.
pub fn before_exec<F>(command: &mut Command, act: F)
where
    F: FnMut() -> io::Result<()> + Send + Sync + 'static,
{
    // SAFETY: callers make system calls only and use memory that was allocated before the fork.
    unsafe { command.pre_exec(act) };
}

/// Connects to this address right before the program executes, which keeps the connection.
pub fn with_connection(command: &mut Command, address: SocketAddrV4) {
    before_exec(command, move || {
        let socket = socket::unbound(libc::IPPROTO_TCP)?;
        socket::connect(&socket, address)?;
        let descriptor = socket.into_raw_fd();
        // SAFETY: takes numbers only.
        checked(unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) }).map(drop)
    });
}

/// An anonymous file in memory with the bytes of `program`, which a child inherits.
pub fn memory_file(name: &str, program: &Path) -> OwnedFd {
    let name = CString::new(name).unwrap();
    // SAFETY: `name` ends with NUL; the descriptor returned is new and nobody else's.
    let file = unsafe {
        let descriptor = checked(libc::memfd_create(name.as_ptr(), 0)).unwrap();
        OwnedFd::from_raw_fd(descriptor)
    };
    let mut copy = File::from(file.try_clone().unwrap());
    io::copy(&mut File::open(program).unwrap(), &mut copy).unwrap();
    file
}

/// An open file that a child inherits, fit to be executed.
pub fn inherited(program: &Path) -> OwnedFd {
    let path = CString::new(program.as_os_str().as_bytes()).unwrap();
    // SAFETY: `path` ends with NUL; the descriptor returned is new and nobody else's.
    unsafe { OwnedFd::from_raw_fd(checked(libc::open(path.as_ptr(), libc::O_PATH)).unwrap()) }
}

/// Executes the open file itself, as fexecve(3) does, with these arguments.
pub fn by_descriptor(file: &OwnedFd, arguments: &[&str]) -> Command {
    let descriptor = file.as_raw_fd();
    let arguments: Vec<CString> =
        arguments.iter().map(|argument| CString::new(*argument).unwrap()).collect();
    let mut command = Command::new(OsStr::new("/this/program/is/never/reached"));
    before_exec(&mut command, move || {
        let mut list = [std::ptr::null(); 8];
        for (place, argument) in list.iter_mut().zip(&arguments) {
            *place = argument.as_ptr();
        }
        let environment = [std::ptr::null::<libc::c_char>()];
        // SAFETY: every string ends with NUL, both lists with a null pointer: fewer than eight
        // arguments are given.
        let failed = unsafe {
            libc::syscall(
                libc::SYS_execveat,
                descriptor,
                c"".as_ptr(),
                list.as_ptr(),
                environment.as_ptr(),
                libc::AT_EMPTY_PATH,
            )
        };
        checked(failed).map(drop)
    });
    command
}

/// Leaves the program without these capabilities, also when it runs as root.
pub fn without_capabilities(command: &mut Command, bits: &'static [u8]) {
    before_exec(command, move || {
        for bit in bits {
            // SAFETY: takes numbers only.
            checked(unsafe { libc::prctl(libc::PR_CAPBSET_DROP, libc::c_ulong::from(*bit)) })?;
        }
        Ok(())
    });
}

/// Gives the program new namespaces: flags as unshare(2) takes them.
pub fn in_new_namespaces(command: &mut Command, flags: libc::c_int) {
    // SAFETY: takes a number only.
    before_exec(command, move || checked(unsafe { libc::unshare(flags) }).map(drop));
}

/// Lets the program, and nobody else, see an empty folder in this place.
pub fn with_empty_folder(command: &mut Command, place: &'static std::ffi::CStr) {
    before_exec(command, move || {
        // SAFETY: every string ends with NUL and lives during the calls; the rest are numbers.
        unsafe {
            checked(libc::unshare(libc::CLONE_NEWNS))?;
            let (none, tmpfs) = (c"none".as_ptr(), c"tmpfs".as_ptr());
            let private = libc::MS_REC | libc::MS_PRIVATE;
            checked(libc::mount(none, c"/".as_ptr(), none, private, std::ptr::null()))?;
            checked(libc::mount(tmpfs, place.as_ptr(), tmpfs, 0, std::ptr::null())).map(drop)
        }
    });
}

/// Makes a pipe with a name.
///
/// # Panics
/// When it cannot be made.
pub fn make_pipe(path: &Path) {
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    // SAFETY: `path` ends with NUL.
    checked(unsafe { libc::mkfifo(path.as_ptr(), 0o600) }).unwrap();
}

/// A new pseudo-terminal: the end that keeps it open, and the name of the other, as `pts/0`.
pub fn terminal() -> (OwnedFd, String) {
    // SAFETY: the descriptor returned is new; the number is written to a variable that outlives it.
    unsafe {
        let flags = libc::O_RDWR | libc::O_NOCTTY | libc::O_CLOEXEC;
        let descriptor = checked(libc::posix_openpt(flags)).unwrap();
        let near = OwnedFd::from_raw_fd(descriptor);
        checked(libc::unlockpt(descriptor)).unwrap();
        let mut number: libc::c_uint = 0;
        checked(libc::ioctl(descriptor, libc::TIOCGPTN, &raw mut number)).unwrap();
        (near, format!("pts/{number}"))
    }
}

/// Makes the program a session's leader with this terminal.
pub fn on_terminal(command: &mut Command, name: &str) {
    let path = CString::new(format!("/dev/{name}")).unwrap();
    before_exec(command, move || {
        // SAFETY: `path` ends with NUL; the rest are numbers.
        unsafe {
            checked(libc::setsid())?;
            let terminal = checked(libc::open(path.as_ptr(), libc::O_RDWR))?;
            checked(libc::ioctl(terminal, libc::TIOCSCTTY, 0)).map(drop)
        }
    });
}

/// Allows core files of this size at most.
pub fn with_core_limit(command: &mut Command, bytes: u64) {
    before_exec(command, move || {
        let limit = libc::rlimit { rlim_cur: bytes, rlim_max: bytes };
        // SAFETY: `limit` is read during the call.
        checked(unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const limit) }).map(drop)
    });
}
