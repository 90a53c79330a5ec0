//! Which samples of a profile are looked at.

pub use regex::{Error as PatternError, Regex};

use crate::owner::{Owner, OwnerId};
use crate::profile::Profile;

/// Which samples are kept: those that everything said here is true of.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this process.
    pub pid: Option<u32>,
    /// Of processes of this name.
    pub process: Option<String>,
    /// Of containers of this name or id.
    pub container: Option<String>,
    /// Of pods of this name.
    pub pod: Option<String>,
    /// Of this namespace.
    pub namespace: Option<String>,
    /// Of this node.
    pub node: Option<String>,
    /// With a frame whose name matches.
    pub focus: Option<Regex>,
    /// Without any frame whose name matches.
    pub ignore: Option<Regex>,
}

impl Filter {
    /// Whether it keeps everything.
    pub fn is_empty(&self) -> bool {
        let Self { pid, process, container, pod, namespace, node, focus, ignore } = self;
        pid.is_none()
            && [process, container, pod, namespace, node].iter().all(|it| it.is_none())
            && [focus, ignore].iter().all(|it| it.is_none())
    }

    /// The profile with only the samples that are kept.
    pub fn apply(&self, profile: &Profile) -> Profile {
        let mut kept = profile.empty_like();
        let owners: Vec<bool> =
            profile.owners().iter().map(|owner| self.keeps_owner(profile, owner)).collect();
        let focus = self.focus.as_ref().map(|wanted| matches(profile, wanted));
        let ignore = self.ignore.as_ref().map(|unwanted| matches(profile, unwanted));
        let is = |list: &[bool], index: usize| list.get(index).copied().unwrap_or(false);
        kept.take(profile, Some(0), |sample, values| {
            let stack = sample.stack.index();
            if is(&owners, sample.owner.0 as usize)
                && focus.as_ref().is_none_or(|list| is(list, stack))
                && !ignore.as_ref().is_some_and(|list| is(list, stack))
            {
                values.extend_from_slice(sample.values);
            }
        });
        kept
    }

    /// Whether it keeps what somebody did, whatever the frames are.
    pub fn keeps(&self, profile: &Profile, owner: OwnerId) -> bool {
        let owner = profile.owners().get(owner.0 as usize);
        owner.is_some_and(|owner| self.keeps_owner(profile, owner))
    }

    fn keeps_owner(&self, profile: &Profile, owner: &Owner) -> bool {
        let texts = profile.texts();
        let fields = [
            (&self.process, owner.process),
            (&self.container, owner.container),
            (&self.pod, owner.pod),
            (&self.namespace, owner.namespace),
            (&self.node, owner.node),
        ];
        self.pid.is_none_or(|pid| pid == owner.pid)
            && fields
                .iter()
                .all(|(wanted, is)| wanted.as_deref().is_none_or(|wanted| wanted == texts.get(*is)))
    }
}

/// Of each stack, whether a frame's name matches. Parents come before their children.
fn matches(profile: &Profile, wanted: &Regex) -> Vec<bool> {
    let texts = profile.texts();
    let frames: Vec<bool> =
        profile.frames().iter().map(|frame| wanted.is_match(&frame.name(texts))).collect();
    let mut stacks: Vec<bool> = Vec::with_capacity(profile.stack_count());
    for stack in profile.stacks() {
        let matched = profile.split(stack).is_some_and(|(parent, frame)| {
            stacks.get(parent.index()).copied().unwrap_or(false)
                || frames.get(frame.0 as usize).copied().unwrap_or(false)
        });
        stacks.push(matched);
    }
    stacks
}

#[cfg(test)]
mod tests {
    use super::{Filter, Regex};
    use crate::folded;
    use crate::profile::{Limits, Profile};

    fn read(text: &str) -> Profile {
        folded::read(text.as_bytes(), Limits::default()).unwrap()
    }

    #[test]
    fn stacks_are_kept_for_what_is_in_them() {
        let all = read("main;parse;read 1\nmain;draw 2\nother;read 4\n");
        let total = |filter: Filter| filter.apply(&all).totals();
        let of = |text| Some(Regex::new(text).unwrap());
        assert_eq!(total(Filter { focus: of("read"), ..Filter::default() }), [5]);
        assert_eq!(total(Filter { ignore: of("^main$"), ..Filter::default() }), [4]);
        let both = Filter { focus: of("read"), ignore: of("parse"), ..Filter::default() };
        assert_eq!(total(both), [4]);
        assert_eq!(total(Filter::default()), [7]);
    }

    #[test]
    fn samples_of_nobody_are_not_of_a_process() {
        let all = read("main 1\n");
        assert_eq!(Filter { pid: Some(1), ..Filter::default() }.apply(&all).totals(), [0]);
    }
}
