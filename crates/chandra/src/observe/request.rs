//! Which flows are asked for, how many, and from when to when: from selectors to a request.

use chandra_hubble::proto::observer::GetFlowsRequest;
use jiff::Timestamp;

use super::filters::Lists;
use super::moment::{self, NoMoment};

/// As many flows or events as are told where nothing is said.
const USUAL: u64 = 20;
/// A number that stands for all.
pub const ALL: u64 = u64::MAX;

/// Selectors as typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selectors {
    /// So many from the beginning.
    pub first: Option<u64>,
    /// So many from the end.
    pub last: Option<u64>,
    /// All there are.
    pub all: bool,
    /// And those that come.
    pub follow: bool,
    /// From when on.
    pub since: Option<String>,
    /// Until when.
    pub until: Option<String>,
}

/// What is wrong with selectors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Two that exclude each other.
    #[error("--{0} and --{1} exclude each other")]
    Conflict(&'static str, &'static str),
    /// A moment that is none.
    #[error("--{0} {1}")]
    Moment(&'static str, NoMoment),
}

/// A range of numbers and of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Range {
    /// How many; 0 is as many as there are.
    pub number: u64,
    /// From the beginning rather than from the end.
    pub first: bool,
    /// And those that come.
    pub follow: bool,
    /// From when on.
    pub since: Option<prost_types::Timestamp>,
    /// Until when.
    pub until: Option<prost_types::Timestamp>,
}

impl Selectors {
    /// What they mean. Where nothing is said, the last few; all where `is_all_usual`.
    pub fn range(&self, now: Timestamp, is_all_usual: bool) -> Result<Range, Error> {
        let first = self.first.filter(|number| *number > 0);
        let last = self.last.filter(|number| *number > 0);
        let used = [("first", first.is_some()), ("last", last.is_some()), ("all", self.all)];
        let mut used = used.into_iter().filter(|(_, is_used)| *is_used).map(|(name, _)| name);
        if let (Some(one), Some(other)) = (used.next(), used.next()) {
            return Err(Error::Conflict(one, other));
        }
        if first.is_some() && self.follow {
            return Err(Error::Conflict("first", "follow"));
        }
        let moment = |name, text: &Option<String>| {
            let parsed = text.as_ref().map(|text| moment::parse(text, now));
            let parsed = parsed.transpose().map_err(|error| Error::Moment(name, error))?;
            Ok(parsed.map(timestamp))
        };
        let since = moment("since", &self.since)?;
        // What is to come has no end.
        let until = moment("until", &self.until)?.filter(|_| !self.follow);
        let is_open = since.is_none() && until.is_none();
        let number = match (first.or(last), is_open) {
            (Some(number), _) => number,
            (None, true) if self.all => ALL,
            (None, true) if !self.follow && !is_all_usual => USUAL,
            (None, _) => 0,
        };
        Ok(Range { number, first: first.is_some(), follow: self.follow, since, until })
    }
}

impl Range {
    /// As a request for flows.
    pub fn request(self, lists: Lists, mask: Option<Vec<String>>) -> GetFlowsRequest {
        GetFlowsRequest {
            number: self.number,
            first: self.first,
            follow: self.follow,
            since: self.since,
            until: self.until,
            whitelist: lists.allow,
            blacklist: lists.deny,
            field_mask: mask.map(|paths| prost_types::FieldMask { paths }),
            ..GetFlowsRequest::default()
        }
    }
}

fn timestamp(moment: Timestamp) -> prost_types::Timestamp {
    // The parts of a moment before 1970 are negative both; on the wire the nanoseconds never are.
    let (seconds, nanos) = (moment.as_second(), moment.subsec_nanosecond());
    let borrow = nanos < 0;
    prost_types::Timestamp {
        seconds: seconds - i64::from(borrow),
        nanos: nanos + if borrow { 1_000_000_000 } else { 0 },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_second(1_000).unwrap()
    }

    fn range(selectors: Selectors) -> Range {
        selectors.range(now(), false).unwrap()
    }

    #[test]
    fn numbers_are_hubbles() {
        let usual = Selectors::default;
        let since = || Some("60s".to_owned());
        for (selectors, number, first) in [
            (usual(), 20, false),
            (Selectors { last: Some(5), ..usual() }, 5, false),
            (Selectors { last: Some(0), ..usual() }, 20, false),
            (Selectors { first: Some(5), ..usual() }, 5, true),
            (Selectors { all: true, ..usual() }, u64::MAX, false),
            (Selectors { follow: true, ..usual() }, 0, false),
            (Selectors { follow: true, last: Some(3), ..usual() }, 3, false),
            (Selectors { follow: true, all: true, ..usual() }, u64::MAX, false),
            (Selectors { since: since(), ..usual() }, 0, false),
            (Selectors { until: since(), ..usual() }, 0, false),
            (Selectors { since: since(), last: Some(3), ..usual() }, 3, false),
            (Selectors { since: since(), all: true, ..usual() }, 0, false),
        ] {
            let shown = format!("{selectors:?}");
            let found = range(selectors);
            assert_eq!((found.number, found.first), (number, first), "{shown}");
        }
        assert_eq!(Selectors::default().range(now(), true).unwrap().number, 0);
    }

    #[test]
    fn what_is_to_come_has_no_end() {
        let until = Selectors { until: Some("60s".into()), ..Selectors::default() };
        assert_eq!(range(until.clone()).until.map(|it| it.seconds), Some(940));
        assert_eq!(range(Selectors { follow: true, ..until }).until, None);
        let old = Selectors { since: Some("1000.5s".into()), ..Selectors::default() };
        assert_eq!(
            range(old).since,
            Some(prost_types::Timestamp { seconds: -1, nanos: 500_000_000 })
        );
    }

    #[test]
    fn selectors_that_exclude_each_other_are_said() {
        let usual = Selectors::default;
        for (selectors, one, other) in [
            (Selectors { first: Some(1), last: Some(1), ..usual() }, "first", "last"),
            (Selectors { first: Some(1), all: true, ..usual() }, "first", "all"),
            (Selectors { last: Some(1), all: true, ..usual() }, "last", "all"),
            (Selectors { first: Some(1), follow: true, ..usual() }, "first", "follow"),
        ] {
            assert_eq!(selectors.range(now(), false), Err(Error::Conflict(one, other)));
        }
        let since = Selectors { since: Some("soon".into()), ..usual() };
        assert!(matches!(since.range(now(), false), Err(Error::Moment("since", _))));
    }
}
