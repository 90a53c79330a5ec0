//! All sinks of an agent, and the way to them.
//!
//! [`Outlets::take`] runs in the thread that evaluates rules: it folds, and hands what is to be told to a
//! thread that redacts and writes the text, which hands it to the sinks. Every hand-over is a queue with a
//! bound. What that thread is too slow for is held in the fold's table and told in a count later.

use std::hash::BuildHasher;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

use crate::alert::{Alert, Priority};
use crate::figures::Figures;
use crate::fold::{self, Fold, Taken, Told};
use crate::recent::Recent;
use crate::redact::{self, Redactor};
use crate::sink::{self, Format, Prepared, Queue, Running, Stop};

/// What outlets there are.
#[derive(Debug, Clone)]
pub struct Options {
    /// How identical alerts are folded.
    pub fold: fold::Options,
    /// What is redacted.
    pub redact: redact::Options,
    /// So many alerts wait to be redacted at most.
    pub queue: usize,
    /// Where alerts go.
    pub sinks: Vec<sink::Options>,
    /// Keeps the latest alerts for whoever asks.
    pub recent: Option<Arc<Recent>>,
    /// Told the name of a sink that fails, and why.
    pub say: sink::Say,
}

/// Why there are no such outlets.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A sink cannot be.
    #[error("alerts to {name}: {error}")]
    Sink {
        /// Its name.
        name: String,
        /// Why.
        error: sink::Error,
    },
    /// Two have one name.
    #[error("alerts to {0}: another has this name")]
    Twice(String),
    /// There is no thread to redact.
    #[error("alerts: no thread: {0}")]
    Thread(io::Error),
}

/// The way of alerts out. Owned by the thread that evaluates rules.
#[derive(Debug)]
pub struct Outlets {
    fold: Fold,
    queue: SyncSender<Told>,
    redactor: Arc<Redactor>,
    sinks: Vec<Running>,
    stop: Arc<Stop>,
    taken: Counts,
    sent: Sent,
    folded: u64,
    evicted: u64,
}

/// Counts by rule and priority.
#[derive(Debug, Default)]
struct Counts {
    hasher: RandomState,
    table: HashTable<(Arc<str>, Priority, u64)>,
}

impl Counts {
    /// There are as many as rules: an agent's own bound.
    fn add(&mut self, rule: &Arc<str>, priority: Priority) {
        let hash = |rule: &str, priority: Priority| self.hasher.hash_one((rule, priority));
        let is_it = |(known, its, _): &(Arc<str>, Priority, u64)| *its == priority && known == rule;
        let entry = self
            .table
            .entry(hash(rule, priority), is_it, |(rule, priority, _)| hash(rule, *priority));
        entry.or_insert_with(|| (Arc::clone(rule), priority, 0)).into_mut().2 += 1;
    }
}

impl Outlets {
    /// Starts the sinks.
    ///
    /// # Errors
    /// When one of them cannot be started; then none is.
    pub fn new(options: &Options) -> Result<Self, Error> {
        let stop = Arc::new(Stop::default());
        let redactor = Arc::new(Redactor::new(options.redact.clone()));
        let (mut queues, mut sinks) = (Vec::new(), Vec::new());
        for (index, sink) in options.sinks.iter().enumerate() {
            if options.sinks.iter().take(index).any(|before| before.name == sink.name) {
                return Err(Error::Twice(sink.name.clone()));
            }
            let started = sink::start(sink, &stop, options.say);
            let (queue, running) =
                started.map_err(|error| Error::Sink { name: sink.name.clone(), error })?;
            queues.push(queue);
            sinks.push(running);
        }
        let (queue, told) = sync_channel(options.queue.max(1));
        let thread = std::thread::Builder::new().name("alerts".into());
        let redacts = Arc::clone(&redactor);
        let recent = options.recent.clone();
        let work = move || hand_on(&told, &redacts, recent.as_deref(), &queues);
        thread.spawn(work).map_err(Error::Thread)?;
        Ok(Self {
            fold: Fold::new(options.fold),
            queue,
            redactor,
            sinks,
            stop,
            taken: Counts::default(),
            sent: Sent::default(),
            folded: 0,
            evicted: 0,
        })
    }

    /// Takes an alert. Never waits.
    pub fn take(&mut self, alert: Alert) {
        self.take_at(alert, Instant::now());
    }

    fn take_at(&mut self, alert: Alert, now: Instant) {
        self.taken.add(&alert.rule, alert.priority);
        let (queue, sent) = (&self.queue, &mut self.sent);
        match self.fold.take(alert, now, |told| send(queue, told, sent)) {
            Taken::Told { lost } => self.evicted += lost,
            Taken::Held { lost } => {
                self.folded += 1;
                self.evicted += lost;
            }
            Taken::Folded => self.folded += 1,
        }
    }

    /// Tells the counts of those whose interval is over. To be called about once a second, also when
    /// nothing comes. Never waits.
    pub fn tick(&mut self) {
        let (queue, sent) = (&self.queue, &mut self.sent);
        self.fold.tick(Instant::now(), |told| send(queue, told, sent));
    }

    /// What became of all alerts so far.
    pub fn figures(&self) -> Figures {
        let mut taken: Vec<_> = self.taken.table.iter().cloned().collect();
        taken.sort_by(|one, other| (&one.0, one.1).cmp(&(&other.0, other.1)));
        Figures {
            taken,
            told: self.sent.at_once + self.sent.counts,
            told_at_once: self.sent.at_once,
            folded: self.folded,
            told_folded: self.sent.folded,
            held: self.fold.held(),
            evicted: self.evicted,
            redacted: self.redactor.figures().collect(),
            sinks: self.sinks.iter().map(Running::figures).collect(),
        }
    }

    /// Tells what is held, and ends all sinks: those that are not done by the deadline leave what they
    /// have, which is counted, or stays in the spool. Returns what became of all.
    pub fn stop(mut self, deadline: Duration) -> Figures {
        let latest = Instant::now() + deadline;
        self.stop.by(latest);
        for mut told in self.fold.drain() {
            // Nobody is held up any more but this thread, for as long as it was told to be.
            while let Some(refused) = send(&self.queue, told, &mut self.sent) {
                if Instant::now() >= latest {
                    self.evicted += refused.count();
                    break;
                }
                told = refused;
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        let (ending, _) = sync_channel(1);
        self.queue = ending;
        self.sinks.iter().for_each(|sink| sink.wait_until(latest));
        self.figures()
    }
}

impl Drop for Outlets {
    /// Nobody waits for the sinks any more: they end as soon as they can.
    fn drop(&mut self) {
        self.stop.by(Instant::now());
    }
}

/// What was handed on.
#[derive(Debug, Default, Clone, Copy)]
struct Sent {
    at_once: u64,
    counts: u64,
    /// Alerts that were told in those counts.
    folded: u64,
}

/// Gives back what there is no room for.
fn send(queue: &SyncSender<Told>, told: Told, sent: &mut Sent) -> Option<Told> {
    let folded = told.folded;
    match queue.try_send(told) {
        Ok(()) => {
            match folded {
                None => sent.at_once += 1,
                Some(folded) => {
                    sent.counts += 1;
                    sent.folded += folded.count;
                }
            }
            None
        }
        Err(TrySendError::Full(told) | TrySendError::Disconnected(told)) => Some(told),
    }
}

/// Redacts, keeps, and hands on to all sinks, until the queue has ended.
fn hand_on(told: &Receiver<Told>, redactor: &Redactor, recent: Option<&Recent>, queues: &[Queue]) {
    for Told { alert, folded } in told {
        let prepared = Arc::new(Prepared::new(redactor.alert(alert, folded)));
        if let Some(recent) = recent {
            let [text, json] = [Format::Text, Format::Json].map(|format| prepared.bytes(format));
            recent.add(&prepared.redacted, text, json);
        }
        queues.iter().for_each(|queue| queue.send(&prepared));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Value, sample};
    use crate::sink::Target;
    use chandra_rotating_file::Rotation;
    use chandra_tests::patience::{PATIENCE, wait_for};
    use chandra_tests::scratch::Scratch;
    use serde_json::Value as Json;

    fn alert(name: u64) -> Alert {
        let fields = vec![("fd.name".into(), Value::Uint(name))];
        Alert { output_fields: fields, ..sample::alert() }
    }

    fn file(scratch: &Scratch, name: &str, format: Format) -> sink::Options {
        let rotation = Rotation { max_bytes: 1 << 30, max_backups: 1, compress: false };
        let target = Target::File { path: scratch.at(name), rotation, format };
        sink::Options { name: name.into(), target, queue: 100_000 }
    }

    fn options(sinks: Vec<sink::Options>) -> Options {
        Options {
            fold: fold::Options { interval: Duration::from_secs(3600), capacity: 4 },
            redact: redact::Options::default(),
            queue: 8,
            sinks,
            recent: None,
            say: |name, why| eprintln!("{name}: {why}"),
        }
    }

    fn lines(scratch: &Scratch, name: &str) -> Vec<String> {
        let text = std::fs::read_to_string(scratch.at(name)).unwrap();
        text.lines().map(String::from).collect()
    }

    #[test]
    fn what_is_told_is_in_every_sink_and_redacted() {
        let scratch = Scratch::new();
        let sinks =
            vec![file(&scratch, "json", Format::Json), file(&scratch, "text", Format::Text)];
        let mut outlets = Outlets::new(&options(sinks)).unwrap();
        outlets.take(Alert { output: "Odd (command=mysql -phunter2)".into(), ..alert(1) });
        wait_for("both", || {
            outlets.figures().sinks.iter().all(|it| it.delivered == 1).then_some(())
        });
        let json: Json = serde_json::from_str(&lines(&scratch, "json")[0]).unwrap();
        assert_eq!(json["output"], lines(&scratch, "text")[0]);
        assert!(lines(&scratch, "text")[0].ends_with("Odd (command=mysql -p<redacted:password>"));
        let redacted = outlets.figures().redacted;
        assert_eq!(redacted.iter().map(|(_, count)| count).sum::<u64>(), 1);
    }

    /// The queue is small and the table smaller.
    #[test]
    fn in_a_storm_every_alert_is_told_counted_or_dropped_with_a_reason() {
        let scratch = Scratch::new();
        let mut outlets =
            Outlets::new(&options(vec![file(&scratch, "json", Format::Json)])).unwrap();
        const ALERTS: u64 = 20_000;
        for number in 0..ALERTS {
            outlets.take(alert(number * number % 11));
            if number % 100 == 0 {
                outlets.tick();
            }
        }
        let figures = outlets.figures();
        assert_eq!(figures.taken, [("Write below binary dir".into(), Priority::Error, ALERTS)]);
        assert_eq!(figures.folded, figures.told_folded + figures.held + figures.evicted);
        assert_eq!(ALERTS, figures.told_at_once + figures.folded);
        let figures = outlets.stop(PATIENCE);
        assert_eq!(figures.held, 0);
        assert_eq!(ALERTS, figures.told_at_once + figures.told_folded + figures.evicted);
        let sink = &figures.sinks[0];
        assert_eq!(sink.delivered, figures.told);
        // And so says the file.
        let lines = lines(&scratch, "json");
        let count = |line: &String| {
            let json: Json = serde_json::from_str(line).unwrap();
            json["folded"]["count"].as_u64().unwrap_or(1)
        };
        assert_eq!(lines.iter().map(count).sum::<u64>(), ALERTS - figures.evicted);
        assert_eq!(lines.len() as u64, figures.told);
    }

    #[test]
    fn two_sinks_of_one_name_are_refused() {
        let scratch = Scratch::new();
        let sinks = vec![file(&scratch, "a", Format::Json), file(&scratch, "a", Format::Text)];
        assert!(matches!(Outlets::new(&options(sinks)), Err(Error::Twice(name)) if name == "a"));
    }
}
