//! The governor's families of metrics.

use chandra_metrics::{Kind, Writer};

use super::ladder::Step;
use super::standing::Standing;

/// Writes what is known of these signals, each by its name.
pub fn write(signals: &[(&str, Standing)], out: &mut Writer<'_>) {
    let help = "Seconds of a core that a signal took: its programs in the kernel, measured for a tenth of the \
                time, and its part of the agent's threads that read and tell records.";
    let mut cost = out.family(Kind::Counter, "chandra_signal_cpu_seconds", "seconds", help);
    for (signal, standing) in signals {
        let parts = [("programs", standing.program_seconds), ("agent", standing.agent_seconds)];
        for (part, seconds) in parts {
            cost.sample(&[("signal", signal), ("part", part)], seconds);
        }
    }
    let help = "Of so many facts of a signal one is told, for all of them; 0: none, they are counted, or its \
                hooks are detached.";
    let mut one_in = out.family(Kind::Gauge, "chandra_signal_sampling_one_in", "", help);
    for (signal, standing) in signals {
        one_in.sample(&[("signal", signal)], u64::from(standing.one_in()));
    }
    if signals.iter().all(|(_, standing)| standing.steps.is_empty()) {
        return;
    }
    let help = "Steps of the governor: how much of a signal was told before, and after.";
    let mut steps = out.family(Kind::Counter, "chandra_governor_steps", "", help);
    for (signal, standing) in signals {
        for (Step { from, to }, count) in &standing.steps {
            let (from, to) = (from.word(), to.word());
            steps.sample(&[("signal", signal), ("from", &from), ("to", &to)], *count);
        }
    }
}

/// Of a signal that took a step, so that everything is there.
#[cfg(test)]
pub fn example() -> Standing {
    use super::ladder::Rung;
    use super::standing::Role;

    let step = Step { from: Rung::ALL, to: Rung::OneIn(3) };
    let steps = [(step, 1)].into();
    Standing { steps, ..Standing::new(Role::Governed { own: None, can_detach: true }) }
}
