//! Profiles of programs whose shares are known. What a program does is decided by its own CPU clock, so a busy
//! machine changes nothing; what chance may do to a share is allowed for, and no more.

use chandra_tests::needs;
use chandra_tests::profiling::{Profiled, Profiling, Workload, is_share};

/// More than is usual, for more samples in less time.
const HERTZ: &str = "499";

fn profile(workload: &Workload, arguments: &[&str], hertz: &str) -> (Profiled, String) {
    let options = ["--comm", &workload.name, "-F", hertz, "--identity", "off"];
    let profiling = Profiling::start(&options);
    let said = workload.run(arguments);
    (profiling.stop(), said)
}

/// Of `of_hundred` stacks at least so many are from the outermost frame on.
fn is_whole(profiled: &Profiled, of_hundred: u64) {
    let (all, broken) =
        (profiled.samples(), profiled.samples_of(|frames| frames[1].starts_with("[stack ends")));
    assert!(broken * 100 <= all * (100 - of_hundred), "{broken} of {all}: {}", profiled.summary);
    assert!(profiled.summary.contains(" 0 lost"), "{}", profiled.summary);
}

/// Chance is beyond three deviations once in 370 times: then it is asked once more.
fn twice(mut attempt: impl FnMut() -> Result<(), String>) {
    if let Err(first) = attempt()
        && let Err(second) = attempt()
    {
        panic!("{first}; and once more: {second}");
    }
}

fn shares_of_leaves(options: &[&str], depth: &str) {
    let workload = Workload::build(options);
    twice(|| {
        // How long it takes until the program is known, and its deep stacks are walked in the kernel, is another thing.
        let (profiled, _) = profile(&workload, &["shares", "2.5", depth, "0.5"], HERTZ);
        let profiled = profiled.but_those_in("warm_up");
        is_whole(&profiled, 99);
        let all = profiled.samples();
        assert!(all > 500, "{all} samples: {}", profiled.summary);
        let burning = profiled.samples_below(&["burn"]);
        let from_main = profiled.samples_below(&["main", "recurse"]);
        assert!(from_main * 100 >= all * 99, "{from_main} of {all} reach main");
        for (middle, leaf, share) in
            [("middle_x", "leaf_a", 0.6), ("middle_x", "leaf_b", 0.3), ("middle_y", "leaf_c", 0.1)]
        {
            let below = profiled.samples_below(&["main", "recurse", middle, leaf, "burn"]);
            is_share(below, burning, share).map_err(|error| format!("{leaf}: {error}"))?;
        }
        let deep: u64 = depth.parse().unwrap();
        let levels = |frames: &[String]| frames.iter().filter(|frame| *frame == "recurse").count();
        let deepest = profiled.samples_of(|frames| levels(frames) as u64 == deep + 1);
        assert!(deepest * 100 >= burning * 99, "{deepest} of {burning} are {depth} deep");
        Ok(())
    });
}

#[test]
fn shares_are_right_without_frame_pointers() {
    needs!("root", "gcc");
    shares_of_leaves(&["-O2", "-fomit-frame-pointer"], "3");
}

#[test]
fn shares_are_right_with_frame_pointers() {
    needs!("root", "gcc");
    shares_of_leaves(&["-O2", "-fno-omit-frame-pointer"], "3");
}

#[test]
fn shares_are_right_in_a_static_program() {
    needs!("root", "gcc");
    shares_of_leaves(&["-O2", "-static"], "3");
}

#[test]
fn shares_are_right_four_hundred_calls_deep() {
    needs!("root", "gcc");
    shares_of_leaves(&["-O2", "-fomit-frame-pointer"], "400");
}

#[test]
fn frames_of_every_kind_are_walked_through() {
    needs!("root", "gcc");
    let workload = Workload::build(&["-O2", "-fomit-frame-pointer"]);
    twice(|| {
        let (profiled, _) = profile(&workload, &["kinds", "2.5"], HERTZ);
        // The first samples bring only the stack along that they are on, and the handler may have its own.
        is_whole(&profiled, 97);
        let burning = profiled.samples_below(&["burn"]);
        assert!(burning > 500, "{burning}: {}", profiled.summary);
        let whole = profiled.samples_below(&["main", "burn"]);
        // qsort compares two numbers once, the handler runs twice in a round: one of five parts each.
        for path in [
            &["main", "with_alloca", "burn"][..],
            &["main", "realigned", "burn"],
            &["main", "through_library", "compare", "burn"],
            &["main", "interrupted", "handler", "burn"],
            &["main", "interrupted_elsewhere", "handler", "burn"],
        ] {
            let below = profiled.samples_below(path);
            is_share(below, whole, 0.2).map_err(|error| format!("{path:?}: {error}"))?;
        }
        Ok(())
    });
}

#[test]
fn what_works_in_step_with_a_clock_is_not_missed_by_another() {
    needs!("root", "gcc");
    let workload = Workload::build(&["-O2"]);
    // The worst rate there is: without jitter it sees in_step always or never.
    twice(|| {
        let (profiled, said) = profile(&workload, &["aligned", "12"], "100");
        let times: Vec<f64> = said.split_whitespace().map(|time| time.parse().unwrap()).collect();
        let [in_step, out_of_step] = times[..] else { panic!("{said}") };
        let truth = in_step / (in_step + out_of_step);
        let counts = ["in_step", "out_of_step"].map(|name| profiled.samples_below(&["main", name]));
        let seen = counts[0] as f64 / (counts[0] + counts[1]) as f64;
        let is_near = (seen - truth).abs() <= 0.02;
        is_near.then_some(()).ok_or(format!("{seen:.4} of {counts:?}, not {truth:.4}"))
    });
}
