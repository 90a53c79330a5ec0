//! Prometheus as a judge: its server scrapes, and answers for what it understood.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::http::request;
use crate::patience::wait_for;
use crate::scratch::Scratch;

/// One of its programs: that of the path, or that which `tests/prometheus/fetch` keeps.
pub fn program(name: &str) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(cache.map(|it| it.join("chandra/prometheus")));
    folders.map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// A server that scrapes one place every second, native histograms included; killed when dropped.
#[derive(Debug)]
pub struct Prometheus {
    child: Child,
    address: SocketAddr,
    _scratch: Scratch,
}

impl Prometheus {
    /// Starts it; `None`, with a line that says so, where there is none.
    ///
    /// # Panics
    /// When it does not start.
    pub fn scraping(target: SocketAddr) -> Option<Self> {
        let Some(program) = program("prometheus") else {
            eprintln!("skipped: needs prometheus (tests/prometheus/fetch)");
            return None;
        };
        let scratch = Scratch::new();
        let config = scratch.path().join("prometheus.yml");
        let text = format!(
            "scrape_configs:\n- job_name: test\n  scrape_interval: 1s\n  scrape_timeout: 1s\n  \
             static_configs: [{{targets: ['{target}']}}]\n"
        );
        std::fs::write(&config, text).unwrap();
        // It cannot choose a port itself and say which. One that was free just now is, as a rule, still.
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
        let mut command = Command::new(program);
        command.args(["--enable-feature=native-histograms", "--log.level=error"]);
        command.arg(format!("--config.file={}", config.display()));
        command.arg(format!("--storage.tsdb.path={}", scratch.path().join("data").display()));
        command.arg(format!("--web.listen-address={free}"));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = command.spawn().unwrap();
        let mut this = Self { child, address: free, _scratch: scratch };
        wait_for("a Prometheus that is ready", || {
            assert!(this.child.try_wait().unwrap().is_none(), "it ended");
            std::net::TcpStream::connect(free).ok()?;
            (request(free, "GET", "/-/ready").0 == 200).then_some(())
        });
        Some(this)
    }

    /// What an instant query finds: labels and value of each series.
    ///
    /// # Panics
    /// When it refuses the query.
    pub fn query(&self, query: &str) -> Vec<(Value, f64)> {
        let escaped = query.bytes().map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        let path = format!("/api/v1/query?query={}", escaped.collect::<String>());
        let (status, _, body) = request(self.address, "GET", &path);
        assert_eq!(status, 200, "{query}: {body}");
        let answer: Value = serde_json::from_str(&body).unwrap();
        let series = answer["data"]["result"].as_array().unwrap().iter();
        let series = series.map(|series| {
            let value = series["value"][1].as_str().unwrap().parse().unwrap();
            (series["metric"].clone(), value)
        });
        series.collect()
    }

    /// The one value that a query finds, once it does.
    ///
    /// # Panics
    /// When it never does.
    pub fn value(&self, query: &str) -> f64 {
        wait_for(query, || match self.query(query).as_slice() {
            [(_, value)] => Some(*value),
            _ => None,
        })
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
