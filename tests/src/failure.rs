//! What goes wrong is said in four parts: what failed, why, what to do next, and the check that
//! explains it.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::patience::PATIENCE;

/// Runs it to its end, which must come by itself with this code and the four parts, and these words.
///
/// # Panics
/// When it does not, or says something else.
#[track_caller]
pub fn fails(command: &mut Command, code: i32, check: &str, words: &[&str]) -> String {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(2));
        if started.elapsed() > PATIENCE {
            child.kill().unwrap();
        }
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    let context = format!("{:?}: {text}", command.get_args().collect::<Vec<_>>());
    assert_eq!(output.status.code(), Some(code), "{context}");
    let part = |name: &str| {
        let line = text.lines().find_map(|line| line.trim_start().strip_prefix(name));
        let line = line.unwrap_or_default();
        assert!(line.trim().len() > 5, "no part {name:?} in {context}");
        line.to_owned()
    };
    let [_what, _why, _next, see] = ["error:", "why:", "next:", "see:"].map(part);
    assert!(see.contains(&format!("#{check} ")), "{context}");
    for word in words {
        assert!(text.contains(word), "{word} is not in {context}");
    }
    assert!(!text.contains("panicked"), "{context}");
    assert_eq!(output.stdout, b"", "{context}");
    text
}
