//! Every input of the corpus, and that what was captured decodes.
#![allow(clippy::unwrap_used, reason = "a test states what it expects by stopping")]

use std::fs;
use std::path::{Path, PathBuf};

use chandra_fuzz::TARGETS;
use chandra_signals::{Context, registry};

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.collect();
    paths.sort();
    paths
}

#[test]
fn every_input_of_the_corpus_is_taken() {
    for (name, try_with) in TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for path in inputs {
            println!("{}", path.display());
            try_with(&fs::read(path).unwrap());
        }
    }
}

/// Cut short anywhere, and with each byte changed.
#[test]
fn every_input_of_the_corpus_is_taken_damaged() {
    for (name, try_with) in TARGETS {
        for path in corpus(name) {
            println!("{}", path.display());
            let whole = fs::read(path).unwrap();
            let step = (whole.len() / 500).max(1);
            for at in (0..whole.len()).step_by(step) {
                try_with(&whole[..at]);
                let mut changed = whole.clone();
                changed[at] ^= 0xff;
                try_with(&changed);
            }
        }
    }
}

/// A layout that changes leaves a corpus of nothing but errors behind.
#[test]
fn captured_records_decode() {
    let context = Context::new(None);
    for signal in ["process", "tcp", "dns", "udp"] {
        let inputs = corpus(&format!("record_{signal}"));
        let captured = inputs.iter().filter(|path| path.ends_with_captured());
        let mut count = 0;
        for path in captured {
            let bytes = fs::read(path).unwrap();
            let decode = registry::signal(signal).unwrap().decode;
            assert_eq!(decode(&bytes, &context, &mut |_| count += 1), Ok(()), "{}", path.display());
        }
        assert!(count >= 3, "{signal}");
    }
}

trait Captured {
    fn ends_with_captured(&self) -> bool;
}

impl Captured for PathBuf {
    fn ends_with_captured(&self) -> bool {
        self.file_name().unwrap().to_str().unwrap().starts_with("captured-")
    }
}
