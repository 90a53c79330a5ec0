//! Profiles of processes that are new, short, or run more than one program; and that what is asked is what comes.

use std::process::Command;

use chandra_tests::needs;
use chandra_tests::profiling::{Profiling, Workload};
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;

#[test]
fn processes_that_live_for_thirty_milliseconds_have_whole_stacks() {
    needs!("root", "gcc");
    let workload = Workload::build(&["-O2", "-fomit-frame-pointer"]);
    let arguments = ["--comm", &workload.name, "-F", "499", "--identity", "off"];
    let profiling = Profiling::start(&arguments);
    for _ in 0..60 {
        workload.run(&["shares", "0.03", "3"]);
    }
    let profiled = profiling.stop();
    let unnamed = |frames: &[String]| frames.iter().any(|it| it.starts_with("[unknown]"));
    let below_main = |frames: &[String]| frames.iter().any(|it| it == "main");
    assert_eq!(
        profiled.samples_of(|it| below_main(it) && unnamed(it)),
        0,
        "{:#?}",
        profiled.stacks
    );
    let burning = profiled.samples_below(&["burn"]);
    // 60 times 30 ms at 499 Hz are 898; each process may miss one at either end.
    assert!(burning >= 700, "{burning}: {}", profiled.summary);
    assert_eq!(profiled.samples_below(&["main", "recurse", "burn"]), burning);
    // What is sampled before main is the loader's, and the kernel's that sets it up.
    let whole = profiled.samples_of(|frames| !frames[1].starts_with("[stack ends"));
    assert!(whole * 100 >= profiled.samples() * 98, "{}", profiled.summary);
}

#[test]
fn a_program_that_is_executed_in_the_place_of_another_is_known() {
    needs!("root", "gcc");
    let workload = Workload::build(&["-O2"]);
    let arguments = ["--comm", &workload.name, "-F", "499", "--identity", "off", "--by", "none"];
    let profiling = Profiling::start(&arguments);
    let run = |program: &str| {
        let path = workload.program().display();
        let script =
            format!("i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; exec {path} {program}");
        assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success());
    };
    run("shares 0.5 1");
    let profiled = profiling.stop();
    let burning = profiled.samples_below(&["burn"]);
    assert!(burning > 100, "{}", profiled.summary);
    assert_eq!(profiled.samples_below(&["main", "recurse", "burn"]), burning);
}

#[test]
fn only_what_is_asked_for_is_in_a_profile() {
    needs!("root", "gcc");
    let workload = Workload::build(&["-O2"]);
    let base = ["--comm", &workload.name, "-F", "499", "--identity", "off"];
    let profile = |options: &[&str]| {
        let profiling = Profiling::start(&[&base[..], options].concat());
        workload.run(&["aligned", "0.5"]);
        profiling.stop()
    };
    let is_kernel = |frames: &[String]| frames.iter().any(|frame| frame.ends_with("_[k]"));
    let user = profile(&["--user"]);
    assert_eq!(user.samples_of(is_kernel), 0, "{}", user.summary);
    assert!(user.samples_below(&["main"]) > 100, "{}", user.summary);
    let kernel = profile(&["--kernel", "--per-thread"]);
    assert_eq!(kernel.samples_below(&["main"]), 0, "{}", kernel.summary);
    let owner = format!("{} (", workload.name);
    assert_eq!(kernel.samples_of(|frames| frames[0].starts_with(&owner)), kernel.samples());
}

#[test]
fn the_name_of_the_file_says_what_it_is() {
    needs!("root");
    let folder = Scratch::new();
    for (name, begins_with) in
        [("cpu.svg", &b"<"[..]), ("cpu.pb.gz", &[0x1f, 0x8b]), ("cpu.html", b"<!")]
    {
        let file = folder.path().join(name);
        let mut command = Command::new(chandra());
        command.args(["profile", "-d", "500ms", "--identity", "off", "-o"]).arg(&file);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(std::fs::read(&file).unwrap().starts_with(begins_with), "{name}");
    }
    let output = Command::new(chandra()).args(["profile", "-o", "cpu.nothing"]).output().unwrap();
    let words = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), words.contains(".svg")), (Some(2), true), "{words}");
}
