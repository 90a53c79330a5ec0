//! What a test needs of the machine. One that lacks it skips itself and says so.

use std::process::{Command, Stdio};

/// Inode number of the initial pid namespace (`PROC_PID_INIT_INO` of the kernel).
const INITIAL_PID_NAMESPACE: &str = "pid:[4026531836]";

/// Returns from the test, with a line that says why, unless the machine has what is named: `root`,
/// or programs.
#[macro_export]
macro_rules! needs {
    ($($need:literal),+) => {
        if let Some(lack) = $crate::needs::lack(&[$($need),+]) {
            eprintln!("skipped: {}:{}: {lack}", file!(), line!());
            return;
        }
    };
}

/// What is missing of `needs`, in words.
pub fn lack(needs: &[&str]) -> Option<String> {
    needs.iter().find_map(|need| match *need {
        "root" => no_root(),
        tool => no_tool(tool),
    })
}

fn no_root() -> Option<String> {
    // SAFETY: takes nothing and cannot fail.
    if unsafe { libc::geteuid() } != 0 {
        return Some("needs root: loading programs into the kernel takes rights".to_owned());
    }
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    (namespace.to_str() != Some(INITIAL_PID_NAMESPACE))
        .then(|| "needs the initial pid namespace, to compare process ids with".to_owned())
}

fn no_tool(tool: &str) -> Option<String> {
    let mut command = Command::new(tool);
    let found = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    found.is_err().then(|| format!("needs the program {tool}"))
}
