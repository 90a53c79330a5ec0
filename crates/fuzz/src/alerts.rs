//! What leaves the agent as an alert, and the spool that it lies in meanwhile.

#[path = "../../alerts/tests/suite/shapes/mod.rs"]
mod shapes;

use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use chandra_alerts::redact::Redactor;
use chandra_alerts::spool::{self, Spool};
use shapes::Shape;

static SHAPES: LazyLock<Vec<Shape>> = LazyLock::new(shapes::shapes);

/// As a text, as arguments (parted by NUL), and as arguments after those of a shape of the corpus, which the
/// first two bytes choose: redacting again changes nothing, and the shape's secret does not survive.
pub fn redactor(bytes: &[u8]) {
    let redactor = Redactor::default();
    let line = redactor.line(bytes);
    assert_eq!(redactor.line(&line), line, "again");
    // No secret is empty, and no marker longer than this.
    assert!(line.len() <= bytes.len() * 40);
    if std::str::from_utf8(bytes).is_ok() {
        assert!(std::str::from_utf8(&line).is_ok(), "{line:?}");
    }

    let after: Vec<&[u8]> = bytes.split(|byte| *byte == 0).collect();
    let told = redactor.arguments(&after);
    let again: Vec<&[u8]> = told.iter().map(|argument| &**argument).collect();
    assert_eq!(redactor.arguments(&again), told, "again");

    let Some((number, rest)) = bytes.split_first_chunk() else { return };
    let shape = &SHAPES[usize::from(u16::from_le_bytes(*number)) % SHAPES.len()];
    let Some(own) = shape.arguments() else { return };
    let own_bytes = own.iter().map(String::as_bytes);
    let all: Vec<&[u8]> = own_bytes.chain(rest.split(|byte| *byte == 0)).collect();
    let told = redactor.arguments(&all);
    let told: Vec<_> = told.iter().take(own.len()).map(|it| String::from_utf8_lossy(it)).collect();
    let told = told.join(" ");
    assert!(!shape.survives_in(&told), "{}: {told}", shape.name);
}

/// A segment of a spool, whoever wrote it: what is whole is delivered in order, and nothing else.
pub fn alert_spool(bytes: &[u8]) {
    let read = spool::read_segment(bytes);
    assert!(read.whole_bytes <= bytes.len());
    assert!(read.records.is_sorted_by(|one, other| one.0 < other.0 && one.1.end < other.1.start));
    let end = read.records.last().map_or(read.whole_bytes, |(_, payload)| payload.end);
    assert_eq!(end, read.whole_bytes);
    assert_eq!(spool::read_segment(&bytes[..end]), read);

    static FOLDERS: AtomicU64 = AtomicU64::new(0);
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("chandra-fuzz-{}-{number}", std::process::id()));
    fs::create_dir(&folder).expect("a folder");
    fs::write(folder.join("00000000000000000001.spool"), bytes).expect("a segment");
    let mut spool = Spool::open(&folder, spool::Options::default()).expect("a spool");
    let damaged = bytes.len() - read.whole_bytes;
    assert_eq!(spool.figures().damaged_bytes, damaged as u64);
    // A record of number zero was delivered before any was.
    for (number, payload) in read.records.iter().filter(|(number, _)| *number > 0) {
        let oldest = spool.oldest().expect("a file that can be read");
        assert_eq!(oldest, Some((*number, bytes[payload.clone()].to_vec())));
        spool.deliver(*number).expect("a file that can be written");
    }
    assert_eq!(spool.oldest().expect("a file that can be read"), None);
    assert_eq!(spool.figures().records, 0);
    drop(spool);
    fs::remove_dir_all(&folder).expect("a folder of one's own");
}
