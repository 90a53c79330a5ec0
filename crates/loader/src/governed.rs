//! What the governor decides of a signal while it runs (`bpf/governed.h`): of how many facts one is told, and
//! whether its hooks are attached at all.
//!
//! Invariant: a decision holds for facts from then on; of what lasts, for what begins from then on. Of one that began
//! before, and of one that began while hooks were not attached, nothing is told with a wrong weight or a wrong time.

use std::io;
use std::num::NonZeroU32;

use libbpf_rs::{MapCore, MapFlags};

use crate::abi::Governed;
use crate::clock;
use crate::load::Loaded;
use crate::memory;
use crate::object::{self, Attachment};
use crate::verdict::{HookVerdict, Refusal, Step, Verdict};

/// The map's name in every probe that is governed.
pub(crate) const MAP: &str = ".data.governed";

/// How much of what a probe sees it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Share {
    /// Of so many facts one, drawn at random, for all of them: a power of two. 1 is all.
    OneIn(NonZeroU32),
    /// None: they are counted in the ledger.
    Counted,
}

impl Share {
    /// Everything.
    pub const ALL: Self = Self::OneIn(NonZeroU32::MIN);

    /// As the probe and the metrics have it: 0 for none.
    pub fn one_in(self) -> u32 {
        match self {
            Self::OneIn(one_in) => one_in.get(),
            Self::Counted => 0,
        }
    }
}

/// Hooks of a signal that are attached, or were: to drop them detaches them, which costs the kernel a grace
/// period or two.
#[derive(Debug, Default)]
pub struct Hooks {
    attachments: Vec<(&'static str, Attachment)>,
    refused: Vec<(&'static str, Refusal)>,
}

impl Loaded {
    /// Tells so much from now on.
    ///
    /// # Errors
    /// The kernel's refusal, and `InvalidInput` for a signal that is not governed, and where `share` is not
    /// a power of two.
    pub fn tell_share(&self, share: Share) -> io::Result<()> {
        let one_in = share.one_in();
        if one_in != 0 && !one_in.is_power_of_two() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        self.govern(|governed| governed.one_in = one_in)
    }

    fn govern(&self, change: impl FnOnce(&mut Governed)) -> io::Result<()> {
        let map = self.map(MAP).ok_or(io::ErrorKind::InvalidInput)?;
        let key = 0_u32.to_ne_bytes();
        let value = map.lookup(&key, MapFlags::ANY).map_err(io::Error::other)?;
        let governed = value.as_deref().and_then(Governed::read);
        let mut governed = governed.ok_or(io::ErrorKind::InvalidData)?;
        change(&mut governed);
        map.update(&key, &governed.to_array(), MapFlags::ANY).map_err(io::Error::other)
    }

    /// Whether hooks that are [taken](Self::take_hooks) can be attached anew. Before Linux 5.13 a program on a
    /// function (fentry, fexit) could be attached once in its life, and the kernel says so only when it is too
    /// late.
    pub fn hooks_can_come_back(&self) -> bool {
        let is_on_function = |hook: &HookVerdict| matches!(hook.verdict, Verdict::Active(rung) if ["fentry", "fexit"].contains(&rung));
        memory::kernel_release().1 >= (5, 13) || !self.hooks.iter().any(is_on_function)
    }

    /// Takes its hooks away, while its maps and rings stay. Their verdicts stay, too: they say by which ways
    /// they can be attached.
    pub fn take_hooks(&mut self) -> Hooks {
        Hooks { attachments: std::mem::take(&mut self.attachments), refused: Vec::new() }
    }

    /// Attaches all hooks anew that were [taken](Self::take_hooks), each by the way that served it. What
    /// began before is not told of.
    ///
    /// # Errors
    /// When the probe cannot be told what began before.
    pub fn attach_hooks(&self) -> io::Result<Hooks> {
        self.govern(|governed| {
            governed.since_ns = clock::monotonic_ns();
            governed.generation = governed.generation.wrapping_add(1);
        })?;
        let mut hooks = Hooks::default();
        for HookVerdict { hook, verdict, .. } in &self.hooks {
            let Verdict::Active(name) = verdict else { continue };
            let ladder = self.ladders.iter().filter(|known| known.name == *hook);
            let mut rungs = ladder.flat_map(|hook| hook.ladder).filter(|rung| rung.name == *name);
            let Some(rung) = rungs.next() else { continue };
            let attached =
                object::attach_rung(&self.object, rung, Ok(&self.tracepoints), &self.options);
            match attached {
                Ok(new) => hooks.attachments.extend(new.into_iter().map(|one| (*hook, one))),
                Err((errno, words)) => {
                    let refusal = Refusal { rung: rung.name, step: Step::Attach, errno, words };
                    hooks.refused.push((hook, refusal));
                }
            }
        }
        Ok(hooks)
    }

    /// Keeps hooks that were attached anew, unless all were [detached](Self::detach) for good meanwhile; one
    /// that was refused has failed from now on.
    pub fn keep_hooks(&mut self, hooks: Hooks) {
        if self.is_over {
            return;
        }
        self.attachments.extend(hooks.attachments);
        for (name, refusal) in hooks.refused {
            let Some(hook) = self.hooks.iter_mut().find(|hook| hook.hook == name) else { continue };
            hook.verdict = Verdict::Failed(format!("it was attached, and not again: {refusal}"));
            hook.refusals.push(refusal);
        }
    }
}
