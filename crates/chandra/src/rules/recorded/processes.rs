//! Executions, forks and ends of processes.

use chandra_event::process::{
    Arguments, Capabilities, Credentials, Environment, Exec, Executable, Exit, FileStatus, Fork,
    Groups, Listening, Namespaces, Process, Rights, Stream,
};
use serde_json::Value;

use super::Recorded;

impl Recorded {
    pub(super) fn process(&self) -> Process {
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

    pub(super) fn exec(&self) -> Exec<'_> {
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

    pub(super) fn fork(&self) -> Fork {
        let (time, process) = (self.time("/time"), self.process());
        Fork { time, process, parent: self.process_at("/parent") }
    }

    pub(super) fn exit(&self) -> Exit {
        let byte = |path| self.number(path).and_then(|code| u8::try_from(code).ok());
        Exit {
            time: self.time("/time"),
            process: self.process(),
            exit_code: byte("/exit_code"),
            exit_signal: byte("/exit_signal_number"),
            core_dumped: self.is("/core_dumped"),
            duration_ns: self.number("/duration_ns").unwrap_or_default(),
        }
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
}

#[cfg(test)]
mod tests {
    use chandra_event::time::Timestamp;
    use chandra_event::who::{Known, Who};

    use super::*;
    use crate::rules::recorded::tests::{comes_back, process};

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
}
