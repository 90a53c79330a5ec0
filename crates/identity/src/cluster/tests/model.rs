//! Random changes, compared with a table that is a plain list and searches all of it.

use super::*;

/// Address, since, until.
type Tenure = (IpAddr, u64, Option<u64>);

#[derive(Debug)]
struct Known {
    pod: Pod,
    generation: u32,
    is_gone: bool,
    /// Another one has the name now.
    is_succeeded: bool,
    tenures: Vec<Tenure>,
}

#[derive(Debug, Default)]
struct Model {
    known: Vec<Known>,
    generation: u32,
}

impl Model {
    fn tell(&mut self, pod: &Pod, now: u64) {
        let named = |known: &Known| known.pod.name == pod.name && !known.is_succeeded;
        let same = |known: &Known| named(known) && known.pod.uid == pod.uid;
        let last = self.known.iter().rposition(named);
        let at = match last.filter(|at| same(&self.known[*at])) {
            Some(at) => at,
            None => {
                if let Some(at) = last {
                    self.known[at].is_succeeded = true;
                    self.remove(at, now);
                }
                let (pod, generation) = (pod.clone(), self.generation);
                self.known.push(Known {
                    pod,
                    generation,
                    is_gone: false,
                    is_succeeded: false,
                    tenures: Vec::new(),
                });
                self.known.len() - 1
            }
        };
        let wanted = if pod.has_ended || pod.host_network { &[] } else { &*pod.ips };
        for tenure in &mut self.known[at].tenures {
            match wanted.contains(&tenure.0) {
                true => tenure.2 = None,
                false => tenure.2 = tenure.2.or(Some(now)),
            }
        }
        for ip in wanted {
            if self.known[at].tenures.iter().all(|(held, ..)| held != ip) {
                let holder = self.claims(*ip, now).map(|(known, tenure)| {
                    let takes_over = tenure.2.is_some() || pod.created_at_ns >= known;
                    if takes_over { now } else { tenure.1.min(now) }
                });
                self.known[at].tenures.push((*ip, holder.unwrap_or(now), None));
            }
        }
        let known = &mut self.known[at];
        (known.pod, known.generation, known.is_gone) = (pod.clone(), self.generation, false);
    }

    fn remove(&mut self, at: usize, now: u64) {
        let known = &mut self.known[at];
        known.is_gone = true;
        known.tenures.iter_mut().for_each(|tenure| tenure.2 = tenure.2.or(Some(now)));
    }

    fn gone(&mut self, name: &ObjectName, now: u64) {
        let at =
            self.known.iter().rposition(|known| known.pod.name == *name && !known.is_succeeded);
        at.into_iter().for_each(|at| self.remove(at, now));
    }

    fn sweep(&mut self, now: u64) {
        for at in 0..self.known.len() {
            if self.known[at].generation != self.generation {
                self.remove(at, now);
            }
        }
    }

    fn forget(&mut self, now: u64) {
        for known in &mut self.known {
            known.tenures.retain(|(.., until)| until.is_none_or(|until| until + LINGER > now));
        }
        self.known.retain(|known| !known.is_gone || !known.tenures.is_empty());
    }

    /// When the pod was created that has an address at a time, and since and until when it has it.
    fn claims(&self, ip: IpAddr, time: u64) -> Option<(u64, Tenure)> {
        self.owner(ip, time).map(|(known, tenure)| (known.pod.created_at_ns, tenure))
    }

    fn owner(&self, ip: IpAddr, time: u64) -> Option<(&Known, Tenure)> {
        let all = self.known.iter().flat_map(|known| {
            known.tenures.iter().filter(|(held, ..)| *held == ip).map(move |held| (known, *held))
        });
        let all: Vec<_> = all.collect();
        let begun = all.iter().filter(|(_, held)| held.1 <= time);
        let begun = begun.max_by_key(|(known, held)| (held.1, known.pod.created_at_ns));
        let first = all
            .iter()
            .min_by_key(|(known, held)| (held.1, std::cmp::Reverse(known.pod.created_at_ns)));
        begun.or(first).copied()
    }
}

struct Random(u64);

impl Random {
    fn below(&mut self, below: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % below
    }
}

/// A pod of few names and addresses. Its creation is its own, so that no order is left open.
fn any(random: &mut Random, created: u64) -> Pod {
    let kinds =
        ["web-7d4b9c6f5d-x2k8q", "web", "db-0", "db-1", "a-name-that-is-too-long-to-be-kept"];
    let kind = kinds[random.below(5) as usize];
    let mut ips: Vec<String> =
        (0..random.below(3)).map(|_| format!("10.0.0.{}", random.below(8))).collect();
    ips.dedup();
    let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
    let mut made = pod(&format!("{kind}{}", random.below(3)), &ips, created);
    made.ips.sort();
    made.ips.dedup();
    made.has_ended = random.below(8) == 0;
    made.host_network = random.below(16) == 0;
    let app = random.below(3).to_string();
    made.labels = pairs(&[("app", &app), ("pod-template-hash", "7d4b9c6f5d")]);
    let owner = Owner { kind: Text::new("ReplicaSet"), name: Text::new("web-7d4b9c6f5d") };
    made.owner = (random.below(2) == 0).then_some(owner);
    made
}

#[test]
fn it_answers_as_a_plain_list_does() {
    for seed in 0..40 {
        let (mut random, mut model, mut table) = (Random(seed), Model::default(), cluster());
        let (mut now, mut told) = (SECOND, Vec::<Pod>::new());
        for step in 0..600 {
            now += random.below(3 * SECOND);
            match random.below(12) {
                0..5 => {
                    // Some were created long ago.
                    let created = 2 * step + if random.below(4) == 0 { 0 } else { 10_000 };
                    told.push(any(&mut random, created));
                    let pod = &told[told.len() - 1];
                    model.tell(pod, now);
                    tell(&mut table, pod, now);
                }
                5..8 if !told.is_empty() => {
                    // The same one again, with something changed.
                    let old = told[random.below(told.len() as u64) as usize].clone();
                    let new = any(&mut random, 0);
                    let pod = Pod {
                        name: old.name,
                        uid: old.uid,
                        created_at_ns: old.created_at_ns,
                        ..new
                    };
                    model.tell(&pod, now);
                    tell(&mut table, &pod, now);
                }
                8..11 if !told.is_empty() => {
                    let old = &told[random.below(told.len() as u64) as usize];
                    model.gone(&old.name, now);
                    gone(&mut table, old, now);
                }
                11 if random.below(8) == 0 => {
                    model.generation += 1;
                    table.apply(Change::Listing(Resource::Pods), now);
                    for pod in told.iter().rev().take(random.below(6) as usize) {
                        model.tell(pod, now);
                        tell(&mut table, pod, now);
                    }
                    table.apply(Change::Listed(Resource::Pods), now);
                    model.sweep(now);
                }
                _ => {}
            }
            while table.advance(now) {}
            model.forget(now);
            compare(&model, &table, now, &format!("seed {seed}, step {step}"));
        }
        assert_eq!(table.stats().refused + table.stats().evicted, 0);
    }
}

fn compare(model: &Model, table: &Cluster, now: u64, place: &str) {
    for low in 0..8 {
        let address = ip(&format!("10.0.0.{low}"));
        for back in [0, 1, 5, 20, 40] {
            let time = now.saturating_sub(back * SECOND);
            let expected = model.owner(address, time).map(|(known, _)| {
                (known.pod.name.name.as_str().to_owned(), known.pod.created_at_ns, known.is_gone)
            });
            let found = table.pod_at(address, time);
            let found =
                found.map(|pod| (pod.name().to_string(), pod.created_at_ns(), pod.is_gone()));
            assert_eq!(found, expected, "{place}, {address} at {time}");
        }
    }
    for known in &model.known {
        let named = |other: &&Known| other.pod.name == known.pod.name && !other.is_succeeded;
        let last = model.known.iter().find(named);
        let name = &known.pod.name;
        let found = table.pod_named(name.namespace.as_str(), name.name.as_str());
        let found = found.map(|pod| (pod.created_at_ns(), pod.has_ended(), pod.is_gone()));
        let expected = last.map(|last| (last.pod.created_at_ns, last.pod.has_ended, last.is_gone));
        assert_eq!(found, expected, "{place}, {name:?}");
    }
    assert_eq!(table.stats().pods, model.known.len() as u64, "{place}");
}
