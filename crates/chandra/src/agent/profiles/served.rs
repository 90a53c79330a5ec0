//! Profiles for clients of `chandra.v1.Profiles`: what comes from now on, or what is kept.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::TrySendError;
use std::time::{Duration, Instant, SystemTime};

use chandra_hubble::proto::chandra::v1::profile_question::Time;
use chandra_hubble::proto::chandra::v1::{
    ProfileBegun, ProfileFrames, ProfileKind, ProfileMade, ProfileQuestion,
};
use chandra_hubble_grpc::server::{self, ProfileCounts, Profiling};
use chandra_loader::clock;
use chandra_loader::ring::UNHURRIED_POLL;
use chandra_profiler::{Of, What};
use chandra_signals::off_cpu::MIN_DURATION;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tonic::Status;

use super::keeper::{End, Made, Message};
use super::mailbox::Mailbox;
use super::sessions::{Registered, Session};
use super::wanted::{Wanted, of_kept};
use super::{HERTZ, NoProfile, PATIENCE, Profiles, Question};
use crate::agent::state::AgentState;

/// What was sampled is told by then, unless the machine has no time for that.
const LATE: Duration = Duration::from_secs(3);

/// Makes profiles from what an agent keeps.
#[derive(Debug)]
pub struct Making {
    agent: Arc<AgentState>,
    node: String,
    counts: Arc<ProfileCounts>,
}

impl Making {
    /// Of this agent, on this node.
    pub fn new(agent: Arc<AgentState>, node: &str) -> Self {
        let counts = Arc::clone(&agent.profile_clients);
        Self { agent, node: node.to_owned(), counts }
    }

    /// The signal that a question is about.
    fn profiles(&self, of: Of) -> Result<&Profiles, Status> {
        let name = match of {
            Of::Cpu => "cpu_profile",
            Of::Waits => "off_cpu",
        };
        let found = self.agent.profiles.iter().find(|it| it.of == of);
        found.ok_or_else(|| status(&NoProfile::Off(name)))
    }
}

#[tonic::async_trait]
impl Profiling for Making {
    async fn begin(&self, question: &ProfileQuestion) -> Result<Box<dyn server::Session>, Status> {
        let of = kind(question).map_err(Status::invalid_argument)?;
        let what = frames(question).map_err(Status::invalid_argument)?;
        let profiles = self.profiles(of)?;
        if let Some(Time::Last(last)) = question.time {
            let time = Duration::try_from(last).ok().filter(|time| !time.is_zero());
            let time =
                time.ok_or_else(|| Status::invalid_argument("no span of time is asked for"))?;
            if question.threads {
                let why = "what is kept does not tell threads apart; what comes from now on (without --last) does";
                return Err(Status::invalid_argument(why));
            }
            let filter = of_kept(&question.filter.clone().unwrap_or_default());
            let filter = filter.map_err(Status::invalid_argument)?;
            let asked = Question { off_cpu: of == Of::Waits, time, filter, what };
            let messages = profiles.messages.clone();
            return Ok(Box::new(KeptSession { of, asked, messages }));
        }
        let wanted = Wanted::new(question, &self.node).map_err(Status::invalid_argument)?;
        let next = match question.time {
            Some(Time::Next(next)) => Duration::try_from(next).unwrap_or_default(),
            _ => Duration::MAX,
        };
        let next_ns = u64::try_from(next.as_nanos()).unwrap_or(u64::MAX);
        let session = Arc::new(Session::new(of, wanted, question.threads));
        let begin = |marks| profiles.messages.send(Message::Begin(of, marks)).is_ok();
        let registered = within_patience(|| profiles.sessions.add(&session, begin)).await?;
        let begun_ns = clock::boottime_ns();
        session.end(begun_ns.saturating_add(next_ns));
        let (agent, signal) = (Arc::clone(&self.agent), profiles.signal);
        let lost = agent.lost_by_signal(signal);
        Ok(Box::new(LiveSession {
            of,
            what,
            registered,
            messages: profiles.messages.clone(),
            agent,
            signal,
            lost,
            begun_ns,
            begun: SystemTime::now(),
        }))
    }

    fn counts(&self) -> &Arc<ProfileCounts> {
        &self.counts
    }
}

/// What comes from now on.
struct LiveSession {
    of: Of,
    what: What,
    registered: Registered,
    messages: Mailbox<Message>,
    agent: Arc<AgentState>,
    signal: &'static str,
    /// Records of the signal that were lost before.
    lost: u64,
    begun_ns: u64,
    begun: SystemTime,
}

#[tonic::async_trait]
impl server::Session for LiveSession {
    fn begun(&self) -> ProfileBegun {
        begun(self.of)
    }

    fn samples(&self) -> u64 {
        self.registered.session().samples()
    }

    async fn finish(self: Box<Self>) -> Result<(Vec<u8>, ProfileMade), Status> {
        let (session, sessions) = (self.registered.session(), self.registered.sessions());
        let ended_ns = session.end(clock::boottime_ns());
        // A ring of stacks is looked into so often; what was in it at the end was taken out at the next look.
        let look_ns = u64::try_from(2 * UNHURRIED_POLL.as_nanos()).unwrap_or(0);
        let told = sessions.told(ended_ns.saturating_add(look_ns));
        let is_late = timeout(LATE, told).await.is_err();
        let lost = self.agent.lost_by_signal(self.signal).saturating_sub(self.lost);
        let (answer, answered) = oneshot::channel();
        let end = End {
            of: self.of,
            marks: self.registered.marks(),
            what: self.what,
            begun: self.begun,
            duration: Duration::from_nanos(ended_ns.saturating_sub(self.begun_ns)),
            losses: vec![("no room in the ring", lost), ("no room in the queue", session.shed())],
            is_late,
        };
        let message = Message::End(Box::new(end), answer);
        send(&self.messages, message).await?;
        let made = made_within_patience(answered).await?;
        let samples = session.samples().saturating_sub(session.shed());
        Ok(done(made, samples, lost.saturating_add(session.shed())))
    }
}

/// What is kept.
struct KeptSession {
    of: Of,
    asked: Question,
    messages: Mailbox<Message>,
}

#[tonic::async_trait]
impl server::Session for KeptSession {
    fn begun(&self) -> ProfileBegun {
        begun(self.of)
    }

    fn samples(&self) -> u64 {
        0
    }

    async fn finish(self: Box<Self>) -> Result<(Vec<u8>, ProfileMade), Status> {
        let (answer, answered) = oneshot::channel();
        let message = Message::Ask(Box::new(self.asked), answer);
        send(&self.messages, message).await?;
        let made = made_within_patience(answered).await?;
        let samples = made.samples;
        Ok(done(made, samples, 0))
    }
}

/// Tries until it works. There is no room while names are looked for, or a machine has much more to do.
async fn within_patience<T>(mut attempt: impl FnMut() -> Option<T>) -> Result<T, Status> {
    let until = Instant::now() + PATIENCE;
    loop {
        match attempt() {
            Some(done) => return Ok(done),
            None if Instant::now() >= until => return Err(status(&NoProfile::Busy)),
            None => sleep(UNHURRIED_POLL).await,
        }
    }
}

/// Tells the thread that keeps profiles.
async fn send(messages: &Mailbox<Message>, message: Message) -> Result<(), Status> {
    let mut waiting = Some(message);
    within_patience(|| match messages.send(waiting.take()?) {
        Err(TrySendError::Full(message)) => {
            waiting = Some(message);
            None
        }
        // Where that thread is gone, nobody answers, which is noticed then.
        Ok(()) | Err(TrySendError::Disconnected(_)) => Some(()),
    })
    .await
}

async fn made_within_patience(
    answered: oneshot::Receiver<io::Result<Made>>,
) -> Result<Made, Status> {
    let failed = |why: io::Error| status(&NoProfile::Failed(why));
    let answered = timeout(PATIENCE, answered).await;
    let answered = answered.map_err(|_| failed(io::ErrorKind::TimedOut.into()))?;
    answered.map_err(|_| failed(io::ErrorKind::BrokenPipe.into()))?.map_err(failed)
}

fn done(made: Made, samples: u64, lost: u64) -> (Vec<u8>, ProfileMade) {
    let Made { bytes, missing, .. } = made;
    let missing = Some(missing).filter(|missing| !missing.is_zero());
    let missing = missing.and_then(|missing| missing.try_into().ok());
    let told = ProfileMade { bytes: bytes.len() as u64, samples, missing, lost };
    (bytes, told)
}

fn begun(of: Of) -> ProfileBegun {
    match of {
        Of::Cpu => ProfileBegun { frequency_hz: HERTZ, min_duration: None },
        Of::Waits => ProfileBegun { frequency_hz: 0, min_duration: MIN_DURATION.try_into().ok() },
    }
}

/// What is asked for, if an agent measures that.
fn kind(question: &ProfileQuestion) -> Result<Of, String> {
    match (question.kind(), question.frequency_hz, question.min_duration) {
        (ProfileKind::OnCpu, 0 | HERTZ, None) => Ok(Of::Cpu),
        (ProfileKind::OnCpu, hertz, None) => {
            Err(format!("the agent samples {HERTZ} times a second on each CPU, not {hertz} times"))
        }
        (ProfileKind::OffCpu, 0, None) => Ok(Of::Waits),
        (ProfileKind::OffCpu, 0, Some(shortest)) => match Duration::try_from(shortest) {
            Ok(shortest) if shortest >= MIN_DURATION => Ok(Of::Waits),
            _ => Err(format!(
                "the agent tells waits of {MIN_DURATION:?} and longer, no shorter ones"
            )),
        },
        (ProfileKind::OnCpu, ..) => Err("what runs has no shortest duration".into()),
        (ProfileKind::OffCpu, ..) => Err("waits have no frequency".into()),
        (ProfileKind::Unspecified, ..) => Err("it is not said what to measure".into()),
    }
}

fn frames(question: &ProfileQuestion) -> Result<What, String> {
    match ProfileFrames::try_from(question.frames) {
        Ok(ProfileFrames::AllFrames) => Ok(What::All),
        Ok(ProfileFrames::KernelFrames) => Ok(What::Kernel),
        Ok(ProfileFrames::UserFrames) => Ok(What::User),
        Err(_) => Err("there are no such frames".into()),
    }
}

/// Why there is none, as a client hears it.
fn status(why: &NoProfile) -> Status {
    let words = why.to_string();
    match why {
        NoProfile::Off(_) => Status::failed_precondition(words),
        NoProfile::Busy => Status::resource_exhausted(words),
        NoProfile::Failed(_) => Status::internal(words),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_agent_does_not_measure_is_refused_with_what_it_does() {
        let ask = |kind: ProfileKind, frequency_hz, micros: Option<i32>| {
            let nanos = |micros| prost_types::Duration { seconds: 0, nanos: micros * 1000 };
            let min_duration = micros.map(nanos);
            let kind = kind.into();
            super::kind(&ProfileQuestion { kind, frequency_hz, min_duration, ..Default::default() })
        };
        let (cpu, waits) = (ProfileKind::OnCpu, ProfileKind::OffCpu);
        assert_eq!(ask(cpu, 0, None), Ok(Of::Cpu));
        assert_eq!(ask(cpu, HERTZ, None), Ok(Of::Cpu));
        assert!(ask(cpu, 99, None).is_err_and(|why| why.contains(&format!("samples {HERTZ} "))));
        assert_eq!(ask(waits, 0, None), Ok(Of::Waits));
        assert_eq!(ask(waits, 0, Some(5_000)), Ok(Of::Waits));
        assert!(ask(waits, 0, Some(500)).is_err_and(|why| why.contains("1ms")));
        assert!(ask(waits, 19, None).is_err());
        assert!(ask(ProfileKind::Unspecified, 0, None).is_err());
    }
}
