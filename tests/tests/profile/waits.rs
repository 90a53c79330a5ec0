//! Profiles of waits whose length is known: the program that waits measures them by itself, with the kernel's clocks.

use std::process::Command;

use chandra_tests::needs;
use chandra_tests::profiling::{Profiled, Profiling, Workload};
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;

const OPTIONS: [&str; 3] = ["-O2", "-fomit-frame-pointer", "-pthread"];

/// How long a function took, and how long of that its thread ran, in nanoseconds.
#[derive(Debug, Clone, Copy)]
struct Truth {
    elapsed_ns: u64,
    ran_ns: u64,
}

impl Truth {
    fn of(said: &str, kind: &str) -> Self {
        let line = said.lines().find_map(|line| line.strip_prefix(kind)?.strip_prefix(' '));
        let mut numbers = line.unwrap().split(' ').map(|number| number.parse().unwrap());
        Self { elapsed_ns: numbers.next().unwrap(), ran_ns: numbers.next().unwrap() }
    }

    fn waited_ns(self) -> u64 {
        self.elapsed_ns - self.ran_ns
    }
}

/// A kernel that does not tell of each switch (see the signal's page) is asked so often.
const ATTEMPTS: usize = 8;

/// Profiles a run of the program that waits in these ways, of which nothing is lost.
fn profile(workload: &Workload, options: &[&str], kinds: &[&str]) -> (Profiled, String) {
    let base = ["--off-cpu", "--comm", &workload.name, "--identity", "off"];
    let mut summaries = Vec::new();
    for _ in 0..ATTEMPTS {
        let profiling = Profiling::start(&[&base[..], options].concat());
        let said = workload.run(kinds);
        let profiled = profiling.stop();
        if profiled.summary.contains(" 0 lost") {
            return (profiled, said);
        }
        summaries.push(profiled.summary);
    }
    panic!("each time something is lost: {summaries:#?}")
}

/// A time is what the program measured, within 2 % and 3 ms.
fn is_near(found_ns: u64, truth_ns: u64, what: &str, profiled: &Profiled) {
    let allowed = truth_ns / 50 + 3_000_000;
    let text = format!("{what}: {found_ns} ns, not {truth_ns}: {}", profiled.summary);
    assert!(found_ns.abs_diff(truth_ns) <= allowed, "{text}\n{:#?}", profiled.stacks);
}

/// A stack has these functions in this order, and ends with that, if that is asked.
fn is_below(frames: &[String], functions: &[&str], last: Option<&str>) -> bool {
    let mut rest = frames.iter();
    let has_all = functions.iter().all(|function| rest.any(|frame| frame == function));
    has_all && last.is_none_or(|last| frames.last().is_some_and(|frame| frame == last))
}

#[test]
fn waits_are_as_long_as_the_program_measured_them_and_where_it_waited() {
    needs!("root", "gcc");
    let workload = Workload::build_by("gcc", "waits.c", &OPTIONS);
    let kinds = ["sleep", "pipe", "mutex", "vfork", "sync"];
    // Of all waits, however short, so that nothing is left out but the time that the thread ran.
    let (profiled, said) = profile(&workload, &["--min-duration", "0s"], &kinds);
    // Of the children that vfork makes the name is the same.
    let (main, _) =
        profiled.stacks.iter().find(|(it, _)| it.iter().any(|it| it == "in_sleep")).unwrap();
    for (kind, function, asleep) in [
        ("sleep", "in_sleep", Some("[interruptible sleep]")),
        ("pipe", "in_pipe", Some("[interruptible sleep]")),
        ("mutex", "in_mutex", Some("[interruptible sleep]")),
        ("vfork", "in_vfork", Some("[uninterruptible sleep]")),
        // How long it waits for a disk, and whether for one, is up to the file system.
        ("sync", "in_sync", None),
    ] {
        let truth = Truth::of(&said, kind).waited_ns();
        let below = |it: &[String], last: Option<&str>| {
            it[0] == main[0] && is_below(it, &["main", "wait_for", function], last)
        };
        is_near(profiled.samples_of(|it| below(it, None)), truth, kind, &profiled);
        let blocked = profiled.samples_of(|it| below(it, asleep));
        assert!(blocked * 2 > truth, "{kind}: {blocked} ns are {asleep:?}: {said}");
    }
    let (share, _) = profiled.summary.split_once(" % of user stacks whole").unwrap();
    let share: f64 = share.rsplit(' ').next().unwrap().parse().unwrap();
    // All but one of its first moments, now and then.
    assert!(share >= 99.0, "{}", profiled.summary);
    assert!(!profiled.summary.contains("unaccounted"), "{}", profiled.summary);
}

#[test]
fn a_stopped_process_waits_and_says_that_it_was_stopped() {
    needs!("root", "gcc");
    let workload = Workload::build_by("gcc", "waits.c", &OPTIONS);
    let (profiled, said) = profile(&workload, &[], &["stop"]);
    let stopped = profiled.samples_of(|it| is_below(it, &["main", "in_stop"], Some("[stopped]")));
    is_near(
        profiled.samples_below(&["main", "in_stop"]),
        Truth::of(&said, "stop").waited_ns(),
        "stop",
        &profiled,
    );
    assert!(stopped >= 290_000_000, "{stopped}");
}

#[test]
fn a_thread_that_has_to_share_its_cpu_was_preempted() {
    needs!("root", "gcc");
    let workload = Workload::build_by("gcc", "waits.c", &OPTIONS);
    let (profiled, said) =
        profile(&workload, &["--min-duration", "0s", "--per-thread"], &["turns"]);
    let mine = |it: &[String]| !it[0].starts_with("other ") && it.iter().any(|it| it == "in_turns");
    let preempted = |it: &[String]| mine(it) && it.last().is_some_and(|it| it == "[preempted]");
    let (found, truth) = (profiled.samples_of(preempted), Truth::of(&said, "turns").waited_ns());
    is_near(found, truth, "turns", &profiled);
    // The stacks are the thread's own, not those of the one that took its place.
    let from = |it: &[String]| preempted(it) && it.iter().any(|it| it == "with_turns");
    assert!(profiled.samples_of(from) * 100 >= found * 99, "{:#?}", profiled.stacks);
}

#[test]
fn short_waits_are_counted_and_not_told() {
    needs!("root", "gcc");
    let workload = Workload::build_by("gcc", "waits.c", &OPTIONS);
    let (profiled, _) = profile(&workload, &["--min-duration", "150ms"], &["sleep", "pipe"]);
    let sleeping = profiled.samples_below(&["main", "in_sleep"]);
    assert!(sleeping >= 1_000_000_000, "{sleeping}: {}", profiled.summary);
    // Each of the pipe's waits is 60 ms, and longer where the machine is busy.
    assert!(profiled.samples_below(&["main", "in_pipe"]) < sleeping / 2, "{}", profiled.summary);
    let (_, short) = profiled.summary.split_once(" s, ").unwrap();
    let (count, _) = short.split_once(" shorter ones").unwrap();
    assert!(count.parse::<u64>().unwrap() >= 10, "{}", profiled.summary);
    assert!(!profiled.summary.contains("unaccounted"), "{}", profiled.summary);
}

#[test]
fn only_the_kernels_frames_or_only_the_programs_are_shown_where_that_is_asked() {
    needs!("root", "gcc");
    let workload = Workload::build_by("gcc", "waits.c", &OPTIONS);
    let is_kernel = |frames: &[String]| frames.iter().any(|frame| frame.ends_with("_[k]"));
    let (kernel, _) = profile(&workload, &["--kernel"], &["sleep"]);
    assert_eq!(kernel.samples_below(&["main"]), 0, "{:#?}", kernel.stacks);
    let asleep = kernel.samples_below(&["hrtimer_nanosleep_[k]", "[interruptible sleep]"]);
    assert!(asleep >= 1_000_000_000, "{:#?}", kernel.stacks);
    let (user, _) = profile(&workload, &["--user"], &["sleep"]);
    assert_eq!(user.samples_of(is_kernel), 0, "{:#?}", user.stacks);
    assert!(user.samples_below(&["main", "in_sleep"]) >= 1_000_000_000, "{:#?}", user.stacks);
}

#[test]
fn a_rate_is_refused_for_waits_and_a_duration_for_samples() {
    let folder = Scratch::new();
    for (arguments, words) in [
        (&["--off-cpu", "-F", "99"][..], "--off-cpu has no frequency"),
        (&["--min-duration", "5ms"], "--min-duration is of waits"),
        (&["--off-cpu", "--min-duration", "soon"], "--min-duration"),
    ] {
        let mut command = Command::new(chandra());
        let output = command.arg("profile").args(arguments).current_dir(folder.path()).output();
        let output = output.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.contains(words)), (Some(2), true), "{said}");
    }
}
