//! What the command line says of itself: scripts for shells, and manual pages. Both are drawn from the
//! definition that parses, so that neither can lag behind it.

mod completions;
mod manual;

use chandra_doctor::Problem;

use crate::cli;
use crate::cli::describe::DescribeOptions;
use crate::output;

/// Prints or writes it.
pub fn run(options: &DescribeOptions) -> Result<(), Problem> {
    match options {
        DescribeOptions::Completions(options) => {
            output::write(&completions::script(cli::shown(), options.shell)).map(drop)
        }
        DescribeOptions::Manual(options) => manual::run(cli::shown(), options),
    }
}
