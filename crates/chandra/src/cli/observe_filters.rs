//! The filter flags of `chandra observe`, made from their table, and what was typed of them in its order:
//! `--not` concerns the flag behind it.

use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};

use crate::observe::filters::{FLAGS, Flag, Given, NOT};

const HEADING: &str = "Filters";

/// Adds all of them.
pub fn add(command: Command) -> Command {
    let not = Arg::new(NOT)
        .long(NOT)
        .help("Leave out what the next flag asks for, instead of showing only that")
        .help_heading(HEADING)
        .action(ArgAction::Append)
        .num_args(0..=1)
        .require_equals(true)
        .default_missing_value("true")
        .hide_possible_values(true)
        .value_name("true");
    command.arg(not).args(FLAGS.iter().map(argument))
}

fn argument(flag: &'static Flag) -> Arg {
    let argument = Arg::new(flag.name).long(flag.name).help(flag.help).help_heading(HEADING);
    let argument = match flag.short {
        Some(letter) => argument.short(letter),
        None => argument,
    };
    if flag.value_name.is_empty() {
        argument.action(ArgAction::SetTrue).overrides_with(flag.name)
    } else {
        argument.action(ArgAction::Append).value_name(flag.value_name).allow_hyphen_values(true)
    }
}

/// What was typed.
pub fn given(matches: &ArgMatches) -> Vec<Given> {
    let mut given = Vec::new();
    let names = FLAGS.iter().map(|flag| (flag.name, flag.value_name.is_empty()));
    for (flag, is_alone) in names.chain([(NOT, true)]) {
        if matches.value_source(flag) != Some(ValueSource::CommandLine) {
            continue;
        }
        let places = matches.indices_of(flag).into_iter().flatten();
        if is_alone {
            given.extend(places.map(|place| (place, Given { flag, value: String::new() })));
        } else {
            let values = matches.get_many::<String>(flag).into_iter().flatten().cloned();
            given.extend(places.zip(values).map(|(place, value)| (place, Given { flag, value })));
        }
    }
    given.sort_by_key(|(place, _)| *place);
    given.into_iter().map(|(_, given)| given).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Vec<(&'static str, String)> {
        let command = add(Command::new("observe").no_binary_name(true));
        let matches = command.try_get_matches_from(line.split(' ')).unwrap();
        given(&matches).into_iter().map(|given| (given.flag, given.value)).collect()
    }

    #[test]
    fn flags_come_in_the_order_in_which_they_were_typed() {
        let found = typed(
            "--not -n a --verdict DROPPED -A --not --pod b --pod=c -t drop -l x=y -4 --not=true -6",
        );
        let found: Vec<_> = found.iter().map(|(flag, value)| (*flag, value.as_str())).collect();
        assert_eq!(
            found,
            [
                ("not", ""),
                ("namespace", "a"),
                ("verdict", "DROPPED"),
                ("all-namespaces", ""),
                ("not", ""),
                ("pod", "b"),
                ("pod", "c"),
                ("type", "drop"),
                ("label", "x=y"),
                ("ipv4", ""),
                ("not", ""),
                ("ipv6", ""),
            ]
        );
    }
}
