//! The agent's flow logs: those of the options, and those of a file that is looked at about once a second.

use std::io;
use std::time::SystemTime;

use chandra_doctor::{Check, Problem};
use chandra_flow_export::settings::{FlowLog, Watched};
use chandra_flow_export::{Exporter, Failure};
use chandra_hubble::flow::{Flow, Node};
use chandra_metrics::{Counter, Family, Registry, Spec, SpecError, Values};

use crate::cli::export::ExportOptions;

/// Writes flows to flow logs.
#[derive(Debug)]
pub struct Exporting {
    exporter: Exporter,
    own: Option<FlowLog>,
    watched: Option<Watched>,
    told: Told,
}

impl Exporting {
    /// As the options have it; what their file says must be usable at the start.
    pub fn new(options: &ExportOptions, node: Node, registry: &Registry) -> Result<Self, Problem> {
        let unusable = |why: &dyn std::fmt::Display| {
            let next = "correct the options that begin with --export, or the file that they name";
            Problem::usage(Check::CONFIG, "cannot export flows", why, next)
        };
        let mut this = Self {
            exporter: Exporter::new(node, say),
            own: options.log.clone(),
            watched: options.file.clone().map(Watched::new),
            told: Told::new(registry).map_err(|error| unusable(&error))?,
        };
        let logs = this.watched.as_mut().and_then(Watched::look).unwrap_or(Ok(Vec::new()));
        let logs = logs.map_err(|error| unusable(&error))?;
        this.apply(logs).map_err(|failure| unusable(&failure))?;
        Ok(this)
    }

    fn apply(&mut self, mut logs: Vec<FlowLog>) -> Result<(), Failure> {
        logs.extend(self.own.clone());
        self.exporter.apply(&logs)
    }

    /// Takes a flow.
    pub fn take(&mut self, flow: &Flow) {
        self.exporter.take(flow);
    }

    /// Hands over what was taken.
    pub fn flush(&mut self) {
        self.exporter.flush();
    }

    /// About once a second.
    pub fn look(&mut self) {
        match self.watched.as_mut().and_then(Watched::look) {
            Some(Ok(logs)) => match self.apply(logs) {
                Ok(()) => eprintln!("flow logs: {} now", self.exporter.figures().count()),
                Err(failure) => eprintln!("warning: flow logs stay as they were: {failure}"),
            },
            Some(Err(error)) => eprintln!("warning: flow logs stay as they were: {error}"),
            None => {}
        }
        self.exporter.tick(SystemTime::now());
        self.told.tell(&self.exporter);
    }
}

fn say(log: &str, error: &io::Error) {
    eprintln!("warning: flow log {log:?} cannot be written: {error}");
}

/// The family of metrics of flow logs.
pub fn spec() -> Spec {
    Spec {
        name: "chandra_flow_log_flows",
        help: "Flows that the filters of a flow log let pass, by what became of them.",
        unit: "",
        labels: vec!["log", "outcome"],
    }
}

/// What became of flows, as metrics: figures of a log are those since it began.
#[derive(Debug)]
struct Told {
    family: Family<Counter>,
    values: Values,
}

impl Told {
    fn new(registry: &Registry) -> Result<Self, SpecError> {
        Ok(Self { family: registry.counter(spec())?, values: Values::default() })
    }

    fn tell(&mut self, exporter: &Exporter) {
        let Self { family, values } = self;
        for (log, figures) in exporter.figures() {
            let outcomes =
                [("written", figures.written), ("slow", figures.slow), ("failed", figures.failed)];
            for (outcome, count) in outcomes {
                values.clear();
                values.push(log);
                values.push(outcome);
                let counter = family.with(values);
                counter.add(count.saturating_sub(counter.get()));
            }
        }
    }
}
