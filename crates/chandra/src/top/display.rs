//! Intervals, one after the other, and what is shown of each.

use std::time::{Duration, Instant};

use chandra_doctor::Problem;
use chandra_top::views::flows::By;
use chandra_top::{Interval, View, json, page};
use jiff::Timestamp;

use super::{Feed, Source, terminal};
use crate::cli::top::{Shape, TopOptions};
use crate::output::{self, Written};
use crate::stop::Stop;

/// How often somebody who waits looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(50);

/// Columns of a page where there is no terminal to fill.
const PAGE_COLUMNS: usize = 120;

/// Shows intervals until the end.
pub fn show(
    options: &TopOptions,
    source: &mut dyn Source,
    feed: &Feed,
    stop: &Stop,
) -> Result<(), Problem> {
    let mut intervals = Intervals::begin(options.interval, source, feed, options.by);
    if options.shape != Shape::Screen {
        let until = if matches!(options.shape, Shape::Json { is_once: false }) {
            "; Ctrl-C ends"
        } else {
            ""
        };
        eprintln!("counting: {}, {:?}{until}", intervals.source.name(), options.interval);
    }
    match options.shape {
        Shape::Screen => terminal::run(options, &mut intervals, stop),
        Shape::Page { is_wide } => {
            intervals.wait(stop);
            let mut interval = intervals.next(options.by);
            let view = options.first_view();
            let width = terminal_size::terminal_size_of(std::io::stdout())
                .map_or(PAGE_COLUMNS, |(width, _)| usize::from(width.0));
            let width = if is_wide { usize::MAX >> 1 } else { width };
            let table = interval.table(view);
            let sort = options.sort.unwrap_or_else(|| view.first_sort());
            say_losses(&interval);
            output::print(&page::page(&table, &options.filter, sort, width))
        }
        Shape::Json { is_once } => {
            let views = options.view.map_or(View::ALL.to_vec(), |view| vec![view]);
            loop {
                intervals.wait(stop);
                let is_over = is_once || stop.is_asked() || intervals.source.is_over();
                let mut interval = intervals.next(options.by);
                let time = Timestamp::now().to_string();
                let object = json::object(&mut interval, &time, intervals.source.json(), &views);
                let written = output::write(format!("{object}\n").as_bytes())?;
                if is_over || written == Written::ReaderGone {
                    return Ok(());
                }
            }
        }
    }
}

fn say_losses(interval: &Interval) {
    let losses = interval.losses;
    let lost = [
        (losses.lost, "records or flows were lost"),
        (losses.unknown_totals, "connections are not counted, as their beginning is not known"),
    ];
    for (count, what) in lost.into_iter().filter(|(count, _)| *count > 0) {
        eprintln!("warning: figures are too small: {count} {what}");
    }
}

/// Takes intervals from the watch.
pub struct Intervals<'a> {
    /// Where figures come from.
    pub source: &'a mut dyn Source,
    feed: &'a Feed,
    length: Duration,
    began: Instant,
}

impl<'a> Intervals<'a> {
    /// Counting begins: what there was before is not of the first interval.
    fn begin(length: Duration, source: &'a mut dyn Source, feed: &'a Feed, by: By) -> Self {
        source.settle(feed);
        let began = Instant::now();
        drop(feed.lock().end_interval(length, by));
        drop(source.signals(length));
        Self { source, feed, length, began }
    }

    /// How long the interval goes on.
    pub fn left(&self) -> Duration {
        self.length.saturating_sub(self.began.elapsed())
    }

    /// Waits until the interval is over, or until it is to stop.
    fn wait(&self, stop: &Stop) {
        while !self.left().is_zero() && !stop.is_asked() && !self.source.is_over() {
            std::thread::sleep(self.left().min(LOOK));
        }
    }

    /// Ends the interval, and begins the next one.
    pub fn next(&mut self, by: By) -> Interval {
        self.source.settle(self.feed);
        let length = self.began.elapsed();
        self.began = Instant::now();
        let mut interval = self.feed.lock().end_interval(length, by);
        interval.signals = self.source.signals(length);
        let lost: u64 = interval.signals.iter().map(|signal| signal.lost).sum();
        interval.losses.lost += lost;
        interval
    }
}
