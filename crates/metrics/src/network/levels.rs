//! At which level each family is told: `node tcp-connect=pod dns-lookup=off` names two, and the others' at first.

use chandra_hubble::flow::Endpoint;

use crate::values::Values;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// How long opening a TCP connection took.
    TcpConnect,
    /// How long a segment and its acknowledgement take.
    TcpRoundTrip,
    /// How long an answer of DNS took.
    DnsLookup,
    /// How long a client waited for an answer over HTTP.
    HttpClient,
    /// How long a server took for one.
    HttpServer,
    /// What goes wrong with TCP, and how often nothing does: counters, told by whoever has the records.
    TcpHealth,
}

/// By what the series of a family are told apart; each has what those before it have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// By nothing: all of the node is one.
    Node,
    /// By the namespace of the pod on this node.
    Namespace,
    /// By what made it: a Deployment and the like.
    Workload,
    /// By itself.
    Pod,
}

/// The level of each family; of one that is off, none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels([Option<Level>; Measure::ALL.len()]);

impl Default for Levels {
    fn default() -> Self {
        Self([Some(Level::Workload); Measure::ALL.len()])
    }
}

/// Levels that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LevelsError {
    /// No such family.
    #[error(
        "there is no family {0:?}; there are tcp-connect, tcp-round-trip, dns-lookup, http-client, http-server and tcp-health"
    )]
    Family(String),
    /// No such level.
    #[error("there is no level {0:?}; there are off, node, namespace, workload and pod")]
    Level(String),
    /// A family twice, or two levels for all others.
    #[error("{0} comes twice")]
    Twice(String),
}

impl Measure {
    const ALL: [Self; 6] = [
        Self::TcpConnect,
        Self::TcpRoundTrip,
        Self::DnsLookup,
        Self::HttpClient,
        Self::HttpServer,
        Self::TcpHealth,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::TcpConnect => "tcp-connect",
            Self::TcpRoundTrip => "tcp-round-trip",
            Self::DnsLookup => "dns-lookup",
            Self::HttpClient => "http-client",
            Self::HttpServer => "http-server",
            Self::TcpHealth => "tcp-health",
        }
    }

    /// The name of its histogram, and what it is.
    pub(super) fn describe(self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::TcpConnect => (
                "chandra_tcp_connect_duration_seconds",
                "Time from the first SYN of a TCP connection to its answer, at the opener.",
            ),
            Self::TcpRoundTrip => (
                "chandra_tcp_round_trip_seconds",
                "Smoothed round-trip time of a TCP connection, as its socket had it at the end.",
            ),
            Self::DnsLookup => (
                "chandra_dns_lookup_duration_seconds",
                "Time from a question of DNS to its answer.",
            ),
            Self::HttpClient => (
                "chandra_http_client_request_duration_seconds",
                "Time from the first byte of a request over HTTP to that of its answer, at the client.",
            ),
            Self::HttpServer => (
                "chandra_http_server_request_duration_seconds",
                "Time from the first byte of a request over HTTP to that of its answer, at the server.",
            ),
            Self::TcpHealth => return None,
        })
    }

    /// The names of labels that it has beside those of its level.
    pub(super) fn labels(self) -> &'static [&'static str] {
        match self {
            Self::HttpClient | Self::HttpServer => &["method", "status"],
            Self::TcpConnect | Self::TcpRoundTrip | Self::DnsLookup | Self::TcpHealth => &[],
        }
    }
}

impl Level {
    const ALL: [(&'static str, Option<Self>); 5] = [
        ("off", None),
        ("node", Some(Self::Node)),
        ("namespace", Some(Self::Namespace)),
        ("workload", Some(Self::Workload)),
        ("pod", Some(Self::Pod)),
    ];

    /// The level of this word; `off` is none.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == word).and_then(|(_, level)| *level)
    }

    /// The names of its labels, each level's behind those of the one before.
    pub fn labels(self) -> &'static [&'static str] {
        match self {
            Self::Node => &[],
            Self::Namespace => &["namespace"],
            Self::Workload => &["namespace", "workload_kind", "workload"],
            Self::Pod => &["namespace", "workload_kind", "workload", "pod"],
        }
    }

    /// Their values; empty ones for what is in no pod.
    pub(super) fn push(self, end: Option<&Endpoint>, values: &mut Values) {
        let workload = end.and_then(|end| end.workloads.first());
        let all = [
            end.map(|end| &end.namespace),
            workload.map(|workload| &workload.kind),
            workload.map(|workload| &workload.name),
            end.map(|end| &end.pod_name),
        ];
        for value in all.into_iter().take(self.labels().len()) {
            values.push(value.map_or("", String::as_str));
        }
    }
}

impl Levels {
    /// Reads levels; families that are not named have theirs by default.
    ///
    /// # Errors
    /// Where a word is not known or a family comes twice.
    pub fn parse(text: &str) -> Result<Self, LevelsError> {
        let (mut named, mut others) = ([None; Measure::ALL.len()], None);
        for pair in text.split([' ', ',']).filter(|pair| !pair.is_empty()) {
            let (place, level) = match pair.split_once('=') {
                None => (&mut others, pair),
                Some((family, level)) => {
                    let mut families = Measure::ALL.iter().zip(&mut named);
                    let (_, place) = families
                        .find(|(measure, _)| measure.word() == family)
                        .ok_or_else(|| LevelsError::Family(family.to_owned()))?;
                    (place, level)
                }
            };
            let (_, level) = Level::ALL
                .iter()
                .find(|(word, _)| *word == level)
                .ok_or_else(|| LevelsError::Level(level.to_owned()))?;
            if place.replace(*level).is_some() {
                return Err(LevelsError::Twice(pair.to_owned()));
            }
        }
        let others = others.unwrap_or(Some(Level::Workload));
        Ok(Self(named.map(|level| level.unwrap_or(others))))
    }

    /// Families that are not off, with their levels.
    pub(super) fn on(&self) -> impl Iterator<Item = (Measure, Level)> {
        Measure::ALL.into_iter().zip(self.0).filter_map(|(measure, level)| Some((measure, level?)))
    }

    /// The level of one; none where it is off.
    pub fn of(&self, measure: Measure) -> Option<Level> {
        self.on().find(|(on, _)| *on == measure).map(|(_, level)| level)
    }

    /// All that flows are needed for is off.
    pub fn times_are_off(&self) -> bool {
        self.on().all(|(measure, _)| measure.describe().is_none())
    }
}
