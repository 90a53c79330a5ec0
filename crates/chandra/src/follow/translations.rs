//! What connection tracking says of translated destinations, on its way to the teller.
//!
//! Events are taken as records are, after them: an event is sent before the first packet of its connection
//! is, so that of each connection which was told to be established by then it has been taken. Listing all
//! that there is takes longer, and is done in a thread of its own.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use chandra_conntrack::{Change, Error, Events};

use super::drain::Message;
use super::sources::News;

/// How long to wait before connection tracking that was not there is looked for again.
const AGAIN: Duration = Duration::from_secs(2);
/// All that there is is listed at most so often.
const PACE: Duration = Duration::from_secs(5);

/// What the draining thread takes from.
#[derive(Debug)]
pub struct Translations {
    events: Option<Events>,
    /// Where they come from when connection tracking is there.
    opened: Receiver<Events>,
    /// Asks for all that there is to be listed anew; at most one wish waits.
    wishes: SyncSender<()>,
}

impl Translations {
    /// Begins to listen, or to wait until there is something to listen to. Findings that are no events
    /// go out as messages. `says_why_not` says once why there is nothing, where that is so.
    pub fn start(messages: &SyncSender<Message>, says_why_not: bool) -> Self {
        let (open, opened) = channel();
        let (wishes, wished) = sync_channel(1);
        let events = chandra_conntrack::is_there().then(Events::open).transpose();
        let (events, refused) = match events {
            Ok(events) => (events, None),
            Err(error) => (None, Some(error)),
        };
        let this = Self { events, opened, wishes };
        if let Some(error) = refused {
            say(says_why_not, &error);
            return this;
        }
        let messages = messages.clone();
        let is_open = this.events.is_some();
        std::thread::spawn(move || {
            if !is_open && !wait_and_open(&open, &wished, says_why_not) {
                return;
            }
            list_on_wish(&messages, &wished, says_why_not);
        });
        this
    }

    /// Takes the events so far.
    pub fn take(&mut self, changes: &mut Vec<Change>) {
        if self.events.is_none() {
            self.events = self.opened.try_recv().ok();
        }
        let Some(events) = &mut self.events else { return };
        let before = changes.len();
        events.take(&mut |change| changes.push(change));
        if changes.iter().skip(before).any(|change| *change == Change::Lost) {
            // One wish that waits is enough.
            let _ = self.wishes.try_send(());
        }
    }
}

/// Waits until connection tracking is there, and hands over what it says from then on. False where nobody
/// takes that any more, or it does not say anything to us.
fn wait_and_open(open: &Sender<Events>, wished: &Receiver<()>, says_why_not: bool) -> bool {
    if says_why_not {
        eprintln!(
            "note: this kernel does not track connections yet: where a service's address led to is known \
             as soon as it does"
        );
    }
    while !chandra_conntrack::is_there() {
        if wished.recv_timeout(AGAIN) == Err(RecvTimeoutError::Disconnected) {
            return false;
        }
    }
    match Events::open() {
        Ok(events) => open.send(events).is_ok(),
        Err(error) => {
            say(says_why_not, &error);
            false
        }
    }
}

/// Lists all that there is, at first and whenever something was lost, until nobody takes events any more.
/// That this failed is said once: what is new is known all the same.
fn list_on_wish(messages: &SyncSender<Message>, wished: &Receiver<()>, says_why_not: bool) {
    let mut says_why_not = says_why_not;
    loop {
        let began = Instant::now();
        let listed = chandra_conntrack::list(&mut |changes| {
            messages.send(Message::News(News::Translations(changes))).is_ok()
        });
        if let Err(error) = listed {
            say(std::mem::take(&mut says_why_not), &error);
        }
        if wished.recv().is_err() {
            return;
        }
        std::thread::sleep(PACE.saturating_sub(began.elapsed()));
    }
}

fn say(says_why_not: bool, error: &Error) {
    if says_why_not {
        eprintln!("warning: where a service's address led to is not known: {error}");
    }
}
