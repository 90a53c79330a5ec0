//! A record as `-o json` prints it, read back for rules.
//!
//! What JSON does not hold is not known: of ancestors the parent's name and executable, unless what the ancestors
//! did was recorded as well. Bytes that are not UTF-8 were written visibly (`\xff`), and stay so.

use std::net::{IpAddr, SocketAddr};

use chandra_event::bounded::Pairs;
use chandra_event::file::{FileOpen, FileType, Opened};
use chandra_event::names;
use chandra_event::process::{
    Arguments, Capabilities, Comm, Credentials, Environment, Exec, Executable, Exit, FileStatus,
    Fork, Groups, Listening, Namespaces, Process, Rights, Stream,
};
use chandra_event::record::Record;
use chandra_event::socket::{Ends, Part, Transport};
use chandra_event::system_call::{Path, Socket, SystemCall};
use chandra_event::tcp::{Connection, Happened, NoKey, Role, Tcp};
use chandra_event::time::Timestamp;
use chandra_event::udp::{self, Totals, Udp};
use chandra_event::who::{Container, Parent, Peer, Pod, Who, Workload};
use chandra_signals::system_call::calls;
use serde_json::Value;

/// A record and who did it.
pub(super) struct Recorded {
    object: Value,
    argv: Vec<u8>,
    argv_tail: Vec<u8>,
    environment: Vec<u8>,
    labels: Option<Pairs>,
    /// The node that told of it.
    pub node: Option<String>,
}

impl Recorded {
    /// A line of JSON; an error says why it is no record.
    #[cfg(test)]
    pub fn parse(line: &str) -> Result<Self, String> {
        serde_json::from_str(line).map_err(|error| format!("no JSON: {error}")).and_then(Self::new)
    }

    /// A record, of a JSON object; an error says why it is none.
    pub fn new(object: Value) -> Result<Self, String> {
        if object.get("type").and_then(Value::as_str).is_none() {
            return Err("it has no \"type\": it is no record of chandra's".to_owned());
        }
        let words = |path: &str| -> Vec<u8> {
            let words = object.pointer(path).and_then(Value::as_array).into_iter().flatten();
            words.filter_map(Value::as_str).flat_map(|word| word.bytes().chain([0])).collect()
        };
        let labels = object.pointer("/pod/labels").and_then(Value::as_object).map(|labels| {
            let pairs = labels
                .iter()
                .filter_map(|(key, value)| Some((key.as_bytes(), value.as_str()?.as_bytes())));
            Pairs::collect(pairs)
        });
        let (argv, argv_tail) = (words("/process/argv"), words("/process/argv_tail"));
        let environment = words("/process/environment");
        let node = object.get("node").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { argv, argv_tail, environment, labels, node, object })
    }

    fn text(&self, path: &str) -> Option<&str> {
        self.object.pointer(path)?.as_str()
    }

    fn bytes(&self, path: &str) -> &[u8] {
        self.text(path).unwrap_or_default().as_bytes()
    }

    fn is(&self, path: &str) -> bool {
        self.object.pointer(path).and_then(Value::as_bool).unwrap_or_default()
    }

    /// A number, which is a string where it may pass 2^53.
    fn number(&self, path: &str) -> Option<u64> {
        let value = self.object.pointer(path)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    fn small(&self, path: &str) -> Option<u32> {
        self.number(path).and_then(|number| u32::try_from(number).ok())
    }

    fn time(&self, path: &str) -> Timestamp {
        let time = self.text(path).and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let ns = time.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
        Timestamp(ns.unwrap_or_default())
    }

    fn comm(&self, path: &str) -> Comm {
        let mut comm = Comm::default();
        for (place, byte) in comm.0.iter_mut().zip(self.bytes(path).iter().take(15)) {
            *place = *byte;
        }
        comm
    }

    fn capabilities(&self, path: &str) -> u64 {
        let listed = self.object.pointer(path).and_then(Value::as_array);
        let listed: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
        let bits = (0..).zip(names::capabilities(u64::MAX));
        bits.filter(|(_, name)| listed.contains(&name.to_string().as_str()))
            .fold(0, |set, (bit, _): (u32, _)| set | 1 << bit)
    }

    fn process(&self) -> Process {
        self.process_at("/process")
    }

    fn process_at(&self, object: &str) -> Process {
        let at = |field: &str| format!("{object}/{field}");
        let number = |field| self.small(&at(field)).unwrap_or_default();
        let big = |field| self.number(&at(field)).unwrap_or_default();
        Process {
            pid: number("pid"),
            start_boottime_ns: big("start_boottime_ns"),
            start_time: self.time(&at("start_time")),
            ppid: number("ppid"),
            uid: number("uid"),
            gid: number("gid"),
            comm: self.comm(&at("comm")),
            cgroup_id: big("cgroup_id"),
            cgroup_hierarchy: number("cgroup_hierarchy"),
            thread_id: number("thread_id"),
        }
    }

    fn exec(&self) -> Exec<'_> {
        let process = self.process();
        let id = |path| self.small(path).unwrap_or_default();
        let argv = &self.argv;
        let head = match self.is("/process/argv_truncated") {
            // The last of them is cut, and ends nowhere.
            true => argv.strip_suffix(b"\0").unwrap_or(argv),
            false => argv,
        };
        Exec {
            time: self.time("/time"),
            login_uid: self.small("/process/login_uid"),
            effective_uid: self.small("/process/effective_uid").unwrap_or(process.uid),
            effective_gid: self.small("/process/effective_gid").unwrap_or(process.gid),
            capabilities: Capabilities {
                effective: self.capabilities("/process/capabilities_effective"),
                permitted: self.capabilities("/process/capabilities_permitted"),
                inheritable: self.capabilities("/process/capabilities_inheritable"),
            },
            rights: self.rights(),
            filename: self.bytes("/process/filename"),
            executable: Executable {
                path: self.bytes("/process/exe"),
                path_truncated: self.is("/process/exe_path_truncated"),
                device: self.device("/process/exe_device").unwrap_or_default(),
                inode: self.number("/process/exe_inode").unwrap_or_default(),
                is_memfd: self.is("/process/exe_is_memfd"),
                is_deleted: self.is("/process/exe_is_deleted"),
                is_overlay_upper: self.is("/process/exe_is_overlay_upper"),
            },
            file_status: FileStatus {
                is_read_only: self.is("/process/exe_is_read_only"),
                mode: self.mode("/process/exe_mode").unwrap_or_default(),
                uid: id("/process/exe_uid"),
                gid: id("/process/exe_gid"),
                change_time: self.time("/process/exe_change_time"),
                modify_time: self.time("/process/exe_modify_time"),
            },
            interpreter: self.bytes("/process/interpreter"),
            cwd: self.bytes("/process/cwd"),
            tty: self.bytes("/process/tty"),
            session_id: id("/process/session_id"),
            groups: Groups {
                process_group: id("/process/process_group"),
                virtual_pid: id("/process/virtual_pid"),
                virtual_process_group: id("/process/virtual_process_group"),
                parent_virtual_pid: id("/process/parent_virtual_pid"),
            },
            standard_input: self.text("/process/stdin_type").and_then(Stream::of_word),
            standard_output: self.text("/process/stdout_type").and_then(Stream::of_word),
            listening: self.listening(),
            namespaces: Namespaces {
                pid: id("/process/namespaces/pid"),
                mnt: id("/process/namespaces/mnt"),
                net: id("/process/namespaces/net"),
                user: id("/process/namespaces/user"),
                cgroup: id("/process/namespaces/cgroup"),
            },
            arguments: Arguments {
                head,
                tail: &self.argv_tail,
                total_bytes: self.number("/process/argv_bytes").unwrap_or(head.len() as u64),
            },
            process,
            pid_namespace_start: self
                .text("/process/pid_namespace_start")
                .map(|_| self.time("/process/pid_namespace_start")),
            environment: self.environment(),
            ..Exec::default()
        }
    }

    /// As it was recorded, where a rule asked for it.
    fn environment(&self) -> Option<Environment<'_>> {
        let total_bytes = self.number("/process/environment_bytes")?;
        let all = &self.environment;
        let is_cut = total_bytes > all.len() as u64;
        // The last of those that are kept is cut, and ends nowhere.
        let head = if is_cut { all.strip_suffix(b"\0").unwrap_or(all) } else { all };
        Some(Environment { head, total_bytes })
    }

    /// The known program that the executable was found to be a copy of, empty for none.
    pub fn copy_of(&self) -> Option<&[u8]> {
        self.text("/process/exe_copy_of").map(str::as_bytes)
    }

    /// The id of its container.
    pub fn container(&self) -> Option<&str> {
        self.text("/container/id")
    }

    fn rights(&self) -> Rights {
        let id = |path| self.small(path).unwrap_or_default();
        match self.object.pointer("/process/cred_jump").and_then(Value::as_bool) {
            None => Rights::Unknown,
            Some(false) => Rights::Lawful,
            Some(true) => Rights::Jumped(Credentials {
                uid: id("/process/cred_before/uid"),
                effective_uid: id("/process/cred_before/effective_uid"),
                saved_uid: id("/process/cred_before/saved_uid"),
                capabilities_permitted: self
                    .capabilities("/process/cred_before/capabilities_permitted"),
                user_namespace: id("/process/cred_before/user_namespace"),
            }),
        }
    }

    fn listening(&self) -> Listening {
        let is = |path| self.object.pointer(path).and_then(Value::as_bool);
        Listening {
            itself: is("/process/listens"),
            parent: is("/process/parent_listens"),
            grandparent: is("/process/grandparent_listens"),
        }
    }

    fn end(&self, object: &str) -> Option<SocketAddr> {
        let address: IpAddr = self.text(&format!("{object}/address"))?.parse().ok()?;
        // A connection that begins has no port of its own yet.
        let port = self.number(&format!("{object}/port")).unwrap_or_default();
        Some(SocketAddr::new(address, u16::try_from(port).ok()?))
    }

    fn tcp(&self, happened: Happened) -> Option<Tcp> {
        let role = match happened {
            Happened::Accept { .. } => Role::Acceptor,
            _ => Role::Opener,
        };
        let key = self.text("/connection/key");
        let key = key.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        let connection = Connection {
            key: key.ok_or(NoKey::NotEstablished),
            role: Some(role),
            local: self.end("/connection/local")?,
            peer: self.end("/connection/peer")?,
            net_namespace: self.small("/connection/net_namespace").unwrap_or_default(),
            socket_cookie: 0,
            opened_before_start: false,
        };
        let process = self.object.get("process").is_some().then(|| self.process());
        Some(Tcp { time: self.time("/time"), process, connection, happened })
    }

    fn udp(&self) -> Option<Udp> {
        let big = |path| self.number(path).unwrap_or_default();
        let (bytes_sent, bytes_received) = (big("/bytes_sent"), big("/bytes_received"));
        let part = match self.text("/connection/role") {
            Some("client") => Some(Part::Client),
            Some("server") => Some(Part::Server),
            _ => None,
        };
        Some(Udp {
            time: self.time("/time"),
            process: self.object.get("process").is_some().then(|| self.process()),
            ends: Ends {
                transport: Transport::Udp,
                part,
                local: self.end("/connection/local")?,
                peer: self.end("/connection/peer")?,
                net_namespace: self.small("/connection/net_namespace").unwrap_or_default(),
                cookie: 0,
            },
            opened_before_start: self.is("/connection/opened_before_start"),
            received_first: big("/datagrams_received") > 0,
            totals: Totals {
                datagrams_sent: big("/datagrams_sent"),
                datagrams_received: big("/datagrams_received"),
                bytes_sent,
                bytes_received,
                socket_drops: big("/socket_drops"),
            },
            duration_ns: 0,
            happened: udp::Happened::Open,
        })
    }

    fn mode(&self, path: &str) -> Option<u32> {
        u32::from_str_radix(self.text(path)?, 8).ok()
    }

    /// A device as /proc writes it, `8:1`.
    fn device(&self, path: &str) -> Option<u32> {
        let (major, minor) = self.text(path)?.split_once(':')?;
        let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
        Some(major.checked_shl(20)? | minor & 0xf_ffff)
    }

    fn words(&self, path: &str) -> impl Iterator<Item = &str> {
        let words = self.object.pointer(path).and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_str)
    }

    fn open(&self) -> FileOpen<'_> {
        let number = |path| self.small(path).unwrap_or_default();
        let opened = || Opened {
            file_type: self
                .text("/file/type")
                .and_then(FileType::of_word)
                .unwrap_or(FileType::Other),
            permissions: self.mode("/file/permissions").unwrap_or_default(),
            device: self.device("/file/device").unwrap_or_default(),
            inode: self.number("/file/inode").unwrap_or_default(),
            is_created: self.is("/file/is_created"),
        };
        FileOpen {
            time: self.time("/time"),
            process: self.process(),
            sampled_one_in: self.small("/sampled_one_in").unwrap_or(1),
            path: self.bytes("/file/path"),
            path_truncated: self.is("/file/path_truncated"),
            name: self.bytes("/file/name"),
            flags: names::open_flags_of(self.words("/file/flags")),
            mode: self.mode("/file/mode").unwrap_or_default(),
            opened: self.is("/file/is_resolved").then(opened),
            error: number("/error_number"),
            descriptor: self.small("/file/descriptor"),
        }
    }

    fn call(&self) -> SystemCall<'_> {
        let mut arguments = [0; 6];
        let mut argument_count = 0;
        for (place, word) in arguments.iter_mut().zip(self.words("/system_call/arguments")) {
            let digits = word.strip_prefix("0x").unwrap_or(word);
            *place = u64::from_str_radix(digits, 16).unwrap_or_default();
            argument_count += 1;
        }
        let path = |path, given| {
            let path = self.text(path)?.as_bytes();
            Some(Path { path, name: self.bytes(given) })
        };
        SystemCall {
            time: self.time("/time"),
            process: self.process(),
            sampled_one_in: self.small("/sampled_one_in").unwrap_or(1),
            effective_uid: self.small("/system_call/effective_uid").unwrap_or_default(),
            name: self.text("/system_call/name").and_then(calls::by_name).map(|call| call.name),
            number: self.small("/system_call/number").unwrap_or_default(),
            arguments,
            argument_count,
            path: path("/system_call/path", "/system_call/path_given"),
            second_path: path("/system_call/second_path", "/system_call/second_path_given"),
            path_truncated: self.is("/system_call/path_truncated"),
            descriptor_type: self.text("/system_call/descriptor_type").and_then(FileType::of_word),
            descriptor_family: self
                .text("/system_call/descriptor_family")
                .and_then(names::socket_family_of),
            descriptor_path: self.text("/system_call/descriptor_path").map(str::as_bytes),
            socket: self.socket(),
            result: self.object.get("result").and_then(Value::as_i64).unwrap_or_default(),
        }
    }

    fn socket(&self) -> Option<Socket> {
        Some(Socket {
            protocol: u16::try_from(self.number("/system_call/socket/protocol")?).ok()?,
            local: self.end("/system_call/socket/local")?,
            peer: self.end("/system_call/socket/peer"),
            is_server: self.is("/system_call/socket/is_server"),
        })
    }

    fn who(&self) -> Who<'_> {
        let executable = |path| self.text(path).map(str::as_bytes);
        let has = |object: &str| self.object.get(object).is_some();
        Who {
            executable: executable("/process/exe"),
            parent: has("parent").then(|| Parent {
                pid: self.small("/parent/pid").unwrap_or_default(),
                start_boottime_ns: self.number("/parent/start_boottime_ns").unwrap_or_default(),
                start_time: self.time("/parent/start_time"),
                comm: self.comm("/parent/comm"),
                executable: executable("/parent/exe"),
            }),
            container: self.text("/container/id").map(|id| Container {
                id,
                runtime: self.text("/container/runtime").unwrap_or_default(),
                name: self.text("/container/name"),
                image: self.text("/container/image"),
                is_sandbox: self.is("/container/is_sandbox"),
                // In a line of its own.
                details: None,
            }),
            pod: has("pod").then(|| Pod {
                namespace: self.text("/pod/namespace"),
                name: self.text("/pod/name"),
                uid: self.text("/pod/uid"),
                labels: self.labels.as_ref(),
                ..Pod::default()
            }),
            workload: self
                .text("/workload/kind")
                .zip(self.text("/workload/name"))
                .map(|(kind, name)| Workload { kind, name }),
            peer: Peer { name: self.text("/peer_name"), ..Peer::default() },
            is_pending: self.text("/identity") == Some("pending"),
            ..Who::default()
        }
    }

    /// Calls `with` with the record and who did it; with one of a running process, which is no event of rules, if
    /// it is of another type.
    pub fn with<T>(&self, with: &mut dyn FnMut(&dyn Record, &Who<'_>) -> T) -> T {
        let who = self.who();
        let exec = Exec { running: true, ..self.exec() };
        match self.text("/type") {
            Some("exec") => with(&self.exec(), &who),
            Some("fork") => {
                let (time, process) = (self.time("/time"), self.process());
                with(&Fork { time, process, parent: self.process_at("/parent") }, &who)
            }
            Some("exit") => {
                let byte = |path| self.number(path).and_then(|code| u8::try_from(code).ok());
                let exit = Exit {
                    time: self.time("/time"),
                    process: self.process(),
                    exit_code: byte("/exit_code"),
                    exit_signal: byte("/exit_signal_number"),
                    core_dumped: self.is("/core_dumped"),
                    duration_ns: self.number("/duration_ns").unwrap_or_default(),
                };
                with(&exit, &who)
            }
            Some("file_open") => with(&self.open(), &who),
            Some("system_call") => with(&self.call(), &who),
            Some("udp_open") => match self.udp() {
                Some(udp) => with(&udp, &who),
                None => with(&exec, &who),
            },
            Some("tcp_connect") => match self.tcp(Happened::Connect) {
                Some(tcp) => with(&tcp, &who),
                None => with(&exec, &who),
            },
            Some("tcp_accept") => {
                match self.tcp(Happened::Accept { queued_ns: self.number("/queued_ns") }) {
                    Some(tcp) => with(&tcp, &who),
                    None => with(&exec, &who),
                }
            }
            _ => with(&exec, &who),
        }
    }
}

#[cfg(test)]
mod tests {
    use chandra_event::json;
    use chandra_event::who::Known;
    use chandra_rules::catalogue::{EventType, EventTypes};

    use super::*;

    fn line(record: &dyn Record) -> String {
        let mut out = Vec::new();
        json::write_line(&Known { record, who: &Who::default() }, None, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[track_caller]
    fn comes_back(record: &dyn Record) {
        let written = line(record);
        let again = Recorded::parse(&written).unwrap().with(&mut |read, _| line(read));
        assert_eq!(again, written);
    }

    fn process() -> Process {
        let comm = Comm(*b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        Process { pid: 99, ppid: 1, start_boottime_ns: 1 << 60, comm, ..Process::default() }
    }

    /// As a recording has it.
    fn in_recording(exec: &Exec<'_>, copy_of: Option<&[u8]>) -> String {
        let mut out = Vec::new();
        let who = Who::default();
        crate::record::write_line(&Known { record: exec, who: &who }, "n1", copy_of, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_only_rules_ask_of_an_execution_comes_back_from_a_recording() {
        let environment =
            |head: &'static [u8], total_bytes| Some(Environment { head, total_bytes });
        let whole = Exec {
            process: process(),
            pid_namespace_start: Some(Timestamp(1_795_338_000_123_456_789)),
            environment: environment(b"A=1\0EMPTY=\0", 11),
            namespaces: Namespaces { pid: 1, ..Namespaces::default() },
            ..Exec::default()
        };
        let cut = Exec { environment: environment(b"A=1\0B=beg", 999), ..whole };
        let unasked = Exec { environment: None, pid_namespace_start: None, ..whole };
        let none = Exec { environment: environment(b"", 0), ..whole };
        for exec in [whole, cut, unasked, none] {
            for copy_of in [None, Some(&b""[..]), Some(b"bash")] {
                let written = in_recording(&exec, copy_of);
                let read = Recorded::parse(&written).unwrap();
                assert_eq!(read.copy_of(), copy_of, "{written}");
                let again = read.exec();
                assert_eq!(again.environment, exec.environment, "{written}");
                assert_eq!(again.pid_namespace_start, exec.pid_namespace_start, "{written}");
                assert_eq!(in_recording(&again, copy_of), written);
            }
        }
        assert!(!in_recording(&unasked, None).contains("environment"));
    }

    #[test]
    fn first_datagrams_come_back() {
        for (received_first, part) in [(true, Some(Part::Server)), (false, None)] {
            let sent = u64::from(!received_first);
            comes_back(&Udp {
                time: Timestamp(1_795_338_611_123_456_789),
                process: Some(process()),
                ends: Ends {
                    transport: Transport::Udp,
                    part,
                    local: "10.0.0.1:53".parse().unwrap(),
                    peer: "10.0.0.2:40000".parse().unwrap(),
                    net_namespace: 7,
                    cookie: 0,
                },
                opened_before_start: true,
                received_first,
                totals: Totals {
                    datagrams_sent: sent,
                    datagrams_received: 1 - sent,
                    bytes_sent: 44 * sent,
                    bytes_received: 512 * (1 - sent),
                    socket_drops: 3,
                },
                duration_ns: 0,
                happened: udp::Happened::Open,
            });
        }
    }

    #[test]
    fn processes_come_back_as_they_were_written() {
        let before = Credentials {
            uid: 1000,
            effective_uid: 1001,
            saved_uid: 1002,
            capabilities_permitted: 1 << 7,
            user_namespace: 9,
        };
        let exec = Exec {
            time: Timestamp(1_795_338_611_123_456_789),
            process: Process { cgroup_id: 7, cgroup_hierarchy: 3, gid: 5, ..process() },
            login_uid: Some(1000),
            capabilities: Capabilities { effective: 1 << 21, permitted: 2, inheritable: 1 << 40 },
            rights: Rights::Jumped(before),
            filename: b"./x",
            executable: Executable {
                path: b"/opt/x",
                device: 8 << 20 | 1,
                inode: 99,
                is_deleted: true,
                ..Executable::default()
            },
            file_status: FileStatus {
                is_read_only: true,
                mode: 0o4755,
                uid: 7,
                gid: 8,
                change_time: Timestamp(1_795_338_000_123_456_789),
                modify_time: Timestamp(1_795_337_000_123_456_789),
            },
            cwd: b"/",
            tty: b"pts0",
            namespaces: Namespaces { pid: 1, mnt: 2, net: 3, user: 4, cgroup: 5 },
            session_id: 3,
            groups: Groups {
                process_group: 4,
                virtual_pid: 5,
                virtual_process_group: 6,
                parent_virtual_pid: 1,
            },
            standard_input: Some(Stream::Ipv4),
            standard_output: Some(Stream::Null),
            listening: Listening { itself: Some(false), parent: Some(true), grandparent: None },
            arguments: Arguments { head: b"x\0-y\0", tail: b"", total_bytes: 5 },
            ..Exec::default()
        };
        comes_back(&exec);
        comes_back(&Exec { rights: Rights::Lawful, standard_input: None, ..exec });
        comes_back(&Exec { rights: Rights::Unknown, groups: Groups::default(), ..exec });
        comes_back(&Exec { running: true, filename: b"", ..exec });
        let (time, parent) = (exec.time, Process { pid: 1, ..process() });
        comes_back(&Fork { time, process: process(), parent });
    }

    #[test]
    fn connections_come_back_as_they_were_written() {
        let connection = Connection {
            key: Err(NoKey::NotEstablished),
            role: Some(Role::Opener),
            local: SocketAddr::from(([10, 0, 0, 1], 0)),
            peer: "[2001:db8::1]:443".parse().unwrap(),
            net_namespace: 7,
            socket_cookie: 0,
            opened_before_start: false,
        };
        let (time, process) = (Timestamp(1_795_338_611_123_456_789), Some(process()));
        comes_back(&Tcp { time, process, connection, happened: Happened::Connect });
        let local = "[2001:db8::2]:80".parse().unwrap();
        let (key, role) = (Ok(0xdef5_7bc3_99c9_8eee), Some(Role::Acceptor));
        let connection = Connection { key, role, local, ..connection };
        let happened = Happened::Accept { queued_ns: Some(50_000) };
        comes_back(&Tcp { time, process, connection, happened });
    }

    #[test]
    fn opens_come_back_as_they_were_written() {
        let opened = Opened {
            file_type: FileType::CharacterDevice,
            permissions: 0o4755,
            device: 259 << 20 | 300,
            inode: u64::MAX,
            is_created: true,
        };
        let open = FileOpen {
            time: Timestamp(1_795_338_611_123_456_789),
            process: process(),
            sampled_one_in: 8,
            path: b"/dev/x",
            path_truncated: false,
            name: b"../x",
            flags: 0o2_001_102,
            mode: 0o600,
            opened: Some(opened),
            error: 0,
            descriptor: Some(3),
        };
        comes_back(&open);
        comes_back(&FileOpen { descriptor: None, flags: 0, path_truncated: true, ..open });
        comes_back(&FileOpen { opened: None, error: 13, flags: 0o10_000_000, ..open });
    }

    #[test]
    fn system_calls_come_back_as_they_were_written() {
        let call = SystemCall {
            time: Timestamp(1_795_338_611_123_456_789),
            process: process(),
            sampled_one_in: 8,
            effective_uid: 1000,
            name: Some("renameat2"),
            number: 316,
            arguments: [u64::MAX, 0x7ffd_0000_1000, 3, 4, 5, 0],
            argument_count: 5,
            path: Some(Path { path: b"/a", name: b"a" }),
            second_path: Some(Path { path: b"/b", name: b"" }),
            path_truncated: false,
            descriptor_type: None,
            descriptor_family: None,
            descriptor_path: None,
            socket: None,
            result: -13,
        };
        comes_back(&call);
        let (path, second_path) = (None, None);
        let descriptor_type = Some(FileType::Socket);
        let descriptor_family = Some("unix");
        let (name, result) = (Some("dup2"), 1);
        comes_back(&SystemCall {
            name,
            path,
            second_path,
            descriptor_type,
            descriptor_family,
            descriptor_path: Some(b"@name"),
            result,
            ..call
        });
    }

    #[test]
    fn sockets_of_system_calls_come_back_as_they_were_written() {
        let local = SocketAddr::from(([10, 0, 0, 1], 40_000));
        let socket = Socket { protocol: 17, local, peer: None, is_server: true };
        let peer = Some(SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 53)));
        for socket in [socket, Socket { peer, is_server: false, ..socket }] {
            comes_back(&SystemCall {
                time: Timestamp(1_795_338_611_123_456_789),
                process: process(),
                sampled_one_in: 8,
                effective_uid: 0,
                name: Some("bind"),
                number: 49,
                arguments: [3, 4, 16, 0, 0, 0],
                argument_count: 3,
                path: None,
                second_path: None,
                path_truncated: false,
                descriptor_type: Some(FileType::Socket),
                descriptor_family: Some("ipv4"),
                descriptor_path: None,
                socket: Some(socket),
                result: 0,
            });
        }
    }

    #[test]
    fn every_call_that_can_be_watched_is_an_event_of_rules() {
        for call in calls::CALLS {
            let event_type = EventType::of_name(call.name);
            let told = EventTypes::CALLS.union(EventTypes::only(EventType::Connect));
            assert!(event_type.is_some_and(|one| told.contains(one)), "{call:?}");
        }
        // Which of the older calls there are depends on the architecture.
        #[cfg(target_arch = "x86_64")]
        for event_type in EventTypes::CALLS.iter() {
            assert!(calls::by_name(event_type.name()).is_some(), "{event_type:?}");
        }
    }
}
