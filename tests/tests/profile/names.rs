//! Names in profiles, of programs whose functions and shares are known, compared with other tools' answers.

use std::process::Command;

use chandra_tests::profiling::{Profiled, Profiling, Workload, is_share, succeed};
use chandra_tests::scratch::Scratch;
use chandra_tests::{go_profile, needs};

fn start(workload: &Workload) -> Profiling {
    let options = ["--comm", &workload.name, "-F", "499", "--identity", "off", "--user"];
    Profiling::start(&options)
}

/// Chance is beyond three deviations once in 370 times: then it is asked once more.
fn twice(mut attempt: impl FnMut() -> Result<(), String>) {
    if let Err(first) = attempt()
        && let Err(second) = attempt()
    {
        panic!("{first}; and once more: {second}");
    }
}

fn is_unknown(frame: &str) -> bool {
    frame.starts_with("[unknown]")
}

/// Of the stacks below `main` none has a frame without a name.
fn all_are_named(profiled: &Profiled) {
    let unnamed = |(frames, _): &&(Vec<String>, u64)| {
        frames.iter().any(|it| it == "main") && frames.iter().any(|it| is_unknown(it))
    };
    let unnamed: Vec<_> = profiled.stacks.iter().filter(unnamed).collect();
    assert!(unnamed.is_empty(), "{unnamed:#?} {}", profiled.summary);
}

fn inlined_functions_are_named(workload: &Workload) {
    twice(|| {
        let profiling = start(workload);
        workload.run(&["1.5"]);
        let profiled = profiling.stop();
        all_are_named(&profiled);
        let below = profiled.samples_below(&["main", "around", "three_parts_[i]", "spin_[i]"]);
        let other = profiled.samples_below(&["main", "around", "one_part_[i]", "spin_[i]"]);
        assert!(below + other > 300, "{below}, {other}: {}", profiled.summary);
        is_share(below, below + other, 0.75)
    });
}

#[test]
fn functions_that_were_inlined_have_frames_of_their_own() {
    needs!("root", "gcc");
    inlined_functions_are_named(&Workload::build_by("gcc", "inlined.c", &["-O2", "-g"]));
}

#[test]
fn a_stripped_program_is_named_by_the_file_that_its_debug_link_names() {
    needs!("root", "gcc", "objcopy", "strip");
    let workload = Workload::build_by("gcc", "inlined.c", &["-O2", "-g"]);
    workload.strip();
    inlined_functions_are_named(&workload);
}

#[test]
fn a_debug_file_of_another_build_names_nothing() {
    needs!("root", "gcc", "objcopy", "strip");
    let workload = Workload::build_by("gcc", "inlined.c", &["-O2", "-g", "-Wl,--build-id=none"]);
    workload.strip();
    let debug = workload.folder().at(&format!("{}.debug", workload.name));
    let mut bytes = std::fs::read(&debug).unwrap();
    bytes.push(0);
    std::fs::write(&debug, bytes).unwrap();
    let profiling = start(&workload);
    workload.run(&["0.5"]);
    let profiled = profiling.stop();
    assert_eq!(profiled.samples_below(&["around"]), 0, "{}", profiled.summary);
    let place = format!("[unknown] {}+0x", workload.name);
    let at_its_place = |frames: &[String]| frames.iter().any(|it| it.starts_with(&place));
    assert!(profiled.samples_of(at_its_place) > 100, "{}", profiled.summary);
    assert!(
        profiled.summary.contains("files whose symbols were not all read"),
        "{}",
        profiled.summary
    );
}

#[test]
fn tail_calls_libraries_and_linkage_tables_are_walked_through() {
    needs!("root", "gcc");
    let options = ["-O2", "-fomit-frame-pointer", "-fplt", "-fcf-protection=none"];
    let (workload, library) = Workload::build_with_libraries(&options);
    twice(|| {
        let profiling = start(&workload);
        workload.run(&["2.5", library.to_str().unwrap()]);
        let profiled = profiling.stop();
        let all = profiled.samples();
        let from_main = profiled.samples_below(&["main"]);
        assert!(from_main * 100 >= all * 97, "{from_main} of {all}: {}", profiled.summary);
        let burning = profiled.samples_below(&["main", "burn"]);
        assert!(burning > 300, "{burning}: {}", profiled.summary);
        let ways = [
            &["main", "with_tail_call", "burn"][..],
            &["main", "through_opened", "call_back", "burn"],
            &["main", "through_linked", "call_back", "burn"],
        ];
        for path in ways {
            let below = profiled.samples_below(path);
            is_share(below, burning, 1.0 / 3.0).map_err(|error| format!("{path:?}: {error}"))?;
        }
        // The table's entry and what it leads to are both below their caller.
        let calling = profiled.samples_below(&["main", "half_plt"]);
        assert!(calling > 20, "{calling} of {all}");
        assert!(profiled.samples_below(&["main", "half_plt", "nothing"]) > 0);
        Ok(())
    });
}

#[test]
fn a_program_of_another_c_library_has_right_shares_and_names() {
    needs!("root", "musl-gcc");
    let workload = Workload::build_by("musl-gcc", "workload.c", &["-O2", "-static"]);
    twice(|| {
        let profiling = start(&workload);
        workload.run(&["shares", "1.5", "3"]);
        let profiled = profiling.stop();
        all_are_named(&profiled);
        let burning = profiled.samples_below(&["main", "recurse", "burn"]);
        assert!(burning > 300, "{burning}: {}", profiled.summary);
        let below = profiled.samples_below(&["main", "recurse", "middle_x", "leaf_a", "burn"]);
        is_share(below, burning, 0.6)
    });
}

fn made_code_is_named(profiled: &Profiled) -> Result<(), String> {
    let [two, one] =
        ["made_two_[j]", "made_one_[j]"].map(|it| profiled.samples_below(&["main", it]));
    assert!(two + one > 150, "{two}, {one}: {:#?} {}", profiled.stacks, profiled.summary);
    is_share(two, two + one, 2.0 / 3.0)
}

#[test]
fn code_that_was_made_at_run_time_has_the_names_that_its_process_tells() {
    needs!("root", "gcc");
    let workload = Workload::build_by("gcc", "jit.c", &["-O2"]);
    twice(|| {
        let profiling = start(&workload);
        // It takes its list away at its end.
        workload.run(&["1", "and remove"]);
        made_code_is_named(&profiling.stop())
    });
}

#[test]
fn code_that_was_made_in_a_container_that_is_gone_has_names() {
    needs!("root", "gcc", "unshare");
    let workload = Workload::build_by("gcc", "jit.c", &["-O2"]);
    let folder = workload.folder().path().to_str().unwrap();
    // Another root of files, in which the program is elsewhere, another /tmp, and another number: 1.
    let script = format!(
        "mount --bind {folder} /mnt && mount -t tmpfs none /tmp && exec /mnt/{} 1",
        workload.name
    );
    twice(|| {
        let profiling = start(&workload);
        let mut container = Command::new("unshare");
        container.args(["--mount", "--pid", "--fork", "--propagation", "private"]);
        succeed(container.args(["sh", "-c", &script]));
        made_code_is_named(&profiling.stop())
    });
}

#[test]
fn short_processes_of_a_container_that_is_gone_have_names() {
    needs!("root", "gcc", "unshare");
    let workload = Workload::build(&["-O2", "-fomit-frame-pointer"]);
    let (folder, name) = (workload.folder().path().to_str().unwrap(), &workload.name);
    // The only copy is on a file system that is gone with the last process.
    let script = format!(
        "mount -t tmpfs none /mnt && cp {folder}/{name} /mnt && \
         for i in 1 2 3 4 5 6 7 8 9 10; do /mnt/{name} shares 0.03 3; done"
    );
    let profiling = start(&workload);
    let mut container = Command::new("unshare");
    container.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
    succeed(&mut container);
    let profiled = profiling.stop();
    all_are_named(&profiled);
    let burning = profiled.samples_below(&["main", "recurse", "burn"]);
    // 10 times 30 ms at 499 Hz are 149; each process may miss one at either end.
    assert!(burning >= 110, "{burning}: {}", profiled.summary);
}

/// The lines of `go tool pprof -raw` below a heading.
fn section<'a>(raw: &'a str, heading: &str) -> Vec<&'a str> {
    let lines = raw.lines().skip_while(|line| *line != heading).skip(1);
    lines.take_while(|line| line.starts_with(' ') || line.contains(": 0x")).collect()
}

#[test]
fn pprof_has_build_ids_lines_and_says_what_is_known() {
    needs!("root", "gcc", "go", "readelf");
    let workload = Workload::build_by("gcc", "inlined.c", &["-O2", "-g", "-Wl,--build-id=sha1"]);
    let bare = Workload::build_by("gcc", "inlined.c", &["-O2", "-s", "-Wl,--build-id=sha1"]);
    let scratch = Scratch::new();
    let file = scratch.at("cpu.pb.gz");
    let out = file.to_str().unwrap();
    let profiling = Profiling::start(&["-F", "499", "--identity", "off", "--user", "-o", out]);
    workload.run(&["1"]);
    bare.run(&["0.3"]);
    profiling.stop();
    let raw = go_profile::pprof(&scratch, &["-raw"], &file);
    let mappings = section(&raw, "Mappings");
    let mapping = |workload: &Workload| {
        let path = workload.program().to_str().unwrap();
        let lines: Vec<_> = mappings.iter().filter(|line| line.contains(path)).collect();
        assert_eq!(lines.len(), 1, "{mappings:#?}");
        (*lines[0]).to_owned()
    };
    let build_id = |workload: &Workload| {
        let notes = succeed(Command::new("readelf").arg("-n").arg(workload.program()));
        let id = notes.lines().find_map(|line| line.trim().strip_prefix("Build ID: "));
        id.unwrap().to_owned()
    };
    for workload in [&workload, &bare] {
        assert!(mapping(workload).contains(&build_id(workload)), "{}", mapping(workload));
    }
    assert!(!mapping(&bare).contains("[FN]"), "{}", mapping(&bare));
    // Every function and every line of what it sampled by itself, as addr2line has them.
    let lines = go_profile::pprof(&scratch, &["-lines", "-top"], &file);
    let spins: Vec<_> = lines.lines().filter(|line| line.contains(" spin ")).collect();
    assert!(!spins.is_empty(), "{lines}");
    let addresses = section(&raw, "Locations");
    let number = mapping(&workload).split(':').next().unwrap().trim().to_owned();
    let mut compared = 0;
    let mut at = addresses.iter().peekable();
    while let Some(line) = at.next() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [_, address, module, ..] = words[..] else { continue };
        if module != format!("M={number}") {
            continue;
        }
        let mut told = vec![words[3..].join(" ")];
        while let Some(more) = at.next_if(|line| !line.contains(": 0x")) {
            told.push(more.trim().to_owned());
        }
        let mut command = Command::new("addr2line");
        command.args(["-f", "-i", "-e"]).arg(workload.program()).arg(address);
        let truth = succeed(&mut command);
        let truth: Vec<&str> = truth.lines().collect();
        if truth.iter().any(|line| line.contains('?')) {
            continue;
        }
        let expected: Vec<_> = truth
            .chunks(2)
            .map(|pair| (pair[0], pair[1].split(" (").next().unwrap().to_owned()))
            .collect();
        assert_eq!(told.len(), expected.len(), "{told:?} {expected:?}");
        for (told, (function, place)) in told.iter().zip(expected) {
            assert!(told.starts_with(&format!("{function} {place}")), "{told} {function} {place}");
        }
        compared += 1;
    }
    assert!(compared >= 3, "{compared}: {addresses:#?}");
}

#[test]
fn names_of_rust_and_cpp_are_as_they_were_written() {
    needs!("root", "g++", "rustc");
    let scratch = Scratch::new();
    let build = |compiler: &str, name: &str, source: &str, options: &[&str]| {
        let (file, program) = (scratch.at(&format!("{name}.src")), scratch.at(name));
        std::fs::write(&file, source).unwrap();
        succeed(Command::new(compiler).args(options).arg("-o").arg(&program).arg(&file));
        program
    };
    let cpp = "namespace shop { struct Cart { __attribute__((noipa)) void add(unsigned long n) { \
               volatile unsigned long s = 0; while (n--) s = s + n; } }; } \
               int main() { shop::Cart cart; cart.add(300000000); }";
    let rust = "mod shop { pub struct Cart; impl Cart { #[inline(never)] pub fn add(&self, n: u64) { \
                for i in 0..n { std::hint::black_box(i); } } } } \
                fn main() { shop::Cart.add(300_000_000); }";
    let cpp = build("g++", "cpp", cpp, &["-O2", "-x", "c++"]);
    let rust = build("rustc", "rust", rust, &["-O", "--crate-name", "rust"]);
    let profiling = Profiling::start(&["-F", "499", "--identity", "off", "--user"]);
    succeed(&mut Command::new(cpp));
    succeed(&mut Command::new(rust));
    let profiled = profiling.stop();
    // By the older mangling of rustc, and by its newer one.
    let rust = ["rust::shop::Cart::add", "<rust::shop::Cart>::add"];
    let rust = rust.map(|name| profiled.samples_below(&["main", name]));
    let cpp = profiled.samples_below(&["main", "shop::Cart::add(unsigned long)"]);
    assert!(cpp > 20 && rust[0] + rust[1] > 20, "{cpp}, {rust:?}: {}", profiled.summary);
}
