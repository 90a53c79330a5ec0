//! Which flow logs there are.
//!
//! A file of them is YAML, as Hubble's is, or TOML where its name ends so:
//!
//! ```yaml
//! flowLogs:
//!   - name: drops
//!     filePath: /var/log/chandra/drops.log
//!     includeFilters: [{verdict: [DROPPED]}]
//!     fieldAggregate: [source.pod_name, destination.pod_name, verdict]
//!     aggregationInterval: 30s
//!     fileMaxSizeMb: 10
//!     fileMaxBackups: 5
//!     fileCompress: true
//!     end: 2026-12-31T00:00:00Z
//! ```

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chandra_hubble::filter::{Filters, Limits};
use chandra_hubble::json;
use chandra_hubble::mask::Mask;
use chandra_hubble::proto::flow::FlowFilter;
use serde::Deserialize;
use serde_json::Value;

use crate::aggregation::Aggregation;
use crate::exporter::Failure;
pub use chandra_rotating_file::Rotation;

/// A file of settings is not read beyond this.
pub const MOST_BYTES: usize = 1 << 20;
/// More logs than anybody reads: each has a thread.
pub const MOST_LOGS: usize = 32;
/// A file's size where nothing else is said.
pub const DEFAULT_MAX_SIZE_MB: u64 = 10;
/// How many files are kept where nothing else is said.
pub const DEFAULT_MAX_BACKUPS: usize = 5;

/// How often lines of flows that are alike are written where nothing else is said.
pub const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
/// Oftener there would be little that is alike.
const LEAST_INTERVAL: Duration = Duration::from_secs(1);

/// A flow log.
#[derive(Debug, Clone, PartialEq)]
pub struct FlowLog {
    /// What it is called; no other is.
    pub name: String,
    /// Where its lines go; no other's go there.
    pub target: Target,
    /// A flow is written if one of these matches it, or there are none.
    pub include: Vec<FlowFilter>,
    /// A flow that one of these matches is not.
    pub exclude: Vec<FlowFilter>,
    /// Fields of a flow that are written; none are all.
    pub field_mask: Vec<String>,
    /// Flows that are alike are written as one line.
    pub aggregated: Option<Aggregated>,
    /// When the file is set aside.
    pub rotation: Rotation,
    /// From then on nothing is written.
    pub end: Option<SystemTime>,
}

/// Which flows are alike, and how long they are waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aggregated {
    /// Fields in which they are alike: they are what is written of them.
    pub fields: Vec<String>,
    /// A line is written for all that came in this time.
    pub interval: Duration,
}

impl Aggregated {
    /// By these fields; nothing where there are none.
    ///
    /// # Errors
    /// The interval is no span of time, or too short, or without fields.
    pub fn new(fields: Vec<String>, interval: Option<&str>) -> Result<Option<Self>, String> {
        let interval = match interval {
            None => DEFAULT_INTERVAL,
            Some(_) if fields.is_empty() => return Err("it needs fields to aggregate by".into()),
            Some(text) => {
                let wrong = |why: &dyn std::fmt::Display| format!("interval {text:?}: {why}");
                let interval = humantime::parse_duration(text).map_err(|error| wrong(&error))?;
                if interval < LEAST_INTERVAL {
                    return Err(wrong(&"shorter than 1s"));
                }
                interval
            }
        };
        Ok((!fields.is_empty()).then_some(Self { fields, interval }))
    }
}

/// Where lines go.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Target {
    /// Standard output.
    Stdout,
    /// A file.
    File(PathBuf),
}

impl From<&str> for Target {
    /// `-` and `stdout` are standard output.
    fn from(path: &str) -> Self {
        match path {
            "-" | "stdout" => Self::Stdout,
            path => Self::File(path.into()),
        }
    }
}

impl FlowLog {
    /// It could be written.
    ///
    /// # Errors
    /// Its filters or its mask mean nothing.
    pub fn check(&self) -> Result<(), Failure> {
        self.compile().map(drop)
    }

    /// Its filters, its mask, and what is alike.
    pub(crate) fn compile(&self) -> Result<(Filters, Mask, Option<Aggregation>), Failure> {
        let filters = Filters::compile(&self.include, &self.exclude, &Limits::default())?;
        let aggregation = self.aggregated.as_ref().map(Aggregation::new).transpose()?;
        Ok((filters, Mask::compile(&self.field_mask)?, aggregation))
    }
}

/// A text of settings that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not YAML, or TOML, or with other keys.
    #[error("{0}")]
    Text(String),
    /// Longer than [`MOST_BYTES`].
    #[error("longer than {MOST_BYTES} bytes")]
    TooLong,
    /// More than [`MOST_LOGS`].
    #[error("more than {MOST_LOGS} flow logs")]
    TooMany,
    /// One of the logs.
    #[error("flow log {name:?}: {why}")]
    Log {
        /// Which.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Settings {
    #[serde(default)]
    flow_logs: Vec<Raw>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Raw {
    name: String,
    file_path: String,
    #[serde(default)]
    field_mask: Vec<String>,
    #[serde(default)]
    field_aggregate: Vec<String>,
    aggregation_interval: Option<String>,
    #[serde(default)]
    include_filters: Vec<Value>,
    #[serde(default)]
    exclude_filters: Vec<Value>,
    file_max_size_mb: Option<u64>,
    file_max_backups: Option<usize>,
    #[serde(default)]
    file_compress: bool,
    end: Option<String>,
}

/// Reads settings.
///
/// # Errors
/// What is wrong, and where; a log that could not be written is wrong too.
pub fn parse(path: &Path, text: &str) -> Result<Vec<FlowLog>, Error> {
    if text.len() > MOST_BYTES {
        return Err(Error::TooLong);
    }
    let is_toml = path.extension().is_some_and(|extension| extension == "toml");
    let settings: Settings = match is_toml {
        true => toml::from_str(text).map_err(|error| Error::Text(error.to_string()))?,
        false if text.trim().is_empty() => Settings::default(),
        false => serde_saphyr::from_str(text).map_err(|error| Error::Text(error.to_string()))?,
    };
    if settings.flow_logs.len() > MOST_LOGS {
        return Err(Error::TooMany);
    }
    let logs = settings.flow_logs.into_iter().map(|raw| {
        let name = raw.name.clone();
        raw.checked().map_err(|why| Error::Log { name, why })
    });
    let logs: Vec<_> = logs.collect::<Result<_, _>>()?;
    match twice(&logs) {
        Some(name) => Err(Error::Log { name: name.into(), why: Failure::Twice.to_string() }),
        None => Ok(logs),
    }
}

/// The first log that has the name or the file of one before it.
pub(crate) fn twice(logs: &[FlowLog]) -> Option<&str> {
    let (mut names, mut targets) = (HashSet::new(), HashSet::new());
    let mut is_old =
        |log: &FlowLog| !names.insert(log.name.clone()) || !targets.insert(log.target.clone());
    logs.iter().find(|log| is_old(log)).map(|log| log.name.as_str())
}

impl Raw {
    fn checked(self) -> Result<FlowLog, String> {
        if self.name.is_empty() || self.file_path.is_empty() {
            return Err("it needs a name and a filePath".into());
        }
        let end = self.end.as_deref().map(|end| {
            humantime::parse_rfc3339(end).map_err(|error| format!("end {end:?}: {error}"))
        });
        let max_size_mb = self.file_max_size_mb.unwrap_or(DEFAULT_MAX_SIZE_MB).max(1);
        let log = FlowLog {
            target: Target::from(self.file_path.as_str()),
            include: filters("includeFilters", &self.include_filters)?,
            exclude: filters("excludeFilters", &self.exclude_filters)?,
            field_mask: self.field_mask,
            aggregated: Aggregated::new(self.field_aggregate, self.aggregation_interval.as_deref())
                .map_err(|why| format!("aggregation: {why}"))?,
            rotation: Rotation {
                max_bytes: max_size_mb.saturating_mul(1 << 20),
                max_backups: self.file_max_backups.unwrap_or(DEFAULT_MAX_BACKUPS),
                compress: self.file_compress,
            },
            end: end.transpose()?,
            name: self.name,
        };
        log.check().map_err(|failure| failure.to_string())?;
        Ok(log)
    }
}

fn filters(key: &str, values: &[Value]) -> Result<Vec<FlowFilter>, String> {
    let read = |value: &Value| json::filters(&value.to_string());
    let all: Result<Vec<_>, _> = values.iter().map(read).collect();
    all.map(|all| all.concat()).map_err(|error| format!("{key}: {error}"))
}

/// A file of settings that is read again when it has changed.
#[derive(Debug)]
pub struct Watched {
    path: PathBuf,
    /// What it said last.
    text: Option<String>,
}

impl Watched {
    /// A file that was not read yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path, text: None }
    }

    /// The flow logs, if the file says something new.
    ///
    /// # Errors
    /// It cannot be read, or what it newly says cannot be used; that is said once.
    pub fn look(&mut self) -> Option<Result<Vec<FlowLog>, Error>> {
        let text = match std::fs::read_to_string(&self.path) {
            Ok(text) => text,
            Err(error) => {
                // One that is away is as one that is empty, but for being told.
                let is_new = self.text.replace(String::new()).is_none_or(|text| !text.is_empty());
                let why = format!("cannot read {}: {error}", self.path.display());
                return is_new.then_some(Err(Error::Text(why)));
            }
        };
        if self.text.as_ref() == Some(&text) {
            return None;
        }
        let logs = parse(&self.path, &text);
        self.text = Some(text);
        Some(logs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chandra_tests::scratch::Scratch;
    use std::fs;
    use std::time::Duration;

    const YAML: &str = "
flowLogs:
  - name: drops
    filePath: /var/log/drops.log
    fieldMask: [time, source.pod_name]
    includeFilters:
      - sourcePod: [\"shop/\"]
        verdict: [DROPPED]
      - source_ip: [10.0.0.0/8]
    excludeFilters: [{protocol: [icmp]}]
    fileMaxSizeMb: 3
    fileMaxBackups: 0
    fileCompress: true
    end: 2026-12-31T00:00:00Z
  - name: all
    filePath: stdout
    fieldAggregate: [verdict]
    aggregationInterval: 1m30s
";

    #[test]
    fn a_file_says_all_of_each_log() {
        let logs = parse(Path::new("logs.yaml"), YAML).unwrap();
        let [drops, all] = logs.as_slice() else { panic!("{logs:?}") };
        assert_eq!(drops.target, Target::File("/var/log/drops.log".into()));
        assert_eq!(drops.field_mask, ["time", "source.pod_name"]);
        assert_eq!(drops.include.len(), 2);
        assert_eq!(drops.include[0].source_pod, ["shop/"]);
        assert_eq!(drops.include[0].verdict, [2]);
        assert_eq!(drops.include[1].source_ip, ["10.0.0.0/8"]);
        assert_eq!(drops.exclude[0].protocol, ["icmp"]);
        let rotation = Rotation { max_bytes: 3 << 20, max_backups: 0, compress: true };
        assert_eq!(drops.rotation, rotation);
        let end = SystemTime::UNIX_EPOCH + Duration::from_secs(1_798_675_200);
        assert_eq!(drops.end, Some(end));

        assert_eq!((all.target.clone(), all.end), (Target::Stdout, None));
        let interval = Duration::from_secs(90);
        let aggregated = Aggregated { fields: vec!["verdict".into()], interval };
        assert_eq!((drops.aggregated.clone(), all.aggregated.clone()), (None, Some(aggregated)));
        let rotation = Rotation { max_bytes: 10 << 20, max_backups: 5, compress: false };
        assert_eq!(all.rotation, rotation);
        assert!(all.include.is_empty() && all.exclude.is_empty() && all.field_mask.is_empty());
    }

    #[test]
    fn a_file_may_be_toml() {
        let text = "[[flowLogs]]\nname = \"a\"\nfilePath = \"-\"\nincludeFilters = [{ verdict = [\"DROPPED\"] }]\n";
        let logs = parse(Path::new("logs.toml"), text).unwrap();
        assert_eq!(
            (logs[0].target.clone(), &logs[0].include[0].verdict[..]),
            (Target::Stdout, &[2][..])
        );
        for (name, text) in [("a.yaml", ""), ("a.toml", ""), ("a.yaml", "flowLogs: []")] {
            assert_eq!(parse(Path::new(name), text), Ok(vec![]), "{name} {text:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_with_the_log() {
        let one = |more: &str| format!("flowLogs: [{{name: a, filePath: /x, {more}}}]");
        for (text, told) in [
            ("flowLogs: [".to_owned(), ""),
            ("flowlogs: []".to_owned(), "flowlogs"),
            (one("filePaht: /y"), "filePaht"),
            (one("includeFilters: [{sourcePood: [a]}]"), "includeFilters: "),
            (one("includeFilters: [{verdict: [DROPED]}]"), "includeFilters: "),
            (one("includeFilters: [{sourceIp: [10.0.0.0/99]}]"), "flow log \"a\": "),
            (one("fieldMask: [source.nam]"), "a flow has no field \"source.nam\""),
            (one("end: tomorrow"), "end \"tomorrow\""),
            (one("fieldAggregate: [source.nam]"), "a flow has no field \"source.nam\""),
            (one("fieldAggregate: [verdict], aggregationInterval: 10ms"), "shorter than 1s"),
            (one("fieldAggregate: [verdict], aggregationInterval: soon"), "interval \"soon\""),
            (one("aggregationInterval: 10s"), "needs fields"),
            ("flowLogs: [{name: '', filePath: /x}]".to_owned(), "needs a name"),
            (
                "flowLogs: [{name: a, filePath: /x}, {name: a, filePath: /y}]".to_owned(),
                "another has",
            ),
            (
                "flowLogs: [{name: a, filePath: /x}, {name: b, filePath: /x}]".to_owned(),
                "another has",
            ),
        ] {
            let error = parse(Path::new("logs.yaml"), &text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
        let many: String =
            (0..33).map(|n| format!("- {{name: n{n}, filePath: /x{n}}}\n")).collect();
        let text = format!("flowLogs:\n{many}");
        assert_eq!(parse(Path::new("logs.yaml"), &text), Err(Error::TooMany));
        let long = " ".repeat(MOST_BYTES + 1);
        assert_eq!(parse(Path::new("logs.yaml"), &long), Err(Error::TooLong));
    }

    #[test]
    fn a_file_is_read_again_when_it_says_something_else() {
        let scratch = Scratch::new();
        let path = scratch.at("logs.yaml");
        let mut watched = Watched::new(path.clone());
        assert!(watched.look().unwrap().is_err());
        assert!(watched.look().is_none(), "told once that it is away");
        fs::write(&path, YAML).unwrap();
        assert_eq!(watched.look().unwrap().unwrap().len(), 2);
        fs::write(&path, YAML).unwrap();
        assert!(watched.look().is_none(), "it says the same");
        fs::write(&path, "flowLogs: [{}]").unwrap();
        assert!(watched.look().unwrap().is_err());
        assert!(watched.look().is_none());
        fs::write(&path, "flowLogs: []").unwrap();
        assert_eq!(watched.look().unwrap(), Ok(vec![]));
    }
}
