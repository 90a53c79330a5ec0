//! Reads code objects in a thread of its own.
//!
//! A process may have its memory in a file of a file system that it serves itself: then reading there takes as long as
//! it likes. Who waits for it would stand still with all of its samples. So it is done apart, and a thread that does not
//! come back in time is left behind; there are only so many of these at once.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::code::{Code, Signature};
use super::image::Image;

/// An answer takes microseconds, if the machine is not very busy.
const PATIENCE: Duration = Duration::from_millis(500);
/// Threads that did not come back yet.
const MAX_LEFT_BEHIND: usize = 8;

/// A code object, perhaps one that is known.
#[derive(Debug)]
pub struct Question {
    /// The memory of its process.
    pub memory: Arc<File>,
    /// The interpreter.
    pub image: Arc<Image>,
    /// The address of the type of code objects.
    pub code_type: u64,
    /// Its address.
    pub at: u64,
    /// What was there before.
    pub known: Option<Signature>,
}

/// What is there.
#[derive(Debug)]
pub enum Answer {
    /// What was there before.
    Same,
    /// This.
    Read(Signature, Code),
    /// Nothing that can be read.
    Nothing,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Reader {
    thread: Option<Thread>,
    /// Each thread has one.
    all: Arc<()>,
}

#[derive(Debug)]
struct Thread {
    questions: Sender<Question>,
    answers: Receiver<Answer>,
}

impl Reader {
    /// What is there; `None` where that could not be found out in time.
    pub fn ask(&mut self, question: Question) -> Option<Answer> {
        if self.thread.is_none() && Arc::strong_count(&self.all) <= MAX_LEFT_BEHIND {
            self.thread = start(Arc::clone(&self.all)).ok();
        }
        let Thread { questions, answers } = self.thread.as_ref()?;
        let asked = questions.send(question).is_ok();
        match answers.recv_timeout(if asked { PATIENCE } else { Duration::ZERO }) {
            Ok(answer) => Some(answer),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                self.thread = None;
                None
            }
        }
    }
}

fn start(one: Arc<()>) -> io::Result<Thread> {
    let (questions, asked) = channel::<Question>();
    let (told, answers) = channel();
    let work = move || {
        let _one = one;
        for question in asked {
            // Who does not wait any more has no other question either.
            if told.send(answer(&question)).is_err() {
                break;
            }
        }
    };
    std::thread::Builder::new().name("python code".to_owned()).spawn(work)?;
    Ok(Thread { questions, answers })
}

fn answer(question: &Question) -> Answer {
    let Question { memory, image, code_type, at, known } = question;
    let layout = &image.layout;
    let Some(signature) = Signature::read(&**memory, &layout.code, *code_type, *at) else {
        return Answer::Nothing;
    };
    if *known == Some(signature) {
        return Answer::Same;
    }
    let code = Code::read(&**memory, layout, &signature);
    code.map_or(Answer::Nothing, |code| Answer::Read(signature, code))
}
