//! One record of each kind for the tests of every output.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::net::{IpAddr, SocketAddr};

use crate::cgroup::{self, Cgroup};
use crate::cpu_sample::{CpuSample, PythonEnd, StackEnd, Words};
use crate::dns::{Dns, Message};
use crate::drop::{Direction, Drop, Interface, Packet, Reason};
use crate::file::{FileOpen, FileType, Opened};
use crate::http::{self, HttpRequest};
use crate::icmp::{Class, Icmp, Malformed, Quoted};
use crate::off_cpu::{OffCpu, WaitReason};
use crate::oom::{MemoryLimit, OomKill, Resident, Victim};
use crate::process::{
    Arguments, Capabilities, Comm, Credentials, Exec, Executable, Exit, FileStatus, Fork, Groups,
    Listening, Namespaces, Process, Rights, Stream,
};
use crate::record::Record;
use crate::signal::{Outcome, SignalSent, Target};
use crate::socket::{Ends, Part, Transport};
use crate::system_call::{self, SystemCall};
use crate::tcp::{Connection, Happened, NoKey, Role, State, Tcp, Totals};
use crate::time::Timestamp;
use crate::udp::{self, Udp};
use crate::who::Described;

/// 2026-11-22T09:10:11.123456789Z
const NOW: Timestamp = Timestamp(1_795_338_611_123_456_789);

fn process(pid: u32, ppid: u32, comm: [u8; 16]) -> Process {
    Process {
        pid,
        ppid,
        start_boottime_ns: 5_000_000_000,
        start_time: Timestamp(1_795_338_600_000_000_000),
        uid: 1000,
        gid: 100,
        comm: Comm(comm),
        cgroup_id: 4242,
        cgroup_hierarchy: 0,
        thread_id: 0,
    }
}

pub fn exec() -> Exec<'static> {
    Exec {
        pid_namespace_start: None,
        environment: None,
        time: NOW,
        process: process(4321, 1234, *b"python3\0\0\0\0\0\0\0\0\0"),
        running: false,
        old_pid: Some(4322),
        login_uid: Some(1001),
        effective_uid: 0,
        effective_gid: 0,
        capabilities: Capabilities { effective: 1 << 12 | 1 << 41, permitted: 0, inheritable: 1 },
        rights: Rights::Jumped(Credentials {
            uid: 1000,
            effective_uid: 1000,
            saved_uid: 1001,
            capabilities_permitted: 1 << 10,
            user_namespace: 4,
        }),
        filename: b"./run\x1b[2J.py",
        executable: Executable {
            path: b"/usr/bin/python3.12",
            path_truncated: false,
            device: 8 << 20 | 1,
            inode: 123_456,
            is_memfd: false,
            is_deleted: false,
            is_overlay_upper: true,
        },
        file_status: FileStatus {
            is_read_only: false,
            mode: 0o100_755,
            uid: 0,
            gid: 5,
            change_time: NOW,
            modify_time: NOW,
        },
        interpreter: b"/usr/bin/python3",
        cwd: b"/home/ann",
        tty: b"pts0",
        session_id: 1200,
        groups: Groups {
            process_group: 4321,
            virtual_pid: 21,
            virtual_process_group: 20,
            parent_virtual_pid: 1,
        },
        standard_input: Some(Stream::Ipv4),
        standard_output: None,
        listening: Listening { itself: Some(false), parent: Some(true), grandparent: None },
        namespaces: Namespaces { pid: 1, mnt: 2, net: 3, user: 4, cgroup: 5 },
        arguments: Arguments {
            head: b"python3\0./run.py\0--say\0good \xff",
            tail: b"ay\0--end\0",
            total_bytes: 70_000,
        },
    }
}

pub fn running() -> Exec<'static> {
    Exec {
        time: NOW,
        process: process(1, 0, *b"init\0\0\0\0\0\0\0\0\0\0\0\0"),
        running: true,
        arguments: Arguments { head: b"/sbin/init\0", tail: b"", total_bytes: 11 },
        ..Exec::default()
    }
}

pub fn fork() -> Fork {
    let (process, parent) = (
        process(77, 7, *b"make\0\0\0\0\0\0\0\0\0\0\0\0"),
        process(7, 1, *b"bash\0\0\0\0\0\0\0\0\0\0\0\0"),
    );
    Fork { time: NOW, process, parent }
}

pub fn exit() -> Exit {
    Exit {
        time: NOW,
        process: process(77, 7, *b"make\0\0\0\0\0\0\0\0\0\0\0\0"),
        exit_code: None,
        exit_signal: Some(9),
        core_dumped: false,
        duration_ns: 1_234_567,
    }
}

/// In a container that a runtime makes on a cgroup v1 host.
pub fn cgroup(happened: cgroup::Happened) -> Cgroup<'static> {
    let maker =
        Process { cgroup_hierarchy: 8, ..process(900, 1, *b"runc\0\0\0\0\0\0\0\0\0\0\0\0") };
    Cgroup {
        time: NOW,
        process: happened.has_process().then_some(maker),
        happened,
        id: 3111,
        hierarchy: 8,
        parent_id: Some(3001),
        level: 2,
        path: b"/docker/\x1b[2J",
        path_truncated: false,
    }
}

pub fn tcp(happened: Happened) -> Tcp {
    Tcp {
        time: NOW,
        process: Some(process(99, 1, *b"curl\0\0\0\0\0\0\0\0\0\0\0\0")),
        connection: Connection {
            key: Ok(0x0123_4567_89ab_cdef),
            role: Some(Role::Opener),
            local: SocketAddr::from(([0, 0, 0, 0, 0, 0xffff, 0x0a00, 0x0001], 40_000)),
            peer: SocketAddr::from(([10, 0, 0, 2], 443)),
            net_namespace: 4_026_531_840,
            socket_cookie: 12,
            opened_before_start: false,
        },
        sampled_one_in: 1,
        happened,
    }
}

/// As little as can be known of a connection.
pub fn unknown_tcp(happened: Happened) -> Tcp {
    let connection = Connection {
        key: Err(NoKey::RoleUnknown),
        role: None,
        local: SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 443)),
        peer: SocketAddr::from(([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1], 55_555)),
        net_namespace: 4_026_531_840,
        socket_cookie: 0,
        opened_before_start: true,
    };
    Tcp { process: None, connection, sampled_one_in: 8, ..tcp(happened) }
}

/// A segment that a firewall threw away on its way in.
pub fn dropped() -> Drop {
    Drop {
        time: NOW,
        process: Some(process(99, 1, *b"curl\0\0\0\0\0\0\0\0\0\0\0\0")),
        is_ordinary: false,
        reason: Some(Reason { number: 12, name: Some("netfilter_drop") }),
        location: Some("nf_hook_slow+0xc6"),
        packet: Packet {
            ethertype: Some(0x0800),
            protocol: Some(6),
            source: Some(SocketAddr::from(([10, 0, 0, 2], 443))),
            destination: Some(SocketAddr::from(([10, 0, 0, 1], 40_000))),
            has_ports: true,
            tcp_flags: Some(0x12),
            icmp: None,
            is_fragment: false,
            length_bytes: 60,
        },
        direction: Direction::Received,
        interface: Some(Interface { index: 2, name: *b"eth0\0\0\0\0\0\0\0\0\0\0\0\0" }),
        net_namespace: 4_026_531_840,
        socket_cookie: 12,
    }
}

/// As little as can be known of a packet.
pub fn unknown_drop() -> Drop {
    let packet = Packet {
        ethertype: None,
        protocol: None,
        source: None,
        destination: None,
        has_ports: false,
        tcp_flags: None,
        icmp: None,
        is_fragment: false,
        length_bytes: 0,
    };
    Drop {
        process: None,
        is_ordinary: true,
        reason: None,
        location: None,
        packet,
        direction: Direction::Sent,
        interface: None,
        net_namespace: 0,
        socket_cookie: 0,
        ..dropped()
    }
}

/// `WWW.Example.COM`, type AAAA, with EDNS.
pub const QUERY: &[u8] =
    b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01\x03WWW\x07Example\x03COM\0\0\x1c\0\x01\
    \0\0\x29\x04\xd0\0\0\x80\0\0\0";

/// Its answer: a CNAME, an address of the name that this leads to, and a text.
pub const RESPONSE: &[u8] =
    b"\x12\x34\x81\x80\0\x01\0\x03\0\0\0\0\x03WWW\x07Example\x03COM\0\0\x1c\0\x01\
    \xc0\x0c\0\x05\0\x01\0\0\0\x3c\0\x06\x03a.b\xc0\x10\
    \xc0\x2d\0\x1c\0\x01\0\0\0\x1e\0\x10\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\
    \xc0\x0c\0\x10\0\x01\x80\0\0\0\0\x02\x01t";

/// At a client.
pub fn dns(message: &[u8], latency_ns: Option<u64>) -> Dns<'_> {
    Dns {
        time: NOW,
        process: Some(process(99, 1, *b"curl\0\0\0\0\0\0\0\0\0\0\0\0")),
        ends: Ends {
            transport: Transport::Udp,
            part: Some(Part::Client),
            local: SocketAddr::from(([10, 0, 0, 1], 40_000)),
            peer: SocketAddr::from(([10, 0, 0, 53], 53)),
            net_namespace: 4_026_531_840,
            cookie: 12,
        },
        message: Message::read(message).unwrap(),
        message_bytes: u32::try_from(message.len()).unwrap(),
        is_cut: false,
        latency_ns,
    }
}

/// A shell writes where a link leads.
pub fn file_open() -> FileOpen<'static> {
    FileOpen {
        time: NOW,
        process: process(99, 1, *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        sampled_one_in: 8,
        path: b"/etc/cron.d/\x1b[2J",
        path_truncated: false,
        name: b"link",
        flags: 0o1101,
        mode: 0o100_644,
        opened: Some(Opened {
            file_type: FileType::Regular,
            permissions: 0o4755,
            device: 8 << 20 | 1,
            inode: 123_456,
            is_created: true,
        }),
        error: 0,
        descriptor: Some(3),
    }
}

/// A link that cannot be made.
pub fn system_call() -> SystemCall<'static> {
    SystemCall {
        time: NOW,
        process: process(99, 1, *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        sampled_one_in: 1,
        effective_uid: 0,
        name: Some("symlinkat"),
        number: 266,
        arguments: [0x7ffd_0000_1000, 0xffff_ff9c, 0x7ffd_0000_2000, 1, 2, 3],
        argument_count: 3,
        path: Some(system_call::Path { path: b"../\x1b[2J", name: b"../\x1b[2J" }),
        second_path: Some(system_call::Path { path: b"/etc/link", name: b"link" }),
        path_truncated: false,
        descriptor_type: None,
        descriptor_family: None,
        descriptor_path: None,
        socket: None,
        result: -13,
    }
}

/// Of a program that the kernel works for.
pub fn cpu_sample() -> CpuSample<'static> {
    CpuSample {
        time: NOW,
        process: process(99, 1, *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0"),
        boottime_ns: 15_000_000_000,
        exec_id: 7,
        weight_ns: 10_101_010,
        thread_id: 101,
        thread_comm: Comm(*b"worker\0\0\0\0\0\0\0\0\0\0"),
        cpu: 3,
        is_user_mode: false,
        is_kernel_truncated: true,
        user_end: StackEnd::UnknownProcess,
        kernel_frames: Words::new(&[1; 24]),
        python_frames: Words::new(&[5; 16]),
        python_end: PythonEnd::Outermost,
        user_frames: Words::new(&[2; 16]),
        registers: Words::new(&[3; 8]),
        stack: &[4; 1024],
    }
}

/// Of the same program, which slept.
pub fn off_cpu() -> OffCpu<'static> {
    OffCpu {
        sample: CpuSample { weight_ns: 200_000_000, is_kernel_truncated: false, ..cpu_sample() },
        reason: WaitReason::Interruptible,
        runnable_ns: 50_000,
        is_io_wait: false,
    }
}

/// Of a container that reached its limit.
pub fn oom_kill() -> OomKill {
    OomKill {
        time: NOW,
        thread_id: 99,
        victim: Some(Victim {
            process: process(99, 1, *b"java\0\0\0\0\0\0\0\0\0\0\0\0"),
            total_bytes: 4 << 30,
            page_table_bytes: 1 << 20,
            oom_score_adjustment: -997,
            resident: Some(Resident {
                anonymous_bytes: 255 << 20,
                file_bytes: 1 << 20,
                shared_memory_bytes: 0,
            }),
        }),
        limit: Some(MemoryLimit {
            cgroup_id: 4200,
            cgroup_hierarchy: 0,
            bytes: 256 << 20,
            usage_bytes: 256 << 20,
        }),
        allocator_pid: 99,
        allocator_comm: Comm(*b"GC Thread#0\0\0\0\0\0"),
    }
}

/// A shell's kill(1).
pub fn signal_sent() -> SignalSent {
    SignalSent {
        time: NOW,
        process: Some(process(99, 1, *b"sh\0\0\0\0\0\0\0\0\0\0\0\0\0\0")),
        sampled_one_in: 1,
        signal: 15,
        code: Some(0),
        is_by_kernel: false,
        is_to_process: true,
        outcome: Outcome::Delivered,
        target: Target {
            pid: 101,
            thread_id: 101,
            start_boottime_ns: 6_000_000_000,
            cgroup_id: 4300,
            cgroup_hierarchy: 0,
            comm: Comm(*b"sleep\0\0\0\0\0\0\0\0\0\0\0"),
        },
    }
}

/// At a client.
pub fn udp(happened: udp::Happened) -> Udp {
    Udp {
        time: NOW,
        process: Some(process(99, 1, *b"curl\0\0\0\0\0\0\0\0\0\0\0\0")),
        ends: dns(QUERY, None).ends,
        opened_before_start: false,
        sampled_one_in: 1,
        received_first: false,
        totals: udp::Totals {
            datagrams_sent: 1,
            datagrams_received: 2,
            bytes_sent: 44,
            bytes_received: 2_600,
            socket_drops: 3,
        },
        duration_ns: 1_234_567,
        happened,
    }
}

/// As little as can be known of a conversation.
pub fn unknown_udp(happened: udp::Happened) -> Udp {
    let ends = Ends { part: None, ..dns(QUERY, None).ends };
    Udp { process: None, ends, opened_before_start: true, sampled_one_in: 8, ..udp(happened) }
}

/// As curl sends it where it is told to take part in a trace.
pub const ASKED: &[u8] = b"GET /cart/\x1b[2J?user=ann HTTP/1.1\r\nHost: shop.example:8080\r\n\
    traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\r\n";

/// At a client.
pub fn http_request() -> HttpRequest<'static> {
    HttpRequest {
        time: NOW,
        process: Some(process(99, 1, *b"curl\0\0\0\0\0\0\0\0\0\0\0\0")),
        ends: Ends { transport: Transport::Tcp, ..dns(QUERY, None).ends },
        key: Some(0x0123_4567_89ab_cdef),
        outcome: http::Outcome::Answered,
        status: Some(404),
        duration_ns: Some(1_234_567),
        head: http::Head::read(ASKED),
    }
}

/// A router says that a segment of curl's is too large.
pub fn icmp_error() -> Icmp {
    Icmp {
        time: NOW,
        process: None,
        class: Class::Error,
        direction: Direction::Received,
        source: Some(IpAddr::from([10, 0, 0, 254])),
        destination: IpAddr::from([10, 0, 0, 1]),
        type_number: 3,
        code: 4,
        word: Some([0, 0, 0x05, 0x78]),
        message_bytes: Some(556),
        hop_limit: Some(64),
        target: None,
        quoted: Some(Quoted {
            protocol: Some(6),
            source: SocketAddr::from(([10, 0, 0, 1], 40_000)),
            destination: SocketAddr::from(([10, 0, 0, 2], 443)),
            has_ports: true,
            icmp_type: None,
            echo: None,
            length_bytes: 1500,
            is_fragment: false,
        }),
        malformed: None,
        latency_ns: None,
        interface: Some(Interface { index: 2, name: *b"eth0\0\0\0\0\0\0\0\0\0\0\0\0" }),
        net_namespace: 4_026_531_840,
        socket_cookie: 0,
    }
}

/// The reply to a ping.
pub fn icmp_echo() -> Icmp {
    Icmp {
        process: Some(process(99, 1, *b"ping\0\0\0\0\0\0\0\0\0\0\0\0")),
        class: Class::Echo,
        source: Some(IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])),
        destination: IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        type_number: 129,
        code: 0,
        word: Some([0x12, 0x34, 0, 7]),
        message_bytes: Some(64),
        quoted: None,
        latency_ns: Some(1_234_567),
        ..icmp_error()
    }
}

/// As little as can be known of a message, and that it is broken.
pub fn unknown_icmp() -> Icmp {
    Icmp {
        class: Class::Other,
        direction: Direction::Sent,
        source: None,
        type_number: 200,
        code: 1,
        word: None,
        message_bytes: None,
        hop_limit: None,
        quoted: None,
        malformed: Some(Malformed::EndsTooSoon),
        interface: None,
        net_namespace: 0,
        ..icmp_error()
    }
}

/// Calls `each` with one record of every kind, in the order of [`KINDS`](crate::KINDS).
pub fn each(each: &mut dyn FnMut(&dyn Record)) {
    each(&exec());
    each(&running());
    each(&fork());
    each(&exit());
    each(&cgroup(cgroup::Happened::Mkdir));
    each(&cgroup(cgroup::Happened::Rmdir));
    each(&cgroup(cgroup::Happened::Rename));
    each(&cgroup(cgroup::Happened::Release));
    each(&cgroup(cgroup::Happened::Running));
    each(&tcp(Happened::Connect));
    each(&tcp(Happened::Established { latency_ns: Some(350_000) }));
    each(&tcp(Happened::ConnectRetry { latency_ns: Some(1_000_000_000) }));
    each(&tcp(Happened::ConnectFailed { error: 111, latency_ns: Some(42) }));
    each(&tcp(Happened::Accept { queued_ns: None }));
    each(&tcp(Happened::Close(Totals {
        bytes_sent: 1_258_291,
        bytes_received: u64::MAX,
        segments_sent: 900,
        segments_received: 800,
        retransmits: 3,
        smoothed_rtt_us: Some(1_250),
        minimum_rtt_us: None,
        receive_window_limited_ns: 1_200_000_000,
        send_buffer_limited_ns: 4_000_000,
        duration_ns: Some(90_000_000_000),
    })));
    each(&tcp(Happened::Update(Totals {
        bytes_sent: 7,
        segments_sent: 2,
        duration_ns: None,
        ..Totals::default()
    })));
    each(&tcp(Happened::StateChange { old: State::FinWait1, new: State::FinWait2 }));
    each(&unknown_tcp(Happened::Retransmit { state: State::SynReceived }));
    each(&unknown_tcp(Happened::Reset { sent: true, state: None, reason: Some("tcp_timeout") }));
    each(&tcp(Happened::ListenDrop { drops: 7, accept_queue: 129, accept_queue_limit: 128 }));
    each(&dropped());
    each(&unknown_drop());
    each(&dns(QUERY, None));
    each(&dns(RESPONSE, Some(1_234_567)));
    each(&file_open());
    each(&system_call());
    each(&udp(udp::Happened::Open));
    each(&udp(udp::Happened::Reply));
    each(&unknown_udp(udp::Happened::Update));
    each(&udp(udp::Happened::Close(udp::End::Idle)));
    each(&http_request());
    each(&icmp_error());
    each(&icmp_echo());
    each(&unknown_icmp());
    each(&cpu_sample());
    each(&off_cpu());
    each(&oom_kill());
    each(&signal_sent());
    each(&Described { time: NOW, pending_records: 3 });
}
