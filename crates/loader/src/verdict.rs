//! What became of a hook, and of a signal: one of four states, with the kernel's own words.

use std::fmt;

/// Where a rung was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The verifier or the system call for loading.
    Load,
    /// Attaching.
    Attach,
    /// Not by the kernel: nobody asked for it.
    Ask,
}

/// A rung that the kernel refused, or that was not tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The rung's name.
    pub rung: &'static str,
    /// Where.
    pub step: Step,
    /// errno, positive; 0 when not known.
    pub errno: i32,
    /// What the kernel or libbpf said.
    pub words: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let step = match self.step {
            Step::Load => "load",
            Step::Attach => "attach",
            Step::Ask => return write!(out, "{} not tried: {}", self.rung, self.words),
        };
        write!(out, "{} refused at {step}: {}", self.rung, self.words)
    }
}

/// The outcome for a hook or a signal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It works, by this rung.
    Active(&'static str),
    /// This kernel cannot do it.
    Unsupported(String),
    /// The kernel could, but did not let us.
    Failed(String),
    /// Not asked for.
    Off,
}

impl Verdict {
    /// `active`, `unsupported`, `failed` or `off`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Active(_) => "active",
            Self::Unsupported(_) => "unsupported",
            Self::Failed(_) => "failed",
            Self::Off => "off",
        }
    }

    /// Whether it works.
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Active(_))
    }

    /// The verdict on a hook whose whole ladder was refused.
    ///
    /// A kernel that lacks the thing says so with ENOENT, EINVAL, ENOTSUPP and the like. EPERM when
    /// loading stands for missing rights, but also for kernels built without BPF trampolines, so it
    /// counts as failed only when no rung was refused for lack of the thing. When attaching, EPERM
    /// and EACCES are a matter of rights; when loading, EACCES is how the verifier refuses a memory
    /// access.
    pub fn of_refusals(refusals: &[Refusal]) -> Self {
        let not_allowed_to_load =
            |refusal: &Refusal| refusal.step == Step::Load && refusal.errno == libc::EPERM;
        let not_allowed_to_attach = |refusal: &Refusal| {
            refusal.step == Step::Attach && [libc::EPERM, libc::EACCES].contains(&refusal.errno)
        };
        let words = refusals.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        let is_tried = |refusal: &Refusal| refusal.step != Step::Ask;
        if !refusals.iter().any(is_tried) {
            Self::Off
        } else if refusals.iter().any(not_allowed_to_attach) {
            Self::Failed(format!("not permitted: {words}"))
        } else if refusals.iter().any(|refusal| is_lack(refusal.errno)) {
            Self::Unsupported(words)
        } else if refusals.iter().any(not_allowed_to_load) {
            Self::Failed(format!("not permitted: {words}"))
        } else {
            Self::Failed(words)
        }
    }
}

fn is_lack(errno: i32) -> bool {
    const ENOTSUPP: i32 = 524;
    [libc::ENOENT, libc::ESRCH, libc::EINVAL, libc::EOPNOTSUPP, libc::ENODEV, ENOTSUPP]
        .contains(&errno)
}

/// A hook with its verdict and the rungs refused before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookVerdict {
    /// The hook's name.
    pub hook: &'static str,
    /// Its verdict.
    pub verdict: Verdict,
    /// Refused rungs, best first.
    pub refusals: Vec<Refusal>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(rung: &'static str, errno: i32) -> Refusal {
        Refusal { rung, step: Step::Load, errno, words: "no".to_owned() }
    }

    #[test]
    fn a_ladder_refused_only_for_rights_has_failed() {
        let verdict =
            Verdict::of_refusals(&[refusal("tp_btf", libc::EPERM), refusal("raw_tp", libc::EPERM)]);
        assert_eq!(verdict.word(), "failed");
    }

    #[test]
    fn a_ladder_that_ends_at_a_missing_hook_is_unsupported() {
        let verdict = Verdict::of_refusals(&[
            refusal("fentry", libc::EPERM),
            refusal("kprobe", libc::ENOENT),
        ]);
        assert_eq!(verdict.word(), "unsupported");
    }

    #[test]
    fn the_verifiers_refusal_of_a_memory_access_is_no_matter_of_rights() {
        let load = refusal("tp_btf", libc::EACCES);
        let attach = Refusal { step: Step::Attach, ..load.clone() };
        assert_eq!(
            Verdict::of_refusals(&[load]),
            Verdict::Failed("tp_btf refused at load: no".to_owned())
        );
        assert_eq!(
            Verdict::of_refusals(&[attach]),
            Verdict::Failed("not permitted: tp_btf refused at attach: no".to_owned())
        );
    }

    #[test]
    fn a_rung_that_only_rights_kept_from_attaching_makes_the_ladder_fail() {
        let attach = Refusal { step: Step::Attach, ..refusal("tracepoint", libc::EPERM) };
        let verdict = Verdict::of_refusals(&[refusal("kprobe", libc::ENOENT), attach]);
        assert_eq!(verdict.word(), "failed");
    }

    #[test]
    fn what_nobody_asked_for_is_off_and_does_not_hide_what_the_kernel_said() {
        let words = "it is on the path of every packet".to_owned();
        let unasked = Refusal { rung: "cgroup_skb", step: Step::Ask, errno: 0, words };
        assert_eq!(Verdict::of_refusals(std::slice::from_ref(&unasked)), Verdict::Off);
        let text =
            "cgroup_skb not tried: it is on the path of every packet; kprobe refused at load: no";
        let verdict = Verdict::of_refusals(&[unasked, refusal("kprobe", libc::ENOENT)]);
        assert_eq!(verdict, Verdict::Unsupported(text.to_owned()));
    }

    #[test]
    fn a_kernel_that_lacks_the_thing_may_say_so_in_many_ways() {
        for errno in [libc::ENOENT, libc::ESRCH, libc::EINVAL, libc::EOPNOTSUPP, libc::ENODEV, 524]
        {
            assert_eq!(Verdict::of_refusals(&[refusal("kprobe", errno)]).word(), "unsupported");
        }
        assert_eq!(Verdict::of_refusals(&[refusal("kprobe", libc::ENOMEM)]).word(), "failed");
    }
}
