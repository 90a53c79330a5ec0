//! Samples that are alike, counted; and the profile that they make once names are known.

use std::collections::HashMap;

use chandra_event::cpu_sample::StackEnd;
use chandra_event::off_cpu::WaitReason;
use chandra_event::process::Comm;
use chandra_profile::filter::Filter;
use chandra_profile::frame::FrameId;
use chandra_profile::owner::{Owner, OwnerId};
use chandra_profile::profile::{Profile, TRUNCATED};

use crate::code_lists::ProcessKey;
use crate::names::{Names, Wanted, user_place};
use crate::python::{self, Pythons};
use crate::resolve::Space;

/// Stacks that differ, at most; what comes then is counted on one stack that says so.
const MAX_STACKS: usize = 1 << 20;

/// Which frames a profile has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum What {
    /// Those of programs, and those of the kernel for them.
    #[default]
    All,
    /// Only the kernel's.
    Kernel,
    /// Only those of programs.
    User,
}

/// Whose a sample is; what is not known is empty.
#[derive(Debug, Clone, Copy, Default)]
pub struct OwnerOfSample<'a> {
    /// Its process.
    pub pid: u32,
    /// When that started.
    pub start_boottime_ns: u64,
    /// The process's name.
    pub process: Comm,
    /// Its thread; 0 where threads are not told apart.
    pub tid: u32,
    /// The thread's name.
    pub thread: Comm,
    /// The container's name.
    pub container: &'a str,
    /// The pod's.
    pub pod: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// The node.
    pub node: &'a str,
    /// Bits of those who asked for it while it was sampled; see [`Shown`].
    pub marks: u8,
}

/// Of whom a profile is.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// Only who passes it.
    pub filter: &'a Filter,
    /// If any bit is set, only what was sampled with one of these marks.
    pub marks: u8,
}

impl<'a> Shown<'a> {
    /// Whoever passes this, with any marks.
    pub fn of(filter: &'a Filter) -> Self {
        Self { filter, marks: 0 }
    }
}

/// A stack as it was sampled.
#[derive(Debug, Clone, Copy)]
pub struct Sampled<'a> {
    /// Its owner, by number.
    pub owner: u32,
    /// Why the user's part ends.
    pub end: StackEnd,
    /// The kernel's part is deeper.
    pub is_kernel_truncated: bool,
    /// Addresses of the kernel, innermost first.
    pub kernel: &'a [u64],
    /// Frames of the program, innermost first (see [`UserFrame`]), and those of Python among them.
    pub user: &'a [u64],
    /// What it stands for.
    pub weight_ns: u64,
    /// What the thread did in that time, where it did not run.
    pub waited: Option<Waited>,
}

/// A wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Waited {
    /// Why the thread left.
    pub reason: WaitReason,
    /// It waited for a disk.
    pub is_io_wait: bool,
    /// Of the whole, how long it could have run.
    pub runnable_ns: u64,
}

impl Waited {
    /// What it waited for, by the place in [`WAITS`].
    fn place(self) -> u64 {
        match self.reason {
            _ if self.is_io_wait => 6,
            WaitReason::Preempted => 0,
            WaitReason::Interruptible => 1,
            WaitReason::Uninterruptible => 2,
            WaitReason::Stopped => 3,
            WaitReason::Idle => 4,
            WaitReason::Other => 5,
        }
    }
}

/// The innermost frame of a stack in which a thread waits.
const WAITS: [&str; 8] = [
    "[preempted]",
    "[interruptible sleep]",
    "[uninterruptible sleep]",
    "[stopped]",
    "[idle]",
    "[away]",
    "[waits for a disk]",
    "[waits for a CPU]",
];
const FOR_CPU: u64 = 7;

type OwnerKey = (u32, u64, Comm, u32, Comm, u8);

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Stacks {
    owners: HashMap<OwnerKey, u32>,
    /// Of each owner: itself, then container, pod, namespace and node.
    described: Vec<(OwnerKey, [String; 4])>,
    /// A stack is its owner, how it ends, how many frames are the kernel's, and the frames.
    counts: HashMap<Box<[u64]>, Count>,
    key: Vec<u64>,
    full: Count,
    bytes: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Count {
    samples: u64,
    weight_ns: u64,
}

impl Count {
    fn add(&mut self, samples: u64, weight_ns: u64) {
        self.samples += samples;
        self.weight_ns = self.weight_ns.saturating_add(weight_ns);
    }
}

/// What an owner, and what a stack takes beside its texts and its frames, in tables that have room to grow.
const OWNER_BYTES: usize = 320;
const STACK_BYTES: usize = 64;

const KERNEL_TRUNCATED: u64 = 1 << 8;
/// From this bit on: 0, or one more than the place in [`WAITS`].
const WAIT_SHIFT: u32 = 16;

impl Stacks {
    /// The number of an owner.
    pub fn owner(&mut self, owner: &OwnerOfSample<'_>) -> u32 {
        let OwnerOfSample { pid, start_boottime_ns, process, tid, thread, marks, .. } = *owner;
        let key = (pid, start_boottime_ns, process, tid, thread, marks);
        let next = u32::try_from(self.described.len()).unwrap_or(u32::MAX);
        *self.owners.entry(key).or_insert_with(|| {
            let texts = [owner.container, owner.pod, owner.namespace, owner.node];
            self.bytes += OWNER_BYTES + texts.iter().map(|text| text.len()).sum::<usize>();
            self.described.push((key, texts.map(str::to_owned)));
            next
        })
    }

    /// The number here of an owner that has this number in others.
    pub fn adopt(&mut self, others: &Self, number: u32) -> u32 {
        let Some((key, texts)) = others.described.get(number as usize) else { return 0 };
        let (pid, start_boottime_ns, process, tid, thread, marks) = *key;
        let [container, pod, namespace, node] = texts.each_ref().map(String::as_str);
        self.owner(&OwnerOfSample {
            pid,
            start_boottime_ns,
            process,
            tid,
            thread,
            container,
            pod,
            namespace,
            node,
            marks,
        })
    }

    /// The marks of an owner.
    pub fn marks(&self, number: u32) -> u8 {
        self.described.get(number as usize).map_or(0, |((.., marks), _)| *marks)
    }

    /// Memory that they take, about.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.counts.is_empty() && self.full.samples == 0
    }

    /// Counts a stack. A wait whose thread could have run before it did is two: one that counts as the wait, and
    /// the rest of its time.
    pub fn add(&mut self, sampled: &Sampled<'_>) {
        let Some(waited) = sampled.waited else {
            return self.count(sampled, 0, 1, sampled.weight_ns);
        };
        let runnable_ns = match waited.reason {
            WaitReason::Preempted => 0,
            _ => waited.runnable_ns.min(sampled.weight_ns),
        };
        self.count(sampled, waited.place() + 1, 1, sampled.weight_ns - runnable_ns);
        if runnable_ns > 0 {
            self.count(sampled, FOR_CPU + 1, 0, runnable_ns);
        }
    }

    fn count(&mut self, sampled: &Sampled<'_>, wait: u64, samples: u64, weight_ns: u64) {
        let end = StackEnd::ALL.iter().position(|end| *end == sampled.end).unwrap_or(0) as u64;
        let flags = if sampled.is_kernel_truncated { KERNEL_TRUNCATED } else { 0 };
        self.key.clear();
        let flags = end | flags | wait << WAIT_SHIFT;
        self.key.extend([sampled.owner.into(), flags, sampled.kernel.len() as u64]);
        self.key.extend(sampled.kernel);
        self.key.extend(sampled.user);
        let is_full = self.counts.len() >= MAX_STACKS;
        match self.counts.get_mut(&*self.key) {
            Some(count) => count.add(samples, weight_ns),
            None if is_full => self.full.add(samples, weight_ns),
            None => {
                self.bytes += STACK_BYTES + size_of_val(self.key.as_slice());
                self.counts.insert(self.key.as_slice().into(), Count { samples, weight_ns });
            }
        }
    }

    /// Its owners in a profile, those that are to be shown.
    pub fn owners(&self, shown: Shown<'_>, profile: &mut Profile) -> Vec<Option<OwnerId>> {
        let id = |it: &(OwnerKey, [String; 4])| {
            let ((.., marks), _) = it;
            if shown.marks != 0 && shown.marks & marks == 0 {
                return None;
            }
            let id = owner(profile, it);
            shown.filter.keeps(profile, id).then_some(id)
        };
        self.described.iter().map(id).collect()
    }

    /// The places of all frames that will be shown, of these owners.
    pub fn want(&self, what: What, owners: &[Option<OwnerId>], wanted: &mut Wanted) {
        for (key, count) in &self.counts {
            if owner_of(key, owners).is_none() {
                continue;
            }
            let (kernel, user) = parts(key);
            if what != What::Kernel {
                let process = self.process(key);
                let native = user.iter().filter(|word| !python::is_python(**word));
                native.for_each(|it| wanted.add(user_place(*it, process), count.samples));
            }
            if what != What::User {
                kernel_places(kernel).for_each(|it| wanted.add(it, count.samples));
            }
        }
    }

    /// Whose a stack is.
    fn process(&self, key: &[u64]) -> ProcessKey {
        let owner = key.first().and_then(|owner| self.described.get(*owner as usize));
        owner.map_or((0, 0), |((pid, start_boottime_ns, ..), _)| (*pid, *start_boottime_ns))
    }

    /// Puts what is of these owners into a profile of samples and nanoseconds, with these names.
    pub fn write(
        &self,
        (names, pythons): (&Names, &Pythons),
        what: What,
        owners: &[Option<OwnerId>],
        profile: &mut Profile,
    ) {
        let mut frames: Vec<FrameId> = Vec::new();
        for (key, count) in &self.counts {
            let Some(owner) = owner_of(key, owners) else { continue };
            let end_and_flags = key.get(1).copied().unwrap_or(0);
            let end = StackEnd::ALL.get((end_and_flags & 0xff) as usize);
            let end = end.copied().unwrap_or(StackEnd::Outermost);
            let (kernel, user) = parts(key);
            frames.clear();
            if what != What::Kernel {
                if end == StackEnd::Depth {
                    frames.push(profile.marker(TRUNCATED));
                } else if !end.is_whole() {
                    frames.push(profile.marker(&format!("[stack ends: {}]", end.word())));
                }
                let process = self.process(key);
                for word in user.iter().rev() {
                    match pythons.frame(*word, profile) {
                        Some(frame) => frames.push(frame),
                        None => names.push(user_place(*word, process), profile, &mut frames),
                    }
                }
            }
            if what != What::User {
                if end_and_flags & KERNEL_TRUNCATED != 0 {
                    frames.push(profile.marker(TRUNCATED));
                }
                for place in kernel_places(kernel).rev() {
                    names.push(place, profile, &mut frames);
                }
            }
            let wait = (end_and_flags >> WAIT_SHIFT).checked_sub(1);
            if let Some(wait) = wait.and_then(|wait| WAITS.get(usize::try_from(wait).ok()?)) {
                frames.push(profile.marker(wait));
            }
            if frames.is_empty() {
                frames.push(profile.marker("[not shown]"));
            }
            let stack = profile.stack(&frames);
            put(profile, stack, owner, count);
        }
        if self.full.samples > 0 {
            let marker = profile.marker("[not told apart: too many stacks]");
            let stack = profile.stack(&[marker]);
            put(profile, stack, OwnerId::UNKNOWN, &self.full);
        }
    }
}

fn owner_of(key: &[u64], owners: &[Option<OwnerId>]) -> Option<OwnerId> {
    key.first().and_then(|owner| *owners.get(*owner as usize)?)
}

fn put(
    profile: &mut Profile,
    stack: chandra_profile::profile::StackId,
    owner: OwnerId,
    count: &Count,
) {
    // The profile was made for these two values.
    let added = profile.add(stack, owner, None, &[count.samples, count.weight_ns]);
    debug_assert!(added.is_ok(), "{added:?}");
}

fn parts(key: &[u64]) -> (&[u64], &[u64]) {
    let kernel = key.get(2).copied().unwrap_or(0) as usize;
    key.get(3..).unwrap_or_default().split_at_checked(kernel).unwrap_or_default()
}

/// Where frames of the kernel are looked up. All but the innermost are where they are returned to, which may be
/// another function: the call is before it.
fn kernel_places(kernel: &[u64]) -> impl DoubleEndedIterator<Item = (Space, u64)> {
    let places = kernel.iter().enumerate();
    places.map(|(depth, address)| (Space::Kernel, address.wrapping_sub(u64::from(depth > 0))))
}

fn owner(profile: &mut Profile, (key, texts): &(OwnerKey, [String; 4])) -> OwnerId {
    let (pid, start_boottime_ns, process, tid, thread, _) = key;
    let mut text = |comm: &Comm| profile.text(&String::from_utf8_lossy(comm.as_bytes()));
    let (process, thread) = (text(process), text(thread));
    let [container, pod, namespace, node] = texts.each_ref().map(|it| profile.text(it));
    let (pid, start_boottime_ns, tid) = (*pid, *start_boottime_ns, *tid);
    profile.owner(Owner {
        pid,
        start_boottime_ns,
        process,
        tid,
        thread,
        container,
        pod,
        namespace,
        node,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use chandra_profile::metadata::ValueType;

    #[test]
    fn samples_that_are_alike_are_one_and_their_ends_are_told() {
        let mut stacks = Stacks::default();
        let owner = stacks.owner(&OwnerOfSample { pid: 7, ..OwnerOfSample::default() });
        assert_eq!(stacks.owner(&OwnerOfSample { pid: 7, ..OwnerOfSample::default() }), owner);
        let kernel = [0xffff_ffff_8100_0000];
        let (whole, cut) = (StackEnd::Outermost, StackEnd::Unreadable);
        for (end, user) in [(whole, [0x10]), (whole, [0x10]), (cut, [0x10]), (whole, [0x20])] {
            let sampled = Sampled {
                owner,
                end,
                is_kernel_truncated: false,
                kernel: &kernel,
                user: &user,
                weight_ns: 5,
                waited: None,
            };
            stacks.add(&sampled);
        }
        let types = vec![ValueType::samples(), ValueType::cpu()];
        let mut profile = Profile::new(types, Default::default());
        let owners = stacks.owners(Shown::of(&Filter::default()), &mut profile);
        stacks.write((&Names::default(), &Pythons::default()), What::All, &owners, &mut profile);
        assert_eq!((profile.totals(), profile.sample_count()), (vec![4, 20], 3));
        let mut folded = Vec::new();
        chandra_profile::folded::write(&profile, Default::default(), 0, &mut folded).unwrap();
        let mut lines: Vec<_> = std::str::from_utf8(&folded).unwrap().lines().collect();
        lines.sort_unstable();
        let place = "[unknown] 0x10;[unknown] 0xffffffff81000000_[k] ";
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[0].starts_with("[stack ends: unreadable];[unknown] 0x10"), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(place) && line.ends_with(" 2")), "{lines:?}");
    }

    #[test]
    fn what_was_sampled_for_somebody_can_be_told_from_the_rest() {
        let mut stacks = Stacks::default();
        for (marks, weight_ns) in [(0b01, 1), (0b11, 10), (0b10, 100), (0, 1000)] {
            let owner = OwnerOfSample { pid: 7, marks, ..OwnerOfSample::default() };
            let owner = stacks.owner(&owner);
            assert_eq!(stacks.marks(owner), marks);
            stacks.add(&Sampled {
                owner,
                end: StackEnd::Outermost,
                is_kernel_truncated: false,
                kernel: &[],
                user: &[0x10],
                weight_ns,
                waited: None,
            });
        }
        for (marks, expected) in [(0b01, [2, 11]), (0b10, [2, 110]), (0, [4, 1111])] {
            let types = vec![ValueType::samples(), ValueType::cpu()];
            let mut profile = Profile::new(types, Default::default());
            let filter = Filter::default();
            let owners = stacks.owners(Shown { filter: &filter, marks }, &mut profile);
            let names = (&Names::default(), &Pythons::default());
            stacks.write(names, What::All, &owners, &mut profile);
            // Whom it is of does not depend on who asked.
            assert_eq!((profile.totals(), profile.sample_count()), (expected.to_vec(), 1));
        }
    }

    #[test]
    fn a_wait_is_counted_once_and_its_time_is_split_by_what_was_waited_for() {
        let mut stacks = Stacks::default();
        let owner = stacks.owner(&OwnerOfSample { pid: 7, ..OwnerOfSample::default() });
        let waited = |reason, is_io_wait, runnable_ns| Waited { reason, is_io_wait, runnable_ns };
        for (waited, weight_ns) in [
            (waited(WaitReason::Interruptible, false, 30), 100),
            (waited(WaitReason::Interruptible, false, 0), 100),
            (waited(WaitReason::Uninterruptible, true, 5), 50),
            (waited(WaitReason::Preempted, false, 40), 40),
        ] {
            stacks.add(&Sampled {
                owner,
                end: StackEnd::Outermost,
                is_kernel_truncated: false,
                kernel: &[],
                user: &[0x10],
                weight_ns,
                waited: Some(waited),
            });
        }
        let types = vec![ValueType::new("waits", "count"), ValueType::off_cpu()];
        let mut profile = Profile::new(types, Default::default());
        let owners = stacks.owners(Shown::of(&Filter::default()), &mut profile);
        stacks.write((&Names::default(), &Pythons::default()), What::Kernel, &owners, &mut profile);
        assert_eq!(profile.totals(), vec![4, 290]);
        let mut folded = Vec::new();
        chandra_profile::folded::write(&profile, Default::default(), 1, &mut folded).unwrap();
        let mut lines: Vec<_> = std::str::from_utf8(&folded).unwrap().lines().collect();
        lines.sort_unstable();
        let expected = [
            "[interruptible sleep] 170",
            "[preempted] 40",
            "[waits for a CPU] 35",
            "[waits for a disk] 45",
        ];
        assert_eq!(lines, expected);
    }
}
