//! What the audit tells Prometheus.

use chandra_metrics::{Kind, Writer};

use super::Audited;
use super::timings::{SAMPLING, Timing};

/// Writes its families.
pub fn write(audited: &Audited, out: &mut Writer<'_>) {
    let counters = [
        ("chandra_rules_events", "Events that were put before rules.", audited.events),
        (
            "chandra_rules_undecided",
            "Rules that may have fired, by what is not known.",
            audited.undecided,
        ),
        ("chandra_alerts_folded", "Alerts that are told as a count.", audited.alerts.folded),
        (
            "chandra_alerts_evicted",
            "Of those, counts that were given up for lack of room.",
            audited.alerts.evicted,
        ),
    ];
    for (name, help, value) in counters {
        out.family(Kind::Counter, name, "", help).sample(&[], value);
    }
    out.family(Kind::Gauge, "chandra_rules_loaded", "", "Rules that are evaluated.")
        .sample(&[], audited.rules);
    let mut reloads =
        out.family(Kind::Counter, "chandra_rules_reloads", "", "Times that rules were read anew.");
    reloads.sample(&[("outcome", "loaded")], audited.reloads);
    reloads.sample(&[("outcome", "refused")], audited.failed_reloads);
    timings(&audited.timings, out);
    let mut alerts =
        out.family(Kind::Counter, "chandra_alerts", "", "Alerts by rule, before they are folded.");
    for (rule, priority, count) in &audited.alerts.taken {
        alerts.sample(&[("rule", rule), ("priority", priority.word())], *count);
    }
    let mut redacted =
        out.family(Kind::Counter, "chandra_alerts_redacted", "", "Secrets taken out of alerts.");
    for (kind, count) in &audited.alerts.redacted {
        redacted.sample(&[("kind", kind.name())], *count);
    }
    let compared = &audited.compared;
    let help = "Executables that were compared with known programs, by what came of it.";
    let mut family = out.family(Kind::Counter, "chandra_executables_compared", "", help);
    for (outcome, count) in [
        ("no_copy", compared.no_copy),
        ("copy", compared.copy),
        ("gone", compared.gone),
        ("unreadable", compared.unreadable),
        ("not_asked", compared.not_asked),
    ] {
        family.sample(&[("outcome", outcome)], count);
    }
    let help = "Of those, comparisons that ended after the rules were asked.";
    out.family(Kind::Counter, "chandra_executables_compared_late", "", help)
        .sample(&[], compared.late);
    let sinks = &audited.alerts.sinks;
    let help = "Alerts that a sink wrote, or its receiver acknowledged.";
    let mut delivered = out.family(Kind::Counter, "chandra_alerts_delivered", "", help);
    for sink in sinks {
        delivered.sample(&[("sink", &sink.name)], sink.delivered);
    }
    let help = "Alerts that a sink did not deliver, by cause.";
    let mut dropped = out.family(Kind::Counter, "chandra_alerts_dropped", "", help);
    for sink in sinks {
        for (cause, count) in &sink.drops {
            dropped.sample(&[("sink", &sink.name), ("cause", cause.name())], *count);
        }
    }
    if let Some(recent) = &audited.recent {
        let help = "Latest alerts that are kept for chandra alerts.";
        out.family(Kind::Gauge, "chandra_alerts_recent", "", help).sample(&[], recent.alerts);
        let help = "What they take in memory.";
        let name = "chandra_alerts_recent_bytes";
        out.family(Kind::Gauge, name, "bytes", help).sample(&[], recent.bytes);
    }
    let mut spooled =
        out.family(Kind::Gauge, "chandra_alerts_spooled", "", "Alerts that wait on disk.");
    for sink in sinks {
        if let Some(spool) = &sink.spool {
            spooled.sample(&[("sink", &sink.name)], spool.records);
        }
    }
}

/// What rules take. Two families, so that a rate of the one by the other is the time of an evaluation.
fn timings(timings: &[Timing], out: &mut Writer<'_>) {
    let help = format!(
        "Time that rules took, of one event in {SAMPLING}. What a rule finds out others after it have for nothing."
    );
    let name = "chandra_rules_evaluation_sampled_seconds";
    let mut seconds = out.family(Kind::Counter, name, "seconds", &help);
    for Timing { rule, time, .. } in timings {
        seconds.sample(&[("rule", rule)], time.as_secs_f64());
    }
    let help = format!("Times that rules were evaluated, of one event in {SAMPLING}.");
    let mut counts = out.family(Kind::Counter, "chandra_rules_evaluations_sampled", "", &help);
    for Timing { rule, count, .. } in timings {
        counts.sample(&[("rule", rule)], *count);
    }
}

/// Figures of which every family has a series.
#[cfg(test)]
pub fn example() -> Audited {
    use chandra_alerts::figures::{Cause, SinkFigures};
    use chandra_alerts::redact::Kind as Secret;
    use chandra_alerts::{Figures, Priority, recent, spool};

    let sink = SinkFigures {
        name: "http".into(),
        drops: vec![(Cause::QueueFull, 0)],
        spool: Some(spool::Figures::default()),
        ..SinkFigures::default()
    };
    let alerts = Figures {
        taken: vec![("rule".into(), Priority::Notice, 0)],
        redacted: Secret::ALL.iter().map(|kind| (*kind, 0)).collect(),
        sinks: vec![sink],
        ..Figures::default()
    };
    let timing = Timing { rule: "rule".into(), count: 0, time: std::time::Duration::ZERO };
    let recent = Some(recent::Figures::default());
    Audited { timings: vec![timing], alerts, recent, ..Audited::default() }
}
