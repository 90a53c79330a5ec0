//! `evt.*`

use chandra_event::file::FileType;
use chandra_event::names::errno_name;
use chandra_event::tcp::Role;
use chandra_event::time::Timestamp;
use chandra_event::udp::Totals;

use super::{Happening, RecordFacts};
use crate::catalogue::{EventField, EventType};
use crate::evaluate::{TimeForm, Value};

/// errno of what has begun and not ended.
const EINPROGRESS: u32 = 115;
/// `MAX_ERRNO` of `linux/err.h`.
const HIGHEST_ERROR: u32 = 4095;
const SUCCESS: &[u8] = b"SUCCESS";
const NANOSECONDS: u64 = 1_000_000_000;
const SECOND: i64 = 1_000_000_000;

impl<'r> RecordFacts<'r> {
    pub(super) fn event_value(&self, field: EventField) -> Value<'r> {
        let time = |form| Value::Time(self.time, form);
        match field {
            EventField::Number => Value::number(self.number),
            EventField::EventType | EventField::SyscallType => {
                Value::Text(self.event_type.name().as_bytes())
            }
            EventField::Category => Value::Text(self.category()),
            EventField::Source => Value::Text(b"syscall"),
            EventField::Direction => Value::Text(b"<"),
            EventField::Time => time(TimeForm::OfDay),
            EventField::TimeSeconds => time(TimeForm::OfDaySeconds),
            EventField::TimeIso => time(TimeForm::Rfc3339),
            EventField::DateTime => time(TimeForm::DateTime),
            EventField::DateTimeSeconds => time(TimeForm::DateTimeSeconds),
            EventField::RawTime => Value::number(self.time.0),
            EventField::RawTimeSeconds => Value::number(self.time.0 / NANOSECONDS),
            EventField::RawTimeNanoseconds => Value::number(self.time.0 % NANOSECONDS),
            EventField::RelativeTime => self.since_first(|ns| ns),
            EventField::RelativeTimeSeconds => self.since_first(|ns| ns / SECOND),
            EventField::RelativeTimeNanoseconds => self.since_first(|ns| ns % SECOND),
            EventField::DeltaTime => self.since_before(|ns| ns),
            EventField::DeltaTimeSeconds => self.since_before(|ns| ns / SECOND),
            EventField::DeltaTimeNanoseconds => self.since_before(|ns| ns % SECOND),
            EventField::HostName if self.node.hostname.is_empty() => Value::Unknown,
            EventField::HostName => Value::Text(self.node.hostname.as_bytes()),
            EventField::Result => match self.result() {
                Outcome::None => Value::Absent,
                Outcome::NotNegative => Value::Text(SUCCESS),
                Outcome::Number(result) => named(result),
            },
            EventField::RawResult => self.raw_result(),
            EventField::Failed => self.failed().map_or(Value::Absent, Value::Bool),
            EventField::Count | EventField::CountExit => Value::Number(1),
            EventField::CountError => self.count_of_failed(|_| true),
            EventField::CountFileError => self.count_of_failed(|category| category == b"file"),
            EventField::CountNetworkError => self.count_of_failed(|category| category == b"net"),
            EventField::CountMemoryError => self.count_of_failed(|category| category == b"memory"),
            EventField::CountOtherError => {
                self.count_of_failed(|category| !matches!(category, b"file" | b"net" | b"memory"))
            }
            EventField::IsWait => Value::Bool(false),
            EventField::IsIo => Value::Bool(self.received().is_some()),
            EventField::IsIoRead => Value::Bool(self.received() == Some(true)),
            EventField::IsIoWrite => Value::Bool(self.received() == Some(false)),
            EventField::IoDirection => match self.received() {
                Some(true) => Value::Text(b"r"),
                Some(false) => Value::Text(b"w"),
                None => Value::Absent,
            },
            EventField::BufferLength => match (self.received(), self.result()) {
                (Some(_), Outcome::Number(bytes)) => Value::Number(bytes),
                _ => Value::Absent,
            },
            field => self.argument(field),
        }
    }

    /// Nanoseconds since the first event.
    fn since_first(&self, of: fn(i64) -> i64) -> Value<'r> {
        let first = self.moments.map(|(first, _)| first);
        first.map_or(Value::Unknown, |first| Value::Number(of(between(first, self.time))))
    }

    /// Nanoseconds since the event before this.
    fn since_before(&self, of: fn(i64) -> i64) -> Value<'r> {
        let before = self.moments.map(|(_, before)| before);
        before.map_or(Value::Unknown, |before| Value::Number(of(between(before, self.time))))
    }

    /// Whether it returned an error; nothing where it returns nothing.
    fn failed(&self) -> Option<bool> {
        match self.result() {
            Outcome::None => None,
            Outcome::NotNegative => Some(false),
            Outcome::Number(result) => {
                Some(error_of(result).is_some_and(|error| error != EINPROGRESS))
            }
        }
    }

    /// 1 of what failed and is of such a category.
    fn count_of_failed(&self, is_of: fn(&[u8]) -> bool) -> Value<'r> {
        match self.failed() == Some(true) && is_of(self.category()) {
            true => Value::Number(1),
            false => Value::Absent,
        }
    }

    /// What it returned, as a number.
    pub(super) fn raw_result(&self) -> Value<'r> {
        match self.result() {
            Outcome::None => Value::Absent,
            Outcome::NotNegative => Value::NotNegative,
            Outcome::Number(result) => Value::Number(result),
        }
    }

    fn category(&self) -> &'static [u8] {
        use EventType as Of;
        match self.event_type {
            Of::Connect | Of::Accept | Of::Bind | Of::Listen | Of::Socket | Of::Socketpair => {
                b"net"
            }
            Of::Sendto | Of::Sendmsg | Of::Sendmmsg | Of::FirstSent | Of::Recvfrom => b"net",
            Of::Shutdown => b"net",
            Of::Dup | Of::Dup2 | Of::Dup3 if self.is_about_a_socket() => b"net",
            Of::Dup | Of::Dup2 | Of::Dup3 => b"file",
            Of::Setuid | Of::Setgid | Of::Setreuid | Of::Setregid | Of::Setresuid => b"user",
            Of::Setresgid | Of::Setfsuid | Of::Setfsgid | Of::Setgroups => b"user",
            Of::Kill | Of::Tkill | Of::Tgkill => b"signal",
            Of::MemfdCreate => b"memory",
            Of::Bpf | Of::PerfEventOpen | Of::Keyctl | Of::Userfaultfd => b"other",
            Of::IoUringSetup | Of::KexecLoad | Of::KexecFileLoad => b"other",
            Of::InitModule | Of::FinitModule | Of::DeleteModule => b"other",
            Of::Execve | Of::Clone | Of::ProcExit | Of::Prctl | Of::Ptrace | Of::Capset => {
                b"process"
            }
            Of::Setns | Of::Unshare | Of::Setsid | Of::Setpgid | Of::PidfdGetfd => b"process",
            Of::ProcessVmReadv | Of::ProcessVmWritev => b"process",
            _ => b"file",
        }
    }

    /// Whether data was received, rather than sent; nothing where none was either.
    fn received(&self) -> Option<bool> {
        match self.happening {
            Happening::Udp(udp) => Some(udp.received_first),
            _ => None,
        }
    }

    fn is_about_a_socket(&self) -> bool {
        matches!(self.happening, Happening::Call(call) if call.descriptor_type == Some(FileType::Socket))
    }

    fn result(&self) -> Outcome {
        match self.happening {
            Happening::Exec(_) => Outcome::Number(0),
            Happening::Tcp(tcp) if tcp.connection.role == Some(Role::Acceptor) => {
                Outcome::Number(0)
            }
            Happening::Tcp(_) => Outcome::Number(-i64::from(EINPROGRESS)),
            Happening::Udp(udp) => {
                let Totals { bytes_sent, bytes_received, .. } = udp.totals;
                let bytes = if udp.received_first { bytes_received } else { bytes_sent };
                Outcome::Number(i64::try_from(bytes).unwrap_or(i64::MAX))
            }
            Happening::Open(open) => match (open.error, open.descriptor) {
                (0, Some(descriptor)) => Outcome::Number(descriptor.into()),
                (0, None) => Outcome::NotNegative,
                (error, _) => Outcome::Number(-i64::from(error)),
            },
            Happening::Call(call) => Outcome::Number(call.result),
            Happening::Fork(_) | Happening::Exit(_) => Outcome::None,
        }
    }
}

/// What a system call returned.
enum Outcome {
    /// Nothing that is told.
    None,
    /// A descriptor whose number is not known.
    NotNegative,
    /// This; of an accepted connection 0 instead of the descriptor, of datagrams their bytes.
    Number(i64),
}

/// Nanoseconds from one moment to another, below 0 where that was before.
fn between(one: Timestamp, other: Timestamp) -> i64 {
    let [one, other] = [one, other].map(|time| i64::try_from(time.0).unwrap_or(i64::MAX));
    other.saturating_sub(one)
}

/// errno of what failed.
fn error_of(result: i64) -> Option<u32> {
    let error = u32::try_from(result.checked_neg()?).ok()?;
    (1..=HIGHEST_ERROR).contains(&error).then_some(error)
}

fn named(result: i64) -> Value<'static> {
    match error_of(result).map(errno_name) {
        None => Value::Text(SUCCESS),
        Some(Some(name)) => Value::Text(name.as_bytes()),
        // One of the kernel's own, which has no name out here but is no success.
        Some(None) => Value::Cut { head: b"E", tail: b"" },
    }
}
