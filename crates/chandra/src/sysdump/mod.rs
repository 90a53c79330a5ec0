//! `chandra sysdump`: what the doctor says, what the agent says, its configuration and its log, and what the
//! kernel is like, in one archive. What cannot be had is listed with the reason, and is no failure.
//!
//! Every part goes through the redactor of alerts before it can get into the archive; each is bounded, and there
//! are only so many.

mod archive;
mod gather;

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use chandra_doctor::{Check, Problem};

use crate::cli::sysdump::SysdumpOptions;
use crate::output;

/// Gathers, and writes the archive.
pub fn run(options: &SysdumpOptions) -> Result<(), Problem> {
    chandra_loader::kernel_log::capture();
    let time = jiff::Timestamp::now().strftime("%Y%m%dT%H%M%SZ").to_string();
    let name = format!("chandra-sysdump-{time}");
    let parts = gather::all(options);
    let unwritable = |path: &Path, error| {
        let next = "name another file: chandra sysdump -o FILE";
        Problem::new(Check::OUTPUT, format!("cannot write {}", path.display()), error, next)
    };
    let path = options.output.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.tar.gz")));
    let archive =
        archive::compressed(&name, &parts.parts).map_err(|error| unwritable(&path, error))?;
    if path.as_os_str() == "-" {
        return output::write(&archive).map(drop);
    }
    write_new(&path, &archive).map_err(|error| unwritable(&path, error))?;
    let (count, kib) = (parts.parts.len(), archive.len() / 1024);
    eprintln!("{count} parts, {kib} KiB; secrets taken out: {}", parts.secrets);
    for (part, why) in &parts.missing {
        eprintln!("without {part}: {why}");
    }
    output::print(&format!("{}\n", path.display()))
}

/// A file that is its owner's alone, and was not there before.
fn write_new(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes).inspect_err(|_| drop(fs::remove_file(path)))
}
