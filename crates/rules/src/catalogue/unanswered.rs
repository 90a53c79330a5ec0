//! Why fields that are known are not answered. Each is said where a rule that uses one is refused, and on the
//! reference page.

const MOMENT: &str =
    "it is a state of the moment, which no record carries and nobody may look up for each event";
const ENTRY: &str = "system calls are told when they are done, and when they began is not taken down; Falco gives it up as well";
const BYTES: &str = "what is read and written is not captured";

const REASONS: &[(&str, &str)] = &[
    ("evt.cpu", "records do not say on which CPU it happened"),
    ("evt.latency", ENTRY),
    ("evt.latency.s", ENTRY),
    ("evt.latency.ns", ENTRY),
    ("evt.latency.human", ENTRY),
    ("evt.wait_latency", ENTRY),
    ("evt.buffer", BYTES),
    ("evt.is_syslog", BYTES),
    ("proc.nthreads", MOMENT),
    ("proc.nchilds", MOMENT),
    ("proc.fdopencount", MOMENT),
    ("proc.fdlimit", MOMENT),
    ("proc.vmsize", MOMENT),
    ("proc.vmrss", MOMENT),
    (
        "thread.cgroups",
        "Falco writes a path for each controller; records carry the id of one cgroup",
    ),
    (
        "thread.cgroup",
        "Falco writes a path for each controller; records carry the id of one cgroup",
    ),
    ("fd.lip.name", "names are learnt of addresses that are dialled, which one's own is not"),
    ("fd.types", "it needs every open descriptor of the process, which nobody keeps"),
];

/// Why a field that is listed is not answered; nothing for one that is.
pub fn reason(name: &str) -> Option<&'static str> {
    REASONS.iter().find(|(field, _)| *field == name).map(|(_, reason)| *reason)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue;

    #[test]
    fn each_field_that_is_not_answered_has_a_reason_and_no_other() {
        for spec in catalogue::all() {
            assert_eq!(reason(spec.name).is_some(), spec.answered.is_empty(), "{}", spec.name);
        }
        assert!(REASONS.iter().all(|(name, _)| catalogue::field(name).is_some()));
    }
}
