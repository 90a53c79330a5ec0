//! `chandra profile --server`: the profile of a node, made by its agent and written here.
//!
//! Ctrl-C ends the profile, not the program: the agent makes it of what there is, and that is written. A second one ends
//! the program.

use std::error::Error;
use std::time::{Duration, Instant};

use chandra_doctor::{Check, Problem};
use chandra_event::text::escape;
use chandra_hubble::proto::chandra::v1::get_profile_request::Request as Asked;
use chandra_hubble::proto::chandra::v1::get_profile_response::Response as Said;
use chandra_hubble::proto::chandra::v1::profile_question::Time;
use chandra_hubble::proto::chandra::v1::{
    EndOfProfile, GetProfileRequest, GetProfileResponse, ProfileBegun, ProfileKind, ProfileMade,
    ProfileProgress, ProfileQuestion,
};
use chandra_profile::pprof;
use chandra_profile::profile::{Limits, Profile};
use chandra_profiler::Of;
use tokio::sync::mpsc::{Sender, channel};
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use super::{Progress, write};
use crate::cli::profiling::elsewhere::ElsewhereOptions;
use crate::observe::block_on;
use crate::observe::server::Server;
use crate::observe::stream::Until;

const WHAT: &str = "cannot profile there";
/// What is asked: a question, and that it ends.
const REQUESTS: usize = 2;

/// Has a profile made, and writes it.
pub fn run(options: &ElsewhereOptions) -> Result<(), Problem> {
    let Some((node, bytes, made)) = block_on(profile(options))? else { return Ok(()) };
    let profile = read(&bytes, options)?;
    for note in &profile.metadata.notes {
        eprintln!("warning: {note}");
    }
    write(&profile, &options.outcome, of(&options.question), &node)?;
    eprintln!("{}", summary(&profile, of(&options.question), &node, &made));
    Ok(())
}

/// What was made, by which node; nothing if somebody gave up before it was begun.
async fn profile(
    options: &ElsewhereOptions,
) -> Result<Option<(String, Vec<u8>, ProfileMade)>, Problem> {
    let mut until = Until::signals()?;
    let Some(server) = until.stopped(Server::connect(&options.server)).await else {
        return Ok(None);
    };
    let server = server?;
    let (requests, stream) = channel(REQUESTS);
    let question = GetProfileRequest { request: Some(Asked::Question(options.question.clone())) };
    // There is room for both, and who takes them is here.
    let _ = requests.try_send(question);
    let mut client = server.profiles();
    let answer = client.get_profile(ReceiverStream::new(stream));
    let Some(answer) = until.stopped(answer).await else { return Ok(None) };
    let answers = answer.map_err(|status| refusal(&server, &status))?.into_inner();
    let mut coming = Coming { answers, requests, until, is_ended: false };
    let progress = Progress::new(Instant::now());
    let mut made: Option<(String, ProfileMade)> = None;
    let mut bytes = Vec::new();
    while let Some(GetProfileResponse { node_name, response }) =
        coming.next().await.map_err(|status| refusal(&server, &status))?
    {
        match response {
            Some(Said::Begun(begun)) => announce(&begun, &node_name, options),
            Some(Said::Progress(far)) => show(&progress, &far),
            Some(Said::Made(it)) => made = Some((node_name, it)),
            Some(Said::Piece(piece)) => {
                bytes.extend_from_slice(&piece.data);
                if bytes.len() > pprof::MAX_BYTES {
                    let limit = format!("it has more than {} MiB", pprof::MAX_BYTES >> 20);
                    return Err(unreadable(options, &limit));
                }
            }
            None => {}
        }
    }
    progress.clear();
    match made {
        Some((node, made)) if made.bytes == bytes.len() as u64 => {
            Ok(Some((escape(node.as_bytes()), bytes, made)))
        }
        _ => Err(unreadable(options, &"the agent ended before all of it was here")),
    }
}

/// What comes from the agent, which hears of Ctrl-C meanwhile.
struct Coming {
    answers: Streaming<GetProfileResponse>,
    requests: Sender<GetProfileRequest>,
    until: Until,
    is_ended: bool,
}

impl Coming {
    async fn next(&mut self) -> Result<Option<GetProfileResponse>, Status> {
        if !self.is_ended {
            if let Some(came) = self.until.stopped(self.answers.message()).await {
                return came;
            }
            self.is_ended = true;
            let _ = self
                .requests
                .try_send(GetProfileRequest { request: Some(Asked::End(EndOfProfile {})) });
        }
        self.answers.message().await
    }
}

fn of(question: &ProfileQuestion) -> Of {
    match question.kind() {
        ProfileKind::OffCpu => Of::Waits,
        _ => Of::Cpu,
    }
}

fn span(span: Option<prost_types::Duration>) -> Duration {
    span.and_then(|span| Duration::try_from(span).ok()).unwrap_or_default()
}

fn announce(begun: &ProfileBegun, node: &str, options: &ElsewhereOptions) {
    let node = escape(node.as_bytes());
    let until = match options.question.time {
        Some(Time::Next(next)) => format!("for {}", humantime::format_duration(span(Some(next)))),
        Some(Time::Last(last)) => {
            let last = humantime::format_duration(span(Some(last)));
            return eprintln!("profiling {node}: what its agent keeps of the last {last}");
        }
        None => "until Ctrl-C".to_owned(),
    };
    match of(&options.question) {
        Of::Cpu => eprintln!("profiling {node} at {} Hz {until}", begun.frequency_hz),
        Of::Waits => {
            let shortest = options.question.min_duration.or(begun.min_duration);
            let shortest = humantime::format_duration(span(shortest));
            eprintln!("profiling waits of {shortest} and longer on {node} {until}");
        }
    }
}

fn show(progress: &Progress, far: &ProfileProgress) {
    if far.is_over {
        progress.say(&format!("{} samples, looking for names", far.samples));
    } else {
        progress.say(&format!("{} s, {} samples", span(far.elapsed).as_secs(), far.samples));
    }
}

fn read(bytes: &[u8], options: &ElsewhereOptions) -> Result<Profile, Problem> {
    pprof::read(bytes, Limits::default()).map_err(|error| unreadable(options, &error))
}

fn unreadable(options: &ElsewhereOptions, why: &dyn std::fmt::Display) -> Problem {
    let address = &options.server.connect.address;
    let what = format!("cannot read the profile from {address}");
    Problem::new(
        Check::PROFILE,
        what,
        why,
        format!("try again, or see: chandra status --server {address}"),
    )
}

/// The last line: what it is of, and what is missing.
fn summary(profile: &Profile, of: Of, node: &str, made: &ProfileMade) -> String {
    let what = if of == Of::Waits { "waits" } else { "samples" };
    let seconds = profile.metadata.duration_ns.unwrap_or(0) as f64 / 1e9;
    let mut text =
        format!("{} {what} of {node} in {seconds:.1} s, {} lost", made.samples, made.lost);
    let missing = span(made.missing);
    if !missing.is_zero() {
        let missing = missing.as_secs_f64();
        text += &format!(
            "; the first {missing:.1} s made room for the rest: the agent keeps more with --profile-buffer-size"
        );
    }
    let comments = profile.metadata.comments.iter();
    comments.fold(text, |text, comment| text + "; " + &escape(comment.as_bytes()))
}

/// What a refusal means.
fn refusal(server: &Server<'_>, status: &Status) -> Problem {
    let address = server.address();
    let said = escape(status.message().as_bytes());
    let (why, next) = match status.code() {
        // What breaks a connection has a reason behind it.
        _ if status.source().is_some() => return server.refusal(WHAT, status),
        Code::FailedPrecondition => (
            format!("{address}: {said}"),
            "start the agent with the signals of profiles: chandra agent --signals …,cpu_profile,off_cpu",
        ),
        Code::Unimplemented => (
            format!("{address} makes no profiles: it is an older agent, or not Chandra's"),
            "ask the agent of a node: chandra profile --server unix:///run/chandra/hubble.sock",
        ),
        Code::InvalidArgument => (
            format!("{address} refuses what is asked: {said}"),
            "correct it; see chandra profile --help",
        ),
        Code::ResourceExhausted => {
            (format!("{address} cannot do more: {said}"), "ask again when others are done")
        }
        _ => return server.refusal(WHAT, status),
    };
    Problem::new(Check::PROFILE, WHAT, why, next)
}
