//! The signals of OTLP that are exported.

use std::fmt;

/// What a request tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// Data points of metrics.
    Metrics,
    /// Log records.
    Logs,
    /// Spans of traces.
    Traces,
    /// Profiles. Their messages are alpha (`v1development`), so they are exported only where that is said.
    Profiles,
}

impl Signal {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Metrics, Self::Logs, Self::Traces, Self::Profiles];

    /// Whether it is exported where nobody says what is. Spans of other people's traces are not.
    pub(crate) fn is_usual(self) -> bool {
        matches!(self, Self::Metrics | Self::Logs)
    }

    /// Its word, in options and labels.
    pub fn word(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Logs => "logs",
            Self::Traces => "traces",
            Self::Profiles => "profiles",
        }
    }

    /// What is counted of it.
    pub fn items(self) -> &'static str {
        match self {
            Self::Metrics => "data points",
            Self::Logs => "log records",
            Self::Traces => "spans",
            Self::Profiles => "profiles",
        }
    }

    /// Its word in names of variables.
    pub(crate) fn variable(self) -> &'static str {
        match self {
            Self::Metrics => "METRICS",
            Self::Logs => "LOGS",
            Self::Traces => "TRACES",
            Self::Profiles => "PROFILES",
        }
    }

    /// Where it goes under an endpoint of HTTP.
    pub(crate) fn http_path(self) -> &'static str {
        match self {
            Self::Metrics => "/v1/metrics",
            Self::Logs => "/v1/logs",
            Self::Traces => "/v1/traces",
            Self::Profiles => "/v1development/profiles",
        }
    }

    /// The method of gRPC.
    pub(crate) fn grpc_path(self) -> &'static str {
        match self {
            Self::Metrics => "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
            Self::Logs => "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
            Self::Traces => "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
            Self::Profiles => {
                "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
            }
        }
    }
}

impl fmt::Display for Signal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}
