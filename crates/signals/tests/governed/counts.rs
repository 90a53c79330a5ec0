//! Signals of which some only count, told in part: calls, their errors, page faults, interrupts, signals that are
//! sent.
#![allow(unsafe_code, reason = "what is counted is made by calls that only libc has")]

use std::net::UdpSocket;

use chandra_loader::abi::GroupKey;
use chandra_loader::abi::group_field::{
    GROUP_CODE, GROUP_COMM, GROUP_ERROR, GROUP_NUMBER, GROUP_PID,
};
use chandra_loader::governed::Share;
use chandra_tests::faults::Faults;
use chandra_tests::interrupts::interrupts;
use chandra_tests::needs;

use super::{
    balanced, counted, counted_where, histogram_where, is_near, listening, one_in, own_pid,
};

/// So many times getppid(2).
fn call(times: u64) {
    // SAFETY: takes nothing, and cannot fail.
    (0..times).for_each(|_| unsafe {
        libc::syscall(libc::SYS_getppid);
    });
}

/// So many times close(2) of what is not open.
fn fail(times: u64) {
    // SAFETY: takes a number that is never that of a descriptor.
    (0..times).for_each(|_| unsafe {
        libc::close(-1);
    });
}

#[test]
fn calls_and_their_errors_are_exact_or_stand_for_all() {
    needs!("root");
    let loaded = listening("system_call_count", GROUP_PID | GROUP_CODE | GROUP_ERROR);
    let number = |call: libc::c_long| u32::try_from(call).unwrap();
    let own =
        |call: libc::c_long| move |key: &GroupKey| (key.pid, key.code) == (own_pid(), number(call));
    let calls = || histogram_where(&loaded, own(libc::SYS_getppid));
    let errors = || counted_where(&loaded, own(libc::SYS_close));
    call(10_000);
    fail(10_000);
    assert_eq!((calls().count, errors()), (10_000, 10_000), "all of them");

    loaded.tell_share(one_in(8)).unwrap();
    let before = (calls(), errors());
    call(1_500_000);
    fail(1_500_000);
    let (after, failed) = (calls(), errors() - before.1);
    assert!(is_near(after.count - before.0.count, 1_500_000), "{}", after.count);
    assert!(is_near(failed, 1_500_000), "{failed}");
    assert!(after.sum > before.0.sum);
    assert!(balanced(&loaded).sampled_out > 2_500_000);

    loaded.tell_share(Share::ALL).unwrap();
    let before = (calls().count, errors());
    call(10_000);
    fail(10_000);
    assert_eq!((calls().count - before.0, errors() - before.1), (10_000, 10_000), "and again");
}

/// Writes to so many pages that were nowhere.
fn fault(pages: usize) {
    const PAGE_BYTES: usize = 4096;
    // SAFETY: nothing else knows of this mapping, and all that is written lies within it.
    unsafe {
        let (access, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let bytes = pages * PAGE_BYTES;
        let start = libc::mmap(std::ptr::null_mut(), bytes, access, flags, -1, 0);
        assert_ne!(start, libc::MAP_FAILED);
        libc::madvise(start, bytes, libc::MADV_NOHUGEPAGE);
        for page in 0..pages {
            start.cast::<u8>().add(page * PAGE_BYTES).write_volatile(1);
        }
        libc::munmap(start, bytes);
    }
}

#[test]
fn page_faults_are_exact_or_stand_for_all() {
    needs!("root");
    let loaded = listening("page_fault", GROUP_PID);
    let faults = || Faults::of(own_pid()).minor;
    let exact = |what: &str| {
        fault(1);
        let before = (faults(), counted(&loaded));
        fault(5000);
        let (truth, told) = (faults() - before.0, counted(&loaded) - before.1);
        assert!(truth >= 5000 && told.abs_diff(truth) < 100, "{what}: {told} of {truth}");
    };
    exact("all of them");
    loaded.tell_share(one_in(4)).unwrap();
    let before = (faults(), counted(&loaded));
    (0..60).for_each(|_| fault(10_000));
    let (truth, estimate) = (faults() - before.0, counted(&loaded) - before.1);
    assert!(truth >= 600_000 && is_near(estimate, truth), "{estimate} of {truth}");
    assert_eq!(estimate % 4, 0, "each stands for four");
    assert!(balanced(&loaded).sampled_out > 400_000);
    loaded.tell_share(Share::ALL).unwrap();
    exact("and again");
}

#[test]
fn interrupts_that_are_counted_stand_for_all() {
    needs!("root");
    const NET_RX: u16 = 3;
    let loaded = listening("interrupt", GROUP_NUMBER | GROUP_COMM);
    loaded.tell_share(one_in(2)).unwrap();
    let came = || interrupts()[&("soft", NET_RX.into())];
    let told = || {
        let is_it = |key: &GroupKey| (key.number, &key.comm[..6]) == (NET_RX, b"NET_RX");
        histogram_where(&loaded, is_it)
    };
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let to = socket.local_addr().unwrap();
    let before = (came(), told().count);
    (0..250_000).for_each(|_| assert_eq!(socket.send_to(b"x", to).unwrap(), 1));
    let (truth, estimate) = (came() - before.0, told().count - before.1);
    assert!(truth > 100_000, "{truth}");
    assert!(is_near(estimate, truth), "{estimate} of {truth}");
    assert!(told().sum > 0);
    assert!(balanced(&loaded).sampled_out > truth / 3);
}

#[test]
fn signals_that_are_counted_are_exact_or_stand_for_all() {
    needs!("root");
    let loaded = listening("signal_sent", GROUP_PID);
    // SAFETY: takes numbers only; nobody minds this one.
    let send = |times: u64| {
        (0..times).for_each(|_| unsafe {
            libc::kill(libc::getpid(), libc::SIGWINCH);
        });
    };
    send(10_000);
    assert_eq!(counted(&loaded), 10_000, "all of them");
    loaded.tell_share(one_in(4)).unwrap();
    send(600_000);
    let estimate = counted(&loaded) - 10_000;
    assert!(is_near(estimate, 600_000), "{estimate}");
    loaded.tell_share(Share::Counted).unwrap();
    let (before, aggregated) = (counted(&loaded), balanced(&loaded).aggregated);
    send(10_000);
    assert_eq!(counted(&loaded), before, "none is looked at");
    assert!(balanced(&loaded).aggregated - aggregated >= 10_000, "they are in the ledger");
}
