//! Following one resource: a list, then a watch from its version on, for ever.
//!
//! Invariants: a list is asked for only where a watch cannot go on where it was. `Stale` is told once
//! when it is lost; `Fresh` or `Listed` once it is back. What was told stays true of the version that
//! it was told at: a watch begins exactly where the list or the watch before it ended.

use std::cell::RefCell;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use chandra_identity::cluster::{Change, Resource};
use tokio::time::{Instant, sleep, timeout_at};

use crate::client::{Client, Request};
use crate::error::Lost;
use crate::items::{Items, Part};
use crate::lines::{Line, Lines};
use crate::pace::{Pace, jittered};
use crate::read::{self, Malformed, WatchLine};
use crate::rules::{VERBS, rule};
use crate::source::{Counters, Options, RemotePods};

const LIST: &str = VERBS[0];
const WATCH: &str = VERBS[1];
/// Objects of a page. Servers that answer from memory send all at once.
const PAGE: u64 = 500;
/// A list of more is not one of a cluster; each page counts as full, so that empty ones end, too.
const MAX_LISTED: u64 = 2_000_000;
/// After about which the server ends a watch by itself, so that watches move to servers that are new.
const WATCH_LENGTH: Duration = Duration::from_secs(580);
/// A watch that was open for so long was a good one, even if there was nothing to say.
const SETTLED: Duration = Duration::from_secs(2);
/// Before the next watch, after one that was open for less.
const BRIEF_PAUSE: Duration = Duration::from_millis(200);
/// So many silent watches in a row may mean that the server's versions began anew, below ours: it waits
/// for a version that is far away, and says nothing until then.
const MAX_SILENCES: u32 = 3;

/// What the next request begins with.
#[derive(Debug)]
enum Position {
    /// Nothing is known: any state that the server has in its memory will do.
    Start,
    /// The version was lost: the state must be no older than what was told, so it must be the newest.
    Lost,
    /// All until this version was told.
    At(String),
}

/// Follows one resource.
pub(crate) struct Follower<'a> {
    resource: Resource,
    client: &'a Client,
    options: &'a Options,
    counters: &'a Counters,
    tell: &'a RefCell<&'a mut dyn FnMut(Change)>,
    position: Position,
    pace: Pace,
    silences: u32,
    /// The version was too old, and nothing was heard since.
    has_expired: bool,
    is_stale: bool,
    /// A watch is open.
    is_watching: bool,
}

impl<'a> Follower<'a> {
    pub fn new(
        resource: Resource,
        client: &'a Client,
        options: &'a Options,
        counters: &'a Counters,
        tell: &'a RefCell<&'a mut dyn FnMut(Change)>,
    ) -> Self {
        let (position, pace) = (Position::Start, Pace::default());
        Self {
            resource,
            client,
            options,
            counters,
            tell,
            position,
            pace,
            silences: 0,
            has_expired: false,
            is_stale: false,
            is_watching: false,
        }
    }

    /// Never returns.
    pub async fn follow(mut self) {
        loop {
            self.is_watching = false;
            let Err(lost) = self.advance().await else { continue };
            let pause = self.give_up(&lost);
            sleep(pause).await;
        }
    }

    /// A list where one is needed, then a watch until it ends as it should.
    async fn advance(&mut self) -> Result<(), Lost> {
        let version = match &self.position {
            Position::At(version) => version.clone(),
            Position::Start | Position::Lost => self.list().await?,
        };
        self.position = Position::At(version.clone());
        self.watch(&version).await
    }

    /// Notes why it did not go on, and says for how long to wait.
    fn give_up(&mut self, lost: &Lost) -> Duration {
        let counter = match lost {
            Lost::Expired(_) => &self.counters.expired,
            Lost::Silent { .. } => &self.counters.silences,
            Lost::Refused { .. } => &self.counters.refused,
            Lost::Connection(_) | Lost::Slow { .. } => &self.counters.unreachable,
            Lost::Cut { .. } | Lost::Brief { .. } | Lost::NotAList(_) | Lost::Endless(_) => {
                &self.counters.cuts
            }
        };
        count(counter);
        // Versions grow old and watches break: it is told if that happens again before anything is heard.
        let is_refusal = matches!(lost, Lost::Refused { .. });
        let mut is_usual = self.is_watching && !self.pace.has_failed() && !is_refusal;
        match lost {
            // It took long enough, and whether the server is there is seen next.
            Lost::Silent { .. } => {
                self.silences += 1;
                if self.silences >= MAX_SILENCES {
                    (self.position, self.silences) = (Position::Lost, 0);
                }
                return Duration::ZERO;
            }
            Lost::Expired(_) => {
                self.position = Position::Lost;
                is_usual = !std::mem::replace(&mut self.has_expired, true);
            }
            // In the middle of a watch, or about what it was to begin with.
            Lost::Refused { verb: WATCH, .. } if self.is_watching || lost.is_misunderstood() => {
                self.position = Position::Lost;
            }
            _ => {}
        }
        if !is_usual && !self.is_stale {
            self.is_stale = true;
            self.say(Change::Stale(self.resource, lost.to_string()));
        }
        if lost.is_denied() {
            return jittered(self.options.denied_pause);
        }
        self.pace.pause(self.options.max_backoff).max(lost.retry_after())
    }

    /// Tells everything that there is, and gives the version that it had.
    async fn list(&mut self) -> Result<String, Lost> {
        let mut page = None;
        let mut begun: Option<String> = None;
        let mut listed = 0;
        loop {
            let path = self.list_path(page.as_deref());
            let request = Request { verb: LIST, resource: self.resource, path };
            let mut answer = self.client.open(&request).await?;
            if begun.is_none() {
                count(&self.counters.lists);
                self.say(Change::Listing(self.resource));
            }
            count(&self.counters.pages);
            listed += PAGE;
            let mut items = Items::new(self.options.max_object_bytes);
            let mut metadata = None;
            let within = self.options.call_timeout;
            let mut until = Instant::now() + within;
            while !items.is_whole() {
                let slow = |_| Lost::Slow { verb: LIST, resource: self.resource, within };
                let piece = timeout_at(until, answer.next()).await.map_err(slow)??;
                let Some(piece) = piece else { return Err(Lost::NotAList(self.resource)) };
                items.feed(&piece, |part| {
                    match part {
                        Part::Metadata(bytes) => metadata = read::list_metadata(bytes).ok(),
                        Part::Item(bytes) => self.tell_item(bytes),
                        Part::TooLong => count(&self.counters.too_long),
                    }
                    listed += 1;
                    until = Instant::now() + within;
                    if listed < MAX_LISTED { Ok(()) } else { Err(Lost::Endless(self.resource)) }
                })?;
            }
            // Its end, after which the connection can be used again.
            let _ = timeout_at(until, answer.next()).await;
            let (version, next) = metadata.ok_or(Lost::NotAList(self.resource))?;
            // All pages are of the first one's version.
            let version = begun.get_or_insert(version);
            if next.is_none() {
                self.is_stale = false;
                self.say(Change::Listed(self.resource));
                return Ok(std::mem::take(version));
            }
            page = next;
        }
    }

    fn tell_item(&self, bytes: &[u8]) {
        let mut omitted = 0;
        match read::item(self.resource, bytes, &mut omitted) {
            Ok(change) => self.say(change),
            Err(Malformed) => count(&self.counters.malformed),
        }
        self.counters.omitted.fetch_add(omitted, Ordering::Relaxed);
    }

    /// Tells what happens after this version, until the server ends it.
    async fn watch(&mut self, version: &str) -> Result<(), Lost> {
        let path = self.watch_path(version);
        let request = Request { verb: WATCH, resource: self.resource, path };
        let mut answer = self.client.open(&request).await?;
        count(&self.counters.watches);
        self.is_watching = true;
        let opened = Instant::now();
        let mut lines = Lines::new(self.options.max_object_bytes);
        let mut heard = opened;
        loop {
            let silent_at = heard + self.options.silence;
            let settled_at = opened + SETTLED;
            let is_settling = (self.is_stale || self.pace.has_failed()) && settled_at < silent_at;
            let until = if is_settling { settled_at } else { silent_at };
            let piece = match timeout_at(until, answer.next()).await {
                Ok(piece) => piece?,
                Err(_) if is_settling => {
                    self.note_success();
                    continue;
                }
                Err(_) => {
                    let (resource, for_long) = (self.resource, self.options.silence);
                    return Err(Lost::Silent { resource, for_long });
                }
            };
            let Some(piece) = piece else {
                let resource = self.resource;
                if opened.elapsed() < SETTLED {
                    if heard == opened {
                        return Err(Lost::Brief { resource });
                    }
                    // What ends each watch after its first line must not be asked in a storm, either.
                    sleep(jittered(BRIEF_PAUSE)).await;
                }
                return Ok(());
            };
            lines.feed(&piece, |line| {
                if self.take_line(&line)?.is_continue() {
                    heard = Instant::now();
                    self.silences = 0;
                    self.note_success();
                }
                Ok(())
            })?;
        }
    }

    /// Breaks where the line says nothing.
    fn take_line(&mut self, line: &Line<'_>) -> Result<ControlFlow<()>, Lost> {
        let read = match line {
            Line::Whole(line) => read::watch_line(self.resource, line),
            Line::TooLong => {
                count(&self.counters.too_long);
                return Ok(ControlFlow::Break(()));
            }
        };
        match read {
            Ok(WatchLine::Change(change, version, omitted)) => {
                count(&self.counters.events);
                self.counters.omitted.fetch_add(omitted, Ordering::Relaxed);
                self.become_fresh();
                self.say(*change);
                self.position = Position::At(version);
            }
            Ok(WatchLine::Bookmark(version)) => {
                count(&self.counters.bookmarks);
                self.position = Position::At(version);
            }
            Ok(WatchLine::Refused(refusal)) => {
                return Err(Lost::refused(WATCH, self.resource, refusal, Duration::ZERO));
            }
            Err(Malformed) => {
                count(&self.counters.malformed);
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn note_success(&mut self) {
        self.pace.reset();
        self.has_expired = false;
        self.become_fresh();
    }

    fn become_fresh(&mut self) {
        if std::mem::take(&mut self.is_stale) {
            self.say(Change::Fresh(self.resource));
        }
    }

    fn say(&self, change: Change) {
        (self.tell.borrow_mut())(change);
    }

    fn list_path(&self, page: Option<&str>) -> String {
        let mut path = self.path_with_selector();
        path.push_str(&format!("limit={PAGE}"));
        match (page, &self.position) {
            (Some(page), _) => path.push_str(&format!("&continue={}", encoded(page))),
            // From the server's memory: a start of all nodes must not read the store once for each.
            (None, Position::Start) => path.push_str("&resourceVersion=0"),
            (None, _) => {}
        }
        path
    }

    fn watch_path(&self, version: &str) -> String {
        let seconds = jittered(WATCH_LENGTH).as_secs();
        let version = encoded(version);
        let query = format!(
            "watch=true&allowWatchBookmarks=true&timeoutSeconds={seconds}&resourceVersion={version}"
        );
        self.path_with_selector() + &query
    }

    fn path_with_selector(&self) -> String {
        let path = rule(self.resource).path();
        let own_only = self.options.remote_pods == RemotePods::None;
        if self.resource == Resource::Pods && own_only {
            let node = encoded(&self.options.node);
            return format!("{path}?fieldSelector=spec.nodeName%3D{node}&");
        }
        path + "?"
    }
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// As a value in a query.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => {
                out.push(char::from(byte))
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
