//! Proof of life: the agent executes itself and connects to itself, and is ready once both came
//! back to it through the kernel. Tried again, because the first one may come before anyone listens.
//! An agent that is to tell of certain pods only is not told of itself: there it is enough that the kernel has counted.

use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::state::AgentState;
use crate::cli;
use crate::stop::Stop;

/// How long to wait for a canary before another is sent, at first and at last.
const AGAIN: [Duration; 2] = [Duration::from_millis(50), Duration::from_secs(1)];
const LOOK: Duration = Duration::from_millis(5);

/// Tries until both came through, for those signals that are there to see them.
pub fn run(state: &AgentState, tells_all: bool, stop: &Stop) {
    let canary = &state.canary;
    let look = || {
        let ways = [("process", &canary.exec_seen), ("tcp", &canary.connect_seen)];
        for (signal, is_seen) in ways {
            let will_come =
                state.active(signal).is_some_and(|it| tells_all || it.seen_in_kernel() == 0);
            is_seen.fetch_or(!will_come, Ordering::Relaxed);
        }
    };
    look();
    let [mut again, at_last] = AGAIN;
    while !canary.is_done() && !stop.is_asked() {
        if !canary.exec_seen.load(Ordering::Relaxed) {
            execute();
        }
        if !canary.connect_seen.load(Ordering::Relaxed)
            && let Some(address) = state.http
        {
            // What matters is the attempt; the kernel says what came of it.
            drop(TcpStream::connect(address));
        }
        let tried = Instant::now();
        while !canary.is_done() && !stop.is_asked() && tried.elapsed() < again {
            std::thread::sleep(LOOK);
            if !tells_all {
                look();
            }
        }
        again = at_last.min(again * 2);
    }
}

/// Executes this very program. Its record may come before the pid is known here, so it is told by
/// its parent: the agent executes nothing else.
fn execute() {
    let program = std::env::current_exe().unwrap_or_else(|_| "/proc/self/exe".into());
    let _ =
        Command::new(program).arg(cli::CANARY).stdin(Stdio::null()).stdout(Stdio::null()).status();
}
