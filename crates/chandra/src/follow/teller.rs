//! The thread that learns from what was taken and tells it.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use chandra_event::record::Record;
use chandra_event::time::Timestamp;
use chandra_event::who::{Described, Known, Who};
use chandra_identity::container::{Number, Tasks};
use chandra_identity::description::{Change, RuntimeId};
use chandra_identity::selector::Verdict;
use chandra_identity::{Identity, Kept, Spelled, Standing, translation};
use chandra_loader::clock;
use chandra_runtime::Handle;
use chandra_runtime::bundles::{self, Bundles};
use chandra_signals::Context;

use super::choice::Choice;
use super::drain::{Batch, Chunk, Message, Shared};
use super::held::{self, Held};
use super::losses::Losses;
use super::sources::News;
use super::{Plan, Seeding};

/// How long a record waits for the description of its container at most.
const HOLD_NS: u64 = 500_000_000;
/// How soon to look again while something waits.
const LOOK: Duration = Duration::from_millis(5);
/// After so long without a record the clocks are compared anew.
const QUIET: Duration = Duration::from_secs(1);
/// Cgroups that were removed stay so long for late records.
const LINGER_NS: u64 = 2_000_000_000;

/// What happens to records that come before the description of their container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Late {
    /// They wait for it, half a second at most, in order for each container.
    #[default]
    Hold,
    /// They are told at once as pending; `container_described` follows.
    Mark,
}

/// A record with all that is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Told<'a> {
    /// The record together with who did it.
    pub known: &'a Known<'a>,
    /// The container of its process.
    pub container: Option<Number>,
    /// The tables, for who wants to know more.
    pub identity: &'a Identity,
}

/// Where records go.
pub trait Sink {
    /// Takes a record of a part.
    fn tell(&mut self, part: usize, told: &Told<'_>);
    /// All that was there for now has been told.
    fn flush(&mut self);
    /// What was sent before this moment (CLOCK_BOOTTIME) has been told, or is known not to be told.
    fn note(&mut self, _told_until_boottime_ns: u64) {}
    /// It takes no more.
    fn is_over(&self) -> bool {
        false
    }
    /// Called about once a second with what is known.
    fn look(&mut self, _identity: &Identity, _tally: &Tally) {}
}

/// What came of records that were early.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Waited for a description.
    pub held: u64,
    /// Of those: until it came.
    pub described: u64,
    /// Told without a description though one was due: after the wait, for want of room, or at once.
    pub pending: u64,
    /// Times that what is there was looked at anew, because records that identity lives from were lost.
    pub sweeps: u64,
    /// What came of looking for bundles of containers, where they are looked for.
    pub bundles: Option<bundles::Counts>,
    /// What connection tracking said of dialled addresses that led elsewhere.
    pub translations: translation::Stats,
}

/// See the [module](self).
pub struct Teller<'a> {
    plan: &'a Plan<'a>,
    context: &'a Context,
    sink: &'a mut dyn Sink,
    identity: Identity,
    runtime: Option<Handle>,
    bundles: Option<bundles::Handle>,
    cluster: Option<chandra_kubernetes::Handle>,
    choice: Choice<'a>,
    held: Held,
    /// Records that were taken before it was sure that nothing before them is missing, by part.
    early: Vec<Chunk>,
    spelled: Spelled,
    /// Records that were told as pending, of containers that may be described yet.
    pending: HashMap<Number, u64>,
    tally: Tally,
    looked_ns: u64,
    /// All that was sent before this moment (CLOCK_BOOTTIME) was taken.
    drained_ns: u64,
    losses: Losses,
}

impl<'a> Teller<'a> {
    /// A teller that knows nothing yet.
    pub fn new(
        plan: &'a Plan<'a>,
        context: &'a Context,
        sink: &'a mut dyn Sink,
        bundles: Option<(Bundles, bundles::Handle)>,
    ) -> Self {
        let mut identity = Identity::new(context.clock.get());
        identity.expect_bundles(bundles.is_some());
        let bundles = bundles.map(|(bundles, handle)| {
            let is_task = move |namespace: &str, name: &str| bundles.is_task(namespace, name);
            identity.cgroups.ask(Tasks::new(is_task));
            handle
        });
        identity.expect_runtime(plan.sources.has_runtime());
        identity.expect_cluster(plan.sources.kubernetes.is_some());
        identity.set_here(plan.node, crate::here::addresses());
        let asking = plan.parts.iter().filter(|part| part.selects);
        let kernel = asking.filter_map(|part| part.loaded.read().ok()?.selection());
        Self {
            plan,
            context,
            sink,
            identity,
            runtime: None,
            bundles,
            cluster: None,
            choice: Choice::new(plan.selector, plan.node, kernel.collect()),
            held: Held::default(),
            early: Vec::new(),
            spelled: Spelled::default(),
            pending: HashMap::new(),
            tally: Tally::default(),
            looked_ns: 0,
            drained_ns: 0,
            losses: Losses::default(),
        }
    }

    /// Learns and tells until the end.
    pub fn run(mut self, messages: &Receiver<Message>, shared: &Shared) -> Tally {
        self.sink.flush();
        loop {
            let is_quiet = self.held.is_empty() && !self.choice.is_due();
            let pause = if is_quiet { QUIET } else { LOOK };
            match messages.recv_timeout(pause) {
                Ok(Message::Batch(batch)) => {
                    self.take(&batch);
                    shared.waiting_bytes.fetch_sub(batch.bytes(), Ordering::Relaxed);
                }
                Ok(Message::News(news)) => self.hear(news),
                Ok(Message::End) | Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now_ns = clock::boottime_ns();
            self.choice.decide(&mut self.identity, now_ns);
            self.release(now_ns);
            self.sink.note(self.told_until_ns());
            self.sink.flush();
            shared.is_over.store(self.sink.is_over(), Ordering::Relaxed);
        }
        let rest = Batch { complete_until_boottime_ns: u64::MAX, ..Batch::default() };
        self.learn_and_tell(&rest, clock::boottime_ns());
        self.release(u64::MAX);
        self.sink.flush();
        self.look();
        if let Some(runtime) = self.runtime {
            runtime.stop();
        }
        if let Some(cluster) = self.cluster {
            cluster.stop();
        }
        self.tally
    }

    /// What is there already. It is looked at after the hooks began to send, so nothing is missed.
    pub fn seed(&mut self) {
        for seeding in [Seeding::Learn, Seeding::LearnAndTell, Seeding::Tell] {
            let parts = self.plan.parts.iter().enumerate();
            for (index, part) in parts.filter(|(_, part)| part.seeding == Some(seeding)) {
                let Ok(loaded) = part.loaded.read() else { continue };
                let now_ns = clock::boottime_ns();
                let (learns, tells) = (seeding != Seeding::Tell, seeding != Seeding::Learn);
                let mut count = 0;
                (part.signal.seed)(&loaded, self.context, &mut |record| {
                    if learns {
                        self.identity.learn(record, now_ns);
                    }
                    let is_told = tells && part.tells(record.kind());
                    if is_told {
                        let number = self.identity.container_of(record);
                        let verdict = self.choice.of(&mut self.identity, number, now_ns);
                        self.tell_selected(index, record, verdict, None, None);
                    }
                    count += u64::from(learns || is_told);
                });
                part.found_at_start.store(count, Ordering::Relaxed);
            }
        }
        self.look_for_bundles();
    }

    fn take(&mut self, batch: &Batch) {
        let now_ns = clock::boottime_ns();
        self.translate(&batch.translations, now_ns);
        self.learn_and_tell(batch, now_ns);
        let drained_ns = batch.complete_until_boottime_ns;
        self.drained_ns = drained_ns;
        let drained = self.context.clock.get().event_time(drained_ns.saturating_sub(LINGER_NS));
        self.identity.advance(drained_ns, drained);
        if now_ns.saturating_sub(self.looked_ns) >= QUIET.as_nanos() as u64 {
            self.looked_ns = now_ns;
            self.context.measure_clock();
            self.identity.processes.set_clock(self.context.clock.get());
            self.look();
            self.sweep(now_ns);
        }
    }

    /// All that was sent before was told: what is held came when it began to be held, or before.
    fn told_until_ns(&self) -> u64 {
        let held_since_ns = self.held.first_due().map(|(due_ns, _)| due_ns - HOLD_NS);
        held_since_ns.map_or(self.drained_ns, |held| held.min(self.drained_ns))
    }

    /// Shows the sink what is known.
    fn look(&mut self) {
        self.tally.bundles = self.bundles.as_ref().map(bundles::Handle::counts);
        self.tally.translations = self.identity.translations.stats();
        self.sink.look(&self.identity, &self.tally);
    }

    /// Takes in what connection tracking said.
    fn translate(&mut self, changes: &[translation::Change], now_ns: u64) {
        for change in changes {
            self.identity.translations.apply(*change, now_ns);
        }
    }

    /// Takes an identity record into the tables, and asks for a container that is new.
    fn learn(&mut self, record: &dyn Record, now_ns: u64) {
        let new = self.identity.learn(record, now_ns);
        let Some(container) = new else { return };
        let (id, number) = (RuntimeId::new(&container.id), container.number);
        self.choice.forget();
        if let Some((runtime, id)) = self.runtime.as_ref().zip(id) {
            // Refused looks are counted there; the next list finds the container.
            runtime.look(id);
        }
        self.look_for_bundle(number);
    }

    /// Has the bundle of a container looked for, where it says what nobody else will.
    fn look_for_bundle(&self, number: Number) {
        let container = self.identity.cgroups.by_number(number);
        let container = container.filter(|container| self.identity.wants_bundle(container));
        let id = container.and_then(|container| RuntimeId::new(&container.id));
        if let Some((bundles, id)) = self.bundles.as_ref().zip(id) {
            // Refused looks are counted there.
            bundles.look(id);
        }
    }

    /// Of all that are there, once it is known whom else to ask.
    fn look_for_bundles(&mut self) {
        let numbers: Vec<_> =
            self.identity.cgroups.containers().map(|container| container.number).collect();
        numbers.into_iter().for_each(|number| self.look_for_bundle(number));
    }

    /// Looks anew at what is there, where records about it were lost.
    fn sweep(&mut self, now_ns: u64) {
        let plan = self.plan;
        let parts = self.losses.due_for_sweep(plan.parts, now_ns);
        // At the end hooks are detached, and nobody asks any more.
        if parts.is_empty() || (plan.patience)().is_none() {
            return;
        }
        self.tally.sweeps += 1;
        let clock = self.context.clock.get();
        let now_ns = clock::boottime_ns();
        self.identity.begin_sweep(now_ns, clock.event_time(now_ns));
        for part in parts {
            let Ok(loaded) = part.loaded.read() else { continue };
            (part.signal.seed)(&loaded, self.context, &mut |record| {
                self.learn(record, now_ns);
            });
        }
        let now_ns = clock::boottime_ns();
        self.identity.end_sweep(now_ns, clock.event_time(now_ns));
    }

    /// Learns from and tells the records of all chunks in the order of their times, with which each
    /// begins: so each is told by what was so then, not by what came to be later in the same batch. What
    /// was sent while the batch was taken waits for the next one: something before it may not be here.
    fn learn_and_tell(&mut self, batch: &Batch, now_ns: u64) {
        let early = std::mem::take(&mut self.early);
        let of_part = |part: usize| early.get(part).map(Chunk::iter).into_iter().flatten();
        let parts = 0..early.len().max(batch.chunks.len());
        let chunk = |part: usize| batch.chunks.get(part).map(Chunk::iter).into_iter().flatten();
        let mut records: Vec<_> =
            parts.map(|part| of_part(part).chain(chunk(part)).peekable()).collect();
        loop {
            let next = records.iter_mut().enumerate().filter_map(|(part, records)| {
                let time =
                    records.peek()?.first_chunk().map_or(0, |time| u64::from_ne_bytes(*time));
                Some((time, part))
            });
            let Some((time, part)) = next.min() else { break };
            if time > batch.complete_until_boottime_ns {
                break;
            }
            if let Some(bytes) = records.get_mut(part).and_then(Iterator::next) {
                self.learn_and_tell_one(part, bytes, now_ns);
            }
        }
        self.early = records.into_iter().map(Chunk::of).collect();
    }

    fn learn_and_tell_one(&mut self, index: usize, bytes: &[u8], now_ns: u64) {
        let (plan, context) = (self.plan, self.context);
        let Some(part) = plan.parts.get(index) else { return };
        part.received.decode(part.signal, bytes, context, &mut |record| {
            if part.learns {
                self.learn(record, now_ns);
            }
            if part.tells(record.kind()) {
                self.consider(index, bytes, record, now_ns);
            } else {
                part.received.count_learnt();
            }
        });
    }

    /// Tells a record, or holds it.
    fn consider(&mut self, index: usize, bytes: &[u8], record: &dyn Record, now_ns: u64) {
        let number = self.identity.container_of(record);
        let verdict = self.choice.of(&mut self.identity, number, now_ns);
        let Some(number) = number.filter(|_| verdict != Verdict::No) else {
            return self.tell_selected(index, record, verdict, None, None);
        };
        let waits =
            self.held.holds(number) || self.identity.standing(number, now_ns) == Standing::Awaited;
        match self.plan.late {
            Late::Mark if waits && verdict == Verdict::Yes => {
                self.tell(index, record, Some(number), None)
            }
            _ if waits => {
                self.tally.held += 1;
                let due_ns = now_ns + HOLD_NS;
                while !self.held.has_room(bytes.len()) {
                    let Some((_, first)) = self.held.first_due() else { break };
                    self.let_go(first);
                }
                let kept = self.identity.keep(record);
                let record = held::Record { part: index, bytes: bytes.into(), kept };
                self.held.push(number, due_ns, record);
            }
            _ => self.tell_selected(index, record, verdict, None, None),
        }
    }

    /// Tells a record if it is selected. What cannot be known by now is not.
    fn tell_selected(
        &mut self,
        index: usize,
        record: &dyn Record,
        verdict: Verdict,
        pending: Option<Number>,
        kept: Option<&Kept>,
    ) {
        match self.plan.parts.get(index) {
            Some(part) if verdict != Verdict::Yes => part.received.count_not_selected(),
            _ => self.tell(index, record, pending, kept),
        }
    }

    /// Tells a record; of a container that is given, as pending; with what was kept of its processes,
    /// if it waited.
    fn tell(
        &mut self,
        index: usize,
        record: &dyn Record,
        pending: Option<Number>,
        kept: Option<&Kept>,
    ) {
        if let Some(number) = pending {
            self.tally.pending += 1;
            *self.pending.entry(number).or_default() += 1;
        }
        let is_pending = pending.is_some();
        let (container, identity) = (self.identity.locate(record), &self.identity);
        let who = Who { is_pending, ..identity.who_in(record, container, &mut self.spelled) };
        let who = kept.map_or(who, |kept| kept.then(who));
        let known = &Known { record, who: &who };
        self.sink.tell(index, &Told { known, container, identity });
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Runtime(handle) => {
                self.identity.expect_runtime(true);
                self.runtime = Some(handle);
            }
            News::NoRuntime => {
                if self.identity.expect_runtime(false) {
                    self.look_for_bundles();
                }
            }
            News::Described(change) => self.describe(change),
            News::Cluster(handle) => self.cluster = Some(handle),
            News::OfCluster(change) => {
                self.identity.describe_cluster(*change, clock::boottime_ns());
                self.choice.forget();
                self.complete();
            }
            News::Translations(changes) => self.translate(&changes, clock::boottime_ns()),
        }
    }

    fn describe(&mut self, change: Change) {
        self.identity.describe(change, clock::boottime_ns());
        self.choice.forget();
        self.complete();
    }

    /// Completes what was told as pending of containers that are described by now.
    fn complete(&mut self) {
        if self.pending.is_empty() {
            return;
        }
        let now_ns = clock::boottime_ns();
        let told: Vec<_> = self.pending.keys().copied().collect();
        for number in told {
            if self.identity.standing(number, now_ns) == Standing::Described {
                self.tell_described(number);
            }
        }
    }

    /// Completes what was told as pending.
    fn tell_described(&mut self, number: Number) {
        let Some(pending_records) = self.pending.remove(&number) else { return };
        let time: Timestamp = self.context.clock.get().event_time(clock::boottime_ns());
        let record = Described { time, pending_records };
        // Its standing was asked for just before.
        let identity = &self.identity;
        let known = &Known { record: &record, who: &identity.who_has(number) };
        self.sink.tell(0, &Told { known, container: Some(number), identity });
    }

    /// Tells what was held of containers that are described by now, or is due.
    fn release(&mut self, now_ns: u64) {
        if self.held.is_empty() {
            return;
        }
        let numbers: Vec<_> = self.held.containers().collect();
        for number in numbers {
            if self.identity.standing(number, now_ns) != Standing::Awaited {
                self.let_go(number);
            }
        }
        while let Some((due_ns, number)) = self.held.first_due()
            && due_ns <= now_ns
        {
            self.let_go(number);
        }
    }

    /// Tells what is held of a container.
    fn let_go(&mut self, number: Number) {
        let now_ns = clock::boottime_ns();
        let is_described = self.identity.standing(number, now_ns) == Standing::Described;
        let verdict = self.choice.of(&mut self.identity, Some(number), now_ns);
        let (plan, context) = (self.plan, self.context);
        for held::Record { part: index, bytes, kept } in self.held.take(number) {
            let Some(part) = plan.parts.get(index) else { continue };
            self.tally.described += u64::from(is_described);
            // It was decoded before, and counted then.
            let _ = (part.signal.decode)(&bytes, context, &mut |record| {
                let pending = (!is_described).then_some(number);
                self.tell_selected(index, record, verdict, pending, Some(&kept));
            });
        }
    }
}
