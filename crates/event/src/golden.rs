//! What users see of one record of each kind, letter for letter.

#![allow(clippy::unwrap_used)]

use crate::dns::{DNS_QUERY, DNS_RESPONSE};
use crate::drop::{PACKET_DISCARD, PACKET_DROP};
use crate::http::HTTP_REQUEST;
use crate::icmp::{ICMP_ECHO, ICMP_ERROR};
use crate::process::{EXEC, EXIT, FORK, PROCESS_RUNNING};
use crate::record::Kind;
use crate::table::{Mode, Table};
use crate::tcp::{TCP_CLOSE, TCP_CONNECT, TCP_CONNECT_FAILED, TCP_ESTABLISHED, TCP_RETRANSMIT};
use crate::udp::{UDP_CLOSE, UDP_OPEN, UDP_REPLY};
use crate::{json, samples};

/// The line of each kind; a line end and the spaces after it are not part of it, and `<curl>`,
/// `<resolver>`, `<talker>`, `<runc>` and `<docker>` stand for what the records of that connection, process and cgroup
/// share.
const JSON: &[&str] = &[
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"process","type":"exec","node":"n1",
        "process":{"pid":4321,"ppid":1234,"uid":1000,"gid":100,"comm":"python3",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242","old_pid":4322,"login_uid":1001,"effective_uid":0,"effective_gid":0,
        "capabilities_effective":["CAP_NET_ADMIN","CAP_41"],"capabilities_permitted":[],
        "capabilities_inheritable":["CAP_CHOWN"],"cred_jump":true,"cred_before":{"uid":1000,
        "effective_uid":1000,"saved_uid":1001,"capabilities_permitted":["CAP_NET_BIND_SERVICE"],
        "user_namespace":4},"filename":"./run\u001b[2J.py","exe":"/usr/bin/python3.12","exe_path_truncated":false,
        "exe_device":"8:1","exe_inode":"123456","exe_is_memfd":false,"exe_is_deleted":false,
        "exe_is_overlay_upper":true,"exe_is_read_only":false,"exe_mode":"0755","exe_uid":0,"exe_gid":5,
        "exe_change_time":"2026-11-22T09:10:11.123456789Z",
        "exe_modify_time":"2026-11-22T09:10:11.123456789Z","interpreter":"/usr/bin/python3","cwd":"/home/ann",
        "tty":"pts0","session_id":1200,"process_group":4321,"virtual_pid":21,
        "virtual_process_group":20,"parent_virtual_pid":1,"stdin_type":"ipv4",
        "listens":false,"parent_listens":true,
        "namespaces":{"pid":1,"mnt":2,"net":3,"user":4,"cgroup":5},
        "argv":["python3","./run.py","--say","good \\xff"],"argv_tail":["ay","--end"],
        "argv_truncated":true,"argv_bytes":70000}}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"process","type":"process_running",
        "node":"n1","process":{"pid":1,"ppid":0,"uid":1000,"gid":100,"comm":"init",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242","effective_uid":0,"effective_gid":0,"capabilities_effective":[],
        "capabilities_permitted":[],"capabilities_inheritable":[],"session_id":0,"argv":["/sbin/init"],
        "argv_truncated":false,"argv_bytes":11}}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"process","type":"fork","node":"n1",
        "process":{"pid":77,"ppid":7,"uid":1000,"gid":100,"comm":"make",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"parent":{"pid":7,"ppid":1,"uid":1000,"gid":100,"comm":"bash",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"}}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"process","type":"exit","node":"n1",
        "process":{"pid":77,"ppid":7,"uid":1000,"gid":100,"comm":"make",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"exit_signal":"SIGKILL","exit_signal_number":9,
        "core_dumped":false,"duration_ns":1234567}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"cgroup","type":"cgroup_mkdir",<runc>,<docker>}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"cgroup","type":"cgroup_rmdir",<runc>,<docker>}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"cgroup","type":"cgroup_rename",<runc>,<docker>}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"cgroup","type":"cgroup_release","node":"n1",<docker>}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"cgroup","type":"cgroup_running","node":"n1",<docker>}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_connect",<curl>}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_established",<curl>,
        "latency_ns":350000}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_connect_retry",<curl>,
        "latency_ns":1000000000}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_connect_failed",<curl>,
        "latency_ns":42,"error":"ECONNREFUSED","error_number":111}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_accept",<curl>}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_close",<curl>,
        "bytes_sent":"1258291","bytes_received":"18446744073709551615","segments_sent":900,
        "segments_received":800,"retransmits":3,"smoothed_rtt_us":1250,
        "receive_window_limited_ns":1200000000,"send_buffer_limited_ns":4000000,
        "duration_ns":90000000000}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_update",<curl>,
        "bytes_sent":"7","bytes_received":"0","segments_sent":2,"segments_received":0,
        "retransmits":0,"receive_window_limited_ns":0,"send_buffer_limited_ns":0}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_state",<curl>,
        "old_state":"fin_wait_1","new_state":"fin_wait_2"}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_retransmit",
        "node":"n1","sampled_one_in":8,"connection":{"key_absent":"role_unknown","family":"ipv6","protocol":"tcp",
        "local":{"address":"::1","port":443},"peer":{"address":"2001:db8::1","port":55555},
        "net_namespace":4026531840,"opened_before_start":true,"state":"syn_received"}}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_reset","node":"n1",
        "sampled_one_in":8,"connection":{"key_absent":"role_unknown","family":"ipv6","protocol":"tcp",
        "local":{"address":"::1","port":443},"peer":{"address":"2001:db8::1","port":55555},
        "net_namespace":4026531840,"opened_before_start":true},
        "direction":"sent","reason":"tcp_timeout"}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"tcp","type":"tcp_listen_drop",<curl>,
        "drops":7,"accept_queue":129,"accept_queue_limit":128}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"drop","type":"packet_drop","node":"n1",
        "process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"curl",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"packet":{"protocol":"tcp","ethertype":2048,"ip_protocol":6,
        "source":{"address":"10.0.0.2","port":443},
        "destination":{"address":"10.0.0.1","port":40000},"tcp_flags":["SYN","ACK"],
        "length_bytes":60},"interface":{"name":"eth0","index":2},"direction":"received",
        "net_namespace":4026531840,"socket_cookie":"12","reason":"netfilter_drop",
        "reason_number":12,"location":"nf_hook_slow+0xc6"}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"drop","type":"packet_discard",
        "node":"n1","packet":{"length_bytes":0},"direction":"sent"}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"dns","type":"dns_query",<resolver>,
        "dns":{"name":"www.example.com","type":"AAAA","class":1,"id":4660,"operation":"query",
        "question_count":1,"message_bytes":44,"message_is_cut":false,"recursion_desired":true,
        "checking_disabled":false,"is_authentic":false,
        "edns":{"udp_payload_bytes":1232,"version":0,"dnssec_ok":true}}}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"dns","type":"dns_response",<resolver>,
        "latency_ns":1234567,
        "dns":{"name":"www.example.com","type":"AAAA","class":1,"id":4660,"operation":"query",
        "question_count":1,"message_bytes":93,"message_is_cut":false,"recursion_desired":true,
        "checking_disabled":false,"is_authentic":false,
        "rcode":"NOERROR","is_authoritative":false,"is_truncated":false,
        "recursion_available":true,"answer_count":3,"answers":[
        {"name":"www.example.com","type":"CNAME","ttl_seconds":60,"target":"a\\.b.example.com"},
        {"name":"a\\.b.example.com","type":"AAAA","ttl_seconds":30,"address":"2001:db8::1"},
        {"name":"www.example.com","type":"TXT","ttl_seconds":0}]}}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"file_open","type":"file_open","node":"n1",
        "process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"sh",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"file":{"flags":["O_WRONLY","O_CREAT","O_TRUNC"],"mode":"0644",
        "type":"regular","permissions":"4755","device":"8:1","inode":"123456","is_created":true,
        "descriptor":3,"is_resolved":true,"path_truncated":false,"name":"link",
        "path":"/etc/cron.d/\u001b[2J"},"sampled_one_in":8}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"system_call","type":"system_call","node":"n1",
        "process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"sh",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"system_call":{"name":"symlinkat","number":266,
        "arguments":["0x7ffd00001000","0xffffff9c","0x7ffd00002000"],"effective_uid":0,
        "path_truncated":false,"path_given":"../\u001b[2J","path":"../\u001b[2J",
        "second_path_given":"link","second_path":"/etc/link"},"result":-13,"error":"EACCES",
        "error_number":13}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"udp","type":"udp_open",<talker>,
        "datagrams_sent":"1","datagrams_received":"2","bytes_sent":"44","bytes_received":"2600",
        "socket_drops":"3"}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"udp","type":"udp_reply",<talker>,
        "datagrams_sent":"1","datagrams_received":"2","bytes_sent":"44","bytes_received":"2600",
        "socket_drops":"3","latency_ns":1234567}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"udp","type":"udp_update","node":"n1",
        "sampled_one_in":8,"connection":{"family":"ipv4","protocol":"udp",
        "local":{"address":"10.0.0.1","port":40000},"peer":{"address":"10.0.0.53","port":53},
        "net_namespace":4026531840,"socket_cookie":"12","opened_before_start":true},
        "datagrams_sent":"1","datagrams_received":"2","bytes_sent":"44","bytes_received":"2600",
        "socket_drops":"3","duration_ns":1234567}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"udp","type":"udp_close",<talker>,
        "datagrams_sent":"1","datagrams_received":"2","bytes_sent":"44","bytes_received":"2600",
        "socket_drops":"3","duration_ns":1234567,"end":"idle"}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"http_request","type":"http_request",
        <asker>,"duration_ns":1234567,
        "http":{"outcome":"answered","status":404,"method":"GET","version":"1.1","host":"shop.example:8080",
        "path":"/cart/\u001b[2J","head_is_cut":false},
        "trace_context":{"trace_id":"0af7651916cd43dd8448eb211c80319c",
        "parent_id":"b7ad6b7169203331","is_sampled":true}}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"icmp","type":"icmp_error","node":"n1",
        "packet":{"source":{"address":"10.0.0.254"},"destination":{"address":"10.0.0.1"},
        "protocol":"icmp","hop_limit":64},"interface":{"name":"eth0","index":2},
        "icmp":{"type":"destination_unreachable","code":"fragmentation_needed","type_number":3,
        "code_number":4,"mtu":1400,"message_bytes":556},
        "quoted":{"protocol":"tcp","ip_protocol":6,"source":{"address":"10.0.0.1","port":40000},
        "destination":{"address":"10.0.0.2","port":443},"length_bytes":1500},
        "direction":"received","net_namespace":4026531840}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"icmp","type":"icmp_echo","node":"n1",
        "process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"ping",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"packet":{"source":{"address":"2001:db8::1"},
        "destination":{"address":"::1"},"protocol":"icmpv6","hop_limit":64},
        "interface":{"name":"eth0","index":2},
        "icmp":{"type":"echo_reply","type_number":129,"code_number":0,"id":4660,"sequence":7,
        "message_bytes":64},"direction":"received","net_namespace":4026531840,
        "latency_ns":1234567}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"icmp","type":"icmp_other","node":"n1",
        "packet":{"destination":{"address":"10.0.0.1"},"protocol":"icmp"},
        "icmp":{"type_number":200,"code_number":1,"malformed":"ends_too_soon"},
        "direction":"sent"}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"cpu_profile","type":"cpu_sample","node":"n1",
        "process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"sh",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"thread_id":101,"thread_comm":"worker","cpu":3,"mode":"kernel",
        "weight_ns":10101010,"kernel_frames":3,"kernel_truncated":true,"user_frames":2,
        "user_end":"unknown_process","python_frames":2,
        "python_end":"outermost","stack_bytes":1024}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"off_cpu","type":"off_cpu","node":"n1",
        "process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"sh",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"thread_id":101,"thread_comm":"worker","wait_reason":"interruptible",
        "io_wait":false,"waited_ns":200000000,"runnable_ns":50000,"cpu":3,"kernel_frames":3,
        "kernel_truncated":false,"user_frames":2,"user_end":"unknown_process","python_frames":2,
        "python_end":"outermost","stack_bytes":1024}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"oom_kill","type":"oom_kill","node":"n1",
        "process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"java",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"thread_id":99,"victim":{"anonymous_bytes":267386880,
        "file_bytes":1048576,"shared_memory_bytes":0,"total_bytes":"4294967296",
        "page_table_bytes":1048576,"oom_score_adjustment":-997},
        "memory_limit":{"bytes":268435456,"usage_bytes":268435456,"cgroup_id":"4200"},
        "allocator":{"pid":99,"comm":"GC Thread#0"}}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"signal_sent","type":"signal_sent",
        "node":"n1","process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"sh",
        "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
        "cgroup_id":"4242"},"sent_signal":"SIGTERM","sent_signal_number":15,
        "target":{"pid":101,"comm":"sleep","thread_id":101,"is_process":true,
        "start_boottime_ns":"6000000000","cgroup_id":"4300"},"outcome":"delivered",
        "by_kernel":false,"code":0}"#,
    r#"{"time":"2026-11-22T09:10:11.123456789Z","signal":"identity","type":"container_described",
        "node":"n1","pending_records":3}"#,
];

const RUNC: &str = r#""node":"n1","process":{"pid":900,"ppid":1,"uid":1000,"gid":100,"comm":"runc",
    "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
    "cgroup_id":"4242","cgroup_hierarchy":8}"#;

const DOCKER: &str = r#""cgroup":{"id":"3111","hierarchy":8,"parent_id":"3001","level":2,
    "path_truncated":false,"path":"/docker/\u001b[2J"}"#;

const RESOLVER: &str = r#""node":"n1","process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"curl",
    "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
    "cgroup_id":"4242"},"connection":{"family":"ipv4","protocol":"udp",
    "local":{"address":"10.0.0.1","port":40000},"peer":{"address":"10.0.0.53","port":53},
    "role":"client","net_namespace":4026531840,"socket_cookie":"12"}"#;

const CURL: &str = r#""node":"n1","process":{"pid":99,"ppid":1,"uid":1000,"gid":100,"comm":"curl",
    "start_time":"2026-11-22T09:10:00.000000000Z","start_boottime_ns":"5000000000",
    "cgroup_id":"4242"},"connection":{"key":"0123456789abcdef","family":"ipv4","protocol":"tcp",
    "local":{"address":"10.0.0.1","port":40000},"peer":{"address":"10.0.0.2","port":443},
    "role":"opener","net_namespace":4026531840,"socket_cookie":"12",
    "opened_before_start":false}"#;

#[test]
fn json_of_each_kind() {
    // The same socket, of which this signal says one thing more.
    let talker = RESOLVER.replace(r#""12"}"#, r#""12","opened_before_start":false}"#);
    let asker = RESOLVER
        .replace(r#""protocol":"udp""#, r#""protocol":"tcp""#)
        .replace(r#""12"}"#, r#""12","key":"0123456789abcdef"}"#);
    let mut expected = JSON.iter();
    let mut kinds = crate::KINDS.iter();
    samples::each(&mut |record| {
        assert_eq!(Some(record.kind().name), kinds.next().map(|kind| kind.name));
        let mut line = Vec::new();
        json::write_line(record, Some("n1"), &mut line);
        let expected = expected.next().unwrap().replace("<curl>", CURL);
        let expected = expected
            .replace("<resolver>", RESOLVER)
            .replace("<talker>", &talker)
            .replace("<asker>", &asker)
            .replace("<runc>", RUNC)
            .replace("<docker>", DOCKER);
        let expected: String = expected.lines().map(str::trim_start).collect();
        assert_eq!(String::from_utf8(line).unwrap(), expected + "\n");
    });
    assert_eq!((expected.next(), kinds.next()), (None, None));
}

fn show(kinds: &[&'static Kind], mode: Mode, width: Option<usize>) -> String {
    let mut table = Table::new(kinds, &[], mode, width);
    let mut out = Vec::new();
    table.write_header(&mut out);
    samples::each(&mut |record| {
        if kinds.contains(&record.kind()) {
            table.write_record(record, &mut out);
        }
    });
    format!("\n{}", String::from_utf8(out).unwrap())
}

#[test]
fn programs_and_their_arguments() {
    let table = show(&[&EXEC, &PROCESS_RUNNING], Mode::Table, None);
    assert_eq!(
        table,
        r#"
TIME         TYPE                PID    PPID COMM            ARGS
09:10:11.123 exec               4321    1234 python3         python3 ./run.py --say "good \xff" … ay --end
09:10:11.123 process_running       1       0 init            /sbin/init
"#
    );
}

#[test]
fn arguments_stay_last_and_take_what_is_left_of_the_terminal() {
    let table = show(&[&EXEC, &FORK, &EXIT], Mode::Table, Some(100));
    assert_eq!(
        table,
        "
TIME         TYPE     PID    PPID COMM            CODE SIGNAL      DURATION PARENT_COMM     ARGS
09:10:11.123 exec    4321    1234 python3            - -                  - -               python3…
09:10:11.123 fork      77       7 make               - -                  - bash            -
09:10:11.123 exit      77       7 make               - SIGKILL        1.2ms -               -
"
    );
}

#[test]
fn one_kind_needs_no_type_column() {
    assert_eq!(
        show(&[&EXEC], Mode::Table, Some(60)),
        "
TIME             PID    PPID COMM            ARGS
09:10:11.123    4321    1234 python3         python3 ./run.…
"
    );
}

#[test]
fn connections_that_succeed_and_fail() {
    let kinds = [&TCP_CONNECT, &TCP_ESTABLISHED, &TCP_CONNECT_FAILED];
    assert_eq!(
        show(&kinds, Mode::Table, None),
        "
TIME         TYPE                   PID COMM            LOCAL                 PEER                  LATENCY ERROR
09:10:11.123 tcp_connect             99 curl            10.0.0.1:40000        10.0.0.2:443                - -
09:10:11.123 tcp_established         99 curl            10.0.0.1:40000        10.0.0.2:443            350µs -
09:10:11.123 tcp_connect_failed      99 curl            10.0.0.1:40000        10.0.0.2:443             42ns ECONNREFUSED
"
    );
}

#[test]
fn names_that_are_asked_for_and_what_they_lead_to() {
    assert_eq!(
        show(&[&DNS_QUERY, &DNS_RESPONSE], Mode::Table, None),
        r"
TIME         TYPE             PID COMM            LOCAL                 PEER                  ROLE   LATENCY NAME                           QTYPE  RCODE    ANSWERS
09:10:11.123 dns_query         99 curl            10.0.0.1:40000        10.0.0.53:53          client       - www.example.com                AAAA   -        -
09:10:11.123 dns_response      99 curl            10.0.0.1:40000        10.0.0.53:53          client   1.2ms www.example.com                AAAA   NOERROR  a\.b.example.com,2001:db8::1,TXT
"
    );
}

#[test]
fn conversations_from_their_first_datagram_to_their_end() {
    assert_eq!(
        show(&[&UDP_OPEN, &UDP_REPLY, &UDP_CLOSE], Mode::Table, None),
        "
TIME         TYPE          PID COMM            LOCAL                 PEER                  ROLE     OUT    IN    SENT RECEIVED DURATION END           LATENCY
09:10:11.123 udp_open       99 curl            10.0.0.1:40000        10.0.0.53:53          client     1     2     44B   2.5KiB        - -                   -
09:10:11.123 udp_reply      99 curl            10.0.0.1:40000        10.0.0.53:53          client     1     2     44B   2.5KiB        - -               1.2ms
09:10:11.123 udp_close      99 curl            10.0.0.1:40000        10.0.0.53:53          client     1     2     44B   2.5KiB    1.2ms idle                -
"
    );
}

#[test]
fn what_was_asked_and_what_came_of_it() {
    assert_eq!(
        show(&[&HTTP_REQUEST], Mode::Table, None),
        r"
TIME             PID COMM            LOCAL                 PEER                  ROLE   DURATION OUTCOME   STATUS METHOD  PATH
09:10:11.123      99 curl            10.0.0.1:40000        10.0.0.53:53          client    1.2ms answered     404 GET     /cart/\x1b[2J
"
    );
}

#[test]
fn wide_values_are_exact_and_push_their_neighbours_only_as_far_as_they_must() {
    assert_eq!(
        show(&[&TCP_CLOSE], Mode::Table, None),
        "
TIME             PID COMM            LOCAL                 PEER                     SENT RECEIVED RETRANSMITS    RTT DURATION
09:10:11.123      99 curl            10.0.0.1:40000        10.0.0.2:443           1.2MiB    16EiB           3  1.3ms    1m30s
"
    );
    let wide = show(&[&TCP_CLOSE], Mode::Wide, None);
    let sent = "1258291B 18446744073709551615B 900   800           3 1250µs       -   1200000000ns      4000000ns 90000000000ns\n";
    assert!(
        wide.contains("\n2026-11-22T09:10:11.123456789Z      99       1  1000 curl  "),
        "{wide}"
    );
    assert!(wide.ends_with(sent), "{wide}");
}

#[test]
fn what_is_not_known_is_a_dash() {
    assert_eq!(
        show(&[&TCP_RETRANSMIT], Mode::Table, None),
        "
TIME             PID COMM            LOCAL                 PEER                  STATE
09:10:11.123       - -               [::1]:443             [2001:db8::1]:55555   syn_received
"
    );
}

#[test]
fn packets_that_were_dropped() {
    assert_eq!(
        show(&[&PACKET_DROP, &PACKET_DISCARD], Mode::Table, None),
        "
TIME         TYPE               PID COMM            SOURCE                DESTINATION           PROTOCOL REASON               LOCATION
09:10:11.123 packet_drop         99 curl            10.0.0.2:443          10.0.0.1:40000        tcp      netfilter_drop       nf_hook_slow+0xc6
09:10:11.123 packet_discard       - -               -                     -                     -        -                    -
"
    );
}

#[test]
fn errors_of_icmp_and_the_connection_that_they_are_about() {
    assert_eq!(
        show(&[&ICMP_ERROR, &ICMP_ECHO], Mode::Table, None),
        "
TIME         TYPE           PID COMM            FROM            TO              MESSAGE                 REASON                 SEQ   MTU QUOTED   QUOTED_SOURCE         QUOTED_DESTINATION    DIRECTION LATENCY
09:10:11.123 icmp_error       - -               10.0.0.254      10.0.0.1        destination_unreachable fragmentation_needed     -  1400 tcp      10.0.0.1:40000        10.0.0.2:443          received        -
09:10:11.123 icmp_echo       99 ping            2001:db8::1     ::1             echo_reply              -                        7     - -        -                     -                     received    1.2ms
"
    );
}
