//! Scripts for shells.

use chandra_signals::SIGNALS;
use clap::Command;
use clap::builder::PossibleValuesParser;
use clap_complete::aot::{Shell as Generator, generate};

use crate::cli::describe::Shell;

/// The script that completes this command.
pub fn script(command: Command, shell: Shell) -> Vec<u8> {
    let generator = match shell {
        Shell::Bash => Generator::Bash,
        Shell::Zsh => Generator::Zsh,
        Shell::Fish => Generator::Fish,
    };
    let mut script = Vec::new();
    generate(generator, &mut with_signals(command), "chandra", &mut script);
    script
}

/// Lets `--signals` be completed by the signals that there are. Only here: who types a wrong one is told so
/// with the nearest, which clap's own check would keep from them.
fn with_signals(command: Command) -> Command {
    let names: Vec<_> = SIGNALS.iter().map(|signal| signal.spec.name).collect();
    command.mut_subcommands(|verb| {
        if !verb.get_arguments().any(|argument| argument.get_id() == "signals") {
            return verb;
        }
        verb.mut_arg("signals", |argument| {
            argument.value_parser(PossibleValuesParser::new(names.clone()))
        })
    })
}
