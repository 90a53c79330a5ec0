//! Cgroups that are made, renamed and removed, in the unified hierarchy and in one of v1, and
//! processes that are in one of v1.

use std::ffi::CString;
use std::fs;
use std::os::linux::fs::MetadataExt;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use chandra_tests::cgroup::{self, Cgroup, Nested};
use chandra_tests::comparison::Comparison;
use chandra_tests::launch::checked;
use chandra_tests::process::{Process, host_name};
use chandra_tests::record::Record;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;

use crate::hooks::Hooks;
use crate::new_actor;

/// A hierarchy of v1 with the pids controller: the machine's, or one mounted for the proof.
pub struct Pids {
    pub number: u32,
    pub mount: PathBuf,
    own: Option<Scratch>,
}

impl Pids {
    /// None where the unified hierarchy has the controller and cannot be parted from it.
    pub fn find() -> Option<Self> {
        if let Some((number, mount)) = cgroup::v1("pids") {
            return Some(Self { number, mount, own: None });
        }
        let scratch = Scratch::new();
        let mount = scratch.at("pids");
        fs::create_dir(&mount).unwrap();
        let place = CString::new(mount.as_os_str().as_bytes()).unwrap();
        // SAFETY: strings end with NUL and outlive the call.
        let mounted = checked(unsafe {
            let options = c"pids".as_ptr().cast();
            libc::mount(c"cgroup".as_ptr(), place.as_ptr(), c"cgroup".as_ptr(), 0, options)
        });
        if let Err(error) = mounted {
            println!("no v1 hierarchy of the pids controller: {error}");
            return None;
        }
        let (number, _) = cgroup::v1("pids").unwrap();
        Some(Self { number, mount, own: Some(scratch) })
    }
}

impl Drop for Pids {
    fn drop(&mut self) {
        if self.own.is_some() {
            let place = CString::new(self.mount.as_os_str().as_bytes()).unwrap();
            // SAFETY: the string ends with NUL and outlives the call.
            let _ = checked(unsafe { libc::umount2(place.as_ptr(), libc::MNT_DETACH) });
        }
    }
}

/// A hierarchy, and the cgroup in it that everything happens in.
struct Place<'a> {
    number: u32,
    mount: &'a Path,
    around: Cgroup,
}

/// From its making to its release, every field of every record.
pub fn lives(chandra: &Path, hooks: &mut Hooks) {
    let types = "cgroup_mkdir,cgroup_rmdir,cgroup_rename,cgroup_release";
    let mut trace = Trace::start_program(chandra, &["cgroup", "--type", types]);
    let unified = cgroup::mount();
    live(&mut trace, hooks, &Place { number: 0, mount: &unified, around: Cgroup::new() });
    if let Some(pids) = Pids::find() {
        let around = Nested::new(&pids.mount, &[]);
        let (number, mount) = (pids.number, pids.mount.as_path());
        live(&mut trace, hooks, &Place { number, mount, around: around.innermost().below("v1") });
    } else {
        hooks.compared("rename", Err("nothing of v1 can be mounted here".to_owned()));
    }
    hooks.served(&trace.stop());
}

fn live(trace: &mut Trace, hooks: &mut Hooks, place: &Place<'_>) {
    let maker = Process::own();
    let (first, second) =
        (place.around.folder().join("first"), place.around.folder().join("second"));
    let before = wall_clock::now();
    fs::create_dir(&first).unwrap();
    let id = fs::metadata(&first).unwrap().st_ino();
    let mut seen = |kind: &str, maker: Option<&Process>, folder: &Path| {
        let is_it = |record: &Record| {
            record.kind() == format!("cgroup_{kind}")
                && record.number("cgroup.id") == Some(id)
                && record.number("cgroup.hierarchy") == Some(place.number.into())
        };
        let record = trace.wait_for(kind, is_it);
        let when = before..=wall_clock::now();
        let mut fields = Comparison::of(&record, "cgroup", &format!("cgroup_{kind}"), when);
        match maker {
            Some(maker) => maker.compare(&mut fields, "process"),
            None => fields.is("node", host_name()),
        }
        let path = folder.strip_prefix(place.mount).unwrap();
        fields.is_big("cgroup.id", id);
        fields.is("cgroup.hierarchy", place.number);
        fields.is_big("cgroup.parent_id", place.around.id());
        fields.is("cgroup.level", path.components().count());
        fields.is("cgroup.path", format!("/{}", path.display()));
        fields.is("cgroup.path_truncated", false);
        hooks.compared(kind, fields.finish());
    };
    seen("mkdir", Some(&maker), &first);
    let mut last = &first;
    if place.number != 0 {
        fs::rename(&first, &second).unwrap();
        seen("rename", Some(&maker), &second);
        last = &second;
    }
    fs::remove_dir(last).unwrap();
    seen("rmdir", Some(&maker), last);
    seen("release", None, last);
}

/// The records of a process in a cgroup of v1 name that one, and a filter finds it.
pub fn processes_of_v1(chandra: &Path, hooks: &mut Hooks) {
    let Some(pids) = Pids::find() else { return };
    let around = Nested::new(&pids.mount, &["container"]);
    let id = around.innermost().id();
    let mut actor = new_actor();
    around.innermost().adopt(actor.pid());
    let filter = format!("{}:{id}", pids.number);
    let mut trace = Trace::start_program(chandra, &["exec", "--cgroup", &filter]);
    let pid = actor.pid();
    actor.tell("execute /proc/self/exe");
    let record = trace.wait_for("the exec", |record| record.is("exec", pid));
    let found = ["process.cgroup_hierarchy", "process.cgroup_id"].map(|path| record.number(path));
    let right = found == [Some(pids.number.into()), Some(id)];
    hooks.compared("exec", right.then_some(()).ok_or_else(|| format!("{found:?}, not {filter}")));
    actor.wait();
    hooks.served(&trace.stop());
}
