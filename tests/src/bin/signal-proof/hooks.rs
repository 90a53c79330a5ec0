//! What was found out of each hook.

use chandra_tests::trace::Outcome;

/// The hooks that the proof is about, with their signals.
const ALL: &[(&str, &str)] = &[
    ("process", "exec"),
    ("process", "fork"),
    ("process", "exit"),
    ("process", "running"),
    ("cgroup", "mkdir"),
    ("cgroup", "rmdir"),
    ("cgroup", "rename"),
    ("cgroup", "release"),
    ("tcp", "state"),
    ("tcp", "accept"),
    ("tcp", "retransmit"),
    ("tcp", "reset_sent"),
    ("tcp", "reset_received"),
    ("tcp", "open"),
    ("tcp", "update"),
    ("tcp_request", "tcp_send"),
    ("tcp_request", "tcp_read"),
    ("drop", "kfree_skb"),
    ("drop", "owners"),
    ("dns", "egress"),
    ("dns", "ingress"),
    ("file_open", "file_open"),
    ("system_call", "sys_exit"),
    ("system_call", "sys_exit, many calls"),
    ("udp", "datagram_sent"),
    ("udp", "datagram_received"),
    ("udp", "address_named"),
    ("udp", "socket_bind"),
    ("udp", "socket_release"),
    ("udp", "receive_queue_full"),
    ("udp", "open_sockets"),
    ("udp", "conversations"),
    ("icmp", "message_sent"),
    ("icmp", "message_received"),
    // With --packet-hooks, which takes other rungs.
    ("icmp", "message_sent, packet hooks"),
    ("icmp", "message_received, packet hooks"),
    ("http_request", "segment_sent"),
    ("http_request", "segment_received"),
    ("http_request", "connection_close"),
    ("http_request", "requests"),
    ("file_io", "read"),
    ("file_io", "write"),
    ("run_queue", "sched_switch"),
    ("cpu_profile", "tick"),
    // What else is proven of it, where it can be.
    ("cpu_profile", "tick, CPUs that come and go"),
    ("cpu_profile", "tick, stacks of Python"),
    ("off_cpu", "switch"),
    ("block_io", "block_rq_complete"),
    ("oom_kill", "mark_victim"),
    ("page_fault", "page_fault"),
    ("system_call_count", "sys_enter"),
    ("interrupt", "irq_handler"),
    ("interrupt", "softirq"),
    ("signal_sent", "signal_generate"),
];

/// One hook.
#[derive(Debug)]
pub struct Hook {
    pub signal: &'static str,
    pub name: &'static str,
    pub rung: Option<String>,
    pub verdict: String,
    pub problems: Vec<String>,
    /// How many records of it were compared with the truth.
    compared: u32,
    /// This kernel has no way to it.
    is_impossible: bool,
    /// Why it was not tried here, whatever the kernel can.
    pub not_tried: Option<String>,
}

impl Hook {
    /// Its records were right, and there were some; or there can be none, and Chandra said so.
    pub fn is_right(&self) -> bool {
        if self.not_tried.is_some() {
            return self.compared == 0;
        }
        if self.is_impossible {
            return self.verdict == "unsupported" && self.problems.is_empty();
        }
        self.verdict == "active" && self.problems.is_empty() && self.compared > 0
    }
}

/// All hooks, and what is wrong beyond any of them.
#[derive(Debug)]
pub struct Hooks {
    all: Vec<Hook>,
    failed_verbs: u32,
}

impl Default for Hooks {
    fn default() -> Self {
        let hook = |(signal, name): &(&'static str, &'static str)| Hook {
            signal,
            name,
            rung: None,
            verdict: "unknown".to_owned(),
            problems: Vec::new(),
            compared: 0,
            is_impossible: false,
            not_tried: None,
        };
        Self { all: ALL.iter().map(hook).collect(), failed_verbs: 0 }
    }
}

impl Hooks {
    pub fn all(&self) -> &[Hook] {
        &self.all
    }

    /// Hooks of which no record was looked for.
    pub fn leave_out_what_was_not_compared(&mut self) {
        self.all.retain(|hook| hook.compared > 0);
    }

    fn get(&mut self, name: &str) -> &mut Hook {
        self.all.iter_mut().find(|hook| hook.name == name).unwrap()
    }

    /// Notes what became of a comparison of a record of this hook.
    pub fn compared(&mut self, name: &str, outcome: Result<(), String>) {
        let hook = self.get(name);
        hook.compared += 1;
        hook.problems.extend(outcome.err());
    }

    /// Notes that this kernel has no way to a hook.
    pub fn is_impossible(&mut self, name: &str) {
        self.get(name).is_impossible = true;
    }

    /// Notes that a hook is not tried on this machine, and why.
    pub fn is_not_tried(&mut self, name: &str, why: String) {
        let hook = self.get(name);
        hook.verdict = "not tried".to_owned();
        hook.not_tried = Some(why);
    }

    /// Notes which rungs served a trace that has ended well and lost nothing.
    pub fn served(&mut self, outcome: &Outcome) {
        self.served_as(outcome, "");
    }

    /// The same where a proof calls the hooks by their names with this behind.
    pub fn served_as(&mut self, outcome: &Outcome, suffix: &str) {
        let summary = outcome.summary_without_loss();
        for hook in summary.at("hooks").unwrap().as_array().unwrap() {
            let text = |name: &str| hook.get(name).and_then(|value| value.as_str());
            let name = &*format!("{}{suffix}", text("hook").unwrap());
            if !self.all.iter().any(|hook| hook.name == name) {
                continue;
            }
            let (rung, verdict) = (text("rung").map(str::to_owned), text("verdict").unwrap());
            let known = self.get(name);
            if known.rung.is_some() && known.rung != rung {
                known.problems.push(format!("{:?} in one verb, {rung:?} in another", known.rung));
            }
            (known.rung, known.verdict) = (rung, verdict.to_owned());
        }
    }

    /// Notes that a hook was served as another one was, of which a trace has told.
    pub fn served_like(&mut self, name: &str, other: &str) {
        let other = self.get(other);
        let (rung, verdict) = (other.rung.clone(), other.verdict.clone());
        let known = self.get(name);
        (known.rung, known.verdict) = (rung, verdict);
    }

    /// A proof came to no end: which hooks are to blame is not known, so the program fails.
    pub fn verb_failed(&mut self, verb: &str, why: &str) {
        self.failed_verbs += 1;
        println!("{verb} FAILED: {why}");
    }

    /// Every verb's proof came to its end.
    pub fn is_complete(&self) -> bool {
        self.failed_verbs == 0
    }
}
