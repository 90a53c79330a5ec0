//! Verdicts of signals as events of the agent: each one at the start, then those that change.
//!
//! Hubble has no type for that, so its tools show what they are given: the type `signal_verdict`, and the
//! JSON that `/signals` has of verdicts.

use std::time::{Duration, Instant};

use chandra_hubble_grpc::server::AgentEvents;
use chandra_loader::verdict::{HookVerdict, Verdict};
use chandra_signals::SIGNALS;
use serde_json::{Value, json};

use super::state::{AgentState, SignalState};

/// The type of these events.
const KIND: &str = "signal_verdict";
/// How often it is looked whether hooks are attached still.
const PERIOD: Duration = Duration::from_secs(1);

/// Tells verdicts.
#[derive(Debug)]
pub struct Verdicts<'a> {
    state: &'a AgentState,
    events: &'a AgentEvents,
    looked: Instant,
}

impl<'a> Verdicts<'a> {
    /// Tells the verdict of every signal that there is, those included that are off.
    pub fn tell_all(state: &'a AgentState, events: &'a AgentEvents) -> Self {
        for signal in &state.signals {
            tell(signal, events);
        }
        let is_there = |name| state.signals.iter().any(|signal| signal.signal.spec.name == name);
        for signal in SIGNALS.iter().filter(|signal| !is_there(signal.spec.name)) {
            let verdict = Verdict::Off.word();
            let event = json!({ "signal": signal.spec.name, "verdict": verdict, "is_on": false });
            events.happened(KIND, event.to_string());
        }
        Self { state, events, looked: Instant::now() }
    }

    /// About once a second: looks whether hooks work that did, and tells the verdicts that changed.
    pub fn look(&mut self) {
        if self.looked.elapsed() < PERIOD {
            return;
        }
        self.looked = Instant::now();
        for signal in self.state.signals.iter().filter(|signal| signal.notices_lost_hooks()) {
            let name = signal.signal.spec.name;
            for hook in signal.hooks().iter().filter(|hook| !hook.verdict.is_active()) {
                if let Verdict::Failed(why) = &hook.verdict {
                    let hook = hook.hook;
                    eprintln!("warning: hook {hook} of signal {name} has failed: {why}");
                }
            }
            tell(signal, self.events);
        }
    }
}

fn tell(signal: &SignalState, events: &AgentEvents) {
    let hooks: Vec<_> = signal.hooks().iter().map(describe_hook).collect();
    let verdict = signal.verdict();
    let event = json!({
        "signal": signal.signal.spec.name,
        "verdict": verdict.word(),
        "why": why(&verdict),
        "is_on": signal.is_on,
        "hooks": hooks,
    });
    events.happened(KIND, event.to_string());
}

/// A hook's verdict, for machines.
pub fn describe_hook(hook: &HookVerdict) -> Value {
    let rung = match hook.verdict {
        Verdict::Active(rung) => Some(rung),
        _ => None,
    };
    let refused: Vec<_> = hook.refusals.iter().map(ToString::to_string).collect();
    json!({
        "hook": hook.hook,
        "verdict": hook.verdict.word(),
        "rung": rung,
        "why": why(&hook.verdict),
        "refused": refused,
    })
}

fn why(verdict: &Verdict) -> Option<&str> {
    match verdict {
        Verdict::Unsupported(why) | Verdict::Failed(why) => Some(why),
        Verdict::Active(_) | Verdict::Off => None,
    }
}
