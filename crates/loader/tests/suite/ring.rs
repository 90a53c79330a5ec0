//! Records on their way from a probe: each arrives once, in order, and is found without a wake-up.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use chandra_loader::abi::Config;
use chandra_loader::load::{Loaded, Options};
use chandra_loader::ring::{BUSY_POLL, Reader, RingChoice};
use chandra_loader::spec::{Hook, Rung};
use chandra_loader::{ledger, memory};

use crate::common::{is_root, load, map, spec, thread_id};

static HOOKS: &[Hook] = &[Hook {
    name: "numbers",
    ladder: &[Rung {
        name: "raw_tp",
        programs: &["send_number"],
        tail_calls: &[],
        per_packet: false,
        on_named: false,
    }],
}];

/// What a thread calls to have a record sent as every probe sends it.
const SEND: libc::c_long = libc::SYS_getpgid;
/// To have one sent that wakes nobody.
const SEND_QUIETLY: libc::c_long = libc::SYS_getsid;
/// To have one that takes its time, and then wakes whom it would have woken before.
const SEND_LATE: libc::c_long = libc::SYS_getpriority;

/// To have one sent that is larger than a ring of one page.
const SEND_TOO_MUCH: libc::c_long = libc::SYS_getuid;

const BOTH: [RingChoice; 2] = [RingChoice::Ring, RingChoice::Perf];
/// Longer than any test that works takes.
const LONG: Duration = Duration::from_secs(60);

fn send(call: libc::c_long) {
    // SAFETY: each of these system calls only asks for something about this process.
    unsafe { libc::syscall(call, 0, 0) };
}

/// Loads the probe for what these threads call.
fn numbers_of(threads: &[u32], ring: RingChoice, ring_bytes: usize) -> Loaded {
    let number = |call: libc::c_long| u32::try_from(call).unwrap();
    let mut config = Config { pid_count: u8::try_from(threads.len()).unwrap(), ..Config::ZERO };
    config.pids[..threads.len()].copy_from_slice(threads);
    config.uids[..4].copy_from_slice(&[SEND, SEND_QUIETLY, SEND_LATE, SEND_TOO_MUCH].map(number));
    let options = Options { ring, ring_bytes: Some(ring_bytes), ..Options::default() };
    let loaded = load(&spec("numbers", true, HOOKS), config, &options).unwrap();
    assert!(loaded.hooks[0].verdict.is_active(), "{:?}", loaded.hooks);
    loaded
}

/// `struct number` of the probe.
#[derive(Debug, Clone, Copy)]
struct Number {
    number: u64,
    cpu: u32,
    thread: u32,
    flags: u32,
}

fn parse(record: &[u8]) -> Number {
    let word = |at: usize| u32::from_ne_bytes(record[at..at + 4].try_into().unwrap());
    assert!((32..40).contains(&record.len()), "a record of {} bytes", record.len());
    Number {
        number: u64::from_ne_bytes(record[..8].try_into().unwrap()),
        cpu: word(8),
        thread: word(12),
        flags: word(16),
    }
}

type Numbers = Rc<RefCell<Vec<Number>>>;

fn reader(loaded: &Loaded) -> (Reader<'_>, Numbers) {
    let numbers = Numbers::default();
    let sink = Rc::clone(&numbers);
    let events = map(loaded.object(), "events");
    let reader = Reader::new(&events, loaded.ring_bytes, move |record| {
        sink.borrow_mut().push(parse(record));
    });
    (reader.unwrap(), numbers)
}

fn assert_in_order(numbers: &[Number]) {
    let mut last: HashMap<u32, u64> = HashMap::new();
    for number in numbers {
        if let Some(before) = last.insert(number.cpu, number.number) {
            assert!(number.number > before, "{number:?} after {before}");
        }
    }
}

#[test]
fn every_record_of_busy_threads_arrives_once_and_in_order_per_cpu() {
    if !is_root() {
        return;
    }
    const EACH: usize = 50_000;
    for ring in BOTH {
        let (told, threads) = mpsc::channel();
        let barrier = Barrier::new(3);
        thread::scope(|scope| {
            for _ in 0..2 {
                let (told, barrier) = (told.clone(), &barrier);
                scope.spawn(move || {
                    told.send(thread_id()).unwrap();
                    barrier.wait();
                    for _ in 0..EACH {
                        send(SEND);
                    }
                });
            }
            let threads = [threads.recv().unwrap(), threads.recv().unwrap()];
            let loaded = numbers_of(&threads, ring, 16 << 20);
            let (mut reader, numbers) = reader(&loaded);
            barrier.wait();
            let started = Instant::now();
            while numbers.borrow().len() < 2 * EACH && started.elapsed() < LONG {
                reader.wait(Duration::from_millis(100)).unwrap();
            }
            let numbers = numbers.borrow();
            let counters = ledger::read(loaded.object());
            assert_eq!(numbers.len(), 2 * EACH, "{ring:?}: {counters:?}");
            assert_in_order(&numbers);
            for thread in threads {
                assert_eq!(numbers.iter().filter(|number| number.thread == thread).count(), EACH);
            }
            assert_eq!((counters.seen, counters.submitted, counters.lost), (100_000, 100_000, 0));
            assert_eq!(counters.imbalance(), 0);
        });
    }
}

#[test]
fn of_a_ring_of_one_page_submitted_and_lost_are_all_that_was_seen() {
    if !is_root() {
        return;
    }
    const CALLS: u64 = 20_000;
    for ring in BOTH {
        let loaded = numbers_of(&[thread_id()], ring, 1);
        assert_eq!(loaded.ring_bytes, memory::page_bytes());
        let (mut reader, numbers) = reader(&loaded);
        for call in 0..CALLS {
            send(SEND);
            // Now and then it is emptied, so that there is both.
            if call % 1000 == 999 {
                reader.drain().unwrap();
            }
        }
        reader.drain().unwrap();
        let counters = ledger::read(loaded.object());
        let numbers = numbers.borrow();
        println!("{ring:?}: {counters:?}");
        assert_eq!(counters.seen, CALLS);
        assert_eq!(counters.submitted + counters.lost, CALLS);
        assert_eq!(counters.submitted, numbers.len() as u64);
        assert_eq!(counters.imbalance(), 0);
        assert!(counters.lost > CALLS / 2 && counters.submitted > 20 * 20, "{counters:?}");
        assert_in_order(&numbers);
        // What is missing between the numbers is what was lost, but for the end of each CPU's.
        assert!(numbers.iter().all(|number| number.number < CALLS));
    }
}

#[test]
fn waiting_says_whether_there_were_records() {
    if !is_root() {
        return;
    }
    for ring in BOTH {
        let loaded = numbers_of(&[thread_id()], ring, 1 << 20);
        let (mut reader, numbers) = reader(&loaded);
        send(SEND);
        assert!(reader.wait(LONG).unwrap(), "{ring:?}");
        assert_eq!(numbers.borrow().len(), 1);
        assert!(!reader.wait(LONG).unwrap(), "{ring:?}: a busy reader looks again soon");
        assert!(!reader.drain().unwrap(), "{ring:?}");
        send(SEND);
        assert!(reader.drain().unwrap(), "{ring:?}");
        assert_eq!(numbers.borrow().len(), 2);
    }
}

#[test]
fn what_was_submitted_without_a_wake_up_is_found_by_looking_again() {
    if !is_root() {
        return;
    }
    let loaded = numbers_of(&[thread_id()], RingChoice::Ring, 1 << 20);
    let (mut reader, numbers) = reader(&loaded);
    send(SEND);
    assert!(reader.wait(LONG).unwrap());
    let started = Instant::now();
    for _ in 0..5 {
        send(SEND_QUIETLY);
    }
    assert!(reader.wait(LONG).unwrap());
    assert!(started.elapsed() < LONG, "found before the idle time was over");
    assert_eq!(numbers.borrow().len(), 6);

    // A reader that does not expect any finds them when its time is over.
    assert!(!reader.wait(LONG).unwrap());
    send(SEND_QUIETLY);
    assert!(reader.wait(Duration::from_millis(20)).unwrap());
    assert_eq!(numbers.borrow().len(), 7);
}

#[test]
fn a_record_still_being_written_when_the_reader_looks_is_not_forgotten() {
    if !is_root() {
        return;
    }
    const ROUNDS: u32 = 10;
    let (told, thread) = mpsc::channel();
    let go = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            told.send(thread_id()).unwrap();
            for round in 0..ROUNDS {
                go.wait();
                // Each round a little later within the time until the reader looks again.
                let started = Instant::now();
                while started.elapsed() < BUSY_POLL * round / ROUNDS {}
                send(SEND_LATE);
            }
        });
        let loaded = numbers_of(&[thread.recv().unwrap(), thread_id()], RingChoice::Ring, 1 << 20);
        let (mut reader, numbers) = reader(&loaded);
        let started = Instant::now();
        for round in 1..=ROUNDS as usize {
            send(SEND);
            assert!(reader.wait(LONG).unwrap());
            go.wait();
            // It looks again while the other thread holds room for a record and has not filled it;
            // most times nobody will wake it when that is done.
            while numbers.borrow().len() < 2 * round && started.elapsed() < LONG {
                reader.wait(LONG).unwrap();
            }
        }
        assert!(started.elapsed() < LONG, "found before the idle time was over");
        assert_eq!(numbers.borrow().iter().filter(|number| number.flags == 2).count(), 10);
        assert_eq!(ledger::read(loaded.object()).imbalance(), 0);
    });
}

#[test]
fn a_record_that_found_no_room_does_not_silence_the_next() {
    if !is_root() {
        return;
    }
    for ring in BOTH {
        let loaded = numbers_of(&[thread_id()], ring, 1);
        let (mut reader, numbers) = reader(&loaded);
        let started = Instant::now();
        send(SEND_TOO_MUCH);
        send(SEND);
        assert!(reader.wait(LONG).unwrap());
        assert!(started.elapsed() < LONG, "{ring:?}: found before the idle time was over");
        assert_eq!(numbers.borrow().len(), 1);
        let counters = ledger::read(loaded.object());
        assert_eq!((counters.seen, counters.lost, counters.submitted), (2, 1, 1));
    }
}

#[test]
fn a_flood_does_not_hold_the_reader_for_ever() {
    if !is_root() {
        return;
    }
    for ring in BOTH {
        let (told, thread) = mpsc::channel();
        let (go, stop, done) = (Barrier::new(2), AtomicBool::new(false), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                told.send(thread_id()).unwrap();
                go.wait();
                let started = Instant::now();
                while !stop.load(Ordering::Relaxed) && started.elapsed() < Duration::from_secs(10) {
                    send(SEND);
                }
                done.store(true, Ordering::Relaxed);
            });
            let loaded = numbers_of(&[thread.recv().unwrap()], ring, 64 << 10);
            let events = map(loaded.object(), "events");
            let taken = AtomicU64::new(0);
            // Slower than the sender: it is never finished.
            let mut reader = Reader::new(&events, loaded.ring_bytes, |_| {
                let started = Instant::now();
                while started.elapsed() < Duration::from_micros(20) {}
                taken.fetch_add(1, Ordering::Relaxed);
            })
            .unwrap();
            go.wait();
            for _ in 0..3 {
                assert!(reader.wait(LONG).unwrap());
            }
            assert!(!done.load(Ordering::Relaxed), "{ring:?}: waited until the flood was over");
            stop.store(true, Ordering::Relaxed);
        });
    }
}

#[test]
fn a_signal_ends_the_wait() {
    if !is_root() {
        return;
    }
    extern "C" fn nothing(_: libc::c_int) {}
    // SAFETY: the handler does nothing at all.
    unsafe { libc::signal(libc::SIGUSR1, nothing as *const () as libc::sighandler_t) };
    for ring in BOTH {
        for idle in [LONG, Duration::MAX] {
            let loaded = numbers_of(&[thread_id()], ring, 1 << 20);
            let (mut reader, _) = reader(&loaded);
            let woken = AtomicBool::new(false);
            // SAFETY: no preconditions.
            let waiter = unsafe { libc::pthread_self() };
            thread::scope(|scope| {
                scope.spawn(|| {
                    // Again and again, because the first may come before the wait.
                    while !woken.load(Ordering::Relaxed) {
                        // SAFETY: the thread that waits outlives this scope.
                        unsafe { libc::pthread_kill(waiter, libc::SIGUSR1) };
                        thread::sleep(Duration::from_millis(5));
                    }
                });
                let started = Instant::now();
                let found = reader.wait(idle);
                woken.store(true, Ordering::Relaxed);
                assert!(!found.unwrap());
                assert!(started.elapsed() < LONG, "{ring:?}");
            });
        }
    }
}

#[test]
fn a_quiet_reader_waits_as_long_as_it_was_told() {
    if !is_root() {
        return;
    }
    for ring in BOTH {
        let loaded = numbers_of(&[], ring, 1 << 20);
        let (mut reader, _) = reader(&loaded);
        for idle in [Duration::from_millis(30), Duration::from_micros(1500), Duration::ZERO] {
            let started = Instant::now();
            assert!(!reader.wait(idle).unwrap());
            assert!(started.elapsed() >= idle, "{ring:?}: {:?} < {idle:?}", started.elapsed());
        }
    }
}

#[test]
fn a_map_that_is_no_ring_cannot_be_read() {
    if !is_root() {
        return;
    }
    let loaded = numbers_of(&[], RingChoice::Ring, 1 << 20);
    assert!(Reader::new(&map(loaded.object(), "ledger"), 1 << 20, |_| ()).is_err());
}
