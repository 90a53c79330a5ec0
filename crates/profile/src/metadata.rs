//! What is known of a profile as a whole.

/// What is measured: a name and a unit, in pprof's words.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ValueType {
    /// `samples`, `cpu`, `off_cpu`, `alloc_space`, …
    pub name: String,
    /// `count`, `nanoseconds`, `bytes`, …
    pub unit: String,
}

impl ValueType {
    /// A type of this name and unit.
    pub fn new(name: &str, unit: &str) -> Self {
        Self { name: name.to_owned(), unit: unit.to_owned() }
    }

    /// How many samples were taken.
    pub fn samples() -> Self {
        Self::new("samples", "count")
    }

    /// Time on a CPU.
    pub fn cpu() -> Self {
        Self::new("cpu", "nanoseconds")
    }

    /// Time off the CPU.
    pub fn off_cpu() -> Self {
        Self::new("off_cpu", "nanoseconds")
    }

    /// Whether it counts things, which is what tests of significance need.
    pub fn is_count(&self) -> bool {
        self.unit == "count"
    }
}

/// What was not sampled as it should have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loss {
    /// Why.
    pub reason: String,
    /// How many samples.
    pub samples: u64,
}

/// What is known of a profile as a whole; of what is not known nothing is said.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Metadata {
    /// Where it was taken.
    pub host: Option<String>,
    /// Start, in ns since 1970 (UTC).
    pub start_unix_ns: Option<u64>,
    /// How long it was taken for.
    pub duration_ns: Option<u64>,
    /// Samples each second and CPU.
    pub frequency_hz: Option<u32>,
    /// What one sample stands for, and in which type.
    pub period: Option<(ValueType, u64)>,
    /// Index of the type that is shown unless another is asked for.
    pub default_value: Option<usize>,
    /// Remarks, such as the command that was run.
    pub comments: Vec<String>,
    /// What was lost, by reason.
    pub losses: Vec<Loss>,
    /// What a reader could not keep of its file; not written to files.
    pub notes: Vec<String>,
}

impl Metadata {
    /// Counts losses.
    pub fn lose(&mut self, reason: &str, samples: u64) {
        match self.losses.iter_mut().find(|loss| loss.reason == reason) {
            Some(loss) => loss.samples = loss.samples.saturating_add(samples),
            None => self.losses.push(Loss { reason: reason.to_owned(), samples }),
        }
    }

    /// Joins what is known of a second profile that is merged into this one: from the first start to the last
    /// end, or as long as both together, where the starts are not known.
    pub(crate) fn merge(&mut self, other: &Self) {
        let end = |it: &Self| Some(it.start_unix_ns?.saturating_add(it.duration_ns?));
        self.duration_ns = match (end(self), end(other), self.start_unix_ns, other.start_unix_ns) {
            (Some(one), Some(two), Some(first), Some(second)) => {
                Some(one.max(two).saturating_sub(first.min(second)))
            }
            _ => match (self.duration_ns, other.duration_ns) {
                (Some(one), Some(two)) => Some(one.saturating_add(two)),
                (one, two) => one.or(two),
            },
        };
        self.start_unix_ns = match (self.start_unix_ns, other.start_unix_ns) {
            (Some(one), Some(two)) => Some(one.min(two)),
            (one, two) => one.or(two),
        };
        if self.host != other.host {
            self.host = None;
        }
        if self.frequency_hz != other.frequency_hz {
            self.frequency_hz = None;
        }
        if self.period != other.period {
            self.period = None;
        }
        for comment in &other.comments {
            if !self.comments.contains(comment) {
                self.comments.push(comment.clone());
            }
        }
        for loss in &other.losses {
            self.lose(&loss.reason, loss.samples);
        }
        self.notes.extend(other.notes.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::Metadata;

    #[test]
    fn two_profiles_that_overlap_last_from_the_first_start_to_the_last_end() {
        let of = |start, duration| Metadata {
            start_unix_ns: Some(start),
            duration_ns: Some(duration),
            ..Metadata::default()
        };
        let mut both = of(100, 10);
        both.merge(&of(95, 10));
        assert_eq!((both.start_unix_ns, both.duration_ns), (Some(95), Some(15)));
    }

    #[test]
    fn losses_add_up_by_reason() {
        let mut one = Metadata::default();
        one.lose("ring full", 3);
        let mut two = Metadata::default();
        two.lose("ring full", 4);
        two.lose("throttled", 1);
        one.merge(&two);
        let losses: Vec<_> = one.losses.iter().map(|loss| (&*loss.reason, loss.samples)).collect();
        assert_eq!(losses, [("ring full", 7), ("throttled", 1)]);
    }
}
