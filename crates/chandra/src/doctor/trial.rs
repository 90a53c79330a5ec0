//! Each signal is loaded and attached as the agent would do it, and let go again: no other way tells whether
//! it can be.

use chandra_doctor::node::{HookTrial, Trial};
use chandra_loader::cost;
use chandra_loader::load::Options;
use chandra_loader::verdict::{HookVerdict, Verdict};
use chandra_signals::filter::Filter;
use chandra_signals::{SIGNALS, Signal};

use crate::session::{self, Watch};

/// Tries every signal that there is; those that are `on` are the ones that have to work. One after the
/// other, so that a machine that is in trouble already is not loaded with more than it has to be.
pub fn all(on: &[&'static Signal], options: &Options) -> Vec<Trial> {
    // Where it is refused, loading fails and says so.
    let _ = chandra_loader::memory::raise_memlock_limit();
    SIGNALS.iter().map(|signal| one(signal, on, options)).collect()
}

fn one(signal: &'static Signal, on: &[&'static Signal], options: &Options) -> Trial {
    let hooks: Vec<_> = signal.spec.hooks.iter().map(|hook| hook.name).collect();
    let filter = Filter::default();
    let watch = Watch { signal, hooks: &hooks, kinds: u32::MAX, group_by: 0, filter: &filter };
    let loaded = session::start(&watch, options);
    let verified_instructions = loaded.as_ref().map_or_else(
        |_| Vec::new(),
        |loaded| {
            let programs = cost::read(loaded.object()).into_iter();
            programs.map(|program| (program.program, program.verified_instructions)).collect()
        },
    );
    Trial {
        signal: signal.spec.name,
        is_default: on.iter().any(|on| on.spec.name == signal.spec.name),
        outcome: loaded.map(|loaded| loaded.hooks.iter().map(hook).collect()),
        verified_instructions,
    }
}

fn hook(verdict: &HookVerdict) -> HookTrial {
    let rung = match verdict.verdict {
        Verdict::Active(rung) => Some(rung),
        _ => None,
    };
    HookTrial {
        hook: verdict.hook,
        verdict: verdict.verdict.word(),
        rung,
        refused: verdict.refusals.iter().map(ToString::to_string).collect(),
    }
}
