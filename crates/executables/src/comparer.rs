//! The thread that compares, and how long one waits for it.
//!
//! Whoever asks waits for a bounded time ([`Patience`]), and not at all while an answer is overdue. What comes late
//! is remembered for what the process does later, and counted.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::time::Duration;

use crate::known::Names;
use crate::patience::{Patience, Waited};
use crate::question::{Failure, FileId, Knowledge, Question};

/// How long the programs of the node's own root are waited for at the start.
const START: Duration = Duration::from_secs(2);
/// Questions that wait at most.
const QUEUE: usize = 256;
/// Files that are remembered. They are forgotten all at once.
const MAX_FILES: usize = 16_384;

/// What became of questions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// Files that are no copy.
    pub no_copy: u64,
    /// Files that are a copy of a known program, under another name.
    pub copy: u64,
    /// Processes and files that were gone too early.
    pub gone: u64,
    /// Files that could not be read.
    pub unreadable: u64,
    /// Answers that came too late for the rules.
    pub late: u64,
    /// Questions that were not asked, because too many waited.
    pub not_asked: u64,
}

enum Order {
    Names(Names),
    Compare(u64, Question),
}

struct Answer {
    number: u64,
    /// The file that it is about, unless that was a loader's.
    file: Option<FileId>,
    found: Result<Option<Arc<[u8]>>, Failure>,
}

/// Compares executables with the programs that are known in their roots.
#[derive(Debug)]
pub struct Comparer {
    orders: SyncSender<Order>,
    answers: Receiver<Answer>,
    asked: u64,
    answered: u64,
    patience: Patience,
    /// The program's name, empty for no copy.
    files: HashMap<FileId, Arc<[u8]>>,
    none: Arc<[u8]>,
    figures: Figures,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Order")
    }
}

impl std::fmt::Debug for Answer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Answer")
    }
}

impl Comparer {
    /// Starts the thread, and waits until it knows the programs of these names in the node's own root.
    ///
    /// # Errors
    /// When there can be no thread.
    pub fn start(names: Names) -> io::Result<Self> {
        let (orders, taken) = sync_channel(QUEUE);
        let (sender, answers) = channel();
        std::thread::Builder::new().name("executables".to_owned()).spawn(move || {
            let mut knowledge = Knowledge::default();
            for order in taken {
                let answer = match order {
                    Order::Names(names) => {
                        knowledge.set_names(names);
                        Answer { number: 0, file: None, found: Ok(None) }
                    }
                    Order::Compare(number, question) => {
                        let file = question.loaded.is_none().then_some(question.file);
                        Answer { number, file, found: knowledge.answer(&question) }
                    }
                };
                if sender.send(answer).is_err() {
                    break;
                }
            }
        })?;
        let this = Self {
            orders,
            answers,
            asked: 0,
            answered: 0,
            patience: Patience::default(),
            files: HashMap::new(),
            none: Arc::from([]),
            figures: Figures::default(),
        };
        this.set_names(names);
        // Late ones are late.
        let _ = this.answers.recv_timeout(START);
        Ok(this)
    }

    /// Other programs matter from now on.
    pub fn set_names(&self, names: Names) {
        // A queue that is full is worked off one day; then those before them stay.
        let _ = self.orders.try_send(Order::Names(names));
    }

    /// Something is known of a file, or is about to be.
    pub fn knows(&self, file: FileId) -> bool {
        self.files.contains_key(&file)
    }

    /// The program that a file is a copy of, empty if it is none; nothing if it is not known.
    pub fn copy_of(&self, file: FileId) -> Option<&[u8]> {
        self.files.get(&file).map(|name| &**name)
    }

    /// Asks, and waits a little. The answer, if it is there: a program's name, empty for what is no copy.
    pub fn compare(&mut self, question: Question) -> Option<Arc<[u8]>> {
        self.take_what_came();
        let number = self.asked + 1;
        match self.orders.try_send(Order::Compare(number, question)) {
            Ok(()) => self.asked = number,
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => {
                self.figures.not_asked += 1;
                return None;
            }
        }
        if self.answered + 1 < number {
            return None;
        }
        let mut found = None;
        let mut patience = std::mem::take(&mut self.patience);
        patience.wait(|left| match self.answers.recv_timeout(left) {
            Ok(answer) => {
                found = self.take(answer, false);
                if self.answered < number { Waited::More } else { Waited::Enough }
            }
            Err(_) => Waited::Enough,
        });
        self.patience = patience;
        found
    }

    /// What became of questions so far.
    pub fn figures(&self) -> Figures {
        self.figures
    }

    fn take_what_came(&mut self) {
        while let Ok(answer) = self.answers.try_recv() {
            self.take(answer, true);
        }
    }

    fn take(&mut self, answer: Answer, is_late: bool) -> Option<Arc<[u8]>> {
        if answer.number == 0 {
            return None;
        }
        self.answered = answer.number;
        self.figures.late += u64::from(is_late);
        let name = match answer.found {
            Ok(found) => {
                self.figures.copy += u64::from(found.is_some());
                self.figures.no_copy += u64::from(found.is_none());
                found.unwrap_or_else(|| Arc::clone(&self.none))
            }
            Err(Failure::Gone) => {
                self.figures.gone += 1;
                return None;
            }
            Err(Failure::Unreadable) => {
                self.figures.unreadable += 1;
                return None;
            }
        };
        if let Some(file) = answer.file {
            if self.files.len() >= MAX_FILES {
                self.files.clear();
            }
            self.files.insert(file, Arc::clone(&name));
        }
        Some(name)
    }
}
