//! The queue on a real disk, with what can go wrong there.

use super::*;
use chandra_tests::scratch::Scratch;

fn small() -> Options {
    Options { max_bytes: 4096, segment_bytes: 512, ..Options::default() }
}

fn open(scratch: &Scratch) -> Spool {
    Spool::open(scratch.path(), small()).unwrap()
}

fn append(spool: &mut Spool, numbers: std::ops::Range<usize>) -> Vec<u64> {
    let now = Instant::now();
    numbers.map(|number| spool.append(payload(number).as_bytes(), now).unwrap()).collect()
}

fn payload(number: usize) -> String {
    format!("alert {number:04}")
}

/// Delivers so many, or all that there is.
fn deliver(spool: &mut Spool, at_most: usize) -> Vec<String> {
    let mut all = Vec::new();
    while all.len() < at_most
        && let Some((number, payload)) = spool.oldest().unwrap()
    {
        spool.deliver(number).unwrap();
        all.push(String::from_utf8(payload).unwrap());
    }
    all
}

fn segments(scratch: &Scratch) -> Vec<PathBuf> {
    let entries = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| first_number(path).is_some()).collect();
    paths.sort();
    paths
}

fn payloads(numbers: std::ops::Range<usize>) -> Vec<String> {
    numbers.map(payload).collect()
}

#[test]
fn what_was_appended_is_delivered_in_order_and_its_files_go() {
    let scratch = Scratch::new();
    let mut spool = open(&scratch);
    assert_eq!(append(&mut spool, 0..60), (1..=60).collect::<Vec<_>>());
    assert!(segments(&scratch).len() > 2);
    assert_eq!(spool.figures().records, 60);
    assert_eq!(deliver(&mut spool, usize::MAX), payloads(0..60));
    assert_eq!((spool.figures().records, segments(&scratch).len()), (0, 1));
    assert_eq!(append(&mut spool, 60..61), [61]);
}

#[test]
fn a_record_stays_the_oldest_until_it_is_delivered() {
    let scratch = Scratch::new();
    let mut spool = open(&scratch);
    append(&mut spool, 0..2);
    let first = spool.oldest().unwrap();
    assert_eq!(spool.oldest().unwrap(), first);
    assert_eq!(deliver(&mut spool, 1), payloads(0..1));
    assert_eq!(deliver(&mut spool, 1), payloads(1..2));
}

#[test]
fn a_restart_goes_on_where_delivery_stood() {
    let scratch = Scratch::new();
    let mut spool = open(&scratch);
    append(&mut spool, 0..30);
    deliver(&mut spool, 13);
    drop(spool);
    let mut spool = open(&scratch);
    assert_eq!(spool.figures().records, 17);
    assert_eq!(append(&mut spool, 30..31), [31]);
    assert_eq!(deliver(&mut spool, usize::MAX), payloads(13..31));
    drop(spool);
    let mut spool = open(&scratch);
    assert_eq!(deliver(&mut spool, usize::MAX), payloads(0..0));
    assert_eq!(append(&mut spool, 0..1), [32], "no number comes twice");
}

#[test]
fn when_it_is_full_what_is_new_is_refused_and_what_is_old_stays() {
    let scratch = Scratch::new();
    let mut spool = open(&scratch);
    let now = Instant::now();
    let taken =
        (0..1000).take_while(|number| spool.append(payload(*number).as_bytes(), now).is_ok());
    let taken = taken.count();
    assert!((100..200).contains(&taken), "{taken}");
    assert!(matches!(spool.append(b"x", now), Err(Refused::Full)));
    assert!(spool.figures().bytes <= small().max_bytes);
    let on_disk: u64 =
        segments(&scratch).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
    assert_eq!(spool.figures().bytes, on_disk);
    assert_eq!(deliver(&mut spool, usize::MAX), payloads(0..taken));
    append(&mut spool, 0..taken / 2);
}

#[test]
fn a_spool_of_one_segment_is_used_again_when_all_is_delivered() {
    let scratch = Scratch::new();
    let options = Options { max_bytes: 512, segment_bytes: 512, ..Options::default() };
    let mut spool = Spool::open(scratch.path(), options).unwrap();
    for number in 0..200 {
        append(&mut spool, number..number + 1);
        assert_eq!(deliver(&mut spool, 9), payloads(number..number + 1));
        assert!(spool.figures().bytes <= 512);
    }
}

#[test]
fn torn_anywhere_what_was_acknowledged_before_is_delivered() {
    let scratch = Scratch::new();
    append(&mut open(&scratch), 0..5);
    let path = segments(&scratch).remove(0);
    let whole = fs::read(&path).unwrap();
    let record = HEADER + payload(0).len();
    for torn in 0..=whole.len() {
        let scratch = Scratch::new();
        let copy = scratch.at(path.file_name().unwrap().to_str().unwrap());
        fs::write(copy, &whole[..torn]).unwrap();
        let mut spool = open(&scratch);
        let left = torn.saturating_sub(MAGIC.len()) / record;
        let torn_bytes = if torn < MAGIC.len() { torn } else { (torn - MAGIC.len()) % record };
        assert_eq!(spool.figures().damaged_bytes, torn_bytes as u64, "torn at {torn}");
        append(&mut spool, 100..101);
        let delivered = deliver(&mut spool, usize::MAX);
        assert_eq!(delivered, [payloads(0..left), payloads(100..101)].concat(), "torn at {torn}");
    }
}

#[test]
fn a_cursor_that_is_torn_has_all_delivered_again() {
    let scratch = Scratch::new();
    let mut spool = open(&scratch);
    append(&mut spool, 0..10);
    deliver(&mut spool, 4);
    drop(spool);
    fs::write(scratch.at("delivered"), [7; 9]).unwrap();
    assert_eq!(deliver(&mut open(&scratch), usize::MAX), payloads(0..10));
}

#[test]
fn what_is_damaged_while_it_waits_is_counted() {
    let scratch = Scratch::new();
    let mut spool = open(&scratch);
    append(&mut spool, 0..30);
    deliver(&mut spool, 2);
    let path = segments(&scratch).remove(0);
    let mut bytes = fs::read(&path).unwrap();
    let record = HEADER + payload(0).len();
    let (at, size) = (MAGIC.len() + 3 * record + HEADER, bytes.len());
    bytes[at] ^= 1;
    fs::write(&path, &bytes).unwrap();
    let in_segment = (size - MAGIC.len()) / record;
    let expected = [payloads(2..3), payloads(in_segment..30)].concat();
    assert_eq!(deliver(&mut spool, usize::MAX), expected);
    assert_eq!(spool.figures().damaged_bytes as usize, size - MAGIC.len() - 3 * record);
}

#[test]
fn one_process_has_it_at_a_time() {
    let scratch = Scratch::new();
    let spool = open(&scratch);
    assert!(matches!(Spool::open(scratch.path(), small()), Err(Error::Used(_))));
    drop(spool);
    open(&scratch);
}

#[test]
fn what_is_not_ours_is_left_alone() {
    let scratch = Scratch::new();
    let foreign = ["notes.spool", "00000000000000000001.txt", "1.spool"];
    foreign.iter().for_each(|name| fs::write(scratch.at(name), "x").unwrap());
    let mut spool = open(&scratch);
    append(&mut spool, 0..1);
    deliver(&mut spool, 1);
    assert!(foreign.iter().all(|name| fs::read(scratch.at(name)).unwrap() == b"x"));
}

#[test]
fn a_record_that_is_too_large_is_refused() {
    let scratch = Scratch::new();
    let mut spool = Spool::open(scratch.path(), Options::default()).unwrap();
    let now = Instant::now();
    assert!(matches!(spool.append(&vec![0; MAX_PAYLOAD + 1], now), Err(Refused::TooLarge)));
    spool.append(&vec![0; MAX_PAYLOAD], now).unwrap();
}
