//! System calls with paths, with descriptors and with neither, that succeed and that fail.

use std::ffi::CString;
use std::fs;
use std::os::fd::AsRawFd;
use std::path::Path;

use chandra_tests::comparison::Comparison;
use chandra_tests::process::Process;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;
use chandra_tests::wall_clock;
use serde_json::{Value, json};

use crate::hooks::Hooks;

/// A call, and what its record must say of it.
struct Called {
    name: &'static str,
    number: i64,
    arguments: Vec<u64>,
    /// Each as it is made absolute, and as it was given.
    paths: Vec<(String, String)>,
    descriptor_type: Option<&'static str>,
}

impl Called {
    fn make(&self) -> i64 {
        let mut all = [0; 6];
        all.iter_mut().zip(&self.arguments).for_each(|(to, from)| *to = *from);
        let [a, b, c, d, e, f] = all;
        // SAFETY: pointers among the arguments are to strings that outlive the call.
        unsafe { libc::syscall(self.number, a, b, c, d, e, f) }
    }
}

/// Every field of every record.
pub fn calls(chandra: &Path, hooks: &mut Hooks) {
    let scratch = Scratch::new();
    let root = scratch.path().canonicalize().unwrap();
    let root = root.to_str().unwrap();
    fs::write(format!("{root}/there"), "text").unwrap();
    let folder = fs::File::open(root).unwrap();
    let file = fs::File::open(format!("{root}/there")).unwrap();
    let (below, here) = (folder.as_raw_fd() as u64, libc::AT_FDCWD as u64);
    let text = |text: &str| CString::new(text).unwrap();
    let (there, link, target) = (text("there"), text("link"), text("../any where"));
    let (moved, memfd) = (text(&format!("{root}/moved")), text("secret"));
    let none = text("chandra-not-there");
    let (unix, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    let ipv4 = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let pointer = |text: &CString| text.as_ptr() as u64;
    let working = std::env::current_dir().unwrap();
    let at = |path: &str| (format!("{root}/{path}"), path.to_owned());
    let plain = |text: &str| (text.to_owned(), text.to_owned());
    let call = |name, number, arguments: &[u64], paths: &[(String, String)], descriptor_type| {
        let (arguments, paths) = (arguments.to_vec(), paths.to_vec());
        Called { name, number, arguments, paths, descriptor_type }
    };
    let all = [
        call(
            "symlinkat",
            libc::SYS_symlinkat,
            &[pointer(&target), below, pointer(&link)],
            &[plain("../any where"), at("link")],
            None,
        ),
        call(
            "linkat",
            libc::SYS_linkat,
            &[below, pointer(&there), here, pointer(&moved), 0],
            &[at("there"), plain(&format!("{root}/moved"))],
            None,
        ),
        call("fchmod", libc::SYS_fchmod, &[file.as_raw_fd() as u64, 0o600], &[], Some("regular")),
        call(
            "fchmodat",
            libc::SYS_fchmodat,
            &[here, pointer(&none), 0o600],
            &[(
                working.join("chandra-not-there").to_str().unwrap().to_owned(),
                "chandra-not-there".to_owned(),
            )],
            None,
        ),
        call(
            "memfd_create",
            libc::SYS_memfd_create,
            &[pointer(&memfd), 0],
            &[plain("secret")],
            None,
        ),
        call("setns", libc::SYS_setns, &[file.as_raw_fd() as u64, 0], &[], Some("regular")),
        call("unshare", libc::SYS_unshare, &[0], &[], None),
        call("dup", libc::SYS_dup, &[unix.as_raw_fd() as u64], &[], Some("socket")),
        call(
            "dup3",
            libc::SYS_dup3,
            &[ipv4.as_raw_fd() as u64, ipv4.as_raw_fd() as u64, 0],
            &[],
            Some("socket"),
        ),
    ];
    let names: Vec<_> = all.iter().map(|call| call.name).collect();
    let own = Process::own();
    let pid = std::process::id().to_string();
    let mut trace =
        Trace::start_program(chandra, &["syscalls", "--pid", &pid, "--call", &names.join(",")]);
    for call in &all {
        let before = wall_clock::now();
        let result = call.make();
        let error = std::io::Error::last_os_error().raw_os_error();
        let result = if result < 0 { -i64::from(error.unwrap_or(0)) } else { result };
        let record =
            trace.wait_for(call.name, |record| record.text("system_call.name") == Some(call.name));
        let when = before..=wall_clock::now();
        let mut fields = Comparison::of(&record, "system_call", "system_call", when);
        own.compare(&mut fields, "process");
        compare(&mut fields, call, result);
        hooks.compared("sys_exit", fields.finish());
    }
    hooks.served(&trace.stop());
}

fn compare(fields: &mut Comparison, call: &Called, result: i64) {
    let arguments: Vec<_> =
        call.arguments.iter().map(|argument| format!("{argument:#x}")).collect();
    fields.is("system_call.name", call.name);
    fields.is("system_call.number", call.number);
    fields.is("system_call.arguments", json!(arguments));
    // SAFETY: it only asks.
    fields.is("system_call.effective_uid", unsafe { libc::geteuid() });
    fields.is_optional("system_call.descriptor_type", call.descriptor_type);
    let family = match call.name {
        "dup" => Some("unix"),
        "dup3" => Some("ipv4"),
        _ => None,
    };
    fields.is_optional("system_call.descriptor_family", family);
    fields.is_optional("system_call.path_truncated", call.paths.first().map(|_| false));
    for (index, object) in ["path", "second_path"].into_iter().enumerate() {
        let (path, given) = call.paths.get(index).cloned().unzip();
        fields.is_optional(&format!("system_call.{object}"), path);
        fields.is_optional(&format!("system_call.{object}_given"), given);
    }
    fields.is("result", result);
    let error = (result < 0).then_some(-result);
    fields.is_optional("error_number", error);
    let name = fields.take("error").as_ref().and_then(Value::as_str).map(str::to_owned);
    let expected = match error.map(|error| error as i32) {
        Some(libc::ENOENT) => Some("ENOENT"),
        Some(libc::EINVAL) => Some("EINVAL"),
        Some(other) => return fields.problem(format!("failed with {other}")),
        None => None,
    };
    if name.as_deref() != expected {
        fields.problem(format!("error is {name:?}, in truth {expected:?}"));
    }
}
