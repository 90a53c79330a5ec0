//! `chandra.v1.Profiles`: a profile for one client, which hears how far it is and then takes it in pieces.
//!
//! Invariants: so many profiles are under way at once, and no more; who asks beyond that is refused. A profile ends at
//! its time, however slowly its client reads. A client that does not take its profile within [`TAKING`] is let go, so that
//! what waits for clients is bounded: its bytes are counted ([`Counts`]).

use std::fmt::Debug;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use chandra_hubble::proto::chandra::v1::get_profile_request::Request as Asked;
use chandra_hubble::proto::chandra::v1::get_profile_response::Response as Said;
use chandra_hubble::proto::chandra::v1::profile_question::Time;
use chandra_hubble::proto::chandra::v1::{
    GetProfileRequest, GetProfileResponse, ProfileBegun, ProfileMade, ProfilePiece,
    ProfileProgress, ProfileQuestion, profiles_server,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::{interval, sleep, timeout};
use tonic::{Request, Response, Status, Streaming};

use super::State;
use super::stream::{Answers, stream};

/// Profiles that may be under way at once.
pub const MOST: usize = 8;
/// How long a client may take to say what it asks.
const ASKING: Duration = Duration::from_secs(10);
/// A client hears so often how far it is.
const PROGRESS: Duration = Duration::from_millis(250);
/// How long a client may take to read the profile.
const TAKING: Duration = Duration::from_secs(60);
/// Bytes of a piece.
const PIECE_BYTES: usize = 256 << 10;
/// Answers that may wait for a client.
const WAITING: usize = 2;
/// A profile takes no longer.
const LONGEST: Duration = Duration::from_secs(86_400);

/// What makes profiles.
#[tonic::async_trait]
pub trait Profiling: Debug + Send + Sync {
    /// Begins one.
    ///
    /// # Errors
    /// Why that cannot be, as a client is to hear it.
    async fn begin(&self, question: &ProfileQuestion) -> Result<Box<dyn Session>, Status>;

    /// What becomes of clients.
    fn counts(&self) -> &Arc<Counts>;
}

/// A profile that is under way. It is given up when this is dropped.
#[tonic::async_trait]
pub trait Session: Send {
    /// How it samples.
    fn begun(&self) -> ProfileBegun;

    /// Samples so far, of whom it was asked.
    fn samples(&self) -> u64;

    /// Ends it, if it was not over before: the profile as packed pprof, and what is known of it.
    async fn finish(self: Box<Self>) -> Result<(Vec<u8>, ProfileMade), Status>;
}

/// What becomes of clients.
#[derive(Debug, Default)]
pub struct Counts {
    /// Profiles that are under way, or wait for their client to take them.
    pub clients: AtomicUsize,
    /// Bytes of profiles that wait for their client to take them.
    pub waiting_bytes: AtomicUsize,
    /// Clients that were refused because too many profiles were under way.
    pub refused: AtomicU64,
    /// Clients that did not take their profile in time.
    pub let_go: AtomicU64,
}

/// Counted in as long as it is there.
struct CountedIn<'a>(&'a AtomicUsize, usize);

impl<'a> CountedIn<'a> {
    fn new(count: &'a AtomicUsize, by: usize) -> Self {
        count.fetch_add(by, Ordering::Relaxed);
        Self(count, by)
    }
}

impl Drop for CountedIn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(self.1, Ordering::Relaxed);
    }
}

/// The service.
#[derive(Debug)]
pub struct Profiles {
    state: Arc<State>,
    places: Arc<Semaphore>,
}

impl Profiles {
    pub fn new(state: Arc<State>) -> Self {
        Self { state, places: Arc::new(Semaphore::new(MOST)) }
    }
}

#[tonic::async_trait]
impl profiles_server::Profiles for Profiles {
    type GetProfileStream = Answers<GetProfileResponse>;

    async fn get_profile(
        &self,
        request: Request<Streaming<GetProfileRequest>>,
    ) -> Result<Response<Self::GetProfileStream>, Status> {
        let mut asked = request.into_inner();
        let first = timeout(ASKING, asked.message()).await;
        let first = first.map_err(|_| Status::deadline_exceeded("nothing was asked"))??;
        let Some(Asked::Question(question)) = first.and_then(|first| first.request) else {
            return Err(Status::invalid_argument("the first message has to be a question"));
        };
        let Some(profiling) = self.state.profiling.clone() else {
            return Err(Status::failed_precondition("no profiles are made on this node"));
        };
        // It is checked before it is begun, and counts from then on.
        until(&question, Instant::now())?;
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| {
            profiling.counts().refused.fetch_add(1, Ordering::Relaxed);
            Status::resource_exhausted(format!("{MOST} profiles are under way"))
        })?;
        let session = profiling.begin(&question).await?;
        let until = until(&question, Instant::now())?;
        let counts = Arc::clone(profiling.counts());
        Ok(stream(&self.state, WAITING, |state, sender| async move {
            let client = Client { node_name: state.node.name.clone(), sender };
            tell(session, (until, asked), &client, (&counts, place)).await;
        }))
    }
}

/// When it ends, if somebody said when.
fn until(question: &ProfileQuestion, now: Instant) -> Result<Option<Instant>, Status> {
    match &question.time {
        None => Ok(now.checked_add(LONGEST)),
        Some(Time::Last(_)) => Ok(Some(now)),
        Some(Time::Next(next)) => {
            let next = Duration::try_from(*next).ok().filter(|next| *next <= LONGEST);
            let why = "a profile takes no longer than a day";
            next.map(|next| now.checked_add(next)).ok_or_else(|| Status::invalid_argument(why))
        }
    }
}

/// Who is told.
struct Client {
    node_name: String,
    sender: mpsc::Sender<Result<GetProfileResponse, Status>>,
}

impl Client {
    /// Tells it; false when it is gone.
    async fn tell(&self, said: Said) -> bool {
        self.sender.send(Ok(self.response(said))).await.is_ok()
    }

    /// Tells it if it has taken what it was told before.
    fn tell_in_passing(&self, said: Said) {
        let _ = self.sender.try_send(Ok(self.response(said)));
    }

    fn response(&self, said: Said) -> GetProfileResponse {
        GetProfileResponse { node_name: self.node_name.clone(), response: Some(said) }
    }
}

async fn tell(
    session: Box<dyn Session>,
    (until, mut asked): (Option<Instant>, Streaming<GetProfileRequest>),
    client: &Client,
    (counts, _place): (&Counts, OwnedSemaphorePermit),
) {
    let _counted = CountedIn::new(&counts.clients, 1);
    client.tell_in_passing(Said::Begun(session.begun()));
    let begun = Instant::now();
    let progress = |session: &dyn Session, is_over| {
        let elapsed = prost_types::Duration::try_from(begun.elapsed()).ok();
        Said::Progress(ProfileProgress { elapsed, samples: session.samples(), is_over })
    };
    let is_over = async {
        match until {
            Some(until) => sleep(until.saturating_duration_since(Instant::now())).await,
            None => pending().await,
        }
    };
    let is_ended = async {
        loop {
            match asked.message().await {
                Ok(Some(GetProfileRequest { request: Some(Asked::End(_)) })) => return,
                Ok(Some(_)) => {}
                // Who says no more may read still; who is gone is noticed by the stream of answers.
                Ok(None) | Err(_) => return pending().await,
            }
        }
    };
    let mut ticks = interval(PROGRESS);
    let (mut is_over, mut is_ended) = (std::pin::pin!(is_over), std::pin::pin!(is_ended));
    loop {
        tokio::select! {
            () = &mut is_over => break,
            () = &mut is_ended => break,
            _ = ticks.tick() => client.tell_in_passing(progress(&*session, false)),
        }
    }
    client.tell_in_passing(progress(&*session, true));
    let (bytes, made) = match session.finish().await {
        Ok(made) => made,
        Err(status) => return drop(client.sender.send(Err(status)).await),
    };
    let _waiting = CountedIn::new(&counts.waiting_bytes, bytes.len());
    if timeout(TAKING, give(&bytes, made, client)).await.is_err() {
        counts.let_go.fetch_add(1, Ordering::Relaxed);
    }
}

async fn give(bytes: &[u8], made: ProfileMade, client: &Client) {
    if !client.tell(Said::Made(made)).await {
        return;
    }
    for piece in bytes.chunks(PIECE_BYTES) {
        if !client.tell(Said::Piece(ProfilePiece { data: piece.to_vec() })).await {
            return;
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_profile_ends_within_a_day() {
        let now = Instant::now();
        let of = |time| until(&ProfileQuestion { time, ..Default::default() }, now);
        let seconds = |seconds| prost_types::Duration { seconds, nanos: 0 };
        assert_eq!(of(Some(Time::Last(seconds(60)))).unwrap(), Some(now));
        assert_eq!(of(Some(Time::Next(seconds(3)))).unwrap(), Some(now + Duration::from_secs(3)));
        assert_eq!(of(None).unwrap(), Some(now + LONGEST));
        for wrong in [seconds(-1), seconds(86_401), seconds(i64::MAX)] {
            assert!(of(Some(Time::Next(wrong))).is_err(), "{wrong:?}");
        }
    }
}
