//! A record as `-o json` prints it, read back for rules.
//!
//! What JSON does not hold is not known: of ancestors the parent's name and executable only. Bytes that are
//! not UTF-8 were written visibly (`\xff`), and stay so.

use std::net::{IpAddr, SocketAddr};

use chandra_event::bounded::Pairs;
use chandra_event::names;
use chandra_event::process::{Arguments, Comm, Exec, Executable, Exit, Namespaces, Process};
use chandra_event::record::Record;
use chandra_event::tcp::{Connection, Happened, NoKey, Role, Tcp};
use chandra_event::time::Timestamp;
use chandra_event::who::{Container, Parent, Peer, Pod, Who, Workload};
use serde_json::Value;

/// A record and who did it.
pub(super) struct Recorded {
    object: Value,
    argv: Vec<u8>,
    argv_tail: Vec<u8>,
    labels: Option<Pairs>,
    /// The node that told of it.
    pub node: Option<String>,
}

impl Recorded {
    /// A line of JSON; an error says why it is no record.
    pub fn parse(line: &str) -> Result<Self, String> {
        let object: Value =
            serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
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
        let node = object.get("node").and_then(Value::as_str).map(str::to_owned);
        Ok(Self { argv, argv_tail, labels, node, object })
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
        let number = |path| self.small(path).unwrap_or_default();
        Process {
            pid: number("/process/pid"),
            start_boottime_ns: self.number("/process/start_boottime_ns").unwrap_or_default(),
            start_time: self.time("/process/start_time"),
            ppid: number("/process/ppid"),
            uid: number("/process/uid"),
            gid: number("/process/gid"),
            comm: self.comm("/process/comm"),
            cgroup_id: self.number("/process/cgroup_id").unwrap_or_default(),
            cgroup_hierarchy: number("/process/cgroup_hierarchy"),
        }
    }

    fn exec(&self) -> Exec<'_> {
        let process = self.process();
        let namespace = |path| self.small(path).unwrap_or_default();
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
            capabilities_effective: self.capabilities("/process/capabilities_effective"),
            capabilities_permitted: self.capabilities("/process/capabilities_permitted"),
            filename: self.bytes("/process/filename"),
            executable: Executable {
                path: self.bytes("/process/exe"),
                path_truncated: self.is("/process/exe_path_truncated"),
                device: 0,
                inode: self.number("/process/exe_inode").unwrap_or_default(),
                is_memfd: self.is("/process/exe_is_memfd"),
                is_deleted: self.is("/process/exe_is_deleted"),
                is_overlay_upper: self.is("/process/exe_is_overlay_upper"),
            },
            interpreter: self.bytes("/process/interpreter"),
            cwd: self.bytes("/process/cwd"),
            tty: self.bytes("/process/tty"),
            session_id: self.small("/process/session_id").unwrap_or_default(),
            namespaces: Namespaces {
                pid: namespace("/process/namespaces/pid"),
                mnt: namespace("/process/namespaces/mnt"),
                net: namespace("/process/namespaces/net"),
                user: namespace("/process/namespaces/user"),
                cgroup: namespace("/process/namespaces/cgroup"),
            },
            arguments: Arguments {
                head,
                tail: &self.argv_tail,
                total_bytes: self.number("/process/argv_bytes").unwrap_or(head.len() as u64),
            },
            process,
            ..Exec::default()
        }
    }

    fn end(&self, object: &str) -> Option<SocketAddr> {
        let address: IpAddr = self.text(&format!("{object}/address"))?.parse().ok()?;
        let port = self.number(&format!("{object}/port"))?;
        Some(SocketAddr::new(address, u16::try_from(port).ok()?))
    }

    fn tcp(&self, happened: Happened) -> Option<Tcp> {
        let role = match happened {
            Happened::Accept { .. } => Role::Acceptor,
            _ => Role::Opener,
        };
        let connection = Connection {
            key: Err(NoKey::NotEstablished),
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
            }),
            pod: has("pod").then(|| Pod {
                namespace: self.text("/pod/namespace"),
                name: self.text("/pod/name"),
                uid: self.text("/pod/uid"),
                labels: self.labels.as_ref(),
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

    /// Calls `with` with the record and who did it; with one of no event of rules' if it is of another type.
    pub fn with<T>(&self, with: &mut dyn FnMut(&dyn Record, &Who<'_>) -> T) -> T {
        let who = self.who();
        let exec = Exec { running: true, ..self.exec() };
        match self.text("/type") {
            Some("exec") => with(&self.exec(), &who),
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
            Some("tcp_connect") => match self.tcp(Happened::Connect) {
                Some(tcp) => with(&tcp, &who),
                None => with(&exec, &who),
            },
            Some("tcp_accept") => match self.tcp(Happened::Accept { queued_ns: None }) {
                Some(tcp) => with(&tcp, &who),
                None => with(&exec, &who),
            },
            _ => with(&exec, &who),
        }
    }
}
