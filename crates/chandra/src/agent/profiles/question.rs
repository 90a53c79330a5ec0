//! What is asked of the profiles that an agent keeps, by a query of HTTP or otherwise.

use std::time::Duration;

use chandra_profile::filter::Filter;
use chandra_profiler::What;

/// Without `seconds`.
const SECONDS: u64 = 60;
/// More is never kept.
const MOST_SECONDS: u64 = 86_400;

/// What is asked.
#[derive(Debug, Default)]
pub struct Question {
    /// Waits, and not what ran.
    pub off_cpu: bool,
    /// Of how long until now.
    pub time: Duration,
    /// Of whom.
    pub filter: Filter,
    /// Which frames.
    pub what: What,
}

impl Question {
    /// The part of an address behind `?`.
    ///
    /// # Errors
    /// In words: what is not understood.
    pub fn parse(query: &str) -> Result<Self, String> {
        let mut asked = Self { time: Duration::from_secs(SECONDS), ..Self::default() };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let text = || Some(value.clone().into_owned());
            match &*key {
                "seconds" => {
                    let seconds = value.parse().ok().filter(|it| (1..=MOST_SECONDS).contains(it));
                    let why = || format!("seconds={value} is no number from 1 to {MOST_SECONDS}");
                    asked.time = Duration::from_secs(seconds.ok_or_else(why)?);
                }
                "type" => {
                    asked.off_cpu = match &*value {
                        "cpu" => false,
                        "off_cpu" => true,
                        _ => return Err(format!("type={value} is neither cpu nor off_cpu")),
                    };
                }
                "pod" => asked.filter.pod = text(),
                "namespace" => asked.filter.namespace = text(),
                "container" => asked.filter.container = text(),
                "comm" => asked.filter.process = text(),
                "pid" => {
                    let pid = value.parse().map_err(|_| format!("pid={value} is no number"))?;
                    asked.filter.pid = Some(pid);
                }
                _ => {
                    return Err(format!(
                        "{key} is not known; there are seconds, type, pod, namespace, container, comm, pid"
                    ));
                }
            }
        }
        Ok(asked)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_query_says_of_whom_and_of_when() {
        let asked = Question::parse("seconds=20&pod=web-1&namespace=a%2Fb&type=off_cpu").unwrap();
        assert_eq!((asked.time, asked.off_cpu), (Duration::from_secs(20), true));
        assert_eq!(asked.filter.pod.as_deref(), Some("web-1"));
        assert_eq!(asked.filter.namespace.as_deref(), Some("a/b"));
        let asked = Question::parse("").unwrap();
        assert!(asked.filter.is_empty() && asked.time == Duration::from_secs(SECONDS));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for wrong in ["seconds=0", "seconds=x", "type=heap", "pid=-1", "debug=1", "seconds=86401"] {
            let (key, _) = wrong.split_once('=').unwrap();
            assert!(Question::parse(wrong).unwrap_err().contains(key), "{wrong}");
        }
    }
}
