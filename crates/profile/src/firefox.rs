//! The Firefox Profiler's own format, by the crate of its authors.
//!
//! Its threads have samples in the order of time. Of a profile that keeps no times, stacks are laid out one
//! after the other, each for as long as its samples took: what is wide in the timeline is then how much, not
//! when.

use std::collections::HashMap;
use std::io::{self, Write};
use std::time::Duration;

use foldhash::fast::RandomState;
use fxprof_processed_profile::{
    CategoryColor, CategoryHandle, CategoryPairHandle, CpuDelta, Frame, FrameFlags, FrameInfo,
    Profile as File, ReferenceTimestamp, SamplingInterval, ThreadHandle, Timestamp, WeightType,
};

use crate::frame::Kind;
use crate::metadata::ValueType;
use crate::owner::{Grouping, Owner};
use crate::profile::{Profile, Sample};

/// What a sampling profiler takes unless it is told otherwise; used where a profile does not say.
const DEFAULT_INTERVAL_NS: u64 = 10_000_000;

/// A sample becomes no more than so many.
const MAX_PARTS: u64 = 4096;

/// Writes the value of this index; of times with samples beside them, the samples.
///
/// # Errors
/// When it cannot be written, and when a value is beyond what the format can hold.
pub fn write(profile: &Profile, title: &str, value: usize, out: &mut dyn Write) -> io::Result<()> {
    let metadata = &profile.metadata;
    let interval_ns = match (&metadata.period, metadata.frequency_hz) {
        (Some((of, period)), _) if of.unit == "nanoseconds" => *period,
        (_, Some(hertz)) if hertz > 0 => 1_000_000_000 / u64::from(hertz),
        _ => DEFAULT_INTERVAL_NS,
    };
    let start = Duration::from_nanos(metadata.start_unix_ns.unwrap_or(0));
    let start = ReferenceTimestamp::from_duration_since_unix_epoch(start);
    let interval = SamplingInterval::from_nanos(interval_ns);
    let mut writer = Writer {
        profile,
        weight: Weight::of(profile, value),
        interval_ns,
        categories: HashMap::default(),
        threads: HashMap::default(),
        processes: HashMap::default(),
        file: File::new(title, start, interval),
    };
    writer.file.set_symbolicated(true);
    let mut samples: Vec<Sample<'_>> = profile.samples().collect();
    samples.sort_by_key(|sample| sample.time_ns);
    for sample in &samples {
        writer.sample(sample)?;
    }
    serde_json::to_writer(&mut *out, &writer.file)?;
    out.write_all(b"\n")
}

/// What weighs a sample.
#[derive(Debug)]
struct Weight {
    index: usize,
    /// So much of the value is one.
    divisor: u64,
    of: WeightType,
}

impl Weight {
    fn of(profile: &Profile, value: usize) -> Self {
        let types = profile.value_types();
        let unit = types.get(value).map_or("", |it| it.unit.as_str());
        let count = types.iter().position(ValueType::is_count);
        match (unit, count) {
            ("bytes", _) => Self { index: value, divisor: 1, of: WeightType::Bytes },
            ("nanoseconds", Some(index)) => Self { index, divisor: 1, of: WeightType::Samples },
            ("nanoseconds", None) => {
                Self { index: value, divisor: 1_000_000, of: WeightType::TracingMs }
            }
            _ => Self { index: value, divisor: 1, of: WeightType::Samples },
        }
    }
}

struct Thread {
    handle: ThreadHandle,
    /// When its next sample may be.
    next_ns: u64,
    /// What is left of values that were no whole weights.
    carried: u64,
}

struct Writer<'a> {
    profile: &'a Profile,
    file: File,
    weight: Weight,
    interval_ns: u64,
    categories: HashMap<Kind, CategoryHandle, RandomState>,
    processes: HashMap<u32, fxprof_processed_profile::ProcessHandle, RandomState>,
    threads: HashMap<(u32, u32), Thread, RandomState>,
}

impl Writer<'_> {
    fn sample(&mut self, sample: &Sample<'_>) -> io::Result<()> {
        let owner = self.profile.owner_of(sample.owner);
        let key = (owner.pid, owner.tid);
        if !self.threads.contains_key(&key) {
            let thread = self.new_thread(&owner);
            self.threads.insert(key, thread);
        }
        let mut ids: Vec<_> = self.profile.frames_from_leaf(sample.stack).collect();
        ids.reverse();
        let frames: Vec<FrameInfo> = ids.into_iter().map(|id| self.frame(id)).collect();
        let Some(thread) = self.threads.get_mut(&key) else { return Ok(()) };
        let stack = self.file.intern_stack_frames(thread.handle, frames.into_iter());
        let value = sample.values.get(self.weight.index).copied().unwrap_or(0);
        let value = value.saturating_add(thread.carried);
        thread.carried = value % self.weight.divisor;
        let mut weight = value / self.weight.divisor;
        let time_ns = sample.time_ns.unwrap_or(thread.next_ns);
        let lasts = match self.weight.of {
            WeightType::Samples => self.interval_ns.saturating_mul(weight),
            _ => self.interval_ns,
        };
        thread.next_ns = time_ns.saturating_add(lasts);
        // Weights have 31 bits: more than that is more than one sample.
        if weight > MAX_PARTS * i32::MAX as u64 {
            return Err(io::Error::other("a value is too large for this format"));
        }
        while weight > 0 {
            let part = i32::try_from(weight).unwrap_or(i32::MAX);
            let time = Timestamp::from_nanos_since_reference(time_ns);
            self.file.add_sample(thread.handle, time, stack, CpuDelta::ZERO, part);
            weight -= u64::from(part.unsigned_abs());
        }
        Ok(())
    }

    fn new_thread(&mut self, owner: &Owner) -> Thread {
        let texts = self.profile.texts();
        let zero = Timestamp::from_nanos_since_reference(0);
        let process = *self.processes.entry(owner.pid).or_insert_with(|| {
            let name = match owner.pid {
                0 => "all".to_owned(),
                _ => Grouping::Process.name(owner, texts),
            };
            self.file.add_process(&name, owner.pid, zero)
        });
        let is_main = owner.tid == owner.pid;
        let handle = self.file.add_thread(process, owner.tid, zero, is_main);
        self.file.set_thread_name(handle, &Grouping::Thread.name(owner, texts));
        self.file.set_thread_samples_weight_type(handle, self.weight.of.clone());
        Thread { handle, next_ns: 0, carried: 0 }
    }

    fn frame(&mut self, id: crate::frame::FrameId) -> FrameInfo {
        let frame = self.profile.frame_of(id);
        let name = self.file.intern_string(&frame.name(self.profile.texts()));
        let category = *self.categories.entry(frame.kind).or_insert_with(|| {
            let color = match frame.kind {
                Kind::Kernel => CategoryColor::Orange,
                Kind::Native | Kind::Inlined => CategoryColor::Green,
                Kind::Interpreted => CategoryColor::Blue,
                Kind::Jit => CategoryColor::Purple,
                Kind::Marker | Kind::Owner => CategoryColor::Gray,
            };
            self.file.add_category(frame.kind.word(), color)
        });
        let category_pair = CategoryPairHandle::from(category);
        FrameInfo { frame: Frame::Label(name), category_pair, flags: FrameFlags::empty() }
    }
}
