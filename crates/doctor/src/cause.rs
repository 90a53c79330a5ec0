//! Messages of the kernel, of libbpf, of Hubble and of other tools, traced to what really caused them.
//!
//! A message is recognised by signs: words that all have to be in it, whatever is between. Some messages
//! have two causes (EPERM for a map is a limit or a right); what is known of the machine then decides which
//! is told first.

use crate::Check;

/// What is known of where a message comes from; what is not known decides nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Circumstances {
    /// Maps count against the limit on locked memory (kernels before 5.11).
    pub counts_locked_memory: Option<bool>,
    /// CAP_BPF and CAP_PERFMON are held, or CAP_SYS_ADMIN.
    pub may_load: Option<bool>,
}

/// A cause, and what to do about it.
#[derive(Debug, PartialEq, Eq)]
pub struct Cause {
    /// The check that explains it.
    pub check: Check,
    /// Signs of it: each a list of words that all have to be there.
    signs: &'static [&'static [&'static str]],
    /// Why such a message comes.
    pub why: &'static str,
    /// What to do next.
    pub next: &'static str,
}

/// All that are known.
pub const CAUSES: &[Cause] = &[
    Cause {
        check: Check::MEMLOCK,
        signs: &[
            &["memlock"],
            &["map", "creat", "not permitted"],
            &["map", "creat", "eperm"],
            &["refused a map", "(errno 1)"],
        ],
        why: "before kernel 5.11 maps count against the limit on locked memory, and the kernel answers EPERM \
              where it is reached",
        next: "ulimit -l unlimited before starting, or grant CAP_SYS_RESOURCE, so that it is raised",
    },
    Cause {
        check: Check::CAPABILITIES,
        signs: &[
            &["map", "creat", "not permitted"],
            &["map", "creat", "permission denied"],
            &["map", "creat", "eperm"],
            &["map", "creat", "eacces"],
            &["map", "create", "denied"],
            &["lacks cap_"],
            &["prog", "load", "eperm"],
            &["prog", "load", "not permitted"],
        ],
        why: "the process lacks CAP_BPF, or CAP_PERFMON, or what stands for both, CAP_SYS_ADMIN; a container \
              or a sandbox may have taken them from root, too",
        next: "chandra doctor --capabilities says which are needed; grep CapEff /proc/self/status, which are held",
    },
    Cause {
        check: Check::LOOPS,
        signs: &[
            &["back-edge from insn"],
            &["infinite loop detected"],
            &["program is too large", "processed"],
            &["jumps is too complex"],
            &["unbounded loop"],
            &["loop is not bounded"],
        ],
        why: "the verifier follows a loop turn by turn, and found that nothing changes, or no end within a \
              million instructions; who lacks CAP_BPF may have no loop at all",
        next: "bound the loop by a constant, or use bpf_loop (kernel 5.17); of a program of Chandra's, report it \
               with uname -r",
    },
    Cause {
        check: Check::UNREACHABLE_CODE,
        signs: &[&["unreachable insn"], &["unreachable instruction"]],
        why: "the verifier takes no program with instructions that nothing leads to; a compiler's option, or \
              assembly, left some behind",
        next: "compile with -O2 and without -fno-… options; of a program of Chandra's, report it with uname -r",
    },
    Cause {
        check: Check::BTF,
        signs: &[
            &["no btf"],
            &["find valid kernel btf"],
            &["loading vmlinux btf"],
            &["co-re", "relocat", "btf"],
            &["core_relo", "btf"],
            &["/sys/kernel/btf/vmlinux"],
        ],
        why: "the program is fitted to the running kernel by the kernel's description of its types (CO-RE), and \
              this kernel has none: it was built without CONFIG_DEBUG_INFO_BTF=y",
        next: "use a kernel that has it (ls /sys/kernel/btf/vmlinux), or name a BTF file of exactly this kernel: \
               --btf FILE",
    },
    Cause {
        check: Check::KPROBE,
        signs: &[
            &["kprobe", "enoent"],
            &["kprobe", "no such file"],
            &["kprobe", "not found"],
            &["kprobe", "may not exist"],
            &["kprobe_events", "invalid argument"],
            &["kprobe", "einval"],
            &["has no kprobes"],
        ],
        why: "the kernel has no function of that name to probe (renamed, inlined, or cut in parts), or has no \
              kprobes at all",
        next: "grep -w FUNCTION /proc/kallsyms; ls /sys/bus/event_source/devices/kprobe. Chandra's hooks have other \
               ways: chandra doctor shows which works",
    },
    Cause {
        check: Check::PERF_EVENT,
        signs: &[
            &["perf", "event", "attach", "invalid argument"],
            &["perf", "event", "attach", "einval"],
            &["link for perf_event", "einval"],
            &["perf_event_ioc_set_bpf", "invalid argument"],
            &["perf_event_ioc_set_bpf", "einval"],
            &["ioctl", "perf", "set_bpf"],
        ],
        why: "the program's kind does not fit the event (a tracepoint's program on a clock, a kprobe's on a \
              tracepoint), or it reads beyond the fields that the tracepoint has",
        next: "compare the program's section with the event; cat /sys/kernel/tracing/events/…/format shows the \
               fields",
    },
    Cause {
        check: Check::RING,
        signs: &[
            &["ring", "reserve", "fail"],
            &["ringbuf", "full"],
            &["ring buffer", "full"],
            &["ring is full"],
            &["ring", "enospc"],
            &["records were lost"],
        ],
        why: "records come faster than they are read, so that the ring is full and the kernel has no place for \
              the next; what has no place is lost, and counted",
        next: "a larger ring (--ring-size 16m), fewer records (--comm, --pid, …), or counts (--by comm)",
    },
    Cause {
        check: Check::HUBBLE_REFUSED,
        signs: &[&["4245", "refused"]],
        why: "Hubble's relay is looked for on port 4245 of this machine, and nothing listens there: the relay \
              is in the cluster, and no port is forwarded to it",
        next: "chandra status --port-forward, or kubectl -n kube-system port-forward service/hubble-relay 4245:80; \
               an agent of this node: --server unix:///run/chandra/hubble.sock",
    },
    Cause {
        check: Check::HUBBLE_NOT_READY,
        signs: &[
            &["hubble", "not ready"],
            &["not healthy", "not_serving"],
            &["not serving", "hubble"],
            &["healthcheck", "not_serving"],
            &["hubble", "not running"],
            &["not connected", "hubble"],
        ],
        why: "the server answers and has nothing to serve: a relay reaches none of its nodes, or an agent is \
              still starting, or Hubble is off in it",
        next: "chandra list nodes --server SERVER shows which nodes are not reached; kubectl -n kube-system get \
               pods -l k8s-app=hubble-relay",
    },
];

/// The causes of a message, the likeliest first; none where it is not known.
pub fn explain(text: &str, circumstances: &Circumstances) -> Vec<&'static Cause> {
    let text = text.to_lowercase();
    let mut found: Vec<_> = CAUSES
        .iter()
        .filter_map(|cause| Some((weight(cause, &text, circumstances)?, cause)))
        .collect();
    // Stable: what weighs the same stays in the order of the table.
    found.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    found.into_iter().map(|(_, cause)| cause).collect()
}

/// How much speaks for a cause: what is known of the machine, then how much of the text its signs cover.
fn weight(cause: &Cause, text: &str, circumstances: &Circumstances) -> Option<(i8, usize)> {
    let is_there = |sign: &&&[&str]| sign.iter().all(|word| text.contains(word));
    let covered = |sign: &&[&str]| sign.iter().map(|word| word.len()).sum::<usize>();
    let covers = cause.signs.iter().filter(is_there).map(covered).max();
    let counted = (cause.check == Check::RING && counts_losses(text)).then_some(1);
    let covers = covers.max(counted)?;
    let fits = |yes: Option<bool>| yes.map_or(0, |yes| if yes { 1 } else { -1 });
    let fit = match cause.check {
        Check::MEMLOCK => fits(circumstances.counts_locked_memory),
        Check::CAPABILITIES => fits(circumstances.may_load.map(|may| !may)),
        _ => 0,
    };
    Some((fit, covers))
}

/// `12 lost` with another number than 0, as the last line of a trace has it.
fn counts_losses(text: &str) -> bool {
    let words: Vec<_> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| match pair {
        [count, word] => {
            word.starts_with("lost") && count.parse::<u64>().is_ok_and(|count| count > 0)
        }
        _ => false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(text: &str) -> Option<&'static str> {
        explain(text, &Circumstances::default()).first().map(|cause| cause.check.id)
    }

    // Messages as these tools write them; the tests of the loader and of the binary make theirs for real.
    #[test]
    fn messages_of_other_tools_are_recognised() {
        for (text, check) in [
            (
                "map create: operation not permitted (MEMLOCK may be too low, consider rlimit.RemoveMemlock)",
                "memlock",
            ),
            ("creating map: map create: permission denied", "capabilities"),
            ("load program: invalid argument: back-edge from insn 7 to 3", "loops"),
            ("BPF program is too large. Processed 1000001 insn", "loops"),
            ("load program: unreachable insn 12", "unreachable-code"),
            ("apply CO-RE relocations: no BTF found for kernel version 4.14", "btf"),
            ("libbpf: failed to find valid kernel BTF", "btf"),
            ("cannot attach kprobe, probe entry may not exist", "kprobe"),
            ("opening kprobe: token do_unlinkat: not found", "kprobe"),
            ("ring buffer reserve failed", "ring"),
            ("ioctl(PERF_EVENT_IOC_SET_BPF): Invalid argument", "perf-event"),
            ("attach perf event: invalid argument", "perf-event"),
            ("rpc error: dial tcp [::1]:4245: connect: connection refused", "hubble-refused"),
            ("Hubble agent not ready", "hubble-not-ready"),
            ("172 seen, 20 shown, 0 filtered, 152 lost", "ring"),
        ] {
            assert_eq!(first(text), Some(check), "{text}");
        }
    }

    #[test]
    fn what_is_not_known_is_not_explained() {
        for text in [
            "",
            "everything is fine",
            "172 seen, 172 shown, 0 filtered, 0 lost",
            "connection refused",
        ] {
            assert_eq!(first(text), None, "{text}");
        }
    }

    #[test]
    fn of_two_causes_the_one_that_fits_the_machine_is_first() {
        let text = "libbpf: map 'events': failed to create: -EPERM";
        let ids = |counts_locked_memory, may_load| {
            let circumstances = Circumstances {
                counts_locked_memory: Some(counts_locked_memory),
                may_load: Some(may_load),
            };
            explain(text, &circumstances).iter().map(|cause| cause.check.id).collect::<Vec<_>>()
        };
        assert_eq!(ids(true, true), ["memlock", "capabilities"]);
        assert_eq!(ids(false, false), ["capabilities", "memlock"]);
    }

    #[test]
    fn each_cause_has_a_section_that_quotes_one_of_its_messages() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/troubleshooting.md");
        let page = std::fs::read_to_string(page).unwrap();
        for cause in CAUSES {
            let heading = format!("\n## {}\n", cause.check.id);
            let section = page.split_once(&heading).map(|(_, rest)| rest).unwrap_or_default();
            let section = section.split("\n## ").next().unwrap_or_default().to_lowercase();
            let quoted =
                cause.signs.iter().any(|sign| sign.iter().all(|word| section.contains(word)));
            assert!(quoted, "the section {} has none of its signs", cause.check.id);
        }
    }
}
