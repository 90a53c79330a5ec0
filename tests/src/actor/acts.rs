//! What an actor can do.

use std::ffi::CString;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::process::ExitCode;

use crate::launch::checked;
use crate::socket;

use super::signed::call_signed;
use super::{from_hex, to_hex};

/// The actor's sockets: it has at most one of each.
#[derive(Default)]
struct Stage {
    listener: Option<TcpListener>,
    connection: Option<TcpStream>,
    datagrams: Option<UdpSocket>,
}

/// Does what stdin says until it ends.
///
/// # Panics
/// On a command that it does not know or that fails.
pub fn play() -> ExitCode {
    let mut stage = Stage::default();
    while let Some(line) = read_command() {
        let words: Vec<&str> = line.split(' ').collect();
        let answer = stage.perform(words[0], &words[1..]);
        answer_with(&answer);
    }
    ExitCode::SUCCESS
}

/// One read(2): the test writes a line only after it has heard the answer to the one before.
fn read_command() -> Option<String> {
    let mut bytes = [0u8; 4096];
    // SAFETY: the kernel writes at most as many bytes as `bytes` has.
    let read = unsafe { libc::read(0, bytes.as_mut_ptr().cast(), bytes.len()) };
    let read = usize::try_from(checked(read).unwrap()).unwrap();
    let line = std::str::from_utf8(&bytes[..read]).unwrap().strip_suffix('\n')?;
    Some(line.to_owned())
}

fn answer_with(answer: &str) {
    let line = format!("{answer}\n");
    // SAFETY: the bytes live during the call.
    let written = unsafe { libc::write(1, line.as_ptr().cast(), line.len()) };
    assert_eq!(usize::try_from(written), Ok(line.len()));
}

/// Works for so many milliseconds of this thread's CPU time, within functions of known names.
#[inline(never)]
fn burn_outer(milliseconds: u64) {
    let until = cpu_time_ns() + milliseconds * 1_000_000;
    let mut value = milliseconds;
    while cpu_time_ns() < until {
        value = burn_inner(value);
    }
    std::hint::black_box(value);
}

#[inline(never)]
fn burn_inner(mut value: u64) -> u64 {
    for step in 0..1_000_000 {
        value = std::hint::black_box(value.wrapping_mul(6_364_136_223_846_793_005) + step);
    }
    value
}

fn cpu_time_ns() -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure outlives the call.
    checked(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) }).unwrap();
    u64::try_from(time.tv_sec).unwrap() * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap()
}

impl Stage {
    fn perform(&mut self, command: &str, arguments: &[&str]) -> String {
        let count = || arguments[0].parse::<usize>().unwrap();
        match (command, arguments) {
            ("hello", []) => return "hello".to_owned(),
            ("burn", [_]) => burn_outer(count() as u64),
            ("exit", [_]) => std::process::exit(i32::try_from(count()).unwrap()),
            ("leave", [_]) => leave_to_another_thread(i32::try_from(count()).unwrap()),
            ("threads", [_]) => threads(count()),
            ("crowds", [_, threads]) => crowds(count(), threads.parse().unwrap()),
            ("execute", [program, rest @ ..]) => execute(program, rest),
            ("execute-in-thread", [program, rest @ ..]) => execute_in_thread(program, rest),
            ("run", [program, rest @ ..]) => return run(program, rest).to_string(),
            ("become", [user, effective]) => {
                become_user(user.parse().unwrap(), effective.parse().unwrap());
            }
            ("read", [_]) => read_zeros(count()),
            ("write", [_]) => write_nothing(count()),
            ("read-slowly", [_]) => read_timer(count()),
            ("spin", [_]) => call_signed(spin, count()),
            ("listen", [address]) => {
                let listener = TcpListener::bind(address).unwrap();
                let address = listener.local_addr().unwrap().to_string();
                self.listener = Some(listener);
                return address;
            }
            // It never reads them, and has room for few.
            ("bind", [address]) => {
                let datagrams = UdpSocket::bind(address).unwrap();
                socket::limit_receive_buffer(&datagrams, 1);
                let address = datagrams.local_addr().unwrap().to_string();
                self.datagrams = Some(datagrams);
                return address;
            }
            ("connect", [address]) => match TcpStream::connect(address) {
                Ok(connection) => self.connection = Some(connection),
                Err(error) => return format!("error {}", error.raw_os_error().unwrap()),
            },
            ("accept", []) => {
                self.connection = Some(self.listener.as_ref().unwrap().accept().unwrap().0);
            }
            ("bind-datagrams", [address]) => {
                let socket = UdpSocket::bind(address).unwrap();
                let address = socket.local_addr().unwrap().to_string();
                self.datagrams = Some(socket);
                return address;
            }
            ("connect-datagrams", [address]) => self.datagrams().connect(address).unwrap(),
            ("close-datagrams", []) => self.datagrams = None,
            ("datagram-cookie", []) => return socket::cookie(self.datagrams()).to_string(),
            ("send-datagram", [digits]) => {
                self.datagrams().send(&from_hex(digits)).unwrap();
            }
            ("send-datagram", [digits, address]) => {
                self.datagrams().send_to(&from_hex(digits), address).unwrap();
            }
            ("receive-datagram", []) => {
                let mut bytes = [0; 65_535];
                let (length, sender) = self.datagrams().recv_from(&mut bytes).unwrap();
                return format!("{} {sender}", to_hex(&bytes[..length]));
            }
            ("send-bytes", [digits]) => self.connection().write_all(&from_hex(digits)).unwrap(),
            ("send", [_]) => self.connection().write_all(&vec![b'x'; count()]).unwrap(),
            ("receive", [_]) => self.connection().read_exact(&mut vec![0; count()]).unwrap(),
            ("receive-end", []) => assert_eq!(self.connection().read(&mut [0]).unwrap(), 0),
            ("cookie", []) => return socket::cookie(self.connection()).to_string(),
            ("lose", []) => socket::lose_what_arrives(self.connection()),
            ("lose-nothing", []) => socket::lose_nothing(self.connection()),
            ("settle", []) => {
                socket::acknowledge(self.connection());
                socket::wait_until_acknowledged(self.connection());
            }
            ("measure", []) => return measure(self.connection()),
            ("reset", []) => socket::reset(self.connection.take().unwrap()),
            ("close", []) => self.connection = None,
            _ => {
                let answer = super::family::perform(command, arguments)
                    .or_else(|| super::memory::perform(command, arguments))
                    .or_else(|| super::calls::perform(command, arguments));
                return answer
                    .unwrap_or_else(|| panic!("no such command: {command} {arguments:?}"));
            }
        }
        self.ends()
    }

    fn datagrams(&mut self) -> &mut UdpSocket {
        self.datagrams.as_mut().unwrap()
    }

    fn connection(&mut self) -> &mut TcpStream {
        self.connection.as_mut().unwrap()
    }

    /// Both ends of the connection, if there is one.
    fn ends(&self) -> String {
        let Some(connection) = &self.connection else { return "done".to_owned() };
        match (connection.local_addr(), connection.peer_addr()) {
            (Ok(local), Ok(peer)) => format!("{local} {peer}"),
            _ => "done".to_owned(),
        }
    }
}

/// Segments sent, received and sent again, and the smallest round-trip time.
fn measure(connection: &TcpStream) -> String {
    let life = socket::information(connection);
    let numbers =
        [life.tcpi_segs_out, life.tcpi_segs_in, life.tcpi_total_retrans, life.tcpi_min_rtt];
    numbers.map(|number| number.to_string()).join(" ")
}

/// The first thread ends, the process lives on in another, and ends with this code when told to.
fn leave_to_another_thread(code: i32) {
    std::thread::spawn(move || {
        let leader = format!("/proc/{0}/task/{0}/stat", std::process::id());
        crate::patience::wait_for("end of the first thread", || {
            std::fs::read_to_string(&leader).unwrap().contains(") Z ").then_some(())
        });
        answer_with("left");
        assert_eq!(read_command().as_deref(), Some("end"));
        std::process::exit(code)
    });
    // SAFETY: ends this thread only; nothing on its stack is used by the other one.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

fn threads(count: usize) {
    for thread in (0..count).map(|_| std::thread::spawn(|| ())).collect::<Vec<_>>() {
        thread.join().unwrap();
    }
}

/// So many processes, one after the other, whose threads all end at once, each by itself.
fn crowds(count: usize, threads: usize) {
    for _ in 0..count {
        // SAFETY: this process has one thread, so the child may do what it likes.
        let child = checked(unsafe { libc::fork() }).unwrap();
        if child == 0 {
            let barrier = Box::leak(Box::new(std::sync::Barrier::new(threads + 1)));
            let end = || {
                barrier.wait();
                // SAFETY: ends this thread only; the barrier is never freed.
                unsafe { libc::syscall(libc::SYS_exit, 0) };
            };
            (0..threads).for_each(|_| drop(std::thread::spawn(end)));
            end();
        }
        // SAFETY: takes numbers only where it is given none to write to.
        checked(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }).unwrap();
    }
}

fn execute(program: &str, arguments: &[&str]) {
    let words: Vec<CString> =
        [&[program], arguments].concat().iter().map(|word| CString::new(*word).unwrap()).collect();
    let mut list: Vec<_> = words.iter().map(|word| word.as_ptr()).collect();
    list.push(std::ptr::null());
    // SAFETY: every string ends with NUL and the list with a null pointer.
    checked(unsafe { libc::execv(words[0].as_ptr(), list.as_ptr()) }).unwrap();
}

/// The same in a child, with its end waited for. Answers with the child's id.
fn run(program: &str, arguments: &[&str]) -> i32 {
    // SAFETY: this process has one thread, so the child may do what it likes.
    let child = checked(unsafe { libc::fork() }).unwrap();
    if child == 0 {
        execute(program, arguments);
    }
    // SAFETY: takes numbers only where it is given none to write to.
    checked(unsafe { libc::waitpid(child, std::ptr::null_mut(), 0) }).unwrap();
    child
}

/// Takes the first number for every user and group id that it has, and the second for its effective and saved
/// user id.
fn become_user(id: u32, effective: u32) {
    // SAFETY: take numbers only.
    unsafe {
        checked(libc::setresgid(id, id, id)).unwrap();
        checked(libc::setresuid(id, effective, effective)).unwrap();
    }
}

/// Answers with the id of the thread first, and executes when told to.
fn execute_in_thread(program: &str, arguments: &[&str]) {
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // SAFETY: takes nothing and cannot fail.
            answer_with(&unsafe { libc::gettid() }.to_string());
            assert_eq!(read_command().as_deref(), Some("go"));
            execute(program, arguments);
        });
    });
}

fn read_zeros(count: usize) {
    let mut zeros = std::fs::File::open("/dev/zero").unwrap();
    for _ in 0..count {
        assert_eq!(zeros.read(&mut [0; 64]).unwrap(), 64);
    }
}

fn write_nothing(count: usize) {
    let mut nothing = std::fs::File::create("/dev/null").unwrap();
    for _ in 0..count {
        assert_eq!(nothing.write(&[0; 64]).unwrap(), 64);
    }
}

/// Computes for so many milliseconds on a processor, waits for one not counted.
extern "C" fn spin(milliseconds: usize) {
    let spent = || {
        let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: `time` is written during the call.
        checked(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) })
            .unwrap();
        time.tv_sec * 1000 + time.tv_nsec / 1_000_000
    };
    let end = spent() + i64::try_from(milliseconds).unwrap();
    while spent() < end {
        std::hint::spin_loop();
    }
}

/// One read(2) that takes so many milliseconds.
fn read_timer(milliseconds: usize) {
    let nanoseconds = i64::try_from(milliseconds * 1_000_000).unwrap();
    let zero = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let value = libc::timespec { tv_sec: 0, tv_nsec: nanoseconds };
    let timer = libc::itimerspec { it_interval: zero, it_value: value };
    let mut times = [0u8; 8];
    // SAFETY: `timer` is read and `times` written during the calls; the descriptor is closed once.
    unsafe {
        let descriptor = checked(libc::timerfd_create(libc::CLOCK_MONOTONIC, 0)).unwrap();
        checked(libc::timerfd_settime(descriptor, 0, &raw const timer, std::ptr::null_mut()))
            .unwrap();
        assert_eq!(libc::read(descriptor, times.as_mut_ptr().cast(), 8), 8);
        libc::close(descriptor);
    }
}
