//! What a governor does to probes that run: of so many facts one is told or counted, and stands for all of
//! them; none is, and they are in the ledger; hooks are taken away and attached anew. The truth is what this
//! test does itself, or what the scheduler counts.
//!
//! A count of n facts, of which one in N is drawn, is off by sqrt((N - 1) / n) of it on the average. The
//! numbers here are such that one percent is four times that and more.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

mod counts;
mod flows;

use std::cell::{Cell, RefCell};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::num::NonZeroU32;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chandra_event::record::{Event, Record};
use chandra_loader::abi::{Counters, GroupKey, Histogram, group_field};
use chandra_loader::governed::Share;
use chandra_loader::load::{Loaded, Options, Request, load};
use chandra_loader::ring::{self, Reader};
use chandra_loader::verdict::Verdict;
use chandra_loader::{MapHandle, batch, ledger};
use chandra_signals::filter::Filter;
use chandra_signals::registry::signal;
use chandra_signals::{Context, SIGNALS};
use chandra_tests::needs;
use chandra_tests::patience::wait_for;

/// One percent, in facts.
const MOST_OFF: f64 = 0.01;

fn watching(name: &str, group_by: u32) -> Loaded {
    telling(name, 1, group_by)
}

/// Watching these kinds of records, a bit for each.
fn telling(name: &str, kinds: u32, group_by: u32) -> Loaded {
    let signal = signal(name).unwrap();
    let hooks: Vec<_> = signal.spec.hooks.iter().map(|hook| hook.name).collect();
    let loaded = load(&Request {
        spec: &signal.spec,
        hooks: &hooks,
        config: Filter::default().config(kinds, group_by).unwrap(),
        map_entries: &[],
        tracepoints: Ok(&[]),
        options: &Options { ring_bytes: Some(16 << 20), ..Options::default() },
    })
    .unwrap();
    assert!(loaded.hooks[0].verdict.is_active(), "{:?}", loaded.hooks);
    loaded
}

fn listening(name: &str, group_by: u32) -> Loaded {
    let loaded = watching(name, group_by);
    ring::listen(&loaded.map("reader").unwrap()).unwrap();
    loaded
}

fn one_in(number: u32) -> Share {
    Share::OneIn(NonZeroU32::new(number).unwrap())
}

/// The books at a moment at which no processor was in the midst of counting.
fn balanced(loaded: &Loaded) -> Counters {
    wait_for("books that balance", || {
        Some(ledger::read(loaded.object())).filter(|counters| counters.imbalance() == 0)
    })
}

/// What is counted of this process in groups.
fn counted(loaded: &Loaded) -> u64 {
    counted_where(loaded, |key| key.pid == own_pid())
}

/// What is counted in these groups.
fn counted_where(loaded: &Loaded, wanted: impl Fn(&GroupKey) -> bool) -> u64 {
    let entries = batch::lookup(&loaded.map("groups").unwrap()).unwrap();
    let own = entries.iter().filter(|(key, _)| wanted(&GroupKey::read(key).unwrap()));
    own.flat_map(|(_, counts)| counts.chunks_exact(8))
        .map(|count| u64::from_ne_bytes(count.try_into().unwrap()))
        .sum()
}

/// The histogram of this process, and of this operation.
fn histogram(loaded: &Loaded, operation: u32) -> Histogram {
    histogram_where(loaded, |key| (key.pid, key.code) == (own_pid(), operation))
}

/// Those of these groups, together.
fn histogram_where(loaded: &Loaded, wanted: impl Fn(&GroupKey) -> bool) -> Histogram {
    let mut sum = Histogram::ZERO;
    for (key, values) in batch::lookup(&loaded.map("histograms").unwrap()).unwrap().iter() {
        if !wanted(&GroupKey::read(key).unwrap()) {
            continue;
        }
        for one in values.chunks_exact(Histogram::BYTES).filter_map(Histogram::read) {
            sum.count += one.count;
            sum.sum += one.sum;
            sum.buckets.iter_mut().zip(one.buckets).for_each(|(sum, count)| *sum += count);
        }
    }
    assert_eq!(sum.count, sum.buckets.iter().sum::<u64>(), "buckets have the same weights");
    sum
}

fn own_pid() -> u32 {
    std::process::id()
}

fn open(times: u64) {
    (0..times).for_each(|_| drop(File::open("/proc/self/exe").unwrap()));
}

fn is_near(estimate: u64, truth: u64) -> bool {
    estimate.abs_diff(truth) as f64 <= truth as f64 * MOST_OFF
}

#[test]
fn opens_that_are_counted_are_exact_or_stand_for_all() {
    needs!("root");
    let loaded = listening("file_open", group_field::GROUP_PID);
    open(10_000);
    assert_eq!(counted(&loaded), 10_000, "all of them");
    assert_eq!(balanced(&loaded).sampled_out, 0);

    loaded.tell_share(one_in(4)).unwrap();
    let before = counted(&loaded);
    open(600_000);
    let estimate = counted(&loaded) - before;
    assert!(is_near(estimate, 600_000), "{estimate}");
    assert_eq!(estimate % 4, 0, "each stands for four");
    let books = balanced(&loaded);
    assert!(books.sampled_out > 400_000, "{books:?}");

    loaded.tell_share(Share::Counted).unwrap();
    let (before, aggregated) = (counted(&loaded), balanced(&loaded).aggregated);
    open(10_000);
    assert_eq!(counted(&loaded), before, "none is looked at");
    let books = balanced(&loaded);
    assert!(books.aggregated - aggregated >= 10_000, "they are in the ledger: {books:?}");

    loaded.tell_share(Share::ALL).unwrap();
    open(10_000);
    assert_eq!(counted(&loaded) - before, 10_000, "and again all of them");
}

#[test]
fn records_say_for_how_many_they_stand() {
    needs!("root");
    let loaded = watching("file_open", 0);
    let (signal, context) = (signal("file_open").unwrap(), Context::new(None));
    let told = Rc::new(Cell::new((0_u64, 0_u64)));
    let sum = Rc::clone(&told);
    let events = loaded.map("events").unwrap();
    let mut reader = Reader::new(&events, loaded.ring_bytes, move |bytes| {
        let mut add = |record: &dyn Record| {
            let Event::FileOpen(open) = record.event() else { return };
            if open.process.pid == own_pid() {
                let (records, stands_for) = sum.get();
                sum.set((records + 1, stands_for + u64::from(open.sampled_one_in)));
            }
        };
        (signal.decode)(bytes, &context, &mut add).unwrap();
    })
    .unwrap()
    .announce(MapHandle::try_from(&loaded.map("reader").unwrap()).unwrap())
    .unwrap();
    let mut told_of = |share: Share, opens: u64| {
        told.set((0, 0));
        loaded.tell_share(share).unwrap();
        for _ in 0..opens / 10_000 {
            open(10_000);
            reader.drain_all_sent().unwrap();
        }
        let books = balanced(&loaded);
        assert_eq!(books.lost, 0, "{books:?}");
        wait_for("all records", || {
            reader.drain_all_sent().unwrap();
            (reader.taken() >= books.submitted).then_some(())
        });
        told.get()
    };
    assert_eq!(told_of(Share::ALL, 20_000), (20_000, 20_000));
    let (records, stands_for) = told_of(one_in(2), 250_000);
    assert!(is_near(stands_for, 250_000), "{stands_for}");
    assert_eq!(stands_for, records * 2);
    assert_eq!(told_of(Share::Counted, 20_000), (0, 0));
    assert_eq!(told_of(Share::ALL, 20_000), (20_000, 20_000));
}

#[test]
fn times_of_reads_that_are_counted_are_exact_or_stand_for_all() {
    needs!("root");
    const READ: u32 = 0;
    let loaded = listening("file_io", group_field::GROUP_PID);
    let zero = File::open("/dev/zero").unwrap();
    let read = |times: u64| {
        for _ in 0..times {
            zero.read_exact_at(&mut [0], 0).unwrap();
        }
    };
    read(10_000);
    assert_eq!(histogram(&loaded, READ).count, 10_000);
    loaded.tell_share(one_in(8)).unwrap();
    let before = histogram(&loaded, READ);
    read(1_500_000);
    let after = histogram(&loaded, READ);
    assert!(is_near(after.count - before.count, 1_500_000), "{} {}", after.count, before.count);
    assert!(after.sum > before.sum);
    assert!(balanced(&loaded).sampled_out > 1_200_000);
}

#[test]
fn waits_for_a_processor_that_are_counted_stand_for_all() {
    needs!("root");
    const TURNS: u64 = 250_000;
    let loaded = listening("run_queue", group_field::GROUP_PID);
    loaded.tell_share(one_in(2)).unwrap();
    // How often each thread of this process came to a processor: schedstat's third number.
    let came = || -> u64 {
        let threads = fs::read_dir("/proc/self/task").unwrap();
        let times = threads.map(|thread| {
            let text = fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap();
            text.split_whitespace().nth(2).unwrap().parse::<u64>().unwrap()
        });
        times.sum()
    };
    let ((mut near, mut to_near), (mut far, mut to_far)) =
        (std::io::pipe().unwrap(), std::io::pipe().unwrap());
    let answering = std::thread::spawn(move || {
        while far.read_exact(&mut [0]).is_ok() {
            to_near.write_all(&[0]).unwrap();
        }
    });
    let before = (came(), histogram(&loaded, 0).count);
    for _ in 0..TURNS {
        to_far.write_all(&[0]).unwrap();
        near.read_exact(&mut [0]).unwrap();
    }
    // Both threads are there still.
    let (truth, estimate) = (came() - before.0, histogram(&loaded, 0).count - before.1);
    assert!(truth > TURNS, "{truth} in {TURNS} turns");
    assert!(is_near(estimate, truth), "{estimate} of {truth}");
    drop(to_far);
    answering.join().unwrap();
    assert!(balanced(&loaded).sampled_out > TURNS / 3);
}

/// Ends a flood, also where the test stops first.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Whatever is decided while facts come, each is in the books once.
#[test]
fn books_balance_while_the_share_changes_in_a_flood() {
    needs!("root");
    let loaded = listening("file_open", group_field::GROUP_PID);
    let ends = AtomicBool::new(false);
    let opens = std::thread::scope(|scope| {
        let flood = scope.spawn(|| {
            let mut opens = 0_u64;
            while !ends.load(Ordering::Relaxed) {
                open(100);
                opens += 100;
            }
            opens
        });
        let ending = Ending(&ends);
        for round in 0..200_u32 {
            let share = match round % 10 {
                9 => Share::Counted,
                power => one_in(1 << power),
            };
            loaded.tell_share(share).unwrap();
            std::thread::sleep(Duration::from_millis(5));
            balanced(&loaded);
        }
        drop(ending);
        flood.join().unwrap()
    });
    let books = balanced(&loaded);
    assert!(books.seen >= opens, "{books:?} of {opens}");
    assert!(books.sampled_out > 0 && books.aggregated > 0, "{books:?}");
}

fn come_back(loaded: &Loaded) -> bool {
    let come_back = loaded.hooks_can_come_back();
    if !come_back {
        println!("skipped: on this kernel hooks on functions are attached once");
    }
    come_back
}

#[test]
fn hooks_that_are_taken_away_see_nothing_until_they_are_attached_anew() {
    needs!("root");
    let mut loaded = listening("file_open", group_field::GROUP_PID);
    if !come_back(&loaded) {
        return;
    }
    // To ask for the kernel's version may take an open, too.
    let before = counted(&loaded);
    open(1000);
    assert_eq!(counted(&loaded), before + 1000);
    for _ in 0..3 {
        drop(loaded.take_hooks());
        let before = balanced(&loaded).seen;
        open(1000);
        assert_eq!(balanced(&loaded).seen, before, "nobody looks");
        let hooks = loaded.attach_hooks().unwrap();
        loaded.keep_hooks(hooks);
        assert!(loaded.hooks.iter().all(|hook| matches!(hook.verdict, Verdict::Active(_))));
        // To attach takes opens, too.
        let before = counted(&loaded);
        open(1000);
        assert_eq!(counted(&loaded), before + 1000);
    }
}

/// What a thread is doing: `S` while it sleeps.
fn state_of(thread: &Path) -> String {
    let stat = fs::read_to_string(Path::new("/proc").join(thread).join("stat")).unwrap();
    stat.rsplit(") ").next().unwrap().chars().take(1).collect()
}

#[test]
fn a_read_that_began_before_its_hooks_were_taken_away_is_not_told() {
    needs!("root");
    let mut loaded = listening("file_io", group_field::GROUP_PID);
    if !come_back(&loaded) {
        return;
    }
    let (mut reader, mut writer) = std::io::pipe().unwrap();
    let (says, said) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        says.send(fs::read_link("/proc/thread-self").unwrap()).unwrap();
        reader.read_exact(&mut [0]).unwrap();
        reader
    });
    let thread = said.recv().unwrap();
    wait_for("a thread that waits", || (state_of(&thread) == "S").then_some(()));
    drop(loaded.take_hooks());
    let hooks = loaded.attach_hooks().unwrap();
    loaded.keep_hooks(hooks);
    let before = histogram(&loaded, 0).count;
    writer.write_all(&[0]).unwrap();
    let mut reader = waiting.join().unwrap();
    assert_eq!(histogram(&loaded, 0).count, before);
    writer.write_all(&[0]).unwrap();
    reader.read_exact(&mut [0]).unwrap();
    assert_eq!(histogram(&loaded, 0).count, before + 1, "the next one is");
    balanced(&loaded);
}

#[test]
fn a_signal_says_that_it_is_governed_or_refuses() {
    needs!("root");
    for signal in SIGNALS.iter().filter(|signal| {
        ["cgroup", "oom_kill", "block_io", "page_fault"].contains(&signal.spec.name)
    }) {
        let loaded = watching(signal.spec.name, 0);
        assert_eq!(loaded.tell_share(one_in(2)).is_ok(), signal.spec.governed, "{}", loaded.name);
        if signal.spec.governed {
            let odd = loaded.tell_share(one_in(3)).unwrap_err();
            assert_eq!(odd.kind(), std::io::ErrorKind::InvalidInput);
        }
    }
}
