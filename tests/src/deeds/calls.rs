//! Deeds that are system calls.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use simple_dns::TYPE;

use crate::dns::query;
use crate::launch::checked;

use super::doer::{POOL, host_process};

/// The file of the container's own, made first if it is not there.
fn made(path: &str) -> File {
    if let Some(folder) = Path::new(path).parent() {
        fs::create_dir_all(folder).unwrap();
    }
    File::options().write(true).create(true).truncate(false).open(path).unwrap()
}

fn read(path: &str) {
    drop(made(path));
    fs::read(path).unwrap();
}

pub fn read_shadow() {
    read("/etc/shadow");
}

pub fn read_passwd() {
    read("/etc/passwd");
}

pub fn read_private_key() {
    read("/root/.ssh/id_ed25519");
}

pub fn read_known_hosts() {
    read("/root/.ssh/known_hosts");
}

const CORE_PATTERN: &str = "/proc/sys/kernel/core_pattern";

/// Nothing is written.
pub fn open_core_pattern_for_writing() {
    drop(File::options().write(true).open(CORE_PATTERN).unwrap());
}

pub fn read_core_pattern() {
    fs::read(CORE_PATTERN).unwrap();
}

pub fn empty_log() {
    drop(made("/var/log/wtmp"));
    let truncated = File::options().write(true).custom_flags(libc::O_TRUNC).open("/var/log/wtmp");
    drop(truncated.unwrap());
}

pub fn append_to_log() {
    drop(made("/var/log/wtmp"));
    drop(File::options().append(true).open("/var/log/wtmp").unwrap());
}

pub fn write_cron_table() {
    drop(made("/etc/cron.d/job"));
}

pub fn write_settings() {
    drop(made("/etc/app/settings"));
}

pub fn set_user_id_bit() {
    drop(made("/tool"));
    fs::set_permissions("/tool", PermissionsExt::from_mode(0o4755)).unwrap();
}

pub fn set_no_user_id_bit() {
    drop(made("/tool"));
    fs::set_permissions("/tool", PermissionsExt::from_mode(0o755)).unwrap();
}

/// A child that ends when its parent does.
fn waiting_child() -> libc::pid_t {
    // SAFETY: this process has one thread, and the child makes system calls only.
    unsafe {
        let child = checked(libc::fork()).unwrap();
        if child == 0 {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
            loop {
                libc::pause();
            }
        }
        child
    }
}

pub fn attach() {
    let child = waiting_child();
    // SAFETY: takes numbers only.
    unsafe { checked(libc::ptrace(libc::PTRACE_SEIZE, child, 0, 0)).unwrap() };
}

/// What a debugger's own child does before it is executed.
pub fn ask_to_be_traced() {
    // SAFETY: takes numbers only.
    unsafe { checked(libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0)).unwrap() };
}

/// No module, so that the kernel refuses it.
pub fn load_no_module() {
    // SAFETY: the kernel reads no byte of an empty module.
    unsafe { libc::syscall(libc::SYS_init_module, c"".as_ptr(), 0, c"".as_ptr()) };
}

fn enter_namespace_of_host(kind: &str, flag: libc::c_int) {
    let namespace = File::open(format!("/proc/{}/ns/{kind}", host_process())).unwrap();
    // SAFETY: takes numbers only.
    unsafe { checked(libc::setns(namespace.as_raw_fd(), flag)).unwrap() };
}

pub fn enter_names_of_the_host() {
    enter_namespace_of_host("uts", libc::CLONE_NEWUTS);
}

pub fn enter_network_of_the_host() {
    enter_namespace_of_host("net", libc::CLONE_NEWNET);
}

pub fn make_user_namespace() {
    // SAFETY: takes a number only.
    unsafe { checked(libc::unshare(libc::CLONE_NEWUSER)).unwrap() };
}

pub fn make_name_namespace() {
    // SAFETY: takes a number only.
    unsafe { checked(libc::unshare(libc::CLONE_NEWUTS)).unwrap() };
}

/// Nobody listens there, and the address is the container's own.
fn connect(address: &str) {
    let address: SocketAddr = address.parse().unwrap();
    assert!(TcpStream::connect(address).is_err(), "somebody listens at {address}");
}

pub fn connect_to_metadata() {
    connect("169.254.169.254:80");
}

pub fn connect_to_port_of_pools() {
    connect("203.0.113.9:3333");
}

pub fn connect_to_private_port_of_pools() {
    connect("127.0.0.1:3333");
}

/// Looks up a name as resolvers do, and connects to the address that is answered.
fn connect_to_name(name: &str) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect("127.0.0.1:53").unwrap();
    socket.send(&query(7, name, TYPE::A)).unwrap();
    socket.recv(&mut [0; 512]).unwrap();
    connect(&format!("{}:443", POOL[usize::from(name.starts_with("www"))].1));
}

pub fn connect_to_pool() {
    connect_to_name(POOL[0].0);
}

pub fn connect_to_namesake_of_pool() {
    connect_to_name(POOL[1].0);
}

/// A connection of this process with itself; both ends, so that neither is closed.
fn connection() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let opened = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (opened, listener.accept().unwrap().0)
}

fn put_onto_standard_input(socket: &impl AsRawFd) {
    // SAFETY: both are descriptors, and nothing here reads standard input.
    assert_eq!(unsafe { libc::dup2(socket.as_raw_fd(), 0) }, 0);
}

pub fn put_connection_onto_standard_input() {
    put_onto_standard_input(&connection().0);
}

pub fn put_local_socket_onto_standard_input() {
    put_onto_standard_input(&UnixStream::pair().unwrap().0);
}

/// Becomes a shell that ends at once.
fn become_shell() {
    panic!("{}", Command::new("/bin/sh").args(["-c", "exit"]).exec());
}

pub fn shell_on_connection() {
    let ends = connection();
    put_onto_standard_input(&ends.0);
    become_shell();
}

pub fn shell_on_local_socket() {
    let ends = UnixStream::pair().unwrap();
    put_onto_standard_input(&ends.0);
    become_shell();
}

/// Asks the socket at a path, which is the container's own.
fn ask(path: &str) {
    drop(made(path));
    fs::remove_file(path).unwrap();
    let _listener = UnixListener::bind(path).unwrap();
    UnixStream::connect(path).unwrap();
}

pub fn ask_container_runtime() {
    ask("/run/podman/podman.sock");
}

pub fn ask_another_service() {
    ask("/run/podman/metrics.sock");
}
