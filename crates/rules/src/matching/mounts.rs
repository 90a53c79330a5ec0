//! Which of the mounts of a container is asked for.

use chandra_event::bounded::Text;
use chandra_event::who::Mount;

use super::Glob;

/// A mount by its number, from 0, or the first one with a path as a pattern has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct MountChoice {
    number: Option<usize>,
    pattern: Glob,
}

/// What came of a choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chosen<'m> {
    Mount(&'m Mount),
    /// There is no such mount.
    None,
    /// Not all mounts are known, nor all of their paths: it may be one of those.
    Unknown,
}

impl MountChoice {
    /// What stands in brackets behind a field: digits alone are a number.
    pub fn new(text: &str) -> Self {
        Self { number: text.parse().ok(), pattern: Glob::new(text, false) }
    }

    /// The mount among these, of which some more were left out.
    pub(crate) fn choose<'m>(
        &self,
        mounts: &'m [Mount],
        omitted: u32,
        path: fn(&Mount) -> &Text,
    ) -> Chosen<'m> {
        if let Some(number) = self.number {
            let missing = if omitted > 0 { Chosen::Unknown } else { Chosen::None };
            return mounts.get(number).map_or(missing, Chosen::Mount);
        }
        for mount in mounts {
            let path = path(mount);
            // What was cut off decides.
            if path.cut_bytes() > 0 {
                return Chosen::Unknown;
            }
            if self.pattern.matches(path.as_str().as_bytes()) {
                return Chosen::Mount(mount);
            }
        }
        if omitted > 0 { Chosen::Unknown } else { Chosen::None }
    }
}

#[cfg(test)]
mod tests {
    use chandra_event::who::Propagation;

    use super::*;

    fn mount(host: &str) -> Mount {
        Mount {
            host_path: Text::new(host),
            container_path: Text::new("/in"),
            read_only: false,
            propagation: Propagation::Private,
        }
    }

    #[test]
    fn a_mount_is_chosen_by_number_or_by_the_first_path_that_matches() {
        let mounts = [mount("/etc/a"), mount("/proc"), mount("/proc/1")];
        let choose =
            |text: &str, omitted| match MountChoice::new(text)
                .choose(&mounts, omitted, |mount| &mount.host_path)
            {
                Chosen::Mount(mount) => mount.host_path.as_str(),
                Chosen::None => "none",
                Chosen::Unknown => "unknown",
            };
        assert_eq!(choose("1", 0), "/proc");
        assert_eq!(choose("/proc*", 0), "/proc");
        assert_eq!(choose("/proc/*", 0), "/proc/1");
        assert_eq!(choose("/proc/1", 0), "/proc/1");
        assert_eq!((choose("3", 0), choose("3", 1)), ("none", "unknown"));
        assert_eq!((choose("/pro", 0), choose("/pro", 1)), ("none", "unknown"));
    }

    #[test]
    fn a_path_that_was_cut_decides_nothing() {
        let long = format!("/{}", "x".repeat(2 * Text::MAX_BYTES));
        let choose = |text: &str, mounts: &[Mount]| {
            MountChoice::new(text).choose(mounts, 0, |mount| &mount.host_path) == Chosen::Unknown
        };
        assert!(choose("/x*y", &[mount(&long)]));
        assert!(!choose("/a", &[mount("/a"), mount(&long)]));
    }
}
