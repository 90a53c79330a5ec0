//! Manual pages: one for the program, and one for each verb, `chandra-trace-exec(1)`.

use std::fs;
use std::path::Path;

use chandra_doctor::{Check, Problem};
use clap::Command;
use clap_mangen::Man;

use crate::cli::describe::ManualOptions;
use crate::output;

/// Prints one page, or writes all.
pub fn run(command: Command, options: &ManualOptions) -> Result<(), Problem> {
    let mut command = without_help(command);
    // Gives each verb what it has from those above it: its whole name, and the version.
    command.build();
    if let Some(folder) = &options.folder {
        return write_all(&command, folder);
    }
    let mut page_of = &command;
    for (depth, word) in options.verb.iter().enumerate() {
        page_of = page_of.find_subcommand(word).ok_or_else(|| {
            let typed = options.verb.get(..=depth).unwrap_or_default().join(" ");
            let next = "chandra --help names the verbs";
            Problem::usage(Check::USAGE, format!("no page {typed}"), "there is no such verb", next)
        })?;
    }
    output::write(&page(page_of)?).map(drop)
}

/// Without the verbs that print help, which are no pages of their own.
fn without_help(command: Command) -> Command {
    command.disable_help_subcommand(true).mut_subcommands(without_help)
}

fn write_all(command: &Command, folder: &Path) -> Result<(), Problem> {
    let unwritable = |path: &Path, error| {
        let what = format!("cannot write {}", path.display());
        Problem::new(Check::OUTPUT, what, error, "name a folder that can be written to")
    };
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, error))?;
    let mut rest = vec![command];
    while let Some(command) = rest.pop() {
        let path = folder.join(format!("{}.1", dashed(command)));
        fs::write(&path, page(command)?).map_err(|error| unwritable(&path, error))?;
        rest.extend(command.get_subcommands());
    }
    Ok(())
}

fn page(command: &Command) -> Result<Vec<u8>, Problem> {
    let mut page = Vec::new();
    let title = dashed(command);
    let manual = Man::new(command.clone()).title(title.to_uppercase()).manual("Chandra");
    manual.render(&mut page).map_err(|error| output::unwritable(&error))?;
    Ok(page)
}

/// `chandra-trace-exec`.
fn dashed(command: &Command) -> String {
    command.get_bin_name().unwrap_or_else(|| command.get_name()).replace(' ', "-")
}
