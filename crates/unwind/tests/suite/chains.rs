//! Walks of running programs: chains of calls that are known because the programs are ours, stopped at whatever
//! instruction they are just at, without frame pointers, with them, and linked in each way.
//!
//! What is compared with does not come from here: the names are those of `nm`, and which leaf runs the program
//! itself says, in its memory.

use std::path::PathBuf;
use std::process::Command;

use chandra_tests::needs;
use chandra_tests::scratch::Scratch;

use crate::running::{Running, Sample};

const SAMPLES: usize = 60;

/// How a program is made.
struct Make {
    compiler: &'static str,
    flags: &'static [&'static str],
}

const WITHOUT_FRAME_POINTERS: Make =
    Make { compiler: "cc", flags: &["-O2", "-fomit-frame-pointer"] };
const WITH_FRAME_POINTERS: Make =
    Make { compiler: "cc", flags: &["-O2", "-fno-omit-frame-pointer"] };
const LAZY_LINKAGE: Make =
    Make { compiler: "cc", flags: &["-O2", "-fplt", "-Wl,-z,lazy", "-fcf-protection=none"] };
const STATIC: Make = Make { compiler: "cc", flags: &["-O2", "-static"] };
const STATIC_PIE: Make = Make { compiler: "cc", flags: &["-O2", "-static-pie"] };
const MUSL: Make = Make { compiler: "musl-gcc", flags: &["-O2", "-static"] };
const CLANG: Make = Make { compiler: "clang", flags: &["-O2", "-fomit-frame-pointer"] };
const UNOPTIMISED: Make = Make { compiler: "cc", flags: &["-O0"] };

impl Make {
    fn program(&self, scratch: &Scratch) -> PathBuf {
        let program = scratch.at("chains");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/chains.c");
        let mut command = Command::new(self.compiler);
        command.args(self.flags).args(["-g0", "-pthread", "-fno-builtin", "-w", source, "-o"]);
        assert!(command.arg(&program).status().expect("a compiler").success());
        program
    }

    /// Debian's musl is built without call frame information, and without frame pointers.
    fn describes_libc(&self) -> bool {
        self.compiler != MUSL.compiler
    }

    /// Samples of one chain: each is whole, and its functions are these, called by a leaf or by none.
    fn check(&self, chain: &str, outer: &[&str]) {
        let scratch = Scratch::new();
        let mut running = Running::start(&self.program(&scratch), &[chain]);
        if chain == "in_thread" {
            running = running.of_second_thread();
        }
        let mut in_burn = 0;
        let has_leaves = outer.contains(&"recurse");
        running.wait_for_leaf();
        for _ in 0..SAMPLES {
            // Who is stopped again at once is stopped where it was.
            if has_leaves {
                running.wait_for_leaf();
            }
            let sample = running.sample(1024);
            let own = own(&sample);
            let context = || format!("{chain} {:?}: {own:?} of {sample:#x?}", self.flags);
            // Where the C library is not described, the walk ends in what called main.
            let is_whole = sample.walked.end.is_whole() || !self.describes_libc();
            assert!(is_whole, "{}", context());
            let inner = own.strip_suffix(outer).unwrap_or_else(|| panic!("{}", context()));
            match inner {
                // Who called the leaf that runs is who the program says.
                ["burn", leaf, "leaves"] => {
                    let current = char::from(sample.current).to_string();
                    assert_eq!(leaf.strip_prefix("leaf_"), Some(&*current), "{}", context());
                    in_burn += 1;
                }
                [] | ["leaves"] => {}
                [leaf, "leaves"] if leaf.starts_with("leaf_") => {}
                _ => panic!("{}", context()),
            }
        }
        assert!(!has_leaves || in_burn > SAMPLES / 2, "{in_burn} of {SAMPLES} in the leaf");
    }
}

/// The names of the program's own functions, those of its start left out.
fn own(sample: &Sample) -> Vec<&str> {
    let names = sample.names.iter().flatten().map(String::as_str);
    let known = |name: &&str| {
        let chain = ["burn", "leaves", "recurse", "handler", "thread", "main"];
        chain.contains(name) || name.starts_with("leaf_") || OUTER.contains(name)
    };
    names.filter(known).collect()
}

const OUTER: [&str; 11] = [
    "shallow",
    "deep",
    "through_linkage",
    "in_vdso",
    "in_signal",
    "on_other_stack",
    "in_fault",
    "realigned",
    "large_frame",
    "interrupted",
    "faulting",
];

/// So many frames of the recursion, and what is outside of them.
fn recursed(depth: usize, outer: &[&'static str]) -> Vec<&'static str> {
    [&vec!["recurse"; depth + 1][..], outer, &["main"]].concat()
}

/// All chains that each program has.
fn check_all(make: &Make) {
    make.check("shallow", &recursed(3, &["shallow"]));
    make.check("through_linkage", &["through_linkage", "main"]);
    make.check("in_vdso", &["in_vdso", "main"]);
    make.check("in_signal", &recursed(1, &["handler", "interrupted", "in_signal"]));
    make.check("on_other_stack", &recursed(1, &["handler", "interrupted", "on_other_stack"]));
    make.check("in_fault", &recursed(1, &["handler", "faulting", "in_fault"]));
    make.check("realigned", &recursed(1, &["realigned"]));
    make.check("large_frame", &recursed(1, &["large_frame"]));
    make.check("in_thread", &[&["recurse"; 2][..], &["thread"]].concat());
}

#[test]
fn without_frame_pointers_every_chain_is_whole() {
    needs!("cc", "nm", "readelf");
    check_all(&WITHOUT_FRAME_POINTERS);
}

#[test]
fn with_frame_pointers_the_caller_of_a_leaf_is_not_lost() {
    needs!("cc", "nm", "readelf");
    check_all(&WITH_FRAME_POINTERS);
}

#[test]
fn without_optimisation_every_chain_is_whole() {
    needs!("cc", "nm", "readelf");
    check_all(&UNOPTIMISED);
}

#[test]
fn through_lazy_linkage_every_chain_is_whole() {
    needs!("cc", "nm", "readelf");
    LAZY_LINKAGE.check("through_linkage", &["through_linkage", "main"]);
}

#[test]
fn of_a_static_program_every_chain_is_whole() {
    needs!("cc", "nm", "readelf");
    check_all(&STATIC);
}

#[test]
fn of_a_static_program_that_may_lie_anywhere_every_chain_is_whole() {
    needs!("cc", "nm", "readelf");
    check_all(&STATIC_PIE);
}

#[test]
fn of_a_static_program_with_musl_what_is_described_is_walked() {
    needs!("musl-gcc", "nm", "readelf");
    MUSL.check("shallow", &recursed(3, &["shallow"]));
    // musl's trampoline is not described anywhere, and found by its code.
    MUSL.check("in_fault", &recursed(1, &["handler", "faulting", "in_fault"]));
    MUSL.check("realigned", &recursed(1, &["realigned"]));
    MUSL.check("large_frame", &recursed(1, &["large_frame"]));
    MUSL.check("in_thread", &[&["recurse"; 2][..], &["thread"]].concat());
}

#[test]
fn of_clang_every_chain_is_whole() {
    needs!("clang", "nm", "readelf");
    check_all(&CLANG);
}

#[test]
fn seven_hundred_frames_are_walked() {
    needs!("cc", "nm", "readelf");
    WITHOUT_FRAME_POINTERS.check("deep", &recursed(700, &["deep"]));
}
