//! Profiles that are under way for clients. Each has a mark, a bit, which the samples get that are of whom it asks: so
//! they are counted where all others are, and a client costs no memory of its own.
//!
//! Invariants: a mark is given to one session at a time. It is taken back only when no sample is being marked, so what
//! is put into the queue after a session has begun has its mark only for it.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use chandra_event::record::Event;
use chandra_hubble_grpc::server::MOST_PROFILES;
use chandra_profiler::Of;
use tokio::sync::watch;

use super::wanted::Wanted;
use crate::follow::Told;

/// Of a sample: who asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Marked {
    /// Bits of sessions.
    pub marks: u8,
    /// One of them tells threads apart.
    pub with_thread: bool,
}

/// What a session asks for, and what came of it so far.
#[derive(Debug)]
pub struct Session {
    of: Of,
    wanted: Wanted,
    with_threads: bool,
    /// CLOCK_BOOTTIME; what was sampled from then on is not in it.
    until_ns: AtomicU64,
    samples: AtomicU64,
    shed: AtomicU64,
}

impl Session {
    /// One that goes on until it is [ended](Self::end).
    pub fn new(of: Of, wanted: Wanted, with_threads: bool) -> Self {
        let until_ns = AtomicU64::new(u64::MAX);
        Self {
            of,
            wanted,
            with_threads,
            until_ns,
            samples: AtomicU64::default(),
            shed: AtomicU64::default(),
        }
    }

    /// It is over at this moment (CLOCK_BOOTTIME), unless it was over before; that is when it was.
    pub fn end(&self, at_ns: u64) -> u64 {
        self.until_ns.fetch_min(at_ns, Ordering::Relaxed).min(at_ns)
    }

    /// Samples so far.
    pub fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// Of those, that found no room in the queue.
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    fn has(&self, of: Of, boottime_ns: u64, told: &Told<'_>) -> bool {
        self.of == of
            && boottime_ns < self.until_ns.load(Ordering::Relaxed)
            && self.wanted.has(told)
    }
}

const MOST: usize = {
    assert!(MOST_PROFILES <= u8::BITS as usize, "a mark is a bit of a byte");
    MOST_PROFILES
};

/// See the [module](self).
#[derive(Debug)]
pub struct Sessions {
    count: AtomicUsize,
    by_mark: RwLock<[Option<Arc<Session>>; MOST]>,
    /// What was sampled before this moment (CLOCK_BOOTTIME) has been told.
    told_until_ns: watch::Sender<u64>,
}

impl Default for Sessions {
    fn default() -> Self {
        let (count, by_mark) = (AtomicUsize::new(0), RwLock::default());
        Self { count, by_mark, told_until_ns: watch::Sender::new(0) }
    }
}

impl Sessions {
    /// Has a sample sent with the marks of those who ask for it. Nobody does for most of the time, which costs a look.
    pub fn mark(&self, of: Of, told: &Told<'_>, send: impl FnOnce(Marked) -> bool) -> bool {
        if self.count.load(Ordering::Acquire) == 0 {
            return send(Marked::default());
        }
        let boottime_ns = match told.known.record.event() {
            Event::CpuSample(sample) => sample.boottime_ns,
            Event::OffCpu(wait) => wait.sample.boottime_ns,
            _ => return send(Marked::default()),
        };
        let by_mark = self.by_mark.read().unwrap_or_else(PoisonError::into_inner);
        let all = by_mark.iter().enumerate();
        let asking = all.filter_map(|(mark, session)| Some((mark, session.as_deref()?)));
        let asking = asking.filter(|(_, session)| session.has(of, boottime_ns, told));
        let mut marked = Marked::default();
        for (mark, session) in asking {
            marked.marks |= 1 << mark;
            marked.with_thread |= session.with_threads;
            session.samples.fetch_add(1, Ordering::Relaxed);
        }
        let is_sent = send(marked);
        if !is_sent && marked.marks != 0 {
            for (mark, session) in by_mark.iter().enumerate() {
                if let Some(session) = session.as_deref().filter(|_| marked.marks >> mark & 1 == 1)
                {
                    session.shed.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
        is_sent
    }

    /// What was sampled before this moment has been told.
    pub fn note(&self, told_until_ns: u64) {
        if self.count.load(Ordering::Acquire) == 0 {
            return;
        }
        self.told_until_ns.send_if_modified(|until| {
            let is_later = told_until_ns > *until;
            *until = told_until_ns.max(*until);
            is_later
        });
    }

    /// Waits until what was sampled before this moment has been told.
    pub async fn told(&self, until_ns: u64) {
        let mut told = self.told_until_ns.subscribe();
        // It is dropped with this only.
        let _ = told.wait_for(|told| *told >= until_ns).await;
    }

    /// Gives a session a mark, once the queue knows of it by `begin`; nothing if that fails, or none is left.
    pub fn add(
        self: &Arc<Self>,
        session: &Arc<Session>,
        begin: impl FnOnce(u8) -> bool,
    ) -> Option<Registered> {
        let mut by_mark = self.by_mark.write().unwrap_or_else(PoisonError::into_inner);
        let mark = by_mark.iter().position(Option::is_none)?;
        if !begin(1 << mark) {
            return None;
        }
        *by_mark.get_mut(mark)? = Some(Arc::clone(session));
        self.count.fetch_add(1, Ordering::Release);
        let (sessions, session) = (Arc::clone(self), Arc::clone(session));
        Some(Registered { sessions, session, mark })
    }
}

/// A session that has a mark, until this is dropped.
#[derive(Debug)]
pub struct Registered {
    sessions: Arc<Sessions>,
    session: Arc<Session>,
    mark: usize,
}

impl Registered {
    /// The session.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Its mark.
    pub fn marks(&self) -> u8 {
        1 << self.mark
    }

    /// All sessions.
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let mut by_mark = self.sessions.by_mark.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(place) = by_mark.get_mut(self.mark) {
            *place = None;
            self.sessions.count.fetch_sub(1, Ordering::Release);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn session() -> Arc<Session> {
        let wanted = Wanted::new(&Default::default(), "node-1").unwrap();
        Arc::new(Session::new(Of::Cpu, wanted, false))
    }

    #[test]
    fn a_mark_is_given_to_one_session_at_a_time() {
        let sessions = Arc::new(Sessions::default());
        let mut all: Vec<_> =
            (0..MOST).map(|_| sessions.add(&session(), |_| true).unwrap()).collect();
        assert_eq!(all.iter().map(Registered::marks).fold(0, |all, mark| all ^ mark), u8::MAX);
        assert!(sessions.add(&session(), |_| true).is_none());
        let marks = all.remove(3).marks();
        let again = sessions.add(&session(), |begun| begun == marks).unwrap();
        assert_eq!(again.marks(), marks);
        drop((again, all));
        assert_eq!(sessions.count.load(Ordering::Relaxed), 0);
        assert!(
            sessions.add(&session(), |_| false).is_none(),
            "what keeps profiles knows nothing of it"
        );
    }

    #[test]
    fn a_session_is_over_once() {
        let session = session();
        assert_eq!((session.end(50), session.end(70), session.end(40)), (50, 50, 40));
    }
}
