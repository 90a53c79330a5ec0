//! Filters that Hubble has not: by what Chandra's agent tells beside a flow. A server does not know them,
//! so that they work here, on every flow that the server's filters let pass.

use std::time::Duration;

use chandra_hubble::proto::chandra::v1::FlowDetails;
use chandra_hubble::proto::flow::Flow;

/// What is asked of details; of each kind one must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DetailsFilter {
    /// The process's name, or the end of its executable's path.
    pub processes: Vec<String>,
    /// The process.
    pub pids: Vec<u32>,
    /// The connection.
    pub connection_keys: Vec<u64>,
    /// At least this long.
    pub latency: Option<Duration>,
}

impl DetailsFilter {
    /// Nothing is asked.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a flow is as asked. One without details is not, if anything is asked.
    pub fn matches(&self, flow: &Flow) -> bool {
        self.is_empty() || flow.details().is_some_and(|details| self.fits(flow, &details))
    }

    fn fits(&self, flow: &Flow, details: &FlowDetails) -> bool {
        let process = details.process.as_ref();
        let is_named = |name: &String| {
            process.is_some_and(|process| {
                let file = process.exe.rsplit('/').next().unwrap_or_default();
                [&process.comm, &process.exe].contains(&name) || file == name
            })
        };
        let any = |is_empty: bool, fits: bool| is_empty || fits;
        let l7_ns = flow.l7.as_ref().map_or(0, |l7| l7.latency_ns);
        let latency = Duration::from_nanos(details.latency_ns.max(l7_ns));
        any(self.processes.is_empty(), self.processes.iter().any(is_named))
            && any(self.pids.is_empty(), process.is_some_and(|it| self.pids.contains(&it.pid)))
            && any(
                self.connection_keys.is_empty(),
                self.connection_keys.contains(&details.connection_key),
            )
            && self.latency.is_none_or(|least| !latency.is_zero() && latency >= least)
    }
}

/// A key as it is printed, in 16 hexadecimal digits, or as a number, as JSON of messages has it. A text
/// that may be either is both.
pub fn connection_keys(text: &str) -> Vec<u64> {
    let hexadecimal = text.strip_prefix("0x").or((text.len() == 16).then_some(text));
    let hexadecimal = hexadecimal.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let keys = [hexadecimal, text.parse().ok()].into_iter().flatten();
    keys.filter(|key| *key != 0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_hubble::proto::chandra::v1::Process;
    use prost::Message;
    use prost_types::Any;

    fn flow(details: &FlowDetails) -> Flow {
        let any = Any {
            type_url: "type.googleapis.com/chandra.v1.FlowDetails".into(),
            value: details.encode_to_vec(),
        };
        Flow { extensions: Some(any), ..Flow::default() }
    }

    #[test]
    fn every_kind_must_fit_and_one_of_a_kind_does() {
        let process = Process {
            pid: 7,
            comm: "curl".into(),
            exe: "/usr/bin/curl-8".into(),
            ..Default::default()
        };
        let told = flow(&FlowDetails {
            process: Some(process),
            connection_key: 0xabc,
            latency_ns: 1_000,
            ..Default::default()
        });
        let none = DetailsFilter::default;
        let names =
            |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        for (filter, fits) in [
            (none(), true),
            (DetailsFilter { processes: names(&["curl"]), ..none() }, true),
            (DetailsFilter { processes: names(&["x", "/usr/bin/curl-8"]), ..none() }, true),
            (DetailsFilter { processes: names(&["curl-8"]), ..none() }, true),
            (DetailsFilter { processes: names(&["cur"]), ..none() }, false),
            (DetailsFilter { pids: vec![6, 7], ..none() }, true),
            (DetailsFilter { pids: vec![6], ..none() }, false),
            (DetailsFilter { connection_keys: vec![0xabc], ..none() }, true),
            (DetailsFilter { connection_keys: vec![0xabd], ..none() }, false),
            (DetailsFilter { latency: Some(Duration::from_nanos(1_000)), ..none() }, true),
            (DetailsFilter { latency: Some(Duration::from_nanos(1_001)), ..none() }, false),
            (DetailsFilter { pids: vec![7], processes: names(&["x"]), ..none() }, false),
        ] {
            assert_eq!(filter.matches(&told), fits, "{filter:?}");
            assert_eq!(filter.matches(&Flow::default()), filter.is_empty(), "{filter:?}");
        }
        let unknown = DetailsFilter { latency: Some(Duration::ZERO), ..none() };
        assert!(!unknown.matches(&flow(&FlowDetails::default())), "an unknown latency is not 0");
    }

    #[test]
    fn keys_are_read_as_they_are_printed() {
        for (text, keys) in [
            ("00000000000000ff", &[255][..]),
            ("0xff", &[255]),
            ("255", &[255]),
            ("18446744073709551615", &[u64::MAX]),
            ("1000000000000000", &[0x1000_0000_0000_0000, 1_000_000_000_000_000]),
            ("0", &[]),
            ("", &[]),
            ("ff", &[]),
        ] {
            assert_eq!(connection_keys(text), keys, "{text}");
        }
    }
}
