//! The governor: what signals cost is held to a budget ([`CpuBudgets`]).
//!
//! In each window the kernel measures what programs cost ([`meter`]), the agent's own threads are added, each
//! signal is allowed a part of the budget ([`allowance`]), and where one is above that for long enough less of
//! it is told, by steps ([`ladder`]): one fact in N, drawn in the kernel, where N is on each record and what is
//! counted is multiplied by it; none, and they are counted in the ledger; its hooks detached. Each step is
//! told: to the log, as an event of the agent, as a metric and on `/signals`.
//!
//! Signals that identity or rules live from are told whole, and that they cost too much is said. Flows are told in
//! part, but never out of sight, unless a budget names them.

pub mod allowance;
pub mod budgets;
pub mod ladder;
mod meter;
pub mod metrics;
pub mod standing;

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use chandra_hubble_grpc::server::AgentEvents;
use chandra_loader::load::Loaded;
use chandra_signals::Context;
use serde_json::json;

use super::state::{AgentState, SignalState};
use allowance::{Spender, allowances};
use ladder::{Ladder, OVER, Rung, Step};
use standing::{Cost, Role, Standing};

pub use budgets::CpuBudgets;
pub use meter::{Meter, Turn};

/// The type of the agent's events that tell of steps.
const KIND: &str = "signal_governor";
/// The threads that read records and tell them.
const THREADS: [&str; 2] = ["drain", "tell"];
/// Windows before it is said again that an exempt signal costs too much.
const REMINDER: u32 = 720;

/// Holds signals to their budgets.
#[derive(Debug)]
pub struct Governor<'a> {
    state: &'a AgentState,
    events: &'a AgentEvents,
    context: &'a Context,
    total: Option<f64>,
    /// By signal.
    signals: Vec<Watched>,
    /// What the threads took up to the last window, and when that was.
    threads_ns: u64,
    window_began: Instant,
}

/// What is remembered of a signal from one window to the next.
#[derive(Debug)]
struct Watched {
    ladder: Ladder,
    /// What its programs took when they began to be measured.
    programs_ns: u64,
    records: u64,
    /// Windows above what is allowed, and since it was said.
    over: u32,
    said: Option<u32>,
}

impl<'a> Governor<'a> {
    /// Of signals that have just been loaded.
    pub fn new(
        state: &'a AgentState,
        events: &'a AgentEvents,
        context: &'a Context,
        budgets: &CpuBudgets,
    ) -> Self {
        let is_governed = |it: &&SignalState| matches!(it.role, Role::Governed { .. });
        for signal in state.signals.iter().filter(|it| it.rules_need_it).filter(is_governed) {
            let name = signal.signal.spec.name;
            eprintln!(
                "warning: rules need signal {name}, and --cpu-budget {name}=… lets it be sampled: what is \
                 left out then no rule sees"
            );
        }
        let watched = |signal: &SignalState| Watched {
            ladder: Ladder::new(
                signal.signal.spec.sends_records && !signal.signal.drawn_by_flow,
                signal.role.can_detach()
                    && signal.with_loaded(Loaded::hooks_can_come_back).unwrap_or(false),
            ),
            programs_ns: 0,
            records: 0,
            over: 0,
            said: None,
        };
        Self {
            state,
            events,
            context,
            total: budgets.total,
            signals: state.signals.iter().map(watched).collect(),
            threads_ns: meter::threads_ns(&THREADS),
            window_began: Instant::now(),
        }
    }

    /// Looks whether a window is over, and does what follows from it.
    pub fn look(&mut self) {
        match self.state.meter.turn() {
            Turn::Same => {}
            Turn::Opened => {
                for (signal, watched) in self.state.signals.iter().zip(&mut self.signals) {
                    watched.programs_ns = programs_ns(signal);
                }
            }
            Turn::Closed(measured) => self.window(Some(measured)),
            Turn::Refused => self.window(None),
        }
    }

    /// A window is over, of which programs were measured for so long.
    fn window(&mut self, measured: Option<Duration>) {
        let now = Instant::now();
        let window = now.duration_since(std::mem::replace(&mut self.window_began, now));
        let costs = self.costs(measured, window);
        let signals = self.state.signals.iter().zip(&costs);
        let spenders = signals.map(|(signal, cost)| {
            let (own, is_governed) = match signal.role {
                Role::Governed { own, .. } => (own, true),
                Role::Exempt(_) => (None, false),
                // Outside the budget of all.
                Role::Unlimited => (Some(f64::INFINITY), false),
            };
            Spender { cost: cost.sum(), own, is_governed }
        });
        let allowed = allowances(self.total, &spenders.collect::<Vec<_>>());
        for (index, (cost, allowed)) in costs.iter().zip(allowed).enumerate() {
            self.judge(index, *cost, allowed.filter(|most| most.is_finite()), window);
        }
    }

    /// What each signal cost.
    fn costs(&mut self, measured: Option<Duration>, window: Duration) -> Vec<Cost> {
        let threads_ns = meter::threads_ns(&THREADS);
        let agent_ns =
            threads_ns.saturating_sub(std::mem::replace(&mut self.threads_ns, threads_ns));
        let signals = || self.state.signals.iter();
        let records: Vec<_> = signals()
            .zip(&mut self.signals)
            .map(|(signal, watched)| {
                let all = signal.received.decoded.load(Ordering::Relaxed);
                all - std::mem::replace(&mut watched.records, all)
            })
            .collect();
        let all_records = records.iter().sum::<u64>().max(1) as f64;
        let agent = percent(agent_ns as f64, window);
        let costs = signals().zip(&self.signals).zip(records);
        let cost = |((signal, watched), records): ((&SignalState, &Watched), u64)| Cost {
            programs: measured.map(|measured| {
                percent(programs_ns(signal).saturating_sub(watched.programs_ns) as f64, measured)
            }),
            agent: agent * records as f64 / all_records,
        };
        costs.map(cost).collect()
    }

    /// Tells what a signal cost, and steps where that is due.
    fn judge(&mut self, index: usize, cost: Cost, allowed: Option<f64>, window: Duration) {
        let (Some(signal), Some(watched)) =
            (self.state.signals.get(index), self.signals.get_mut(index))
        else {
            return;
        };
        signal.update_standing(|standing| {
            let seconds = |percent: f64| percent / 100.0 * window.as_secs_f64();
            standing.program_seconds += seconds(cost.programs.unwrap_or(0.0));
            standing.agent_seconds += seconds(cost.agent);
            (standing.cost, standing.allowed) = (Some(cost), allowed);
        });
        let (Some(allowed), true) = (allowed, signal.verdict().is_active()) else { return };
        match signal.role {
            Role::Governed { .. } => {
                if let Some(step) = watched.ladder.window(cost.sum(), allowed) {
                    take(signal, step, self.context);
                    tell(signal, step, (cost.sum(), allowed), self.events);
                }
            }
            Role::Exempt(why) => {
                let is_to_be_said = watched.is_to_be_said(cost.sum() > allowed);
                signal.update_standing(|standing| standing.costs_too_much = watched.over >= OVER);
                if !is_to_be_said {
                    return;
                }
                let (name, cost) = (signal.signal.spec.name, cost.sum());
                eprintln!(
                    "warning: signal {name} costs {cost:.2}% of a core and may cost {allowed:.2}% \
                     (--cpu-budget); it is told whole all the same, because {why}"
                );
            }
            Role::Unlimited => {}
        }
    }
}

impl Watched {
    /// That a signal which is told whole costs too much.
    fn is_to_be_said(&mut self, is_over: bool) -> bool {
        self.over = if is_over { self.over + 1 } else { 0 };
        self.said = self.said.map(|windows| windows + 1).filter(|windows| *windows < REMINDER);
        let is_to_be_said = self.over >= OVER && self.said.is_none();
        if is_to_be_said {
            self.said = Some(0);
        }
        is_to_be_said
    }
}

/// Makes it so in the kernel.
fn take(signal: &SignalState, step: Step, context: &Context) {
    let taken = match (step.from, step.to) {
        (_, Rung::Detached) => {
            signal.detach();
            Ok(())
        }
        (Rung::Detached, to) => signal.share(to).and_then(|()| signal.attach(context)),
        (_, to) => signal.share(to),
    };
    if let Err(error) = taken {
        let (name, to) = (signal.signal.spec.name, step.to.word());
        eprintln!("warning: signal {name} cannot go to {to}: {error}");
    }
}

/// Tells of a step, to all who look at signals.
fn tell(signal: &SignalState, step: Step, (cost, allowed): (f64, f64), events: &AgentEvents) {
    let name = signal.signal.spec.name;
    let one_in = signal.update_standing(|standing: &mut Standing| {
        standing.rung = step.to;
        *standing.steps.entry(step).or_default() += 1;
        standing.one_in()
    });
    let now = match step.to {
        Rung::ALL => "all of its facts are told again".to_owned(),
        Rung::OneIn(_) => {
            let what = if signal.signal.drawn_by_flow { "flows" } else { "facts" };
            format!("one in {one_in} of its {what} is told, for all of them")
        }
        Rung::Counted => "its facts are only counted".to_owned(),
        Rung::Detached => "its hooks are detached".to_owned(),
    };
    let head = if step.is_down() { "warning: " } else { "" };
    eprintln!("{head}signal {name} cost {cost:.2}% of a core and may cost {allowed:.2}%: {now}");
    let event = json!({
        "signal": name,
        "from": step.from.word(),
        "to": step.to.word(),
        "sampling_one_in": one_in,
        "cost_percent": cost,
        "allowed_percent": allowed,
    });
    events.happened(KIND, event.to_string());
}

fn programs_ns(signal: &SignalState) -> u64 {
    signal.programs().iter().map(|program| program.run_time_ns).sum()
}

/// Of one core, in so long.
fn percent(nanoseconds: f64, time: Duration) -> f64 {
    nanoseconds * 100.0 / (time.as_nanos() as f64).max(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_too_much_and_is_told_whole_is_said_once_in_a_while() {
        let ladder = Ladder::new(true, true);
        let mut watched = Watched { ladder, programs_ns: 0, records: 0, over: 0, said: None };
        let said: Vec<_> =
            (0..2 * REMINDER).filter(|window| watched.is_to_be_said(*window != 1)).collect();
        assert_eq!(said, [4, 4 + REMINDER], "after three windows in a row");
    }
}
