//! What is exported, and where to: options first, then the variables that OpenTelemetry has for it.
//!
//! Of variables that of a signal (`OTEL_EXPORTER_OTLP_METRICS_ENDPOINT`) goes before that of all
//! (`OTEL_EXPORTER_OTLP_ENDPOINT`); one that is empty is not set (OpenTelemetry's specification). Nothing is
//! exported where no endpoint is named: an agent that nobody told of a collector does not look for one.

pub mod endpoint;
mod look_up;
pub mod pairs;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use chandra_alerts::sink::TlsFiles;
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio_rustls::rustls::ClientConfig;

use crate::signal::Signal;
use endpoint::Endpoint;
use look_up::{LookUp, Said};

/// How often metrics are told where nothing else is said.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
/// How long an answer may take where nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// What may wait of a signal where nothing else is said, in bytes.
pub const DEFAULT_QUEUE_BYTES: usize = 4 << 20;
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// What options say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given {
    /// URL of the collector.
    pub endpoint: Option<String>,
    /// `grpc` or `http/protobuf`
    pub protocol: Option<String>,
    /// `key=value,key=value`
    pub headers: Option<String>,
    /// Words of signals.
    pub signals: Option<Vec<String>>,
    /// How often metrics are told.
    pub interval: Option<Duration>,
    /// How long an answer may take.
    pub timeout: Option<Duration>,
    /// `gzip` or `none`
    pub compression: Option<String>,
    /// `cumulative` or `delta`
    pub temporality: Option<String>,
    /// What may wait of a signal, in bytes.
    pub queue_bytes: Option<usize>,
    /// Authorities that a collector's certificate may be of.
    pub ca_file: Option<PathBuf>,
    /// The agent's certificate.
    pub client_certificate_file: Option<PathBuf>,
    /// Its key.
    pub client_key_file: Option<PathBuf>,
}

/// What cannot be, and who said it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {why}")]
pub struct Error {
    /// The option, or the variable.
    pub place: String,
    /// What is wrong with it.
    pub why: String,
}

/// How a request is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// As a call of gRPC.
    Grpc,
    /// As a body of HTTP.
    Http,
}

/// What numbers that only grow are told as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Temporality {
    /// All since the series began.
    Cumulative,
    /// What came since it was told last.
    Delta,
}

/// How long to wait before one tries again, where the collector does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// After the first failure.
    pub first: Duration,
    /// At most.
    pub longest: Duration,
}

/// Where a signal goes.
#[derive(Debug, Clone)]
pub struct Destination {
    /// The signal.
    pub signal: Signal,
    /// The place.
    pub endpoint: Endpoint,
    /// How.
    pub protocol: Protocol,
    /// With these headers.
    pub headers: HeaderMap,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Requests are compressed.
    pub gzip: bool,
    /// What is trusted and shown, where TLS is spoken.
    pub tls: Option<Arc<ClientConfig>>,
}

/// All of it, checked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where each signal goes that is exported; one at least.
    pub destinations: Vec<Destination>,
    /// How often metrics are told.
    pub interval: Duration,
    /// What numbers that only grow are told as.
    pub temporality: Temporality,
    /// Histograms that are kept in exponential buckets are told in them.
    pub exponential: bool,
    /// What may wait of a signal, in bytes.
    pub queue_bytes: usize,
    /// Waits between tries.
    pub retry: Retry,
    /// Attributes of the resource that the environment says.
    pub attributes: Vec<(String, String)>,
}

impl Settings {
    /// What options and the environment say; none where no collector is named, or all is switched off.
    ///
    /// # Errors
    /// What cannot be, with its place.
    pub fn new(
        given: &Given,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, Error> {
        let look_up = LookUp { environment };
        if look_up.variable("OTEL_SDK_DISABLED").is_some_and(|it| it.value == "true") {
            return Ok(None);
        }
        let mut destinations = Vec::new();
        for signal in signals(given, &look_up)? {
            destinations.extend(destination(signal, given, &look_up)?);
        }
        if destinations.is_empty() {
            return match given {
                given if *given == Given::default() || given.endpoint.is_some() => Ok(None),
                _ => Err(Error {
                    place: "--otlp-endpoint".into(),
                    why: "no collector is named, though other options of the export are".into(),
                }),
            };
        }
        let temporality = "METRICS_TEMPORALITY_PREFERENCE";
        let temporality = look_up.said("--otlp-temporality", given.temporality.as_deref(), || {
            look_up.variable(&format!("OTEL_EXPORTER_OTLP_{temporality}"))
        });
        let temporality = one_of(
            temporality,
            &[("cumulative", Temporality::Cumulative), ("delta", Temporality::Delta)],
        )?;
        let histograms =
            look_up.variable("OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION");
        let exponential = one_of(
            histograms,
            &[("base2_exponential_bucket_histogram", true), ("explicit_bucket_histogram", false)],
        )?;
        Ok(Some(Self {
            destinations,
            interval: interval(given, &look_up)?,
            temporality: temporality.unwrap_or(Temporality::Cumulative),
            exponential: exponential.unwrap_or(true),
            queue_bytes: given.queue_bytes.unwrap_or(DEFAULT_QUEUE_BYTES),
            retry: Retry { first: Duration::from_secs(1), longest: Duration::from_secs(30) },
            attributes: attributes(&look_up)?,
        }))
    }

    /// Where a signal goes, if anywhere.
    pub fn destination(&self, signal: Signal) -> Option<&Destination> {
        self.destinations.iter().find(|destination| destination.signal == signal)
    }
}

fn signals(given: &Given, look_up: &LookUp<'_>) -> Result<Vec<Signal>, Error> {
    let Some(words) = &given.signals else {
        // "none", or something that is not ours to do.
        let is_otlp = |signal: &Signal| {
            let variable = look_up.variable(&format!("OTEL_{}_EXPORTER", signal.variable()));
            let is_named = |said: Said| said.value.split(',').any(|word| word.trim() == "otlp");
            variable.map_or(signal.is_usual(), is_named)
        };
        return Ok(Signal::ALL.into_iter().filter(is_otlp).collect());
    };
    let mut signals = Vec::new();
    for word in words.iter().map(|word| word.trim()).filter(|word| !word.is_empty()) {
        let known = Signal::ALL.into_iter().find(|signal| signal.word() == word);
        let signal = known.ok_or_else(|| {
            let why = format!("{word:?} is no signal; there are: metrics, logs, traces, profiles");
            Error { place: "--otlp-signals".into(), why }
        })?;
        if !signals.contains(&signal) {
            signals.push(signal);
        }
    }
    Ok(signals)
}

/// None where no endpoint is named for it.
fn destination(
    signal: Signal,
    given: &Given,
    look_up: &LookUp<'_>,
) -> Result<Option<Destination>, Error> {
    let said = |option: &str, given: Option<&str>, name: &str| {
        look_up.said(option, given, || look_up.exporter(signal, name))
    };
    let Some(url) = said("--otlp-endpoint", given.endpoint.as_deref(), "ENDPOINT") else {
        return Ok(None);
    };
    let protocol = said("--otlp-protocol", given.protocol.as_deref(), "PROTOCOL");
    let protocol =
        one_of(protocol, &[("grpc", Protocol::Grpc), ("http/protobuf", Protocol::Http)])?
            .unwrap_or(Protocol::Http);
    let endpoint = Endpoint::parse(&url.value).and_then(|endpoint| match protocol {
        Protocol::Grpc => endpoint.method(signal.grpc_path()),
        // A signal's own endpoint is taken as it is.
        Protocol::Http if url.is_of_signal => Ok(endpoint),
        Protocol::Http => endpoint.under(signal.http_path()),
    });
    let endpoint =
        endpoint.map_err(|why| url.error(format!("{:?} is no endpoint: {why}", url.value)))?;
    let headers = match said("--otlp-headers", given.headers.as_deref(), "HEADERS") {
        None => HeaderMap::new(),
        Some(said) => headers(&said)?,
    };
    let timeout = match (given.timeout, look_up.exporter(signal, "TIMEOUT")) {
        (Some(given), _) => given,
        (None, Some(said)) => milliseconds(&said)?,
        (None, None) => DEFAULT_TIMEOUT,
    };
    let compression = said("--otlp-compression", given.compression.as_deref(), "COMPRESSION");
    let gzip = one_of(compression, &[("gzip", true), ("none", false)])?.unwrap_or(true);
    let file = |option: &str, given: &Option<PathBuf>, name: &str| {
        said(option, given.as_deref().and_then(Path::to_str), name)
    };
    let ca = file("--otlp-ca-file", &given.ca_file, "CERTIFICATE");
    let certificate = "--otlp-client-cert-file";
    let certificate = file(certificate, &given.client_certificate_file, "CLIENT_CERTIFICATE");
    let key = file("--otlp-client-key-file", &given.client_key_file, "CLIENT_KEY");
    let tls = match endpoint.is_https {
        false => None,
        true => Some(tls(ca, certificate, key, protocol)?),
    };
    Ok(Some(Destination { signal, endpoint, protocol, headers, timeout, gzip, tls }))
}

fn headers(said: &Said) -> Result<HeaderMap, Error> {
    let pairs = pairs::parse(&said.value).map_err(|error| said.error(error))?;
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        let known = HeaderName::from_str(&name);
        let known = known.map_err(|_| said.error(format!("no header is named {name:?}")))?;
        if known == http::header::CONTENT_TYPE || known.as_str().starts_with("grpc-") {
            return Err(said.error(format!("the header {name} is not for you to say")));
        }
        let value = HeaderValue::from_str(&value);
        let mut value =
            value.map_err(|_| said.error(format!("no header has a value like that of {name}")))?;
        value.set_sensitive(true);
        headers.append(known, value);
    }
    Ok(headers)
}

fn tls(
    ca: Option<Said>,
    certificate: Option<Said>,
    key: Option<Said>,
    protocol: Protocol,
) -> Result<Arc<ClientConfig>, Error> {
    let path = |said: &Said| PathBuf::from(&said.value);
    let identity = match (&certificate, &key) {
        (Some(certificate), Some(key)) => Some((path(certificate), path(key))),
        (None, None) => None,
        (Some(one), None) => return Err(one.error("its key is not named")),
        (None, Some(one)) => return Err(one.error("its certificate is not named")),
    };
    let files = TlsFiles { authorities: ca.iter().map(path).collect(), identity };
    let config = files.read().map_err(|why| {
        // The file is named in the reason.
        let place = [&ca, &certificate, &key].into_iter().flatten();
        let place =
            place.clone().find(|said| why.starts_with(&said.value)).or(place.clone().next());
        Error { place: place.map_or("TLS".into(), |said| said.place.clone()), why: why.clone() }
    })?;
    let mut config = Arc::unwrap_or_clone(config);
    let spoken: &[u8] = if protocol == Protocol::Grpc { b"h2" } else { b"http/1.1" };
    config.alpn_protocols = vec![spoken.to_vec()];
    Ok(Arc::new(config))
}

fn interval(given: &Given, look_up: &LookUp<'_>) -> Result<Duration, Error> {
    let (place, interval) = match (given.interval, look_up.variable("OTEL_METRIC_EXPORT_INTERVAL"))
    {
        (Some(given), _) => ("--otlp-interval".to_owned(), given),
        (None, Some(said)) => (said.place.clone(), milliseconds(&said)?),
        (None, None) => return Ok(DEFAULT_INTERVAL),
    };
    if interval < LEAST_INTERVAL {
        return Err(Error { place, why: format!("{interval:?} is shorter than 1s") });
    }
    Ok(interval)
}

fn attributes(look_up: &LookUp<'_>) -> Result<Vec<(String, String)>, Error> {
    let mut attributes = match look_up.variable("OTEL_RESOURCE_ATTRIBUTES") {
        None => Vec::new(),
        Some(said) => pairs::parse(&said.value).map_err(|error| said.error(error))?,
    };
    if let Some(said) = look_up.variable("OTEL_SERVICE_NAME") {
        attributes.retain(|(key, _)| key != "service.name");
        attributes.push(("service.name".into(), said.value));
    }
    Ok(attributes)
}

fn one_of<T: Copy>(said: Option<Said>, words: &[(&str, T)]) -> Result<Option<T>, Error> {
    let Some(said) = said else { return Ok(None) };
    let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(&said.value));
    let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    match found {
        Some((_, value)) => Ok(Some(*value)),
        None => Err(said.error(format!("{:?} is none of {}", said.value, known.join(", ")))),
    }
}

fn milliseconds(said: &Said) -> Result<Duration, Error> {
    let number = said.value.parse().ok().filter(|number| *number > 0);
    let why = || said.error(format!("{:?} is no number of milliseconds", said.value));
    number.map(Duration::from_millis).ok_or_else(why)
}

#[cfg(test)]
mod tests;
