//! Flows from lines of JSON, as Hubble and Chandra write them: a response, an exported event, or a flow
//! alone.

use std::io::{self, BufRead};

use serde_json::Value;

use super::{Error, parse, read};
use crate::proto::flow::Flow;
use crate::proto::observer::GetFlowsResponse;
use crate::proto::observer::get_flows_response::ResponseTypes;

/// Longer lines are passed over.
pub const MOST_LINE_BYTES: usize = 16 << 20;

/// What a line says.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// What can be read of it.
    pub response: GetFlowsResponse,
    /// What could not be read, and is left out.
    pub warning: Option<String>,
}

/// Why a line is left out.
#[derive(Debug, thiserror::Error)]
pub enum LineError {
    /// It is not what is expected.
    #[error("line {number}: {why}")]
    Unreadable {
        /// The number of the line, from 1.
        number: u64,
        /// What is wrong.
        why: Error,
    },
    /// It is too long.
    #[error("line {number}: longer than {most} bytes")]
    TooLong {
        /// The number of the line, from 1.
        number: u64,
        /// The limit.
        most: usize,
    },
    /// No more can be read.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a line. Keys that we do not know are left out, with a warning.
///
/// # Errors
/// It is not what is expected.
pub fn read_line(line: &[u8]) -> Result<Line, Error> {
    let mut value = parse(line)?;
    let Some(object) = value.as_object() else { return Err(Error::new("not an object")) };
    let is_of_response = |key: &String| {
        matches!(key.as_str(), "flow" | "node_status" | "nodeStatus" | "lost_events" | "lostEvents")
    };
    let is_flow = !object.is_empty()
        && !object.keys().any(is_of_response)
        && ["verdict", "IP", "Type"].iter().any(|key| object.contains_key(*key));
    if is_flow {
        value = serde_json::json!({ "flow": value });
    }
    let first = match response(&value, true) {
        Ok(response) => return Ok(Line { response: of_alone(response, is_flow), warning: None }),
        Err(error) => error,
    };
    let mut read = response(&value, false);
    if read.is_err() {
        // Mostly because of the type of what travels beside the flow.
        let flow = value.get_mut("flow").and_then(Value::as_object_mut);
        if flow.is_some_and(|flow| flow.remove("extensions").is_some()) {
            read = response(&value, false);
        }
    }
    let warning = Some(first.to_string());
    read.map(|response| Line { response: of_alone(response, is_flow), warning })
}

fn response(value: &Value, is_strict: bool) -> Result<GetFlowsResponse, Error> {
    read("observer.GetFlowsResponse", value, is_strict)
}

/// A flow alone lends its time and node to the response.
fn of_alone(mut response: GetFlowsResponse, is_flow: bool) -> GetFlowsResponse {
    if let (true, Some(ResponseTypes::Flow(Flow { time, node_name, .. }))) =
        (is_flow, &response.response_types)
    {
        (response.time, response.node_name) = (*time, node_name.clone());
    }
    response
}

/// The lines of a file or a pipe.
#[derive(Debug)]
pub struct Lines<R> {
    reader: R,
    most_bytes: usize,
    number: u64,
    line: Vec<u8>,
    is_over: bool,
}

impl<R: BufRead> Lines<R> {
    /// All lines, of at most [`MOST_LINE_BYTES`].
    pub fn new(reader: R) -> Self {
        Self::with_limit(reader, MOST_LINE_BYTES)
    }

    /// All lines, of at most so many bytes.
    pub fn with_limit(reader: R, most_bytes: usize) -> Self {
        Self { reader, most_bytes, number: 0, line: Vec::new(), is_over: false }
    }

    /// The next line into `self.line`; whether it fits, `None` at the end.
    fn fill(&mut self) -> io::Result<Option<bool>> {
        self.line.clear();
        let (mut is_begun, mut fits) = (false, true);
        loop {
            let bytes = match self.reader.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                bytes => bytes?,
            };
            if bytes.is_empty() {
                return Ok(is_begun.then_some(fits));
            }
            is_begun = true;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let part = bytes.get(..end.unwrap_or(bytes.len())).unwrap_or_default();
            fits &= self.line.len() + part.len() <= self.most_bytes;
            if fits {
                self.line.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.reader.consume(used);
            if end.is_some() {
                return Ok(Some(fits));
            }
        }
    }
}

/// Each line that is not empty. After an error of a line there may be more.
impl<R: BufRead> Iterator for Lines<R> {
    type Item = Result<Line, LineError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.is_over {
            let fits = match self.fill() {
                Ok(Some(fits)) => fits,
                Ok(None) => break,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error.into()));
                }
            };
            self.number += 1;
            let number = self.number;
            if !fits {
                return Some(Err(LineError::TooLong { number, most: self.most_bytes }));
            }
            if !self.line.trim_ascii().is_empty() {
                let line = read_line(&self.line);
                return Some(line.map_err(|why| LineError::Unreadable { number, why }));
            }
        }
        self.is_over = true;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(line: &str) -> (Flow, Option<String>) {
        let line = read_line(line.as_bytes()).expect(line);
        match line.response.response_types {
            Some(ResponseTypes::Flow(flow)) => (flow, line.warning),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_not_known_is_left_out_with_a_warning() {
        let (known, warning) = flow(r#"{"flow":{"uuid":"u","verdict":"DROPPED"}}"#);
        assert_eq!((known.verdict, warning), (2, None));
        for line in [
            r#"{"flow":{"uuid":"u","verdict":"DROPPED","later":{"x":[1]}}}"#,
            r#"{"flow":{"uuid":"u","verdict":"DROPPED"},"later":1}"#,
            r#"{"flow":{"uuid":"u","verdict":"DROPPED","extensions":{"@type":"x/y","z":1}}}"#,
            r#"{"flow":{"uuid":"u","verdict":"DROPPED","auth_type":"LATER"}}"#,
        ] {
            let (read, warning) = flow(line);
            assert_eq!(read, known, "{line}");
            assert!(warning.is_some_and(|warning| !warning.is_empty()), "{line}");
        }
    }

    #[test]
    fn a_flow_alone_and_an_exported_event_are_read_too() {
        let alone = r#"{"time":"2024-01-01T00:00:00Z","verdict":"FORWARDED","node_name":"n"}"#;
        let line = read_line(alone.as_bytes()).expect(alone);
        assert_eq!(line.response.node_name, "n");
        assert_eq!(line.response.time.map(|time| time.seconds), Some(1_704_067_200));
        let exported = r#"{"agent_event":{"type":"AGENT_STARTED"},"node_name":"n"}"#;
        let line = read_line(exported.as_bytes()).expect(exported);
        assert_eq!(line.response.response_types, None);
        assert!(line.warning.is_some());
        let lost = r#"{"lost_events":{"source":"HUBBLE_RING_BUFFER","num_events_lost":"7"}}"#;
        let line = read_line(lost.as_bytes()).expect(lost);
        assert!(matches!(line.response.response_types, Some(ResponseTypes::LostEvents(_))));
    }

    #[test]
    fn what_is_no_response_is_an_error() {
        for line in ["", "x", "[]", "1", "{", r#"{"flow":1}"#, r#"{"flow":{"verdict":[]}}"#, "{}{}"]
        {
            assert!(read_line(line.as_bytes()).is_err(), "{line}");
        }
        let deep = format!("{}{}", r#"{"x":"#.repeat(1000), "1");
        assert!(read_line(deep.as_bytes()).is_err());
    }

    #[test]
    fn lines_are_read_one_by_one_whatever_is_between() {
        let long = format!(r#"{{"flow":{{"uuid":"{}"}}}}"#, "u".repeat(100));
        let text = format!(
            "{{\"flow\":{{\"uuid\":\"a\"}}}}\n\n  \nnonsense\n{long}\n{{\"flow\":{{\"uuid\":\"b\"}}}}"
        );
        let read = |most| {
            let reader = io::BufReader::with_capacity(7, text.as_bytes());
            let lines = Lines::with_limit(reader, most);
            lines
                .map(|line| line.map(|_| ()).map_err(|error| error.to_string()))
                .collect::<Vec<_>>()
        };
        let all = read(1000);
        assert_eq!(all.len(), 4);
        assert!(all[1].as_ref().is_err_and(|error| error.starts_with("line 4: ")), "{all:?}");
        let short = read(50);
        assert_eq!(short[2], Err("line 5: longer than 50 bytes".into()));
        assert_eq!(short[3], Ok(()));
    }
}
