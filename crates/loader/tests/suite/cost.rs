//! What programs cost, as the kernel counts it.

use chandra_loader::cost::{self, ProgramCost, Statistics};
use libbpf_rs::{Object, ObjectBuilder, ProgramInput};

use crate::common::{is_root, load_plainly, object};

fn run(object: &Object, name: &str, times: usize) {
    let program = object.progs_mut().find(|program| program.name() == name).unwrap();
    for _ in 0..times {
        program.test_run(ProgramInput::default()).unwrap();
    }
}

fn cost_of(object: &Object, name: &str) -> ProgramCost {
    cost::read(object).into_iter().find(|cost| cost.program == name).unwrap()
}

/// One test, because statistics are the whole machine's.
#[test]
fn runs_are_counted_while_statistics_are_on() {
    if !is_root() {
        return;
    }
    let object = load_plainly("chain");
    let statistics = Statistics::enable().unwrap();
    run(&object, "first", 1000);
    run(&object, "third", 7);
    let first = cost_of(&object, "first");
    assert_eq!((first.run_count, first.recursion_misses), (1000, 0));
    assert!(first.run_time_ns > 0);
    assert_eq!(cost_of(&object, "third").run_count, 7);
    assert_eq!(cost_of(&object, "second").run_count, 0);
    drop(statistics);
}

#[test]
fn only_loaded_programs_have_a_cost() {
    if !is_root() {
        return;
    }
    let mut builder = ObjectBuilder::default();
    let mut open = builder.open_memory(object("chain")).unwrap();
    let mut third = open.progs_mut().find(|program| program.name() == "third").unwrap();
    third.set_autoload(false);
    let object = open.load().unwrap();
    let programs: Vec<_> = cost::read(&object).into_iter().map(|cost| cost.program).collect();
    assert_eq!(programs, ["first", "second", "of_another_type"]);
}
