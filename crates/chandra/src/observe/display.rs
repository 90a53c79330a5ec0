//! Where flows end: printed one by one, or counted. Standard output has flows and nothing else; what is
//! said of nodes goes to standard error.

use std::io::{self, BufWriter, ErrorKind, Stderr, Stdout, Write};
use std::time::{Duration, Instant};

use chandra_doctor::Problem;
use chandra_hubble::print::{Options, Printer};
use chandra_hubble::proto::observer::GetFlowsResponse;
use chandra_hubble::proto::observer::get_flows_response::ResponseTypes;
use tokio::time::timeout;

use super::aggregate::{Aggregate, Key};
use super::choice::{Choice, Taken};
use super::source::Source;
use super::stream::Until;
use crate::output;

/// How often counts are shown anew on a terminal.
const REFRESH: Duration = Duration::from_secs(1);
/// Clears a terminal.
const CLEAR: &str = "\x1b[H\x1b[2J";

/// How flows are shown.
#[derive(Debug, Clone)]
pub struct DisplayOptions {
    /// How each is printed.
    pub print: Options,
    /// What they are counted by; nothing if they are printed.
    pub aggregate_by: Vec<Key>,
    /// Counts are shown again and again.
    pub is_refreshed: bool,
    /// Nothing is said of nodes.
    pub is_silent: bool,
}

/// Shows flows.
#[derive(Debug)]
pub struct Display {
    printer: Printer,
    counts: Option<Aggregate>,
    out: BufWriter<Stdout>,
    error: Option<Stderr>,
    refreshed: Option<Instant>,
}

/// Why there is no more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The source has no more.
    Source,
    /// Nobody wants more.
    Reader,
}

impl Display {
    /// Shows nothing yet.
    pub fn new(options: &DisplayOptions) -> Self {
        let keys = &options.aggregate_by;
        Self {
            printer: Printer::new(options.print.clone()),
            counts: (!keys.is_empty()).then(|| Aggregate::new(keys, options.print.format)),
            out: BufWriter::with_capacity(1 << 16, io::stdout()),
            error: (!options.is_silent).then(io::stderr),
            refreshed: options.is_refreshed.then(Instant::now),
        }
    }

    /// Shows all that comes, until it ends or is enough.
    pub async fn all(
        &mut self,
        mut source: Source<'_>,
        choice: &mut Choice,
        until: &mut Until,
    ) -> Result<Ended, Problem> {
        let ended = loop {
            let Some(next) = self.next(&mut source, until).await? else { break Ended::Reader };
            let Some(response) = next else { break Ended::Source };
            let (shown, is_last) = match choice.take(response) {
                Taken::Shown(response) => (self.show(&response), false),
                Taken::Last(response) => (self.show(&response), true),
                Taken::NotNow => continue,
            };
            if is_gone(shown)? || is_last {
                break Ended::Reader;
            }
        };
        for response in choice.rest() {
            if is_gone(self.show(&response))? {
                return Ok(Ended::Reader);
            }
        }
        let is_gone = is_gone(self.out.flush())?;
        Ok(if is_gone { Ended::Reader } else { ended })
    }

    /// Shows what was held back.
    pub fn finish(mut self) -> Result<(), Problem> {
        let clear = if self.refreshed.is_some() { CLEAR } else { "" };
        let written = match &self.counts {
            Some(counts) => write!(self.out, "{clear}{counts}"),
            None => self.printer.finish(&mut self.out),
        };
        is_gone(written.and_then(|()| self.out.flush())).map(drop)
    }

    /// The next response, or the end of them; nothing if nobody wants it. What was shown before is seen
    /// before anybody waits.
    async fn next(
        &mut self,
        source: &mut Source<'_>,
        until: &mut Until,
    ) -> Result<Option<Option<GetFlowsResponse>>, Problem> {
        self.refresh()?;
        if let Ok(next) = timeout(Duration::ZERO, source.next()).await {
            return if until.is_asked() { Ok(None) } else { next.map(Some) };
        }
        if is_gone(self.out.flush())? {
            return Ok(None);
        }
        loop {
            let coming = until.stopped(source.next());
            if self.refreshed.is_none() {
                return coming.await.transpose();
            }
            match timeout(REFRESH, coming).await {
                Ok(came) => return came.transpose(),
                Err(_) => self.refresh()?,
            }
        }
    }

    fn refresh(&mut self) -> Result<(), Problem> {
        let is_due = self.refreshed.is_some_and(|last| last.elapsed() >= REFRESH);
        if let (true, Some(counts)) = (is_due, &self.counts) {
            self.refreshed = Some(Instant::now());
            is_gone(write!(self.out, "{CLEAR}{counts}").and_then(|()| self.out.flush()))?;
        }
        Ok(())
    }

    fn show(&mut self, response: &GetFlowsResponse) -> io::Result<()> {
        let is_of_node = matches!(&response.response_types, Some(ResponseTypes::NodeStatus(_)));
        if let (Some(counts), false) = (&mut self.counts, is_of_node) {
            counts.add(response);
            return Ok(());
        }
        match &mut self.error {
            Some(error) => self.printer.write(response, &mut self.out, error),
            None => self.printer.write(response, &mut self.out, &mut io::sink()),
        }
    }
}

/// Whether the reader is gone.
pub fn is_gone(written: io::Result<()>) -> Result<bool, Problem> {
    match written {
        Ok(()) => Ok(false),
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(true),
        Err(error) => Err(output::unwritable(&error)),
    }
}
