//! Random and hostile bytes through every output.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;

use unicode_width::UnicodeWidthStr;

use crate::cgroup::{self, Cgroup};
use crate::cpu_sample::{CpuSample, PythonEnd, StackEnd, Words};
use crate::dns::{Dns, Message};
use crate::drop::{Direction, Drop, Interface, Packet, Reason};
use crate::file::{FileOpen, FileType, Opened};
use crate::http::{self, HttpRequest};
use crate::icmp::{Class, Icmp, Quoted};
use crate::off_cpu::{OffCpu, WaitReason};
use crate::process::{
    Arguments, Capabilities, Comm, Credentials, Exec, Executable, Exit, FileStatus, Fork, Groups,
    Listening, Namespaces, Process, Rights, Stream,
};
use crate::record::Record;
use crate::samples::{QUERY, RESPONSE};
use crate::socket::{Ends, Part, Transport};
use crate::system_call::{self, SystemCall};
use crate::table::{Mode, Table};
use crate::tcp::{Connection, Happened, NoKey, Role, State, Tcp, Totals};
use crate::time::Timestamp;
use crate::udp::{self, Udp};
use crate::{KINDS, json, text};

/// A small deterministic generator: each state is hashed by multiplying and folding.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let wide = u128::from(self.0) * 0xd6e8_feb8_6659_fd93_u128;
        let folded = (wide >> 64) as u64 ^ wide as u64;
        folded ^ folded >> 29
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn any<T>(&mut self, make: impl FnOnce(&mut Random) -> T) -> Option<T> {
        (self.below(2) == 0).then(|| make(self))
    }

    fn u32(&mut self) -> u32 {
        (self.next() >> 32) as u32 >> self.below(32)
    }

    fn u64(&mut self) -> u64 {
        self.next() >> self.below(64)
    }

    fn flag(&mut self) -> bool {
        self.below(2) == 0
    }

    /// Bytes as they may come: noise, and pieces chosen to hurt.
    fn bytes(&mut self) -> Vec<u8> {
        const HOSTILE: [&str; 16] = [
            "\x1b[2J",
            "\r",
            "\n",
            "\0",
            "\"",
            "\\",
            "\u{9b}31m",
            "\u{202e}",
            "\u{200d}",
            "☺\u{fe0f}",
            "日本",
            "e\u{301}",
            "\u{e0041}",
            "👩\u{200d}🚀",
            "🇩🇪",
            "\x07",
        ];
        let mut bytes = Vec::new();
        for _ in 0..self.below(30) {
            match self.below(4) {
                0 => bytes.push(self.next() as u8),
                1 => bytes.extend_from_slice(HOSTILE[self.below(16) as usize].as_bytes()),
                2 => {
                    let any = char::from_u32(self.u32() % 0x11_0000).unwrap_or('x');
                    bytes.extend_from_slice(any.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => bytes.extend_from_slice(b"text "),
            }
        }
        bytes
    }

    fn credentials(&mut self) -> Credentials {
        Credentials {
            uid: self.u32(),
            effective_uid: self.u32(),
            saved_uid: self.u32(),
            capabilities_permitted: self.u64(),
            user_namespace: self.u32(),
        }
    }

    fn process(&mut self) -> Process {
        let mut comm = [0; 16];
        comm.iter_mut().zip(self.bytes()).for_each(|(to, from)| *to = from);
        Process {
            pid: self.u32(),
            start_boottime_ns: self.u64(),
            start_time: Timestamp(self.u64()),
            ppid: self.u32(),
            uid: self.u32(),
            gid: self.u32(),
            comm: Comm(comm),
            cgroup_id: self.u64(),
            cgroup_hierarchy: self.u32(),
            thread_id: self.u32(),
        }
    }

    fn end(&mut self) -> SocketAddr {
        let port = self.next() as u16;
        match self.below(3) {
            0 => SocketAddr::from((self.u32().to_be_bytes(), port)),
            1 => SocketAddr::from(([0, 0, 0, 0, 0, 0xffff, self.next() as u16, 1], port)),
            _ => SocketAddr::from(((u128::from(self.next()) << 64 | 1).to_be_bytes(), port)),
        }
    }

    fn ends(&mut self) -> Ends {
        Ends {
            transport: [Transport::Tcp, Transport::Udp][self.below(2) as usize],
            part: [Some(Part::Client), Some(Part::Server), None][self.below(3) as usize],
            local: self.end(),
            peer: self.end(),
            net_namespace: self.u32(),
            cookie: self.u64(),
        }
    }

    fn udp(&mut self) -> Udp {
        let ends = [udp::End::SocketClosed, udp::End::Idle, udp::End::Evicted];
        Udp {
            time: Timestamp(self.u64()),
            process: self.any(Random::process),
            ends: self.ends(),
            opened_before_start: self.flag(),
            sampled_one_in: self.u32(),
            received_first: self.flag(),
            totals: udp::Totals {
                datagrams_sent: self.u64(),
                datagrams_received: self.u64(),
                bytes_sent: self.u64(),
                bytes_received: self.u64(),
                socket_drops: self.u64(),
            },
            duration_ns: self.u64(),
            happened: match self.below(4) {
                0 => udp::Happened::Open,
                1 => udp::Happened::Reply,
                2 => udp::Happened::Update,
                _ => udp::Happened::Close(ends[self.below(3) as usize]),
            },
        }
    }

    fn state(&mut self) -> State {
        State::from_kernel(self.below(12) as u8 + 1).unwrap()
    }

    fn happened(&mut self) -> Happened {
        match self.below(9) {
            0 => Happened::Connect,
            1 => Happened::Established { latency_ns: self.any(Random::u64) },
            2 => Happened::ConnectFailed { error: self.u32(), latency_ns: self.any(Random::u64) },
            3 => Happened::Accept { queued_ns: self.any(Random::u64) },
            4 => Happened::Close(Totals {
                bytes_sent: self.u64(),
                bytes_received: self.u64(),
                segments_sent: self.u64(),
                segments_received: self.u64(),
                retransmits: self.u64(),
                smoothed_rtt_us: self.any(Random::u64),
                minimum_rtt_us: self.any(Random::u64),
                receive_window_limited_ns: self.u64(),
                send_buffer_limited_ns: self.u64(),
                duration_ns: Some(self.u64()),
            }),
            5 => Happened::StateChange { old: self.state(), new: self.state() },
            6 => Happened::Retransmit { state: self.state() },
            7 => Happened::ListenDrop {
                drops: self.u64(),
                accept_queue: self.u64(),
                accept_queue_limit: self.u64(),
            },
            _ => Happened::Reset {
                sent: self.flag(),
                state: self.any(Random::state),
                reason: self.any(|_| "\x1b[31mbad\u{202e}"),
            },
        }
    }

    fn tcp(&mut self) -> Tcp {
        let no_key = [NoKey::FastOpen, NoKey::Mptcp, NoKey::Repaired, NoKey::NotEstablished];
        Tcp {
            time: Timestamp(self.u64()),
            process: self.any(Random::process),
            connection: Connection {
                key: self.any(Random::next).ok_or(no_key[self.below(4) as usize]),
                role: self.any(|random| [Role::Opener, Role::Acceptor][random.below(2) as usize]),
                local: self.end(),
                peer: self.end(),
                net_namespace: self.u32(),
                socket_cookie: self.u64(),
                opened_before_start: self.flag(),
            },
            sampled_one_in: self.u32(),
            happened: self.happened(),
        }
    }
}

/// Bytes of a name with a NUL behind them, or all sixteen.
fn sixteen(bytes: &[u8]) -> [u8; 16] {
    let mut name = [0; 16];
    name.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
    name
}

fn dropped(random: &mut Random) -> Drop {
    Drop {
        time: Timestamp(random.u64()),
        process: random.any(Random::process),
        is_ordinary: random.flag(),
        reason: random.any(|random| Reason {
            number: random.u32(),
            name: random.any(|_| "\x1b[31mbad\u{202e}"),
        }),
        location: random.any(|_| "\x1b[31mbad\u{202e}+0x1"),
        packet: Packet {
            ethertype: random.any(|random| random.next() as u16),
            protocol: random.any(|random| random.next() as u8),
            source: random.any(Random::end),
            destination: random.any(Random::end),
            has_ports: random.flag(),
            tcp_flags: random.any(|random| random.next() as u8),
            icmp: random.any(|random| (random.next() as u8, random.next() as u8)),
            is_fragment: random.flag(),
            length_bytes: random.u32(),
        },
        direction: [Direction::Received, Direction::Sent][random.below(2) as usize],
        interface: random
            .any(|random| Interface { index: random.u32(), name: sixteen(&random.bytes()) }),
        net_namespace: random.u32(),
        socket_cookie: random.u64(),
    }
}

fn icmp(random: &mut Random) -> Icmp {
    let quote =
        [&[[0x45, 0x46, 0x60, 0x10][random.below(4) as usize]], &random.bytes()[..]].concat();
    let quoted = Quoted::read(&quote);
    Icmp {
        time: Timestamp(random.u64()),
        process: random.any(Random::process),
        class: [Class::Error, Class::Echo, Class::Other][random.below(3) as usize],
        direction: [Direction::Received, Direction::Sent][random.below(2) as usize],
        source: random.any(|random| random.end().ip()),
        destination: random.end().ip(),
        type_number: random.next() as u8,
        code: random.next() as u8,
        word: random.any(|random| random.u32().to_be_bytes()),
        message_bytes: random.any(Random::u32),
        hop_limit: random.any(|random| random.next() as u8),
        target: random.any(|random| random.end().ip()),
        quoted: quoted.ok(),
        malformed: quoted.err(),
        latency_ns: random.any(Random::u64),
        interface: random
            .any(|random| Interface { index: random.u32(), name: sixteen(&random.bytes()) }),
        net_namespace: random.u32(),
        socket_cookie: random.u64(),
    }
}

/// A message that was damaged in a few places, or is nothing but noise.
fn message(random: &mut Random) -> Vec<u8> {
    let mut message = [QUERY, RESPONSE][random.below(2) as usize].to_vec();
    if random.below(8) == 0 {
        return [&message[..12], &random.bytes(), &random.bytes()].concat();
    }
    for _ in 0..random.below(6) {
        let place = random.below(message.len() as u64) as usize;
        message[place] = random.next() as u8;
    }
    message.truncate(12 + random.below(message.len() as u64) as usize);
    message
}

/// Calls `each` with records whose every value and byte is random.
fn each(random: &mut Random, each: &mut dyn FnMut(&dyn Record)) {
    let texts: [Vec<u8>; 7] = std::array::from_fn(|_| random.bytes());
    let [filename, path, interpreter, cwd, tty, head, tail] = &texts;
    each(&Exec {
        pid_namespace_start: None,
        environment: None,
        time: Timestamp(random.u64()),
        process: random.process(),
        running: random.flag(),
        old_pid: random.any(Random::u32),
        login_uid: random.any(Random::u32),
        effective_uid: random.u32(),
        effective_gid: random.u32(),
        capabilities: Capabilities {
            effective: random.u64(),
            permitted: random.u64(),
            inheritable: random.u64(),
        },
        rights: [Rights::Unknown, Rights::Lawful, Rights::Jumped(random.credentials())]
            [random.below(3) as usize],
        filename,
        executable: Executable {
            path,
            path_truncated: random.flag(),
            device: random.u32(),
            inode: random.u64(),
            is_memfd: random.flag(),
            is_deleted: random.flag(),
            is_overlay_upper: random.flag(),
        },
        file_status: FileStatus {
            is_read_only: random.flag(),
            mode: random.u32(),
            uid: random.u32(),
            gid: random.u32(),
            change_time: Timestamp(random.u64()),
            modify_time: Timestamp(random.u64()),
        },
        interpreter,
        cwd,
        tty,
        session_id: random.u32(),
        groups: Groups {
            process_group: random.u32(),
            virtual_pid: random.u32(),
            virtual_process_group: random.u32(),
            parent_virtual_pid: random.u32(),
        },
        standard_input: Stream::of(random.u32(), random.u32(), random.u32() as u16),
        standard_output: random.any(|random| Stream::ALL[random.below(10) as usize]),
        listening: Listening {
            itself: random.any(Random::flag),
            parent: random.any(Random::flag),
            grandparent: random.any(Random::flag),
        },
        namespaces: Namespaces { pid: random.u32(), ..Namespaces::default() },
        arguments: Arguments { head, tail, total_bytes: random.u64() },
    });
    let (process, parent) = (random.process(), random.process());
    each(&Fork { time: Timestamp(random.u64()), process, parent });
    each(&Exit {
        time: Timestamp(random.u64()),
        process,
        exit_code: random.any(|random| random.next() as u8),
        exit_signal: random.any(|random| random.next() as u8),
        core_dumped: random.flag(),
        duration_ns: random.u64(),
    });
    let happened = [cgroup::Happened::Mkdir, cgroup::Happened::Release][random.below(2) as usize];
    each(&Cgroup {
        time: Timestamp(random.u64()),
        process: random.any(Random::process),
        happened,
        id: random.u64(),
        hierarchy: random.u32(),
        parent_id: random.any(Random::u64),
        level: random.u32(),
        path,
        path_truncated: random.flag(),
    });
    each(&random.tcp());
    each(&dropped(random));
    each(&FileOpen {
        time: Timestamp(random.u64()),
        process: random.process(),
        sampled_one_in: random.u32(),
        path,
        path_truncated: random.flag(),
        name: filename,
        flags: random.u32(),
        mode: random.u32(),
        opened: random.any(|random| Opened {
            file_type: FileType::of_mode(random.u32()),
            permissions: random.u32(),
            device: random.u32(),
            inode: random.u64(),
            is_created: random.flag(),
        }),
        error: random.u32(),
        descriptor: random.any(Random::u32),
    });
    let given = system_call::Path { path, name: filename };
    each(&SystemCall {
        time: Timestamp(random.u64()),
        process: random.process(),
        sampled_one_in: random.u32(),
        effective_uid: random.u32(),
        name: random.any(|_| "setns"),
        number: random.u32(),
        arguments: std::array::from_fn(|_| random.u64()),
        argument_count: random.below(9) as u8,
        path: random.any(|_| given),
        second_path: random.any(|_| given),
        path_truncated: random.flag(),
        descriptor_type: random.any(|random| FileType::of_mode(random.u32())),
        descriptor_family: random.any(|_| "ipv4"),
        descriptor_path: random.any(|_| path.as_slice()),
        socket: random.any(|random| system_call::Socket {
            protocol: random.next() as u16,
            local: random.end(),
            peer: random.any(Random::end),
            is_server: random.flag(),
        }),
        result: random.next() as i64,
    });
    let sample = CpuSample {
        time: Timestamp(random.u64()),
        process: random.process(),
        boottime_ns: random.u64(),
        exec_id: random.u64(),
        weight_ns: random.u64(),
        thread_id: random.u32(),
        thread_comm: random.process().comm,
        cpu: random.u32(),
        is_user_mode: random.flag(),
        is_kernel_truncated: random.flag(),
        user_end: StackEnd::ALL[random.below(15) as usize],
        python_end: PythonEnd::Unreadable,
        kernel_frames: Words::new(filename),
        python_frames: Words::new(path),
        user_frames: Words::new(path),
        registers: Words::new(path),
        stack: path,
    };
    each(&sample);
    each(&OffCpu {
        sample,
        reason: WaitReason::ALL[random.below(6) as usize],
        runnable_ns: random.u64(),
        is_io_wait: random.flag(),
    });
    each(&icmp(random));
    let message = message(random);
    each(&Dns {
        time: Timestamp(random.u64()),
        process: random.any(Random::process),
        ends: random.ends(),
        message: Message::read(&message).unwrap(),
        message_bytes: random.u32(),
        is_cut: random.flag(),
        latency_ns: random.any(Random::u64),
    });
    each(&random.udp());
    let mut head = b"GET /".to_vec();
    head.extend(random.bytes());
    head.extend_from_slice(b" HTTP/1.1\r\nHost: h\r\ntraceparent: ");
    head.extend_from_slice(b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n");
    each(&HttpRequest {
        time: Timestamp(random.u64()),
        process: random.any(Random::process),
        ends: random.ends(),
        key: random.any(Random::u64),
        outcome: http::Outcome::Unseen,
        status: random.any(|random| random.next() as u16),
        duration_ns: random.any(Random::u64),
        head: http::Head::read(&head),
    });
}

/// Somewhere in it is an object without members, or a null. Its texts may say anything.
fn has_nothing(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::Null => true,
        serde_json::Value::Object(members) => {
            members.is_empty() || members.values().any(has_nothing)
        }
        serde_json::Value::Array(items) => items.iter().any(has_nothing),
        _ => false,
    }
}

#[test]
fn any_record_is_one_line_of_valid_json_with_nothing_hidden() {
    let mut random = Random::new(7);
    for _ in 0..3000 {
        each(&mut random, &mut |record| {
            let mut out = Vec::new();
            json::write_line(record, Some("n"), &mut out);
            let line = String::from_utf8(out).unwrap();
            let body = line.strip_suffix('\n').unwrap();
            assert!(!body.chars().any(text::is_hidden), "{body}");
            let value: serde_json::Value = serde_json::from_str(body).unwrap();
            assert_eq!(value["type"], record.kind().name);
            assert!(!has_nothing(&value), "{body}");
        });
    }
}

#[test]
fn any_record_is_one_line_of_a_table_within_the_terminal() {
    let mut random = Random::new(8);
    for round in 0..1000 {
        let width = (round % 4 > 0).then_some(round % 200);
        let mode = if random.flag() { Mode::Table } else { Mode::Wide };
        let mut table = Table::new(&KINDS, &[], mode, width);
        each(&mut random, &mut |record| {
            let mut out = Vec::new();
            table.write_record(record, &mut out);
            let line = String::from_utf8(out).unwrap();
            let line = line.strip_suffix('\n').unwrap();
            assert!(!line.chars().any(char::is_control), "{line}");
            if let Some(width) = width {
                assert!(line.width() <= width, "{} > {width}: {line}", line.width());
            }
        });
    }
}

#[test]
fn a_table_without_a_terminal_is_never_cut() {
    let mut random = Random::new(9);
    let mut table = Table::new(&KINDS, &[], Mode::Wide, None);
    for _ in 0..1000 {
        each(&mut random, &mut |record| {
            let mut out = Vec::new();
            table.write_record(record, &mut out);
            let line = String::from_utf8(out).unwrap();
            record.visit(&mut |field, value| {
                if field.column == "LOCAL" || field.column == "ARGS" {
                    let mut cell = String::new();
                    text::push_value(value, None, true, &mut cell);
                    assert!(line.contains(&cell), "{line}");
                }
            });
        });
    }
}
