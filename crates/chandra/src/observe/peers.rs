//! `chandra watch peers`: which nodes a node knows, as they come and go.

use chandra_doctor::Problem;
use chandra_event::text::escape;
use chandra_hubble::json;
use chandra_hubble::proto::peer::{ChangeNotification, NotifyRequest};

use super::server::Server;
use super::stream::Until;
use crate::cli::observe_others::{PeersFormat, PeersOptions};
use crate::output::{self, Written};

const WHAT: &str = "cannot watch peers";

/// Prints each change, until told to stop.
pub async fn run(options: &PeersOptions) -> Result<(), Problem> {
    let server = Server::connect(&options.server).await?;
    let mut until = Until::signals()?;
    let mut peer = server.peer();
    let asked = peer.notify(NotifyRequest {});
    let Some(answer) = until.stopped(asked).await else { return Ok(()) };
    let mut changes = answer.map_err(|status| server.refusal(WHAT, &status))?.into_inner();
    while let Some(change) = until.stopped(changes.message()).await {
        let change = change.map_err(|status| server.refusal(WHAT, &status))?;
        let Some(change) = change else { break };
        let line = match options.format {
            PeersFormat::Compact => compact(&change),
            PeersFormat::Json => {
                let line = json::line("peer.ChangeNotification", &change);
                line.map_err(|error| super::unprintable(&error))? + "\n"
            }
        };
        if output::write(line.as_bytes())? == Written::ReaderGone {
            break;
        }
    }
    Ok(())
}

fn compact(change: &ChangeNotification) -> String {
    let tls = change
        .tls
        .as_ref()
        .map(|tls| format!(" (TLS.ServerName: {})", escape(tls.server_name.as_bytes())));
    let (kind, address, name) = (
        change.r#type().as_str_name(),
        escape(change.address.as_bytes()),
        escape(change.name.as_bytes()),
    );
    format!("{kind:<12} {address} {name}{}\n", tls.unwrap_or_default())
}
