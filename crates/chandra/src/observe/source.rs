//! Where flows come from: a server, or a file of JSON lines that was written before.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use chandra_doctor::{Check, Problem};
use chandra_hubble::json::{Line, LineError, Lines};
use chandra_hubble::proto::observer::{GetFlowsRequest, GetFlowsResponse};
use tokio::sync::mpsc::{Receiver, channel};
use tonic::Streaming;

use super::server::Server;

/// Lines that were read and are not used yet.
const LINES_AHEAD: usize = 256;

/// What flows come from.
#[derive(Debug)]
pub enum Source<'a> {
    /// A server's stream.
    Server {
        /// Who sends it.
        server: &'a Server<'a>,
        /// What is sent.
        stream: Box<Streaming<GetFlowsResponse>>,
    },
    /// A file, read in a thread of its own so that a slow pipe holds nobody up.
    File {
        /// Its name.
        path: PathBuf,
        /// Its lines.
        lines: Receiver<Result<Line, LineError>>,
        /// It was said that some of a line is not known.
        is_warned: bool,
        /// Nothing is said of lines that cannot be read.
        is_silent: bool,
    },
}

const WHAT: &str = "cannot observe flows";

impl<'a> Source<'a> {
    /// Asks a server.
    pub async fn ask(server: &'a Server<'a>, request: GetFlowsRequest) -> Result<Self, Problem> {
        let answer = server.observer().get_flows(request).await;
        let stream = answer.map_err(|status| server.refusal(WHAT, &status))?.into_inner();
        Ok(Self::Server { server, stream: Box::new(stream) })
    }

    /// Reads a file; `-` is standard input.
    pub fn open(path: &Path, is_silent: bool) -> Result<Self, Problem> {
        let reader: Box<dyn BufRead + Send> = if path == Path::new("-") {
            Box::new(BufReader::new(io::stdin()))
        } else {
            let file = File::open(path).map_err(|error| unreadable(path, &error))?;
            Box::new(BufReader::new(file))
        };
        let (sender, lines) = channel(LINES_AHEAD);
        std::thread::spawn(move || {
            for line in Lines::new(reader) {
                if sender.blocking_send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self::File { path: path.to_owned(), lines, is_warned: false, is_silent })
    }

    /// The next response; nothing at the end. May be dropped before it is there, and asked again.
    pub async fn next(&mut self) -> Result<Option<GetFlowsResponse>, Problem> {
        match self {
            Self::Server { server, stream } => {
                stream.message().await.map_err(|status| server.refusal(WHAT, &status))
            }
            Self::File { path, lines, is_warned, is_silent } => loop {
                match lines.recv().await {
                    None => return Ok(None),
                    Some(Err(LineError::Io(error))) => return Err(unreadable(path, &error)),
                    Some(Err(error)) => {
                        if !*is_silent {
                            eprintln!("warning: {} is left out: {error}", path.display());
                        }
                    }
                    Some(Ok(Line { response, warning })) => {
                        if let (Some(warning), false, false) = (warning, *is_warned, *is_silent) {
                            *is_warned = true;
                            eprintln!(
                                "warning: some of {} is not known here: {warning}",
                                path.display()
                            );
                        }
                        return Ok(Some(response));
                    }
                }
            },
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> Problem {
    Problem::new(
        Check::HUBBLE,
        format!("cannot read flows from {}", path.display()),
        error,
        "write some: chandra observe -o json --last 1000 > flows.json",
    )
}
