//! The table of decisions: its size, who writes it, and what it costs where nothing is selected.

use chandra_loader::MapCore;
use chandra_loader::load::Loaded;
use chandra_loader::selection::{self, SelectionError};
use chandra_loader::spec::{Hook, Rung, SignalSpec};
use chandra_signals::SIGNALS;
use chandra_signals::filter::Filter;
use chandra_tests::needs;

use crate::watched::{Asked, loaded, loaded_as, number};

#[test]
fn every_signal_can_select() {
    needs!("root");
    for signal in SIGNALS {
        let hooks: Vec<_> = signal.spec.hooks.iter().map(|hook| hook.name).collect();
        let kinds: Vec<_> = signal.kinds.iter().map(|(name, _)| *name).collect();
        for has_v1_cgroups in [false, true] {
            let asked = Asked {
                signal: signal.spec.name,
                hooks: &hooks,
                kinds: &kinds,
                has_v1_cgroups,
                ..Asked::default()
            };
            let with = loaded(&asked);
            assert_eq!(with.selection().unwrap().capacity(), 16_384);
            let without = loaded(&Asked { filter: Filter::default(), ..asked });
            assert_eq!(with.hooks, without.hooks, "{}", signal.spec.name);
        }
    }
}

/// Each rung alone: selecting makes no difference to what the kernel takes.
#[test]
fn every_rung_can_select() {
    needs!("root");
    for signal in SIGNALS {
        let kinds: Vec<_> = signal.kinds.iter().map(|(name, _)| *name).collect();
        for hook in signal.spec.hooks {
            for rung in hook.ladder {
                let rung = Rung { ..*rung };
                let ladder = Box::leak(Box::new([rung]));
                let hooks = Box::leak(Box::new([Hook { name: hook.name, ladder }]));
                let spec = SignalSpec { hooks, ..signal.spec };
                let asked = Asked {
                    signal: signal.spec.name,
                    hooks: &[hook.name],
                    kinds: &kinds,
                    ..Asked::default()
                };
                let with = loaded_as(&asked, &spec);
                let without = loaded_as(&Asked { filter: Filter::default(), ..asked }, &spec);
                let verdict = |loaded: &Loaded| loaded.hooks[0].verdict.clone();
                let rung = &ladder[0].name;
                assert_eq!(
                    verdict(&with),
                    verdict(&without),
                    "{} {} {rung}",
                    signal.spec.name,
                    hook.name
                );
            }
        }
    }
}

#[test]
fn what_does_not_select_has_no_table_and_no_selection() {
    needs!("root");
    let loaded = loaded(&Asked { filter: Filter::default(), ..Asked::default() });
    assert!(loaded.selection().is_none());
    assert_eq!(loaded.map(selection::MAP).unwrap().max_entries(), 1);
}

#[test]
fn a_full_table_says_so_and_keeps_what_it_has() {
    needs!("root");
    let loaded = loaded(&Asked { entries: &[(selection::MAP, 2)], ..Asked::default() });
    let selection = loaded.selection().unwrap();
    selection.decide(0, 1, number(1)).unwrap();
    selection.decide(0, 2, None).unwrap();
    let full = selection.decide(0, 3, None).unwrap_err();
    assert!(matches!(full, SelectionError::Full { entries: 2 }), "{full}");
    selection.decide(0, 1, None).unwrap();
    selection.forget(0, 2).unwrap();
    selection.forget(0, 2).unwrap();
    selection.decide(7, 2, number(5)).unwrap();
    let map = loaded.map(selection::MAP).unwrap();
    let entries = chandra_loader::batch::lookup(&map).unwrap();
    assert_eq!(entries.len(), 2);
}

#[test]
fn any_thread_may_decide_and_later_than_the_signal_lives() {
    needs!("root");
    let loaded = loaded(&Asked::default());
    let selection = loaded.selection().unwrap();
    let other = selection.clone();
    std::thread::spawn(move || other.decide(0, 9, None)).join().unwrap().unwrap();
    assert_eq!(
        chandra_loader::batch::lookup(&loaded.map(selection::MAP).unwrap()).unwrap().len(),
        1
    );
    drop(loaded);
    selection.forget(0, 9).unwrap();
}
