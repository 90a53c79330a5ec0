//! Documents that are executed: each shell block of a page is run as a reader would run it, and what a page shows
//! as output is compared with what really comes.
//!
//! A block is run unless a mark before it says why not. Marks are HTML comments, which readers of the page do not
//! see, in the lines right before the fence:
//!
//! | mark | what it does |
//! |---|---|
//! | `<!-- not run: REASON -->` | none of the block is run |
//! | `<!-- not run from "WORDS" on: REASON -->` | of each line, what comes from these words on is not run |
//! | `<!-- run before: COMMAND -->` | prepares, without counting |
//! | `<!-- run beside: COMMAND -->` | runs while the block does: an agent, or a program to be looked at |
//! | `<!-- output of: COMMAND -->` | the block is what this prints; without it a block without a language is prose |
//! | `<!-- output differs: REASON -->` | of a console block: it is run, and what is shown is not compared |
//! | `<!-- file: NAME -->` | the block is what this file holds, for all commands of the page |
//! | `<!-- exit code: CODE, REASON -->` | commands of the block may end so, too |
//!
//! `$SOURCES` is the root of this repository.
//!
//! A command whose program is not installed is counted as skipped, as a test is that needs it.

mod block;
mod sandbox;
mod shape;

use std::collections::BTreeMap;
use std::path::Path;

pub use block::{Block, Language, blocks};
pub use shape::missing;

use sandbox::{Ended, Sandbox};

/// What became of the commands of a page.
#[derive(Debug, Default)]
pub struct Report {
    /// Commands that were run and did what the page says, as far as no mark keeps the rest of them from that.
    pub run: usize,
    /// Those of which a mark keeps something from being run, by its reason.
    pub not_run: BTreeMap<String, usize>,
    /// Those whose program is not installed here, by the program.
    pub skipped: BTreeMap<String, usize>,
    /// Those that failed, or whose output is not what is shown, with all that is known of it.
    pub failures: Vec<String>,
}

impl Report {
    /// One line, for who reads what the tests print.
    pub fn summary(&self, page: &str) -> String {
        let list = |what: &str, of: &BTreeMap<String, usize>| -> String {
            of.iter().map(|(why, count)| format!("; {count} {what}: {why}")).collect()
        };
        let (not_run, skipped) =
            (list("not run", &self.not_run), list("skipped, needs", &self.skipped));
        format!("{page}: {} run, {} failed{not_run}{skipped}", self.run, self.failures.len())
    }
}

/// Runs the blocks of a page, in their order, in one sandbox.
///
/// # Panics
/// When the page cannot be read, a mark is not understood, or a sandbox cannot be made.
pub fn run(page: &Path) -> Report {
    let text = std::fs::read_to_string(page).unwrap();
    let name = page.file_name().unwrap().to_string_lossy().into_owned();
    let blocks = blocks(&text).unwrap_or_else(|error| panic!("{name}:{error}"));
    let sandbox = Sandbox::new();
    for block in &blocks {
        if let Some(file) = &block.marks.file {
            sandbox.write(file, &block.text);
        }
    }
    let mut report = Report::default();
    for block in &blocks {
        run_block(block, &name, &sandbox, &mut report);
    }
    report
}

fn run_block(block: &Block, page: &str, sandbox: &Sandbox, report: &mut Report) {
    let commands = block.commands();
    if commands.is_empty() {
        return;
    }
    if let Some(reason) = &block.marks.not_run {
        *report.not_run.entry(reason.clone()).or_default() += commands.len();
        return;
    }
    let place = format!("{page}:{}", block.line);
    for command in &block.marks.before {
        let ended = sandbox.run(command, &[]);
        if !ended.is_well(&[]) {
            report.failures.push(format!("{place}: before it, {}", ended.told(command)));
            return;
        }
    }
    let beside: Vec<_> = block.marks.beside.iter().map(|command| sandbox.start(command)).collect();
    for command in commands {
        let (text, cut) = block.marks.what_is_run(&command.text);
        if let Some(reason) = cut {
            *report.not_run.entry(reason.to_owned()).or_default() += 1;
        }
        if text.is_empty() {
            continue;
        }
        if let Some(program) = sandbox.lacks(&text) {
            *report.skipped.entry(program).or_default() += 1;
            continue;
        }
        let ended = sandbox.run(&text, &command.output);
        match fault(block, &command.output, &ended) {
            None => report.run += 1,
            Some(fault) => {
                report.failures.push(format!("{place}: {fault}: {}", ended.told(&text)));
            }
        }
    }
    drop(beside);
}

/// What is wrong with how a command ended, and with what it printed.
fn fault(block: &Block, shown: &[String], ended: &Ended) -> Option<String> {
    if !ended.is_well(&block.marks.exit_codes) {
        return Some("it does not end well".to_owned());
    }
    if block.marks.output_differs.is_some() {
        return None;
    }
    let missing = missing(shown, &ended.output);
    (!missing.is_empty())
        .then(|| format!("it is shown to print these lines, and does not: {missing:#?}"))
}
