//! CPUs that are taken away and given back while they are sampled: what runs there afterwards is sampled again, and the
//! time between is nobody's. Only in a guest of tests/kernels/boot: another machine's CPUs are not to be taken away.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chandra_tests::actor::Actor;
use chandra_tests::contest::bind_to;
use chandra_tests::disk::is_guest;
use chandra_tests::profiling::Profiling;
use chandra_tests::trace::Trace;

use crate::hooks::Hooks;
use crate::new_actor;

/// It is away for a moment, which is over before anybody looks, and for so long.
const AWAY: [Duration; 2] = [Duration::ZERO, Duration::from_secs(3)];
/// It computes there for so long, and so often at most until it is sampled.
const SPIN_MS: u64 = 500;
const SPINS: u32 = 40;
/// Its row of the table.
const ROW: &str = "tick, CPUs that come and go";

/// A CPU that can be taken away.
struct Cpu {
    number: u64,
    online: PathBuf,
}

impl Cpu {
    fn find() -> Option<Self> {
        let at = |number| format!("/sys/devices/system/cpu/cpu{number}/online").into();
        let mut all = (1..8).rev().map(|number| Self { number, online: at(number) });
        all.find(|cpu| cpu.online.exists())
    }

    fn set(&self, is_online: bool) {
        fs::write(&self.online, if is_online { "1" } else { "0" }).unwrap();
    }
}

/// A CPU that goes and comes, twice.
pub fn moves(chandra: &Path, hooks: &mut Hooks) {
    if !is_guest() {
        return hooks.is_not_tried(ROW, "this machine's CPUs are not to be taken away".to_owned());
    }
    let Some(cpu) = Cpu::find() else {
        return hooks.is_not_tried(ROW, "no CPU can be taken away".to_owned());
    };
    let mut actor = new_actor();
    actor.wait_until_idle();
    let pid = actor.pid().to_string();
    let profiling = Profiling::start_program(chandra, &["--identity", "off", "--pid", &pid]);
    let mut trace = Trace::start_program(chandra, &["cpu", "--pid", &pid]);
    for away in AWAY {
        cpu.set(false);
        // This is the time that must not be told as somebody's.
        std::thread::sleep(away);
        cpu.set(true);
        hooks.compared(ROW, comes_back(&cpu, &mut actor, &mut trace));
    }
    hooks.served(&trace.stop());
    hooks.served_like(ROW, "tick");
    let summary = profiling.stop().summary;
    // Where it had not looked since the first time, both are one.
    let is_told = ["CPUs went offline", "CPUs came online"].map(|text| summary.contains(text));
    hooks.compared(ROW, if is_told == [true; 2] { Ok(()) } else { Err(summary) });
}

/// The first sample there stands for no more than a part of the time that it was away for.
fn comes_back(cpu: &Cpu, actor: &mut Actor, trace: &mut Trace) -> Result<(), String> {
    let before = trace.records().len();
    for _ in 0..SPINS {
        bind_to(actor.pid(), cpu.number as usize);
        actor.ask(&format!("spin {SPIN_MS}"));
        actor.wait_until_idle();
        let new = trace.records().get(before..).unwrap_or_default();
        let Some(first) = new.iter().find(|it| it.number("cpu") == Some(cpu.number)) else {
            continue;
        };
        let weight_ms = first.number("weight_ns").unwrap_or(u64::MAX) / 1_000_000;
        let is_right = weight_ms < AWAY[1].as_millis() as u64 / 2;
        return if is_right { Ok(()) } else { Err(first.0.to_string()) };
    }
    Err(format!("CPU {} was not sampled any more", cpu.number))
}
