//! What a collector says: how much of a request it did not take, and why it took none of it.
//!
//! All of it comes from elsewhere and is read as far as it can be. What is told of it is cut, and nothing in it
//! reaches a terminal as anything but text.

use std::time::Duration;

use prost::Message;

/// So much of a collector's words is told, in characters.
const MOST_CHARACTERS: usize = 200;

/// `ExportMetricsServiceResponse` and `ExportLogsServiceResponse`: their fields have the same numbers.
#[derive(Clone, PartialEq, Message)]
struct ExportResponse {
    #[prost(message, optional, tag = "1")]
    partial_success: Option<PartialSuccess>,
}

#[derive(Clone, PartialEq, Message)]
struct PartialSuccess {
    #[prost(int64, tag = "1")]
    rejected: i64,
    #[prost(string, tag = "2")]
    error_message: String,
}

/// `google.rpc.Status`
#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
    #[prost(message, repeated, tag = "3")]
    details: Vec<Any>,
}

/// `google.protobuf.Any`
#[derive(Clone, PartialEq, Message)]
struct Any {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`
#[derive(Clone, PartialEq, Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    retry_delay: Option<Delay>,
}

/// `google.protobuf.Duration`
#[derive(Clone, PartialEq, Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

/// What of a request that was taken was not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partial {
    /// So many items.
    pub rejected: u64,
    /// Why, or a warning where none was rejected; empty where nothing is said.
    pub why: String,
}

/// What was not taken, by the body of an answer. An empty body, or one that is none, says nothing.
pub fn partial(body: &[u8]) -> Partial {
    let partial = ExportResponse::decode(body).ok().and_then(|response| response.partial_success);
    let PartialSuccess { rejected, error_message } = partial.unwrap_or_default();
    Partial {
        rejected: u64::try_from(rejected).unwrap_or_default(),
        why: printable(&error_message),
    }
}

/// Why nothing was taken: the words of a `google.rpc.Status`, and when to try again, where it has that.
pub fn refusal(status: &[u8]) -> (String, Option<Duration>) {
    let status = Status::decode(status).unwrap_or_default();
    let is_it = |detail: &&Any| {
        detail.type_url.rsplit('/').next().is_some_and(|name| name == "google.rpc.RetryInfo")
    };
    let delay = status.details.iter().find(is_it).and_then(|detail| {
        let delay = RetryInfo::decode(&*detail.value).ok()?.retry_delay.unwrap_or_default();
        let seconds = u64::try_from(delay.seconds).ok()?;
        let nanos = u32::try_from(delay.nanos).ok().filter(|nanos| *nanos < 1_000_000_000)?;
        Some(Duration::new(seconds, nanos))
    });
    (printable(&status.message), delay)
}

/// A collector's words, as far as they are told.
pub fn printable(words: &str) -> String {
    let plain = |letter: char| if letter.is_control() { ' ' } else { letter };
    words.trim().chars().map(plain).take(MOST_CHARACTERS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_answer_says_nothing() {
        assert_eq!(partial(b""), Partial::default());
        assert_eq!(partial(b"<html>"), Partial::default());
        assert_eq!(refusal(b"\xff\xff"), (String::new(), None));
    }

    #[test]
    fn a_delay_is_one_that_can_be_waited_for() {
        let status = |seconds, nanos| {
            let delay = Some(Delay { seconds, nanos });
            let value = RetryInfo { retry_delay: delay }.encode_to_vec();
            let type_url = "type.googleapis.com/google.rpc.RetryInfo".into();
            let details = vec![Any::default(), Any { type_url, value }];
            let message = "slow\ndown\u{1b}[2J".into();
            refusal(&Status { code: 8, message, details }.encode_to_vec())
        };
        let words = "slow down [2J".to_owned();
        assert_eq!(status(2, 500_000_000), (words.clone(), Some(Duration::from_millis(2500))));
        for (seconds, nanos) in [(-1, 0), (0, -1), (0, 1_000_000_000)] {
            assert_eq!(status(seconds, nanos), (words.clone(), None));
        }
    }

    #[test]
    fn fewer_than_none_are_not_rejected() {
        let response = |rejected| {
            let partial_success = PartialSuccess { rejected, error_message: "é".repeat(300) };
            ExportResponse { partial_success: Some(partial_success) }.encode_to_vec()
        };
        assert_eq!(partial(&response(-7)).rejected, 0);
        assert_eq!(partial(&response(7)), Partial { rejected: 7, why: "é".repeat(200) });
    }
}
