//! Files that are opened, and system calls.

use chandra_event::file::{FileOpen, FileType, Opened};
use chandra_event::names;
use chandra_event::system_call::{Path, Socket, SystemCall};
use chandra_signals::system_call::calls;
use serde_json::Value;

use super::Recorded;

impl Recorded {
    pub(super) fn open(&self) -> FileOpen<'_> {
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

    pub(super) fn call(&self) -> SystemCall<'_> {
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
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use chandra_event::time::Timestamp;
    use chandra_rules::catalogue::{EventType, EventTypes};

    use super::*;
    use crate::rules::recorded::tests::{comes_back, process};

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
