//! Who does the deeds: `doer host|container FOLDER PID`, with the id of a process of the host, and what it
//! starts.

use std::ffi::CString;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use simple_dns::rdata::{A, RData};
use simple_dns::{CLASS, Packet, ResourceRecord};

use crate::launch;
use crate::patience::wait_for;

use super::{CASES, Case, Deed, Place};

/// Names that resolve in a container, and addresses of its own.
pub(super) const POOL: [(&str, &str); 2] =
    [("pool.supportxmr.com", "203.0.113.10"), ("www.supportxmr.com.example.test", "203.0.113.11")];
/// As an argument, and as the name of a variable: the id of a process outside of all containers.
pub(super) const HOST_PROCESS: &str = "HOST_PROCESS";
/// Addresses that a container gives itself.
const ADDRESSES: [&str; 4] = ["169.254.169.254", "203.0.113.9", POOL[0].1, POOL[1].1];
/// Rules on servers leave their children alone for ten seconds.
const SERVER_AGE: Duration = Duration::from_millis(10_200);

/// A deed that was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Its case in the table.
    pub case: usize,
    /// The rule must fire of it.
    pub fires: bool,
    /// By which process.
    pub pid: u32,
}

/// What was done, once all is.
///
/// # Panics
/// When it never is.
pub fn wait_for_done(folder: &Path) -> Vec<Done> {
    let text = wait_for("the deeds", || {
        let failure = fs::read_to_string(folder.join("failed"));
        assert!(failure.is_err(), "{failure:?}");
        fs::read_to_string(folder.join("done")).ok()
    });
    let done = |line: &str| {
        let words: Vec<u32> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        Done { case: words[0] as usize, fires: words[1] == 1, pid: words[2] }
    };
    text.lines().map(done).collect()
}

/// The doer's `main`: does everything, or what it was started for.
///
/// # Panics
/// When a deed cannot be done.
pub fn doer() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["do", case, fires] => {
            let case: &Case = &CASES[case.parse::<usize>().unwrap()];
            match if *fires == "true" { case.fires } else { case.silent } {
                Deed::Do(_, act) => act(),
                _ => panic!("it is done otherwise"),
            }
        }
        ["serve"] => serve(),
        ["listen"] => {
            let _listener = TcpListener::bind("127.0.0.1:0").unwrap();
            serve();
        }
        [place, folder, host_process] => {
            // SAFETY: there is one thread yet.
            unsafe { std::env::set_var(HOST_PROCESS, host_process) };
            let failed = Path::new(folder).join("failed");
            // What a container writes nobody sees.
            std::panic::set_hook(Box::new(move |why| drop(fs::write(&failed, why.to_string()))));
            Doer::new(folder.as_ref()).all(*place == "container");
        }
        other => panic!("{other:?}"),
    }
    ExitCode::SUCCESS
}

/// A server that runs the programs that it is told to, a line each, and tells their process ids.
///
/// # Panics
/// When one cannot be run.
pub fn serve() {
    for line in std::io::stdin().lines() {
        let line = line.unwrap();
        let words: Vec<&str> = line.split('\t').collect();
        let mut child = Command::new(words[0]).args(&words[1..]).spawn().unwrap();
        println!("{}", child.id());
        child.wait().unwrap();
    }
}

struct Server {
    name: &'static str,
    started: Instant,
    child: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

struct Doer {
    folder: PathBuf,
    servers: Vec<Server>,
}

impl Doer {
    fn new(folder: &Path) -> Self {
        for part in ["programs", "actors"] {
            fs::create_dir_all(folder.join(part)).unwrap();
        }
        let this = Self { folder: folder.to_owned(), servers: Vec::new() };
        fs::copy("/usr/bin/true", this.stand_in("stand-in")).unwrap();
        fs::copy("/proc/self/exe", this.folder.join("actors/actor")).unwrap();
        this
    }

    fn stand_in(&self, name: &str) -> PathBuf {
        self.folder.join("programs").join(name)
    }

    /// A program: the machine's, or a stand-in of this name.
    fn program(&self, name: &str) -> PathBuf {
        if name.starts_with('/') {
            return name.into();
        }
        let path = self.stand_in(name);
        if !path.exists() {
            fs::hard_link(self.stand_in("stand-in"), &path).unwrap();
        }
        path
    }

    /// This program under another name.
    fn actor(&self, name: &str) -> PathBuf {
        let path = self.folder.join("actors").join(name);
        if !path.exists() {
            fs::hard_link(self.folder.join("actors/actor"), &path).unwrap();
        }
        path
    }

    fn all(mut self, in_container: bool) {
        let cases = || CASES.iter().enumerate();
        let here = |case: &Case| in_container || case.place == Place::Both;
        for (_, case) in cases().filter(|(_, case)| here(case)) {
            for deed in [case.fires, case.silent] {
                match deed {
                    Deed::RunByServer(name, ..) => self.start_server(name, "serve"),
                    Deed::RunByListener(name, ..) => self.start_server(name, "listen"),
                    _ => {}
                }
            }
        }
        if in_container {
            prepare_network();
        }
        let mut said = String::new();
        // What a rule fires of comes last: once it has fired, the near misses before it are decided.
        for fires in [false, true] {
            for (number, case) in cases().filter(|(_, case)| here(case)) {
                let deed = if fires { case.fires } else { case.silent };
                let pid = self.do_it(deed, number, fires);
                said.push_str(&format!("{number} {} {pid}\n", u8::from(fires)));
            }
        }
        for Server { asks, mut child, .. } in self.servers {
            drop(asks);
            child.wait().unwrap();
        }
        fs::write(self.folder.join("doing"), said).unwrap();
        fs::rename(self.folder.join("doing"), self.folder.join("done")).unwrap();
    }

    fn start_server(&mut self, name: &'static str, how: &str) {
        if self.servers.iter().any(|server| server.name == name) {
            return;
        }
        let mut command = Command::new(self.actor(name));
        command.arg(how).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let asks = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap());
        self.servers.push(Server { name, started: Instant::now(), child, asks, answers });
    }

    /// Has a server run a program, and returns that one's process id.
    fn ask_server(&mut self, name: &str, program: &str, arguments: &[&str]) -> u32 {
        let program = self.program(program);
        let server = self.servers.iter_mut().find(|server| server.name == name).unwrap();
        let words = [&[program.to_str().unwrap()], arguments].concat().join("\t");
        writeln!(server.asks, "{words}").unwrap();
        let mut line = String::new();
        server.answers.read_line(&mut line).unwrap();
        line.trim_end().parse().unwrap()
    }

    fn do_it(&mut self, deed: Deed, number: usize, fires: bool) -> u32 {
        let run = |command: &mut Command| {
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            child.wait().unwrap();
            child.id()
        };
        // Without the terminal of whoever runs the tests.
        let apart = |command: &mut Command| {
            // SAFETY: takes nothing.
            launch::before_exec(command, || launch::checked(unsafe { libc::setsid() }).map(drop));
            run(command)
        };
        match deed {
            Deed::Run(program, arguments) => {
                let arguments = arguments.iter().map(|word| match *word {
                    HOST_PROCESS => host_process(),
                    word => word.to_owned(),
                });
                apart(Command::new(self.program(program)).args(arguments))
            }
            Deed::RunAs(program, first, arguments) => {
                apart(Command::new(self.program(program)).arg0(first).args(arguments))
            }
            Deed::RunOnTerminal(program, arguments) => {
                let (_near, name) = launch::terminal();
                let mut command = Command::new(self.program(program));
                launch::on_terminal(&mut command, &name);
                run(command.args(arguments))
            }
            Deed::RunWithoutArguments(program) => {
                let path = CString::new(self.program(program).as_os_str().as_bytes()).unwrap();
                let mut command = Command::new("/this/program/is/never/reached");
                launch::before_exec(&mut command, move || {
                    let nothing = std::ptr::null();
                    // SAFETY: `path` ends with NUL, the list with the null pointer that it begins with.
                    launch::checked(unsafe { libc::execv(path.as_ptr(), &raw const nothing) })
                        .map(drop)
                });
                apart(&mut command)
            }
            Deed::RunCopy(path) => {
                let path = Path::new(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::copy(self.stand_in("stand-in"), path).unwrap();
                fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
                let pid = apart(&mut Command::new(path));
                fs::remove_file(path).unwrap();
                // Where it was made for this.
                drop(fs::remove_dir(path.parent().unwrap()));
                pid
            }
            Deed::RunFromMemory => {
                let file = launch::memory_file("log", &self.stand_in("stand-in"));
                apart(&mut launch::by_descriptor(&file, &["log"]))
            }
            Deed::RunDeleted => {
                let path = self.folder.join("gone");
                fs::copy(self.stand_in("stand-in"), &path).unwrap();
                let file = launch::inherited(&path);
                fs::remove_file(&path).unwrap();
                apart(&mut launch::by_descriptor(&file, &["gone"]))
            }
            Deed::RunByServer(name, program, arguments) => {
                let server = self.servers.iter().find(|server| server.name == name).unwrap();
                wait_for("a server that is old enough", || {
                    (server.started.elapsed() >= SERVER_AGE).then_some(())
                });
                self.ask_server(name, program, arguments)
            }
            Deed::RunByListener(name, program, arguments) => {
                self.ask_server(name, program, arguments)
            }
            Deed::Do(name, _) => {
                let mut command = Command::new(self.actor(name));
                command.args(["do", &number.to_string(), &fires.to_string()]).stdin(Stdio::null());
                let mut child = command.spawn().unwrap();
                let status = child.wait().unwrap();
                assert!(status.success(), "{}: {status}", CASES[number].rule);
                child.id()
            }
        }
    }
}

pub(super) fn host_process() -> String {
    std::env::var(HOST_PROCESS).unwrap()
}

/// Addresses to connect to where nobody listens, and a server of names.
fn prepare_network() {
    for address in ADDRESSES {
        let words = ["address", "add", &format!("{address}/32"), "dev", "lo"];
        assert!(Command::new("/usr/bin/ip").args(words).status().unwrap().success(), "{words:?}");
    }
    let socket = UdpSocket::bind("127.0.0.1:53").unwrap();
    std::thread::spawn(move || {
        let mut bytes = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut bytes) {
            let query = Packet::parse(&bytes[..length]).unwrap();
            let name = query.questions[0].qname.clone().into_owned();
            let (_, address) = POOL.iter().find(|(known, _)| name.to_string() == *known).unwrap();
            let mut reply = query.into_reply();
            let data =
                RData::A(A { address: address.parse::<std::net::Ipv4Addr>().unwrap().into() });
            reply.answers.push(ResourceRecord::new(name, CLASS::IN, 300, data));
            socket.send_to(&reply.build_bytes_vec().unwrap(), client).unwrap();
        }
    });
}
