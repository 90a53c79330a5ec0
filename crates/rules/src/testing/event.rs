//! An event of a test, and the record that it becomes.
//!
//! Keys of a program, which an event and each of its ancestors have:
//!
//! | key | | without it |
//! |---|---|---|
//! | `exe` | path of the file that really runs | needed |
//! | `file` | the path it was executed by, a link for example | `exe` |
//! | `script` | path of the script that `exe` is the interpreter of | no script |
//! | `argv` | arguments with the first, as a sequence, or as a text with blanks between | the name |
//! | `comm` | name that the kernel keeps | that of `script`, `file` or `exe` |
//! | `memfd`, `deleted`, `upper_layer` | what the executable is | `false` |
//! | `copy_of` | the program whose code it has, under another name | none |
//! | `cwd` | working directory | `/` |
//! | `age` | seconds since it started | 0; of ancestors 3600 |
//! | `env` | variables that it was executed with, as a mapping | none |
//!
//! Keys of an event:
//!
//! | key | | without it |
//! |---|---|---|
//! | `title` | what it is | its arguments |
//! | `ancestors` | programs, the parent first, or only their paths | none |
//! | `container` | it is in one | `true` |
//! | `image` | that container's image | `registry.example/app:1` |
//! | `namespace` | that of the pod | `default` |
//! | `container_name` | the container's name | `app` |
//! | `privileged` | the container is | `false` |
//! | `labels` | the container's, as a mapping | none |
//! | `mounts` | host paths in the container, each `source:destination`, or `source:destination:ro` | none |
//! | `host_mounts` | it is in the host's mount namespace | `true` outside of containers |
//! | `uid` | effective user id | 0 |
//! | `tty` | name of its terminal: `pts0` | none |
//! | `stdin`, `stdout` | what it is, in the words of `proc.stdin_type` | `null` |
//! | `cred_jump` | it has rights to which no lawful way led | `false` |
//! | `listens` | generations that have a socket open which listens: 0 is itself, 1 its parent | none |
//! | `connect`, `accept` | address and port of the other end; the event is this and no execution | |
//! | `peer_name` | the name that was resolved to that address | not known |
//! | `open` | path of the file that is opened; the event is this and no execution | |
//! | `access` | how: `read`, `write`, `create` (and written), `truncate` (and written) | `read` |
//! | `call` | name of a system call, which succeeds; the event is this and no execution | |
//! | `arguments` | its arguments as numbers (0x… too), in the order of the call | 0 |
//! | `path`, `second_path` | its paths, absolute | none |
//! | `result` | what it returns | 0 |
//! | `descriptor_path` | path of the file that its descriptor stands for | no file |
//! | `socket` | address and port of the other end of the socket that its descriptor stands for | no socket |
//! | `unix_socket` | what that socket, or its peer, is bound to | no socket |
//!
//! Above the ancestors that are named are those that every process has: in a container the runtime's shim,
//! and then the node's first process.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use chandra_event::bounded::Pairs;
use chandra_event::file::{FileOpen, FileType, Opened};
use chandra_event::process::{
    Arguments, Capabilities, Comm, Credentials, Environment, Exec, Executable, Listening,
    Namespaces, Process, Rights, Standing, Stream,
};
use chandra_event::record::Record;
use chandra_event::system_call::{Path, Socket, SystemCall};
use chandra_event::tcp::{Connection, Happened, NoKey, Role, Tcp};
use chandra_event::time::Timestamp;
use chandra_event::who::{Container, ContainerDetails, Mount, Peer, Pod, Who};

use crate::adapter::{Ancestor, Lineage, Node, Program, RecordFacts};
use crate::evaluate::Facts;

const SECOND: u64 = 1_000_000_000;
/// When every event happens.
const NOW: Timestamp = Timestamp(2_000_000_000 * SECOND);
/// Inodes of mount namespaces.
const HOST_MOUNTS: u32 = 4_026_531_841;
const OWN_MOUNTS: u32 = 4_026_532_001;
const PID: u32 = 4242;
/// Where sockets are bound.
const OWN_END: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::new(10, 244, 1, 7), 40_000));
const NO_CAPABILITIES: Capabilities = Capabilities { effective: 0, permitted: 0, inheritable: 0 };

/// What a process runs.
#[derive(Debug, Clone, Default)]
pub(super) struct Running {
    pub exe: String,
    pub file: Option<String>,
    pub script: Option<String>,
    pub argv: Option<Vec<String>>,
    pub comm: Option<String>,
    pub memfd: bool,
    pub deleted: bool,
    pub upper_layer: bool,
    pub copy_of: Option<String>,
    pub cwd: Option<String>,
    pub age_seconds: Option<u64>,
    pub env: Vec<(String, String)>,
}

/// What happens but for an execution.
#[derive(Debug, Clone)]
pub(super) enum Other {
    Connect(SocketAddr),
    Accept(SocketAddr),
    Open(String),
    Call(&'static str),
}

/// An event.
#[derive(Debug, Clone, Default)]
pub(super) struct Event {
    pub place: String,
    pub title: Option<String>,
    pub running: Running,
    pub ancestors: Vec<Running>,
    pub outside_of_containers: bool,
    pub image: Option<String>,
    pub namespace: Option<String>,
    pub container_name: Option<String>,
    pub privileged: bool,
    pub labels: Vec<(String, String)>,
    pub mounts: Vec<Mount>,
    pub host_mounts: bool,
    pub uid: u32,
    pub tty: Option<String>,
    pub stdin: Option<Stream>,
    pub stdout: Option<Stream>,
    pub cred_jump: bool,
    pub listens: Vec<u64>,
    pub other: Option<Other>,
    pub peer_name: Option<String>,
    /// `O_*` of open(2).
    pub open_flags: u32,
    pub arguments: [u64; 6],
    pub path: Option<String>,
    pub second_path: Option<String>,
    pub result: i64,
    pub descriptor_path: Option<String>,
    pub socket: Option<SocketAddr>,
    pub unix_socket: Option<String>,
}

/// What a [`Program`] borrows from.
struct Memory<'e> {
    running: &'e Running,
    comm: Comm,
    argv: Vec<u8>,
    env: Vec<u8>,
}

/// The process and those it comes from, with what they stand on.
struct Ran<'e> {
    programs: Vec<Program<'e>>,
    memories: &'e [Memory<'e>],
    standing: Standing,
}

impl Lineage for Ran<'_> {
    fn ancestor(&self, generation: usize) -> Ancestor<'_> {
        self.programs.ancestor(generation)
    }

    fn copy_of(&self) -> Option<&[u8]> {
        self.programs.copy_of()
    }

    fn environment(&self, generation: usize) -> Option<Environment<'_>> {
        self.memories.get(generation).map(Memory::environment)
    }

    fn standing(&self) -> Option<Standing> {
        Some(self.standing)
    }
}

impl Running {
    fn named(&self) -> &str {
        self.script.as_deref().or(self.file.as_deref()).unwrap_or(&self.exe)
    }

    fn memory(&self) -> Memory<'_> {
        let name = self.named().rsplit('/').next().unwrap_or_default();
        let name = self.comm.as_deref().unwrap_or(name);
        let mut comm = Comm::default();
        // The kernel keeps 15 bytes, and a NUL.
        comm.0.iter_mut().zip(name.bytes().take(15)).for_each(|(place, byte)| *place = byte);
        let words = match (&self.argv, &self.script) {
            (Some(argv), _) => argv.clone(),
            (None, Some(script)) => vec![self.exe.clone(), script.clone()],
            (None, None) => vec![name.to_owned()],
        };
        let argv = words.iter().flat_map(|word| word.bytes().chain([0])).collect();
        let variables = self.env.iter().map(|(name, value)| format!("{name}={value}\0"));
        let env = variables.collect::<String>().into_bytes();
        Memory { running: self, comm, argv, env }
    }
}

impl Memory<'_> {
    fn environment(&self) -> Environment<'_> {
        Environment { head: &self.env, total_bytes: self.env.len() as u64 }
    }

    fn program(&self, pid: u32, age_seconds: u64, mounts: u32) -> Program<'_> {
        let Running { exe, script, cwd, .. } = self.running;
        let age = self.running.age_seconds.unwrap_or(age_seconds);
        Program {
            pid,
            comm: self.comm.as_bytes(),
            start_time: Some(Timestamp(NOW.0.saturating_sub(age.saturating_mul(SECOND)))),
            executable: Some(Executable {
                path: exe.as_bytes(),
                inode: 1,
                is_memfd: self.running.memfd,
                is_deleted: self.running.deleted,
                is_overlay_upper: self.running.upper_layer,
                ..Executable::default()
            }),
            arguments: Some(Arguments {
                head: &self.argv,
                tail: b"",
                total_bytes: self.argv.len() as u64,
            }),
            filename: Some(self.running.named().as_bytes()),
            interpreter: Some(script.as_ref().map_or(b"", |_| exe.as_bytes())),
            cwd: Some(cwd.as_deref().unwrap_or("/").as_bytes()),
            namespaces: Some(Namespaces { mnt: mounts, ..Namespaces::default() }),
            copy_of: Some(self.running.copy_of.as_deref().unwrap_or_default().as_bytes()),
            capabilities: Some(&NO_CAPABILITIES),
            cred_jump: Some(false),
        }
    }
}

impl Event {
    /// What it is, for a person.
    pub fn title(&self) -> String {
        let Running { argv, exe, .. } = &self.running;
        let spoken = || argv.as_ref().map_or_else(|| exe.clone(), |argv| argv.join(" "));
        self.title.clone().unwrap_or_else(spoken)
    }

    /// Calls `with` with the event as rules see it.
    pub fn with<T: Default>(&self, with: &mut dyn FnMut(&dyn Facts) -> T) -> T {
        let path = |exe: &str| Running { exe: exe.to_owned(), ..Running::default() };
        let mut outer = vec![path("/usr/lib/systemd/systemd")];
        if !self.outside_of_containers {
            outer.insert(0, path("/usr/bin/containerd-shim-runc-v2"));
        }
        let all = std::iter::once(&self.running).chain(&self.ancestors).chain(&outer);
        let memories: Vec<Memory<'_>> = all.map(Running::memory).collect();
        let in_host = self.outside_of_containers || self.host_mounts;
        let mounts = if in_host { HOST_MOUNTS } else { OWN_MOUNTS };
        let generations = u32::try_from(memories.len()).unwrap_or(u32::MAX);
        let lineage: Vec<Program<'_>> = (memories.iter().zip(0u32..))
            .map(|(memory, generation)| {
                let pid = if generation + 1 == generations { 1 } else { PID - generation };
                let program = memory.program(pid, if generation == 0 { 0 } else { 3600 }, mounts);
                Program { cred_jump: Some(self.cred_jump && generation == 0), ..program }
            })
            .collect();
        let [own, parent, ..] = lineage.as_slice() else { return T::default() };
        let environment = memories.first().map(Memory::environment);
        let exec = self.exec(own, parent, environment);
        let record = self.record(own, parent, &exec);
        let details = self.details();
        let who = self.who(&details);
        let (standing, programs) = (exec.standing(), lineage.clone());
        let lineage = Ran { programs, memories: &memories, standing };
        let node = Node {
            hostname: "node".to_owned(),
            namespaces: Some(Namespaces { mnt: HOST_MOUNTS, ..Namespaces::default() }),
            ..Node::default()
        };
        let facts = RecordFacts::new(record.as_ref(), 1, &who, &lineage, &node);
        facts.map(|facts| with(&facts)).unwrap_or_default()
    }

    fn process(&self, own: &Program<'_>, parent: &Program<'_>) -> Process {
        let mut comm = Comm::default();
        comm.0.iter_mut().zip(own.comm).for_each(|(place, byte)| *place = *byte);
        Process {
            pid: own.pid,
            ppid: parent.pid,
            uid: self.uid,
            gid: self.uid,
            comm,
            start_time: own.start_time.unwrap_or(NOW),
            thread_id: own.pid,
            ..Process::default()
        }
    }

    fn record<'e>(
        &'e self,
        own: &Program<'e>,
        parent: &Program<'e>,
        exec: &Exec<'e>,
    ) -> Box<dyn Record + 'e> {
        let process = self.process(own, parent);
        match &self.other {
            Some(Other::Connect(peer)) => {
                Box::new(connection(process, Role::Opener, *peer, Happened::Connect))
            }
            Some(Other::Accept(peer)) => {
                let happened = Happened::Accept { queued_ns: None };
                Box::new(connection(process, Role::Acceptor, *peer, happened))
            }
            Some(Other::Open(path)) => Box::new(self.open(process, path)),
            Some(Other::Call(name)) => Box::new(self.call(process, name)),
            None => Box::new(*exec),
        }
    }

    /// How the process was executed, for events of something else, too.
    fn exec<'e>(
        &'e self,
        own: &Program<'e>,
        parent: &Program<'e>,
        environment: Option<Environment<'e>>,
    ) -> Exec<'e> {
        Exec {
            time: NOW,
            process: self.process(own, parent),
            effective_uid: self.uid,
            effective_gid: self.uid,
            filename: own.filename.unwrap_or_default(),
            executable: own.executable.unwrap_or_default(),
            interpreter: own.interpreter.unwrap_or_default(),
            cwd: own.cwd.unwrap_or_default(),
            tty: self.tty.as_deref().unwrap_or_default().as_bytes(),
            session_id: own.pid,
            standard_input: self.stdin.or(Some(Stream::Null)),
            standard_output: self.stdout.or(Some(Stream::Null)),
            listening: Listening {
                itself: Some(self.listens.contains(&0)),
                parent: Some(self.listens.contains(&1)),
                grandparent: Some(self.listens.contains(&2)),
            },
            rights: match self.cred_jump {
                true => Rights::Jumped(Credentials::default()),
                false => Rights::Lawful,
            },
            namespaces: own.namespaces.unwrap_or_default(),
            arguments: own.arguments.unwrap_or_default(),
            environment,
            ..Exec::default()
        }
    }

    fn open<'e>(&self, process: Process, path: &'e str) -> FileOpen<'e> {
        let opened = Opened {
            file_type: FileType::Regular,
            permissions: 0o644,
            device: 0,
            inode: 1,
            is_created: false,
        };
        FileOpen {
            time: NOW,
            process,
            sampled_one_in: 1,
            path: path.as_bytes(),
            path_truncated: false,
            name: path.as_bytes(),
            flags: self.open_flags,
            mode: 0o644,
            opened: Some(opened),
            error: 0,
            descriptor: Some(3),
        }
    }

    fn call(&self, process: Process, name: &'static str) -> SystemCall<'_> {
        let named = self.descriptor_path.as_ref().or(self.unix_socket.as_ref());
        let family = match (self.socket, &self.unix_socket) {
            (Some(SocketAddr::V4(_)), _) => Some("ipv4"),
            (Some(SocketAddr::V6(_)), _) => Some("ipv6"),
            (None, path) => path.as_ref().map(|_| "unix"),
        };
        SystemCall {
            time: NOW,
            process,
            sampled_one_in: 1,
            effective_uid: self.uid,
            name: Some(name),
            number: 0,
            arguments: self.arguments,
            argument_count: 6,
            path: self.path.as_deref().map(path_of),
            second_path: self.second_path.as_deref().map(path_of),
            path_truncated: false,
            descriptor_type: match (&self.descriptor_path, family) {
                (_, Some(_)) => Some(FileType::Socket),
                (path, None) => path.as_ref().map(|_| FileType::Regular),
            },
            descriptor_family: family,
            descriptor_path: named.map(|path| path.as_bytes()),
            socket: self.socket.map(|peer| Socket {
                protocol: 6,
                local: OWN_END,
                peer: Some(peer),
                is_server: false,
            }),
            result: self.result,
        }
    }

    fn details(&self) -> ContainerDetails {
        let labels = self.labels.iter().map(|(key, value)| (key.as_bytes(), value.as_bytes()));
        ContainerDetails {
            privileged: Some(self.privileged),
            labels: Some(Pairs::collect(labels)),
            mounts: Some(self.mounts.clone()),
            ..ContainerDetails::default()
        }
    }

    fn who<'e>(&'e self, details: &'e ContainerDetails) -> Who<'e> {
        let container = Container {
            id: "c0ffee000000beef",
            runtime: "containerd",
            name: Some(self.container_name.as_deref().unwrap_or("app")),
            image: Some(self.image.as_deref().unwrap_or("registry.example/app:1")),
            is_sandbox: false,
            details: Some(details),
        };
        let pod = Pod {
            namespace: Some(self.namespace.as_deref().unwrap_or("default")),
            name: Some("app-1"),
            ..Pod::default()
        };
        Who {
            executable: Some(self.running.exe.as_bytes()),
            container: (!self.outside_of_containers).then_some(container),
            pod: (!self.outside_of_containers).then_some(pod),
            peer: Peer { name: self.peer_name.as_deref(), ..Peer::default() },
            ..Who::default()
        }
    }
}

fn path_of(path: &str) -> Path<'_> {
    Path { path: path.as_bytes(), name: path.as_bytes() }
}

fn connection(process: Process, role: Role, peer: SocketAddr, happened: Happened) -> Tcp {
    let connection = Connection {
        key: Err(NoKey::NotEstablished),
        role: Some(role),
        local: OWN_END,
        peer,
        net_namespace: 0,
        socket_cookie: 0,
        opened_before_start: false,
    };
    Tcp { time: NOW, process: Some(process), connection, sampled_one_in: 1, happened }
}
