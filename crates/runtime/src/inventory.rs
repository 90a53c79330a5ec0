//! What a runtime had when it was last asked, and how that differs from its next list.
//!
//! Invariants: never more than [`MAX_IDS`] ids; those known stay in when a list is longer, so that a
//! list in random order does not make them come and go. An id leaves only by a list that was asked for
//! after it was seen, or by the runtime saying that it has no such thing.

use std::collections::{HashMap, HashSet};

use chandra_identity::description::{
    ContainerDescription, ContainerState, PodDescription, RuntimeId,
};

/// How many containers and sandboxes are followed. A node of Kubernetes has some hundreds.
pub(crate) const MAX_IDS: usize = 16_384;
/// How often something that should have an address or a process, and has none yet, is looked at again.
const MAX_COMPLETIONS: u8 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pod,
    Container,
}

/// One line of a list.
#[derive(Debug, Clone)]
pub(crate) struct Listed {
    pub id: RuntimeId,
    pub kind: Kind,
    /// As CRI numbers it.
    pub state: i32,
    pub sandbox_id: Option<RuntimeId>,
}

#[derive(Debug)]
struct Known {
    kind: Kind,
    state: i32,
    /// The list that had been asked for last when this was seen.
    seen_in: u64,
    completions_left: u8,
    is_complete: bool,
}

/// What to do about a list.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    pub look: Vec<Listed>,
    pub gone: Vec<(Kind, RuntimeId)>,
    /// Lines beyond the ceiling.
    pub omitted: usize,
}

/// Everything that was told.
#[derive(Debug, Default)]
pub(crate) struct Inventory {
    known: HashMap<RuntimeId, Known>,
    lists: u64,
}

impl Inventory {
    /// Numbers the list that is about to be asked for.
    pub fn next_list(&mut self) -> u64 {
        self.lists += 1;
        self.lists
    }

    pub fn knows(&self, id: &RuntimeId) -> bool {
        self.known.contains_key(id)
    }

    /// It was described since the last list was asked for, and nothing about it was missing.
    pub fn is_current(&self, id: &RuntimeId) -> bool {
        self.known.get(id).is_some_and(|known| known.seen_in == self.lists && known.is_complete)
    }

    /// Compares with the list of this number. What is gone is forgotten.
    pub fn compare(&mut self, number: u64, lines: Vec<Listed>) -> Difference {
        let mut difference = Difference::default();
        let ids: HashSet<&RuntimeId> = lines.iter().map(|line| &line.id).collect();
        self.known.retain(|id, known| {
            let stays = ids.contains(id) || known.seen_in >= number;
            if !stays {
                difference.gone.push((known.kind, id.clone()));
            }
            stays
        });
        let mut room = MAX_IDS.saturating_sub(self.known.len());
        for line in lines {
            let wanted = match self.known.get(&line.id) {
                Some(known) => {
                    let changed = known.state != line.state && known.seen_in < number;
                    changed || (!known.is_complete && known.completions_left > 0)
                }
                None if room == 0 => {
                    difference.omitted += 1;
                    false
                }
                None => {
                    room -= 1;
                    true
                }
            };
            if wanted {
                difference.look.push(line);
            }
        }
        difference
    }

    /// Notes a pod that was described; false if there is no room for it.
    pub fn note_pod(&mut self, pod: &PodDescription) -> bool {
        let is_complete = !pod.ready || pod.host_network || !pod.ips.is_empty();
        let state =
            if pod.ready { crate::api::SANDBOX_READY } else { crate::api::SANDBOX_READY + 1 };
        self.note(&pod.sandbox_id, Kind::Pod, state, is_complete)
    }

    /// Notes a container that was described; false if there is no room for it.
    pub fn note_container(&mut self, container: &ContainerDescription) -> bool {
        let is_complete = container.state != ContainerState::Running || container.pid.is_some();
        let state = match container.state {
            ContainerState::Created => 0,
            ContainerState::Running => 1,
            ContainerState::Exited => 2,
            ContainerState::Unknown => 3,
        };
        self.note(&container.id, Kind::Container, state, is_complete)
    }

    fn note(&mut self, id: &RuntimeId, kind: Kind, state: i32, is_complete: bool) -> bool {
        let seen_in = self.lists;
        if let Some(known) = self.known.get_mut(id) {
            let completions_left = known.completions_left.saturating_sub(1);
            *known = Known { kind, state, seen_in, completions_left, is_complete };
            return true;
        }
        let fits = self.known.len() < MAX_IDS;
        if fits {
            let completions_left = MAX_COMPLETIONS;
            let known = Known { kind, state, seen_in, completions_left, is_complete };
            self.known.insert(id.clone(), known);
        }
        fits
    }

    /// Forgets one that the runtime no longer has.
    pub fn forget(&mut self, id: &RuntimeId) -> Option<Kind> {
        self.known.remove(id).map(|known| known.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: usize) -> RuntimeId {
        RuntimeId::new(&number.to_string()).unwrap()
    }

    fn line(number: usize, state: i32) -> Listed {
        Listed { id: id(number), kind: Kind::Container, state, sandbox_id: None }
    }

    fn exited(number: usize) -> ContainerDescription {
        let state = ContainerState::Exited;
        ContainerDescription { state, ..ContainerDescription::new(id(number)) }
    }

    #[test]
    fn only_what_is_new_or_changed_is_looked_at() {
        let mut inventory = Inventory::default();
        let number = inventory.next_list();
        assert_eq!(inventory.compare(number, vec![line(1, 2), line(2, 1)]).look.len(), 2);
        inventory.note_container(&exited(1));
        inventory.note_container(&exited(2));
        let number = inventory.next_list();
        let difference = inventory.compare(number, vec![line(1, 2), line(2, 1)]);
        assert_eq!(difference.look.iter().map(|line| &line.id).collect::<Vec<_>>(), [&id(2)]);
    }

    #[test]
    fn what_was_seen_after_a_list_was_asked_for_is_not_gone_by_it() {
        let mut inventory = Inventory::default();
        let number = inventory.next_list();
        inventory.note_container(&exited(1));
        assert!(inventory.compare(number, Vec::new()).gone.is_empty());
        let number = inventory.next_list();
        assert_eq!(inventory.compare(number, Vec::new()).gone, [(Kind::Container, id(1))]);
    }

    #[test]
    fn a_running_container_without_process_is_looked_at_again_but_not_for_ever() {
        let mut inventory = Inventory::default();
        let state = ContainerState::Running;
        let running = ContainerDescription { state, ..ContainerDescription::new(id(1)) };
        let mut looks = 0;
        for _ in 0..100 {
            let number = inventory.next_list();
            for _ in inventory.compare(number, vec![line(1, 1)]).look {
                looks += 1;
                inventory.note_container(&running);
            }
        }
        assert_eq!(looks, 1 + usize::from(MAX_COMPLETIONS));
    }

    #[test]
    fn a_list_that_is_too_long_does_not_push_out_those_known() {
        let mut inventory = Inventory::default();
        for round in 0..3 {
            let number = inventory.next_list();
            // Another order each time.
            let mut lines: Vec<_> = (0..MAX_IDS + 100).map(|id| line(id, 2)).collect();
            lines.rotate_left(round * 1000);
            let difference = inventory.compare(number, lines);
            assert_eq!((difference.gone.len(), difference.omitted), (0, 100));
            for line in difference.look {
                assert!(round == 0);
                inventory.note_container(&ContainerDescription {
                    state: ContainerState::Exited,
                    ..ContainerDescription::new(line.id)
                });
            }
        }
    }
}
