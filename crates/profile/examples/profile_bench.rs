//! What profiles cost: a million samples of 50,000 distinct stacks, taken in, kept, drawn, written and read.
//!
//! `cargo run --release -p chandra-profile --example profile_bench`
//!
//! Lines that begin with `profile_` are for programs: name, value, unit.
#![allow(clippy::unwrap_used, reason = "a bench stops where something is not as expected")]

use std::hint::black_box;
use std::time::Instant;

use chandra_profile::diff::{self, Comparison};
use chandra_profile::frame::{Frame, FrameId, Kind};
use chandra_profile::metadata::ValueType;
use chandra_profile::owner::{Grouping, Owner, OwnerId};
use chandra_profile::profile::{Limits, Profile};
use chandra_profile::{firefox, folded, html, layout, pprof, speedscope, svg};

const SAMPLES: usize = 1_000_000;
const STACKS: usize = 50_000;
const FUNCTIONS: usize = 8_000;
const THREADS: u32 = 200;
const ROUNDS: usize = 5;

/// xorshift64, with a seed that never changes: each run takes the same samples.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % bound
    }
}

struct Work {
    frames: Vec<Frame>,
    stacks: Vec<Vec<FrameId>>,
    owners: Vec<OwnerId>,
    profile: Profile,
}

impl Work {
    /// Stacks of 10 to 50 frames: each shares the frames of another up to some depth, as real ones do.
    fn new() -> Self {
        let types = vec![ValueType::samples(), ValueType::cpu()];
        let mut profile = Profile::new(types, Limits::default());
        let mut draw = Draw(88_172_645_463_325_252);
        let mut frames = Vec::new();
        let ids: Vec<FrameId> = (0..FUNCTIONS)
            .map(|number| {
                let name = format!("service::module_{}::function_{number}<T>", number % 300);
                let function = profile.text(&name);
                let module = profile.text(&format!("/usr/lib/lib{}.so", number % 60));
                let file = profile.text(&format!("src/module_{}.rs", number % 300));
                let line = number as u32 % 1000;
                let kind = if number % 10 == 0 { Kind::Kernel } else { Kind::Native };
                let frame = Frame { function, module, file, line, kind, ..Frame::default() };
                frames.push(frame);
                profile.frame(frame)
            })
            .collect();
        let mut stacks: Vec<Vec<FrameId>> = vec![vec![ids[0]; 10]];
        while stacks.len() < STACKS {
            let like = &stacks[draw.below(stacks.len())];
            let shared = 1 + draw.below(like.len());
            let depth = (shared + 1 + draw.below(12)).clamp(10, 50);
            let mut stack: Vec<FrameId> = like[..shared.min(depth - 1)].to_vec();
            while stack.len() < depth {
                stack.push(ids[draw.below(FUNCTIONS)]);
            }
            stacks.push(stack);
        }
        let process = profile.text("service");
        let owners = (0..THREADS)
            .map(|tid| {
                let pid = 1000 + tid % 20;
                profile.owner(Owner { pid, process, tid: 5000 + tid, ..Owner::default() })
            })
            .collect();
        Self { frames, stacks, owners, profile }
    }

    /// As a sampler would: frames by what they are, then the stack, then the sample.
    fn take(&mut self, samples: usize) {
        let mut draw = Draw(362_436_069_362_436_069);
        for _ in 0..samples {
            // A few stacks are common, most are rare.
            let stack = draw.below(STACKS).min(draw.below(STACKS)).min(draw.below(STACKS));
            let thread = stack % self.owners.len();
            let stack = self.profile.stack(&self.stacks[stack]);
            self.profile.add(stack, self.owners[thread], None, &[1, 10_101_010]).unwrap();
        }
    }
}

fn main() {
    let started = Instant::now();
    let mut work = Work::new();
    let built = started.elapsed();
    let before = resident_bytes();
    let started = Instant::now();
    work.take(SAMPLES);
    say("add", started.elapsed().as_secs_f64() * 1e9 / SAMPLES as f64, "ns/sample");
    let grown = resident_bytes().saturating_sub(before);
    let profile = work.profile;
    eprintln!("{} frames, work made in {built:?}", work.frames.len());
    say("samples", profile.sample_count() as f64, "distinct");
    say("stacks", profile.stack_count() as f64, "nodes");
    say("memory", profile.bytes() as f64 / 1e6, "MB");
    say("resident_growth", grown as f64 / 1e6, "MB");

    let value = profile.default_value();
    let title = || "bench".to_owned();
    let grouping = Grouping::None;
    let picture =
        svg::Options { title: title(), grouping, value, limits: layout::Limits::default() };
    time("svg", |out| svg::write(&profile, &picture, out).unwrap());
    let page = html::Options { title: title(), grouping, value, max_frames: html::MAX_FRAMES };
    time("html", |out| html::write(&profile, &page, out).unwrap());
    let packed = time("pprof", |out| pprof::write(&profile, out).unwrap());
    time("pprof_read", |_| drop(black_box(pprof::read(&packed, Limits::default()).unwrap())));
    let text = time("folded", |out| folded::write(&profile, grouping, value, out).unwrap());
    time("folded_read", |_| drop(black_box(folded::read(&text, Limits::default()).unwrap())));
    time("speedscope", |out| speedscope::write(&profile, "bench", value, out).unwrap());
    time("firefox", |out| firefox::write(&profile, "bench", value, out).unwrap());
    time("diff_svg", |out| {
        let comparison = Comparison::new(&profile, &profile, diff::Options::default()).unwrap();
        diff::write_svg(&comparison, "bench", layout::Limits::default(), out).unwrap();
    });
}

/// The best of some rounds, in ms, and what was written.
fn time(name: &str, mut work: impl FnMut(&mut Vec<u8>)) -> Vec<u8> {
    let mut best = f64::MAX;
    let mut out = Vec::new();
    for _ in 0..ROUNDS {
        out.clear();
        let started = Instant::now();
        work(&mut out);
        best = best.min(started.elapsed().as_secs_f64() * 1e3);
    }
    say(name, best, "ms");
    if !out.is_empty() {
        say(&format!("{name}_size"), out.len() as f64 / 1e6, "MB");
    }
    out
}

fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap();
    status.split_whitespace().nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

fn say(name: &str, value: f64, unit: &str) {
    println!("profile_{name} {value:.1} {unit}");
}
