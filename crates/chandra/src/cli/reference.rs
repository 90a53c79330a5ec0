//! docs/reference/cli.md and docs/reference/config.md: every verb, option and key, drawn from the definition
//! that parses them.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use clap::{Arg, Command};

use super::config_file::keys;
use super::shown;

const CLI_HEAD: &str = "\
# Command line

Every verb and option, drawn from the code; `chandra VERB --help` says the same. An option with a variable takes its
value from there where it is not given. Exit codes: 0 done, 1 something failed, 2 the command line or the
configuration is wrong. Data goes to standard output, everything else to standard error.
";

const CONFIG_HEAD: &str = "\
# Configuration

What `chandra agent` can be told, drawn from the code: in a file of TOML (`--config`, else
`/etc/chandra/chandra.toml` where it is there), in the environment, or as a flag. A flag goes before the environment,
that before the file, and that before the default. A key that is not in this list is an error that names the nearest
one. What can be given more than once is a list in the file.

| key | flag | variable | what it says |
|---|---|---|---|
";

/// The command line by verbs, those below another one behind it.
fn cli() -> String {
    let mut page = CLI_HEAD.to_owned();
    let mut command = shown().disable_help_subcommand(true);
    command.build();
    for verb in command.get_subcommands() {
        tell(&mut page, verb, &BTreeSet::new());
    }
    page
}

/// A verb's section, without the options that stand in the section above already.
fn tell(page: &mut String, verb: &Command, told: &BTreeSet<String>) {
    let name = verb.get_bin_name().unwrap_or_else(|| verb.get_name());
    let level = "#".repeat(name.split(' ').count().min(4));
    let about = verb.get_about().map(ToString::to_string).unwrap_or_default();
    writeln!(page, "\n{level} {name}\n\n{}.", one_line(&about)).unwrap();
    options(page, verb.get_arguments().map(row).filter(|row| !told.contains(row)));
    let verbs: Vec<_> = verb.get_subcommands().filter(|verb| verb.get_name() != "help").collect();
    let mut shared = told.clone();
    if let Some((first, others)) = verbs.split_first().filter(|(_, others)| !others.is_empty()) {
        let in_all = |row: &String| {
            others
                .iter()
                .all(|verb| verb.get_arguments().any(|argument| self::row(argument) == *row))
        };
        let rows: Vec<_> = first.get_arguments().map(row).filter(in_all).collect();
        if !rows.iter().all(String::is_empty) {
            writeln!(page, "\nOptions of all that follow:").unwrap();
        }
        options(page, rows.iter().cloned());
        shared.extend(rows);
    }
    for verb in verbs {
        tell(page, verb, &shared);
    }
}

fn options(page: &mut String, rows: impl Iterator<Item = String>) {
    let rows: Vec<_> = rows.filter(|row| !row.is_empty()).collect();
    if !rows.is_empty() {
        writeln!(
            page,
            "\n| option | variable | what it does |\n|---|---|---|\n{}",
            rows.join("\n")
        )
        .unwrap();
    }
}

/// An option's line of the table; empty for what is not shown.
fn row(argument: &Arg) -> String {
    if argument.is_hide_set() || argument.get_id() == "help" || argument.get_id() == "version" {
        return String::new();
    }
    format!("| {} | {} | {} |", typed(argument), variable(argument), said(argument))
}

/// `-n`, `--namespace NAMESPACE`.
fn typed(argument: &Arg) -> String {
    let values = argument.get_value_names().filter(|_| argument.get_action().takes_values());
    let value = values.into_iter().flatten().map(|name| format!(" {name}")).collect::<String>();
    let short = argument.get_short().map(|short| format!("-{short}"));
    let long = argument.get_long().map(|long| format!("--{long}"));
    let mut names: Vec<_> = short.into_iter().chain(long).collect();
    match names.last_mut() {
        Some(last) => last.push_str(&value),
        None => names.push(value.trim_start().to_owned()),
    }
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn variable(argument: &Arg) -> String {
    argument.get_env().map(|name| format!("`{}`", name.to_string_lossy())).unwrap_or_default()
}

/// What an option does, which values it takes where they are few, and what it is when it is not given.
fn said(argument: &Arg) -> String {
    let mut said = argument.get_help().map(|help| one_line(&help.to_string())).unwrap_or_default();
    let values: Vec<_> = argument.get_possible_values();
    let names: Vec<_> = values
        .iter()
        .filter(|value| !value.is_hide_set())
        .map(|value| format!("`{}`", value.get_name()))
        .collect();
    if argument.get_action().takes_values() && !names.is_empty() {
        write!(said, ": {}", names.join(", ")).unwrap();
    }
    let defaults: Vec<_> =
        argument.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if argument.get_action().takes_values() && !defaults.is_empty() {
        write!(said, " [default: {}]", defaults.join(",")).unwrap();
    }
    said
}

/// As it can stand in a cell of a table.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|").replace('<', "\\<")
}

/// The configuration file's keys in the order of the agent's help.
fn config() -> String {
    let mut page = CONFIG_HEAD.to_owned();
    let command = shown();
    let agent = command.find_subcommand("agent").unwrap();
    let mut rest: BTreeSet<_> = keys().iter().copied().collect();
    for argument in agent.get_arguments() {
        let key = argument.get_long().unwrap_or_default().replace('-', "_");
        if rest.remove(key.as_str()) {
            writeln!(
                page,
                "| `{key}` | {} | {} | {} |",
                typed(argument),
                variable(argument),
                said(argument)
            )
            .unwrap();
        }
    }
    assert!(rest.is_empty(), "keys without a flag: {rest:?}");
    page
}

/// Compares a page with what is committed, or rewrites that.
fn is_current(page: &str, rendered: &str, test: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference").join(page);
    if std::env::var_os("CHANDRA_BLESS").is_some_and(|bless| bless == "1") {
        std::fs::write(&path, rendered).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let rewrite = format!("`CHANDRA_BLESS=1 cargo test -p chandra {test}` rewrites it");
    assert!(committed == rendered, "docs/reference/{page} is out of date; {rewrite}");
}

#[test]
fn cli_reference_is_current() {
    is_current("cli.md", &cli(), "cli_reference_is_current");
}

#[test]
fn config_reference_is_current() {
    is_current("config.md", &config(), "config_reference_is_current");
}

#[test]
fn every_key_of_the_file_has_a_flag_and_a_variable() {
    let page = config();
    for key in keys() {
        let line = page.lines().find(|line| line.starts_with(&format!("| `{key}` |"))).unwrap();
        assert!(line.contains(&format!("`CHANDRA_{}`", key.to_uppercase())), "{line}");
    }
}
