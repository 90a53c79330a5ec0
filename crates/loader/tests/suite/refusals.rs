//! What the kernel and libbpf say to faults that were really made, and that the doctor knows what each means.

use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use chandra_doctor::cause::{Circumstances, explain};
use chandra_loader::kernel_log;
use libbpf_rs::{Error, Object, ObjectBuilder};

use crate::common::{is_root, object};

/// Loads one program of the object alone.
fn load(program: &str) -> Result<Object, Error> {
    kernel_log::capture();
    kernel_log::take();
    let mut builder = ObjectBuilder::default();
    let mut open = builder.open_memory(object("refused"))?;
    for mut each in open.progs_mut() {
        let is_wanted = each.name() == program;
        each.set_autoload(is_wanted);
    }
    open.load()
}

/// Everything that was said is explained by this check before all others.
fn assert_means(check: &str) {
    let text = kernel_log::take();
    let causes = explain(&text, &Circumstances::default());
    assert_eq!(causes.first().map(|cause| cause.check.id), Some(check), "{text}");
}

#[test]
fn a_loop_without_an_end() {
    if !is_root() {
        return;
    }
    load("endless").expect_err("no kernel takes it");
    assert_means("loops");
}

#[test]
fn instructions_that_nothing_leads_to() {
    if !is_root() {
        return;
    }
    load("unreachable").expect_err("no kernel takes it");
    assert_means("unreachable-code");
}

#[test]
fn a_function_that_is_not_there() {
    if !is_root() {
        return;
    }
    let object = load("without_function").expect("it loads: the function is looked for later");
    let program = object.progs_mut().find(|program| program.name() == "without_function").unwrap();
    program.attach().expect_err("there is no such function");
    assert_means("kprobe");
}

#[test]
fn a_tracepoints_program_on_a_clock() {
    if !is_root() {
        return;
    }
    let object = load("misplaced").expect("there is nothing wrong with it");
    let program = object.progs_mut().find(|program| program.name() == "misplaced").unwrap();
    let clock = clock();
    program.attach_perf_event(clock.as_raw_fd()).expect_err("it does not fit");
    assert_means("perf-event");
}

/// A perf event that counts the time of this thread.
fn clock() -> OwnedFd {
    let attributes = libbpf_sys::perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: u32::try_from(size_of::<libbpf_sys::perf_event_attr>()).unwrap(),
        config: libbpf_sys::PERF_COUNT_SW_CPU_CLOCK.into(),
        ..Default::default()
    };
    let (this_thread, any_cpu, no_group, no_flags) = (0, -1, -1, 0);
    // SAFETY: `attributes` lives through the call and says its own size; the descriptor is new.
    unsafe {
        let descriptor = libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attributes,
            this_thread,
            any_cpu,
            no_group,
            no_flags,
        );
        assert!(descriptor >= 0, "{}", std::io::Error::last_os_error());
        OwnedFd::from_raw_fd(i32::try_from(descriptor).unwrap())
    }
}
