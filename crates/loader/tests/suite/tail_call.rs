//! Programs that jump to each other through a table.

use chandra_loader::tail_call::{self, TailCallError};
use libbpf_rs::{MapCore, MapFlags, Object, ObjectBuilder, ProgramInput};

use crate::common::{is_root, load_plainly, map, object};

/// Runs the first program; which programs ran, as the digits of a number.
fn trail(object: &Object) -> u64 {
    let first = object.progs_mut().find(|program| program.name() == "first").unwrap();
    first.test_run(ProgramInput::default()).unwrap();
    let trail = map(object, "trail").lookup(&[0; 4], MapFlags::ANY).unwrap().unwrap();
    u64::from_ne_bytes(trail.try_into().unwrap())
}

#[test]
fn a_chain_of_three_programs_runs_in_order() {
    if !is_root() {
        return;
    }
    let object = load_plainly("chain");
    tail_call::fill(&object, "steps", &["first", "second", "third"]).unwrap();
    assert_eq!(trail(&object), 123);
}

#[test]
fn a_jump_to_a_place_that_was_not_filled_falls_through() {
    if !is_root() {
        return;
    }
    let object = load_plainly("chain");
    tail_call::fill(&object, "steps", &["first", "second"]).unwrap();
    assert_eq!(trail(&object), 129);
}

#[test]
fn what_is_not_there_is_named() {
    if !is_root() {
        return;
    }
    let object = load_plainly("chain");
    let error = tail_call::fill(&object, "no_table", &["first"]).unwrap_err();
    assert!(matches!(&error, TailCallError::NoTable(name) if name == "no_table"), "{error}");
    let error = tail_call::fill(&object, "steps", &["first", "fourth"]).unwrap_err();
    assert!(matches!(&error, TailCallError::NoProgram(name) if name == "fourth"), "{error}");
}

#[test]
fn a_program_that_was_not_loaded_is_named() {
    if !is_root() {
        return;
    }
    let mut builder = ObjectBuilder::default();
    let mut open = builder.open_memory(object("chain")).unwrap();
    let mut third = open.progs_mut().find(|program| program.name() == "third").unwrap();
    third.set_autoload(false);
    let object = open.load().unwrap();
    let error = tail_call::fill(&object, "steps", &["first", "second", "third"]).unwrap_err();
    assert!(matches!(&error, TailCallError::NoProgram(name) if name == "third"), "{error}");
}

#[test]
fn what_the_kernel_does_not_enter_is_refused_with_its_place() {
    if !is_root() {
        return;
    }
    let object = load_plainly("chain");
    let programs = ["first", "of_another_type"];
    let error = tail_call::fill(&object, "steps", &programs).unwrap_err();
    let TailCallError::Refused { program, index: 1, .. } = &error else { panic!("{error:?}") };
    assert_eq!(program, "of_another_type");

    let error = tail_call::fill(&object, "steps", &["first"; 4]).unwrap_err();
    assert!(matches!(error, TailCallError::Refused { index: 3, .. }), "{error:?}");
    let error = tail_call::fill(&object, "trail", &["first"]).unwrap_err();
    assert!(matches!(error, TailCallError::Refused { index: 0, .. }), "{error:?}");
}
