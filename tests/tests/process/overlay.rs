//! A container's file system: a program from the image, and one that was written since.

use std::ffi::CString;
use std::fs;
use std::path::Path;
use std::process::Command;

use chandra_tests::actor::Actor;
use chandra_tests::launch::{before_exec, checked};
use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;

/// Lays an overlay file system over `scratch`, for the program alone.
fn over_layers(command: &mut Command, scratch: &Scratch) {
    for folder in ["image", "written", "work", "root"] {
        fs::create_dir_all(scratch.at(folder)).unwrap();
    }
    let at = |name: &str| scratch.at(name).display().to_string();
    let layers =
        format!("lowerdir={},upperdir={},workdir={}", at("image"), at("written"), at("work"));
    let (layers, root) = (CString::new(layers).unwrap(), CString::new(at("root")).unwrap());
    before_exec(command, move || {
        let (none, private) = (std::ptr::null(), libc::MS_REC | libc::MS_PRIVATE);
        // SAFETY: strings end with NUL and live during the calls; null is allowed where it is given.
        unsafe {
            checked(libc::unshare(libc::CLONE_NEWNS))?;
            checked(libc::mount(none, c"/".as_ptr(), none, private, none.cast()))?;
            let kind = c"overlay".as_ptr();
            checked(libc::mount(kind, root.as_ptr(), kind, 0, layers.as_ptr().cast())).map(drop)
        }
    });
}

#[test]
fn only_what_was_written_since_is_from_the_upper_layer() {
    needs!("root");
    let filesystems = fs::read_to_string("/proc/filesystems").unwrap();
    if !filesystems.contains("overlay") {
        eprintln!("skipped: this kernel has no overlay file system");
        return;
    }
    let program = Path::new(env!("CARGO_BIN_EXE_actor"));
    for (layer, is_upper) in [("image", false), ("written", true)] {
        let scratch = Scratch::new();
        let mut command = Command::new(scratch.at("root").join("program"));
        over_layers(&mut command, &scratch);
        fs::copy(program, scratch.at(layer).join("program")).unwrap();
        let mut trace = Trace::start(&["exec"]);
        let actor = Actor::start(&mut command);
        let record = trace.wait_for("the exec", |record| record.is("exec", actor.pid()));
        assert_eq!(record.at("process.exe_is_overlay_upper"), Some(&is_upper.into()), "{layer}");
        let path = scratch.at("root").join("program");
        assert_eq!(record.text("process.exe"), path.to_str());
    }
}
