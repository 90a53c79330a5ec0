//! A terminal of 80 columns and 24 rows with a program on it: what the program draws, as a person sees it, and
//! keys for it. Of what programs tell a terminal it knows where to go, what to clear, and what to write.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::launch::{checked, on_terminal, terminal};
use crate::patience::{PATIENCE, wait_for};

/// Its columns and rows.
pub const SIZE: (usize, usize) = (80, 24);

/// A program on a terminal of its own. It is killed when dropped.
#[derive(Debug)]
pub struct OnScreen {
    child: Child,
    keys: File,
    near: OwnedFd,
    /// The program's side, which stays open so that how it was left can be asked.
    far: File,
    told: Arc<Mutex<Vec<u8>>>,
    _reader: JoinHandle<()>,
}

impl OnScreen {
    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn start(command: &mut Command) -> Self {
        let (near, name) = terminal();
        set_size(&near);
        let path = format!("/dev/{name}");
        let far = File::options().read(true).write(true).open(path).unwrap();
        on_terminal(command, &name);
        let end = || Stdio::from(far.try_clone().unwrap());
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let told = Arc::new(Mutex::new(Vec::new()));
        let into = Arc::clone(&told);
        let mut output = File::from(near.try_clone().unwrap());
        let reader = std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                into.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        let keys = File::from(near.try_clone().unwrap());
        Self { child, keys, near, far, told, _reader: reader }
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Presses these keys.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// All that it told the terminal.
    ///
    /// # Panics
    /// When the reader did.
    pub fn told(&self) -> String {
        String::from_utf8_lossy(&self.told.lock().unwrap()).into_owned()
    }

    /// What a person sees.
    pub fn seen(&self) -> String {
        seen(&self.told())
    }

    /// Waits until a person sees this.
    ///
    /// # Panics
    /// When it never comes; with what is seen instead.
    pub fn wait_to_see(&self, what: &str) -> String {
        let started = Instant::now();
        loop {
            let seen = self.seen();
            if seen.contains(what) {
                return seen;
            }
            assert!(started.elapsed() < PATIENCE, "{what:?} is not to be seen in:\n{seen}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the terminal takes lines, and shows what is typed, as a shell expects it.
    ///
    /// # Panics
    /// When the terminal is gone.
    pub fn is_as_before(&self) -> bool {
        // SAFETY: the variable outlives the call, which fills it.
        let flags = unsafe {
            let mut modes: libc::termios = std::mem::zeroed();
            checked(libc::tcgetattr(self.far.as_raw_fd(), &raw mut modes)).unwrap();
            modes.c_lflag
        };
        let wanted = libc::ICANON | libc::ECHO | libc::ISIG;
        flags & wanted == wanted
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not come.
    pub fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("its end", || child.try_wait().unwrap())
    }

    /// The terminal's own end, for those who change its size.
    pub fn near(&self) -> &OwnedFd {
        &self.near
    }
}

impl Drop for OnScreen {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn set_size(terminal: &OwnedFd) {
    let size = libc::winsize { ws_col: 80, ws_row: 24, ws_xpixel: 0, ws_ypixel: 0 };
    // SAFETY: `size` is read during the call.
    checked(unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) })
        .unwrap();
}

/// What the last of these orders leave on the screen.
fn seen(told: &str) -> String {
    let (columns, rows) = SIZE;
    let mut cells = vec![vec![' '; columns]; rows];
    let (mut row, mut column) = (0, 0);
    let mut characters = told.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                let mut numbers = String::new();
                while let Some(part) = characters.next_if(|next| !('@'..='~').contains(next)) {
                    numbers.push(part);
                }
                let number = |at: usize| numbers.split(';').nth(at)?.parse::<usize>().ok();
                match characters.next() {
                    Some('H') => {
                        row = number(0).unwrap_or(1).saturating_sub(1);
                        column = number(1).unwrap_or(1).saturating_sub(1);
                    }
                    Some('J') => cells = vec![vec![' '; columns]; rows],
                    _ => {}
                }
            }
            '\r' => column = 0,
            '\n' => row += 1,
            character => {
                if let Some(cell) = cells.get_mut(row).and_then(|row| row.get_mut(column)) {
                    *cell = character;
                }
                column += 1;
            }
        }
    }
    let lines = cells.into_iter().map(|row| row.into_iter().collect::<String>());
    lines.map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_last_is_seen() {
        let told = "\u{1b}[2J\u{1b}[1;1Hone\u{1b}[2;3H\u{1b}[1mtwo\u{1b}[0m\u{1b}[1;2Hut\r\nx";
        let lines: Vec<_> = seen(told).lines().take(3).map(str::to_owned).collect();
        assert_eq!(lines, ["out", "x two", ""]);
    }
}
