//! The options of the export by OpenTelemetry's protocol. What they do not say the variables do that
//! OpenTelemetry has for it (`chandra_otlp::settings`).

use std::path::PathBuf;

use chandra_doctor::{Check, Problem};
use chandra_otlp::{Given, Settings};
use clap::Args;

use super::common::{bad_value, duration, size_bytes};

/// Less would not hold a request.
const LEAST_QUEUE_BYTES: usize = 64 << 10;

/// Options of the export.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "OpenTelemetry")]
pub struct OtlpArguments {
    /// Collector to export to, as http://HOST:PORT or https://… [default: $OTEL_EXPORTER_OTLP_ENDPOINT,
    /// or none]
    #[arg(long, env = "CHANDRA_OTLP_ENDPOINT", value_name = "URL")]
    pub otlp_endpoint: Option<String>,
    /// What it speaks: grpc or http/protobuf [default: http/protobuf]
    #[arg(long, env = "CHANDRA_OTLP_PROTOCOL", value_name = "PROTOCOL")]
    pub otlp_protocol: Option<String>,
    /// Headers of each request: NAME=VALUE,… with %20 for a space
    #[arg(long, env = "CHANDRA_OTLP_HEADERS", value_name = "HEADERS", hide_env_values = true)]
    pub otlp_headers: Option<String>,
    /// What is exported: metrics, logs (alerts and drops), traces (requests over HTTP, of http_request), profiles
    /// (alpha; of cpu_profile and off_cpu, where they are on) [default: metrics,logs]
    #[arg(long, env = "CHANDRA_OTLP_SIGNALS", value_name = "SIGNAL", value_delimiter = ',')]
    pub otlp_signals: Option<Vec<String>>,
    /// How often metrics are exported [default: 1m]
    #[arg(long, env = "CHANDRA_OTLP_INTERVAL", value_name = "TIME")]
    pub otlp_interval: Option<String>,
    /// How long an answer may take [default: 10s]
    #[arg(long, env = "CHANDRA_OTLP_TIMEOUT", value_name = "TIME")]
    pub otlp_timeout: Option<String>,
    /// How requests are compressed: gzip or none [default: gzip]
    #[arg(long, env = "CHANDRA_OTLP_COMPRESSION", value_name = "KIND")]
    pub otlp_compression: Option<String>,
    /// What counters and histograms tell: cumulative, all since they began, or delta, what is new
    /// [default: cumulative]
    #[arg(long, env = "CHANDRA_OTLP_TEMPORALITY", value_name = "KIND")]
    pub otlp_temporality: Option<String>,
    /// What may wait of each signal for a collector that is away, compressed [default: 4m]
    #[arg(long, env = "CHANDRA_OTLP_QUEUE_SIZE", value_name = "BYTES")]
    pub otlp_queue_size: Option<String>,
    /// Authorities that the collector's certificate may be of (PEM) [default: those of the system]
    #[arg(long, env = "CHANDRA_OTLP_CA_FILE", value_name = "FILE")]
    pub otlp_ca_file: Option<PathBuf>,
    /// Certificate to show to the collector (PEM)
    #[arg(long, env = "CHANDRA_OTLP_CLIENT_CERT_FILE", value_name = "FILE")]
    pub otlp_client_cert_file: Option<PathBuf>,
    /// Its key
    #[arg(long, env = "CHANDRA_OTLP_CLIENT_KEY_FILE", value_name = "FILE")]
    pub otlp_client_key_file: Option<PathBuf>,
}

impl OtlpArguments {
    /// Takes from the other what is not given here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            otlp_endpoint: self.otlp_endpoint.or(other.otlp_endpoint),
            otlp_protocol: self.otlp_protocol.or(other.otlp_protocol),
            otlp_headers: self.otlp_headers.or(other.otlp_headers),
            otlp_signals: self.otlp_signals.or(other.otlp_signals),
            otlp_interval: self.otlp_interval.or(other.otlp_interval),
            otlp_timeout: self.otlp_timeout.or(other.otlp_timeout),
            otlp_compression: self.otlp_compression.or(other.otlp_compression),
            otlp_temporality: self.otlp_temporality.or(other.otlp_temporality),
            otlp_queue_size: self.otlp_queue_size.or(other.otlp_queue_size),
            otlp_ca_file: self.otlp_ca_file.or(other.otlp_ca_file),
            otlp_client_cert_file: self.otlp_client_cert_file.or(other.otlp_client_cert_file),
            otlp_client_key_file: self.otlp_client_key_file.or(other.otlp_client_key_file),
        }
    }

    /// Checks them, and the environment; none where nothing is to be exported.
    pub fn options(&self) -> Result<Option<Settings>, Problem> {
        self.options_with(&|name| std::env::var(name).ok())
    }

    fn options_with(
        &self,
        environment: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<Settings>, Problem> {
        let span = |option, text: &Option<String>| {
            text.as_deref().map(|text| duration(option, text)).transpose()
        };
        let option = "--otlp-queue-size";
        let queue_bytes = self.otlp_queue_size.as_deref().map(|text| {
            let bytes = size_bytes(text).filter(|bytes| *bytes >= LEAST_QUEUE_BYTES);
            let why = "no size of 64k or more";
            bytes.ok_or_else(|| bad_value(option, text, why, "--otlp-queue-size 4m"))
        });
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let given = Given {
            // "" is none, as in the variable.
            endpoint: filled(&self.otlp_endpoint),
            protocol: filled(&self.otlp_protocol),
            headers: filled(&self.otlp_headers),
            signals: self.otlp_signals.clone(),
            interval: span("--otlp-interval", &self.otlp_interval)?,
            timeout: span("--otlp-timeout", &self.otlp_timeout)?,
            compression: filled(&self.otlp_compression),
            temporality: filled(&self.otlp_temporality),
            queue_bytes: queue_bytes.transpose()?,
            ca_file: self.otlp_ca_file.clone(),
            client_certificate_file: self.otlp_client_cert_file.clone(),
            client_key_file: self.otlp_client_key_file.clone(),
        };
        Settings::new(&given, environment).map_err(|error| {
            let next = "for example: --otlp-endpoint http://localhost:4318, or without: \
                        OTEL_SDK_DISABLED=true";
            Problem::usage(Check::USAGE, "cannot export by OTLP", error, next)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(arguments: OtlpArguments) -> Result<Option<Settings>, String> {
        arguments.options_with(&|_| None).map_err(|problem| problem.to_string())
    }

    #[test]
    fn what_is_not_asked_for_is_off() {
        assert!(options(OtlpArguments::default()).unwrap().is_none());
        let otlp_endpoint = Some(String::new());
        assert!(options(OtlpArguments { otlp_endpoint, ..Default::default() }).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_is_told_with_its_place() {
        let with = |change: fn(&mut OtlpArguments)| {
            let otlp_endpoint = Some("http://localhost:4318".into());
            let mut arguments = OtlpArguments { otlp_endpoint, ..OtlpArguments::default() };
            change(&mut arguments);
            options(arguments)
        };
        assert_eq!(with(|_| {}).unwrap().unwrap().destinations.len(), 2);
        type Change = fn(&mut OtlpArguments);
        let cases: [(Change, &str); 5] = [
            (|it| it.otlp_endpoint = Some("localhost:4318".into()), "--otlp-endpoint: \"localhost"),
            (|it| it.otlp_headers = Some("a=b,c".into()), "--otlp-headers: at character 5"),
            (|it| it.otlp_interval = Some("soon".into()), "--otlp-interval"),
            (|it| it.otlp_queue_size = Some("63k".into()), "--otlp-queue-size"),
            (
                |it| it.otlp_signals = Some(vec!["spans".into()]),
                "--otlp-signals: \"spans\" is no signal",
            ),
        ];
        for (change, told) in cases {
            let error = with(change).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
