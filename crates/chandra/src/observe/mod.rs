//! `chandra observe`, `status`, `watch`, and the lists that a server has: a client of any server of
//! Hubble's, as Hubble's own command line is one.
//!
//! Flows come from a [`source`], are chosen from once more where the server could not do it ([`choice`]),
//! and end in a [`display`]. Waiting is done by one thread; what a server sends is taken as fast as it is
//! shown, so that nothing piles up here.

mod aggregate;
mod choice;
mod columns;
pub mod details;
mod display;
mod events;
pub mod filters;
mod inventory;
pub mod moment;
mod peers;
pub mod request;
mod resume;
pub mod server;
mod source;
pub mod status;
pub mod stream;
mod totals;

use std::future::Future;
use std::process::ExitCode;

use chandra_doctor::{Check, Problem};

pub use aggregate::Key;
pub use display::DisplayOptions;

use crate::cli::observe::{ObserveOptions, Origin, What};
use crate::cli::observe_others::OtherOptions;
use choice::{Choice, Step};
use display::{Display, Ended};
use server::Server;
use source::Source;
use stream::Until;

/// Shows flows or events.
pub fn run(options: &ObserveOptions) -> Result<(), Problem> {
    block_on(async {
        match &options.what {
            What::Flows => flows(options).await,
            What::AgentEvents => events::agent(options).await,
            What::DebugEvents => events::debug(options).await,
        }
    })
}

/// Shows what else a server knows. The code is 1 when what was asked for could be shown and is not well.
pub fn run_other(options: &OtherOptions) -> Result<ExitCode, Problem> {
    match options {
        OtherOptions::Status(options) => return status::run(options),
        OtherOptions::Nodes(options) => block_on(inventory::nodes(options)),
        OtherOptions::Namespaces(options) => block_on(inventory::namespaces(options)),
        OtherOptions::Peers(options) => block_on(peers::run(options)),
    }
    .map(|()| ExitCode::SUCCESS)
}

/// Waits for this.
pub fn block_on<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| {
        Problem::new(Check::HUBBLE, "cannot wait for a server", error, "start it again")
    })?;
    runtime.block_on(work)
}

async fn flows(options: &ObserveOptions) -> Result<(), Problem> {
    let mut until = Until::signals()?;
    let mut display = Display::new(&options.display);
    let (request, details) = (options.request.clone(), options.details.clone());
    let origin = match &options.origin {
        Origin::File(path) => {
            let mut choice = Choice::of_file(&request, details)?;
            let source = Source::open(path, options.display.is_silent)?;
            display.all(source, &mut choice, &mut until).await?;
            return display.finish();
        }
        Origin::Server(origin) => origin,
    };
    let mut step = Some(Step::first(request, details)?);
    let Some(server) = until.stopped(Server::connect(origin)).await else { return Ok(()) };
    let server = server?;
    while let Some(mut now) = step.take() {
        let asked = Source::ask(&server, now.request.clone());
        let Some(source) = until.stopped(asked).await else { break };
        if display.all(source?, &mut now.choice, &mut until).await? == Ended::Source {
            step = now.next();
        }
    }
    display.finish()
}

/// A message that cannot be said as JSON.
fn unprintable(error: &chandra_hubble::json::Error) -> Problem {
    Problem::new(
        Check::HUBBLE,
        "cannot show what the server sent",
        error,
        "show it in another format: -o compact",
    )
}
