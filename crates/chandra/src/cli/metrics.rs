//! The options of metrics.

use std::time::{Duration, Instant};

use chandra_doctor::{Check, Problem};
use chandra_metrics::Settings;
use chandra_metrics::hubble::{self, Options};
use chandra_metrics::network::Levels;
use clap::Args;

use super::common::{bad_value, duration};
use super::kernel_levels::KernelLevels;

/// Fewer would not do for the metrics that every agent has.
const LEAST_SERIES: usize = 10;
const MOST_SERIES: usize = 1_000_000;
const LEAST_EXPIRY: Duration = Duration::from_secs(10);
/// As Hubble has it.
const PODS_EXPIRE_AFTER: Duration = Duration::from_secs(60);

/// Options of metrics.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Metrics")]
pub struct MetricsArguments {
    /// Hubble's metrics to count flows by, each with its options, or "" for none
    /// [default: "dns drop tcp flow icmp port-distribution"]
    #[arg(long, env = "CHANDRA_HUBBLE_METRICS", value_name = "METRICS")]
    pub hubble_metrics: Option<String>,
    /// Level at which times (tcp-connect, tcp-round-trip, dns-lookup, http-client, http-server) and counters of TCP
    /// (tcp-health) are told: off, node, namespace, workload or pod; for all, or for one as in
    /// "node tcp-connect=pod" [default: workload]
    #[arg(long, env = "CHANDRA_METRICS_LEVELS", value_name = "LEVELS")]
    pub metrics_levels: Option<String>,
    /// Level at which signals that only count are told: node, namespace, workload or pod; for all, or for
    /// one as in "page_fault=pod" [default: node]
    #[arg(long, env = "CHANDRA_KERNEL_METRICS_LEVELS", value_name = "LEVELS")]
    pub kernel_metrics_levels: Option<String>,
    /// Series that a metric may have; what comes beyond is counted in one more [default: 5000]
    #[arg(long, env = "CHANDRA_METRICS_MAX_SERIES", value_name = "NUMBER")]
    pub metrics_max_series: Option<usize>,
    /// Series that did not change for so long are forgotten [default: 10m]
    #[arg(long, env = "CHANDRA_METRICS_EXPIRE_AFTER", value_name = "TIME")]
    pub metrics_expire_after: Option<String>,
    /// Series that name a pod are forgotten so long after it is gone [default: 1m]
    #[arg(long, env = "CHANDRA_METRICS_PODS_EXPIRE_AFTER", value_name = "TIME")]
    pub metrics_pods_expire_after: Option<String>,
}

/// The same, checked.
#[derive(Debug, Clone)]
pub struct MetricsOptions {
    /// Hubble's metrics.
    pub hubble: Options,
    /// How fine times on the network are told.
    pub levels: Levels,
    /// How fine what the kernel counts is told.
    pub kernel_levels: KernelLevels,
    /// What holds for all families.
    pub settings: Settings,
    /// How long series of pods stay that are gone.
    pub pods_expire_after: Duration,
}

impl MetricsArguments {
    /// Takes from the other what is not given here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            hubble_metrics: self.hubble_metrics.or(other.hubble_metrics),
            metrics_levels: self.metrics_levels.or(other.metrics_levels),
            kernel_metrics_levels: self.kernel_metrics_levels.or(other.kernel_metrics_levels),
            metrics_max_series: self.metrics_max_series.or(other.metrics_max_series),
            metrics_expire_after: self.metrics_expire_after.or(other.metrics_expire_after),
            metrics_pods_expire_after: self
                .metrics_pods_expire_after
                .or(other.metrics_pods_expire_after),
        }
    }

    /// Checks them.
    pub fn options(&self) -> Result<MetricsOptions, Problem> {
        let default = Settings::default();
        let text = self.hubble_metrics.as_deref().unwrap_or(hubble::DEFAULT);
        let hubble = Options::parse(text).map_err(|error| {
            let what = format!("cannot use --hubble-metrics {text:?}");
            let next = "for example: --hubble-metrics \"drop flow:sourceContext=pod|ip\"";
            Problem::usage(Check::FILTERS, what, error, next)
        })?;
        let text = self.metrics_levels.as_deref().unwrap_or_default();
        let levels = Levels::parse(text).map_err(|error| {
            let example = "--metrics-levels \"tcp-connect=pod dns-lookup=namespace\"";
            bad_value("--metrics-levels", text, &error.to_string(), example)
        })?;
        let text = self.kernel_metrics_levels.as_deref().unwrap_or_default();
        let kernel_levels = KernelLevels::parse(text)?;
        let max_series = self.metrics_max_series.unwrap_or(default.max_series);
        if !(LEAST_SERIES..=MOST_SERIES).contains(&max_series) {
            let (value, why) = (max_series.to_string(), "not from 10 to 1000000");
            let example = "--metrics-max-series 5000";
            return Err(bad_value("--metrics-max-series", &value, why, example));
        }
        let option = "--metrics-expire-after";
        let expire_after = match self.metrics_expire_after.as_deref() {
            None => default.expire_after,
            Some(text) => {
                let given = duration(option, text)?;
                if given < LEAST_EXPIRY {
                    let why = "shorter than 10s, in which nobody could have read it";
                    return Err(bad_value(option, text, why, "--metrics-expire-after 10m"));
                }
                given
            }
        };
        let settings = Settings { max_series, expire_after, started: Instant::now(), ..default };
        let pods_expire_after = match self.metrics_pods_expire_after.as_deref() {
            None => PODS_EXPIRE_AFTER,
            Some(text) => duration("--metrics-pods-expire-after", text)?,
        };
        Ok(MetricsOptions { hubble, levels, kernel_levels, settings, pods_expire_after })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(metrics: &str, series: usize, expiry: &str) -> Result<MetricsOptions, String> {
        let arguments = MetricsArguments {
            hubble_metrics: Some(metrics.into()),
            metrics_levels: None,
            kernel_metrics_levels: None,
            metrics_max_series: Some(series),
            metrics_expire_after: Some(expiry.into()),
            metrics_pods_expire_after: None,
        };
        arguments.options().map_err(|problem| problem.to_string())
    }

    #[test]
    fn what_is_out_of_bounds_is_told() {
        let taken = options("drop", 10, "10s").unwrap();
        assert_eq!((taken.settings.max_series, taken.settings.expire_after.as_secs()), (10, 10));
        assert!(MetricsArguments::default().options().is_ok_and(|taken| !taken.hubble.is_empty()));
        assert!(options("", 10, "1h").is_ok_and(|taken| taken.hubble.is_empty()));
        for (metrics, series, expiry, told) in [
            ("drop flwo", 10, "10s", "at character 6: there is no metric \"flwo\""),
            ("drop", 9, "10s", "not from 10"),
            ("drop", 1_000_001, "10s", "not from 10"),
            ("drop", 10, "9s", "shorter than 10s"),
            ("drop", 10, "soon", "not a span of time"),
        ] {
            let error = options(metrics, series, expiry).unwrap_err();
            assert!(error.contains(told), "{error}");
        }
    }
}
