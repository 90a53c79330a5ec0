//! Every rung of every ladder, alone: a kernel shows only the best that it takes, so that without
//! this the lower ones would be proven on no machine but the one that needs them. A rung must be
//! taken or refused exactly as the whole ladder has it, and one that is taken must tell of what this
//! test does: being loaded proves nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test states what it expects by stopping where that does not hold"
)]

mod counts;
mod network;
mod processes;

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use chandra_event::json;
use chandra_loader::abi::{Config, Counters};
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::ring::{self, Reader};
use chandra_loader::spec::{Hook, Rung, SignalSpec};
use chandra_loader::verdict::{HookVerdict, Verdict};
use chandra_loader::{MapCore, MapHandle, btf, ledger};
use chandra_signals::filter::Filter;
use chandra_signals::{Context, SIGNALS, Signal, registry};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;

fn signal(name: &str) -> &'static Signal {
    registry::signal(name).unwrap()
}

fn hook(signal: &Signal, name: &str) -> &'static Hook {
    signal.spec.hooks.iter().find(|hook| hook.name == name).unwrap()
}

/// The signal with one hook that has one rung.
fn alone(signal: &Signal, hook: &'static Hook, rung: &'static Rung) -> &'static SignalSpec {
    with_hooks(signal, vec![lone(hook, rung)])
}

fn lone(hook: &'static Hook, rung: &'static Rung) -> Hook {
    let rung = Rung { ..*rung };
    Hook { name: hook.name, ladder: Box::leak(Box::new([rung])) }
}

fn with_hooks(signal: &Signal, hooks: Vec<Hook>) -> &'static SignalSpec {
    Box::leak(Box::new(SignalSpec { hooks: hooks.leak(), ..signal.spec }))
}

/// Loads all hooks of `spec` for all kinds of records.
fn load_all(signal: &Signal, spec: &SignalSpec, filter: &Filter) -> Loaded {
    let kinds = signal.kinds.iter().fold(0, |bits, (_, number)| bits | 1 << number);
    let config = filter.config(kinds, 0).unwrap();
    let hooks: Vec<_> = spec.hooks.iter().map(|hook| hook.name).collect();
    load_hooks(spec, &hooks, config)
}

fn load_hooks(spec: &SignalSpec, hooks: &[&str], config: Config) -> Loaded {
    let options = Options { ring_bytes: Some(1 << 20), packet_hooks: true, ..Options::default() };
    load(&Request {
        spec,
        hooks,
        config,
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &options,
    })
    .unwrap()
}

/// Every rung of a signal's ladders with its hook.
fn rungs(signal: &'static Signal) -> impl Iterator<Item = (&'static Hook, &'static Rung)> {
    signal.spec.hooks.iter().flat_map(|hook| hook.ladder.iter().map(move |rung| (hook, rung)))
}

fn map(loaded: &Loaded, name: &str) -> MapHandle {
    let map = loaded.object().maps().find(|map| map.name() == name).unwrap();
    MapHandle::try_from(&map).unwrap()
}

fn listen(loaded: &Loaded) {
    ring::listen(&map(loaded, "reader")).unwrap();
}

fn counters(loaded: &Loaded) -> Counters {
    ledger::read(loaded.object())
}

/// The counters at a moment at which no other processor was in the midst of counting.
fn balanced(loaded: &Loaded) -> Counters {
    wait_for("books that balance", || {
        Some(counters(loaded)).filter(|counters| counters.imbalance() == 0)
    })
}

/// Loads each rung of these hooks alone and, where the kernel takes it, lets `prove` prove it.
fn prove_each(
    signal: &'static Signal,
    hooks: &[&str],
    prove: impl Fn(&'static Hook, &'static Rung, &Loaded),
) {
    for (hook, rung) in rungs(signal).filter(|(hook, _)| hooks.contains(&hook.name)) {
        let filter = Filter::default();
        let loaded = load_all(signal, alone(signal, hook, rung), &filter);
        match &loaded.hooks[..] {
            [HookVerdict { verdict: Verdict::Active(_), .. }] => prove(hook, rung, &loaded),
            [refused] => println!("{}: {:?}", hook.name, refused.refusals),
            other => panic!("{other:?}"),
        }
    }
}

/// Acts while a rung is listened to, and waits for the record that is wanted of it. What was seen
/// must be in the kernel's books.
fn tells(
    signal: &'static Signal,
    loaded: &Loaded,
    act: impl FnOnce(),
    wanted: impl Fn(&Record) -> bool,
) -> Record {
    let context = Context::new(None);
    let records = Rc::new(RefCell::new(Vec::new()));
    let sink = Rc::clone(&records);
    let events = loaded.object().maps().find(|map| map.name() == "events").unwrap();
    let mut reader = Reader::new(&events, loaded.ring_bytes, move |bytes| {
        let mut push = |record: &dyn chandra_event::record::Record| {
            let mut line = Vec::new();
            json::write_line(record, None, &mut line);
            sink.borrow_mut().push(Record::parse(str::from_utf8(&line).unwrap()));
        };
        (signal.decode)(bytes, &context, &mut push).expect("a record that can be decoded");
    })
    .unwrap()
    .announce(map(loaded, "reader"))
    .unwrap();
    let before = counters(loaded).seen;
    act();
    let mut looked_at = 0;
    let found = wait_for("the record", || {
        reader.wait(Duration::from_millis(1)).unwrap();
        let records = records.borrow();
        let found = records[looked_at..].iter().find(|record| wanted(record)).cloned();
        looked_at = records.len();
        found
    });
    let after = counters(loaded);
    assert!(after.seen > before, "{after:?}");
    assert_eq!(after.lost, 0);
    found
}

/// What becomes of a rung alone is what becomes of it on its ladder, and the ladder stops at the
/// first that is taken.
#[test]
fn a_rung_alone_is_taken_or_refused_as_its_ladder_says() {
    needs!("root");
    for signal in SIGNALS {
        let ladders = load_all(signal, &signal.spec, &Filter::default());
        for (hook, rung) in rungs(signal) {
            let name = format!("{} {} {}", signal.spec.name, hook.name, rung.name);
            let loaded = load_all(signal, alone(signal, hook, rung), &Filter::default());
            let [found] = &loaded.hooks[..] else { panic!("{name}: {:?}", loaded.hooks) };
            let ladder = ladders.hooks.iter().find(|ladder| ladder.hook == hook.name).unwrap();
            println!("{name}: {}", found.verdict.word());
            if ladder.verdict == Verdict::Active(rung.name) {
                assert_eq!(found.verdict, Verdict::Active(rung.name), "{name}");
            }
            if ladder.refusals.iter().any(|refusal| refusal.rung == rung.name) {
                assert!(!found.verdict.is_active(), "{name} was refused on its ladder");
            }
            let way = rung.name.split('+').next().unwrap();
            match (way, &found.verdict) {
                // Nothing is named for it here; `each_way_to_system_calls_…` has it alone.
                (_, Verdict::Off) if rung.on_named => {}
                (_, Verdict::Active(active)) => {
                    assert_eq!(*active, rung.name);
                    assert_eq!(found.refusals, []);
                }
                ("fentry" | "fexit" | "kprobe" | "kretprobe", verdict) => {
                    // Alone, EPERM of a kernel without trampolines cannot be told from rights.
                    assert!(["unsupported", "failed"].contains(&verdict.word()), "{name}");
                    let [refusal] = &found.refusals[..] else { panic!("{name}: {found:?}") };
                    assert!(!refusal.words.is_empty());
                }
                // What follows the plus is an argument that the tracepoint does not have everywhere.
                (_, verdict) if rung.name.contains('+') => {
                    let refusal = found.refusals.first().expect("words");
                    assert!(!refusal.words.is_empty(), "{name}: {verdict:?}");
                    let release = chandra_loader::memory::kernel_release().1;
                    let since = match (signal.spec.name, rung.name.split('+').nth(1)) {
                        ("tcp", Some("reason")) => (6, 10),
                        ("drop", Some("reason")) => (5, 17),
                        ("drop", Some("socket")) => (6, 11),
                        ("tcp_request", Some("length")) => (6, 3),
                        // That one went away instead: in 5.11, and within 5.10.
                        ("block_io", Some("queue")) => {
                            assert!(release >= (5, 10), "{refusal}");
                            continue;
                        }
                        // That one went away, too: in 6.9, and within 6.1.
                        ("oom_kill", Some("number")) => {
                            assert!(release >= (6, 1), "{refusal}");
                            continue;
                        }
                        // That one is there on arm64 only.
                        ("off_cpu", Some("ipi")) => {
                            assert_ne!(std::env::consts::ARCH, "aarch64", "{refusal}");
                            continue;
                        }
                        other => panic!("{name}: {other:?}"),
                    };
                    assert!(release < since, "{refusal}");
                }
                // The tracepoint icmp_send; some older kernels have been given it.
                ("tp_btf" | "raw_tp", verdict) if signal.spec.name == "icmp" => {
                    assert!(chandra_loader::memory::kernel_release().1 < (6, 10), "{verdict:?}");
                }
                // The tracepoint tcp_sendmsg_locked.
                ("tp_btf" | "raw_tp", verdict) if hook.name == "tcp_send" => {
                    assert!(chandra_loader::memory::kernel_release().1 < (6, 16), "{verdict:?}");
                }
                ("tp_btf" | "raw_tp", verdict) if signal.spec.name == "oom_kill" => {
                    assert!(chandra_loader::memory::kernel_release().1 < (6, 9), "{verdict:?}");
                }
                (_, verdict) if std::path::Path::new(btf::KERNEL_BTF).exists() => {
                    panic!("{name}: {verdict:?}");
                }
                _ => {}
            }
        }
    }
}
