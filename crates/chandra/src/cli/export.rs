//! The options of flow logs, by the names that Hubble's own agent has.

use std::path::PathBuf;

use chandra_doctor::{Check, Problem};
use chandra_flow_export::settings::{
    Aggregated, DEFAULT_MAX_BACKUPS, DEFAULT_MAX_SIZE_MB, FlowLog, Rotation, Target,
};
use chandra_hubble::json;
use chandra_hubble::proto::flow::FlowFilter;
use clap::builder::BoolishValueParser;
use clap::{ArgAction, Args};

/// Options of flow logs.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Flow logs")]
pub struct ExportArguments {
    /// File to write flows to as lines of JSON, or - for standard output [default: none]
    #[arg(long, env = "CHANDRA_EXPORT_FILE_PATH", value_name = "FILE")]
    pub export_file_path: Option<String>,
    /// Size at which the file is set aside, in MiB [default: 10]
    #[arg(long, env = "CHANDRA_EXPORT_FILE_MAX_SIZE_MB", value_name = "NUMBER")]
    pub export_file_max_size_mb: Option<u64>,
    /// Files that are kept beside the one that is written [default: 5]
    #[arg(long, env = "CHANDRA_EXPORT_FILE_MAX_BACKUPS", value_name = "NUMBER")]
    pub export_file_max_backups: Option<usize>,
    /// Compress those (gzip)
    #[arg(long, env = "CHANDRA_EXPORT_FILE_COMPRESS", num_args = 0..=1, default_missing_value = "true", action = ArgAction::Set, value_parser = BoolishValueParser::new(), value_name = "BOOL")]
    pub export_file_compress: Option<bool>,
    /// Write only flows that one of these filters matches (FlowFilters in JSON, one after another)
    #[arg(long, env = "CHANDRA_EXPORT_ALLOWLIST", value_name = "FILTERS")]
    pub export_allowlist: Option<String>,
    /// Write no flows that one of these filters matches
    #[arg(long, env = "CHANDRA_EXPORT_DENYLIST", value_name = "FILTERS")]
    pub export_denylist: Option<String>,
    /// Write only these fields of flows: time,source.pod_name,…
    #[arg(long, env = "CHANDRA_EXPORT_FIELDMASK", value_name = "FIELD", value_delimiter = ',')]
    pub export_fieldmask: Option<Vec<String>>,
    /// Write one line for flows that are alike in these fields, with how many they are
    #[arg(
        long,
        env = "CHANDRA_EXPORT_FIELDAGGREGATE",
        value_name = "FIELD",
        value_delimiter = ','
    )]
    pub export_fieldaggregate: Option<Vec<String>>,
    /// Time in which they are counted together [default: 10s]
    #[arg(long, env = "CHANDRA_EXPORT_AGGREGATION_INTERVAL", value_name = "TIME")]
    pub export_aggregation_interval: Option<String>,
    /// File that says which more flow logs there are (YAML, or TOML), read again when it changes
    #[arg(long, env = "CHANDRA_EXPORT_CONFIG_PATH", value_name = "FILE")]
    pub export_config_path: Option<PathBuf>,
}

/// The same, checked.
#[derive(Debug, Clone, Default)]
pub struct ExportOptions {
    /// The flow log of the options themselves.
    pub log: Option<FlowLog>,
    /// Where more of them are told of.
    pub file: Option<PathBuf>,
}

impl ExportOptions {
    /// There is no flow log, and none can come.
    pub fn is_off(&self) -> bool {
        self.log.is_none() && self.file.is_none()
    }

    /// Flows are written to standard output.
    pub fn writes_to_stdout(&self) -> bool {
        self.log.as_ref().is_some_and(|log| log.target == Target::Stdout)
    }
}

impl ExportArguments {
    /// Takes from the other what is not given here.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            export_file_path: self.export_file_path.or(other.export_file_path),
            export_file_max_size_mb: self.export_file_max_size_mb.or(other.export_file_max_size_mb),
            export_file_max_backups: self.export_file_max_backups.or(other.export_file_max_backups),
            export_file_compress: self.export_file_compress.or(other.export_file_compress),
            export_allowlist: self.export_allowlist.or(other.export_allowlist),
            export_denylist: self.export_denylist.or(other.export_denylist),
            export_fieldmask: self.export_fieldmask.or(other.export_fieldmask),
            export_fieldaggregate: self.export_fieldaggregate.or(other.export_fieldaggregate),
            export_aggregation_interval: self
                .export_aggregation_interval
                .or(other.export_aggregation_interval),
            export_config_path: self.export_config_path.or(other.export_config_path),
        }
    }

    /// Checks them.
    pub fn options(&self) -> Result<ExportOptions, Problem> {
        let path = self.export_file_path.as_deref().filter(|path| !path.is_empty());
        let max_size_mb = self.export_file_max_size_mb.unwrap_or(DEFAULT_MAX_SIZE_MB).max(1);
        let log = path.map(|path| {
            let unusable = |why: &dyn std::fmt::Display| {
                let next = "for example: --export-allowlist '{\"verdict\":[\"DROPPED\"]}' \
                            --export-fieldmask time,source.pod_name";
                Problem::usage(Check::FILTERS, "cannot export flows", why, next)
            };
            let log = FlowLog {
                name: "export".into(),
                target: Target::from(path),
                include: filters("--export-allowlist", self.export_allowlist.as_deref())?,
                exclude: filters("--export-denylist", self.export_denylist.as_deref())?,
                field_mask: self.export_fieldmask.clone().unwrap_or_default(),
                aggregated: Aggregated::new(
                    self.export_fieldaggregate.clone().unwrap_or_default(),
                    self.export_aggregation_interval.as_deref(),
                )
                .map_err(|why| unusable(&format!("--export-aggregation-interval: {why}")))?,
                rotation: Rotation {
                    max_bytes: max_size_mb.saturating_mul(1 << 20),
                    max_backups: self.export_file_max_backups.unwrap_or(DEFAULT_MAX_BACKUPS),
                    compress: self.export_file_compress.unwrap_or(false),
                },
                end: None,
            };
            log.check().map_err(|why| unusable(&why))?;
            Ok(log)
        });
        Ok(ExportOptions { log: log.transpose()?, file: self.export_config_path.clone() })
    }
}

fn filters(option: &str, text: Option<&str>) -> Result<Vec<FlowFilter>, Problem> {
    json::filters(text.unwrap_or_default()).map_err(|error| {
        let next = format!("for example: {option} '{{\"source_pod\":[\"shop/\"]}}'");
        Problem::usage(Check::FILTERS, format!("cannot use {option}"), error, next)
    })
}
