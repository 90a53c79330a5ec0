//! What is written is read back the same, and what is damaged is refused with its place.

use super::wire::Message;
use super::{read, write};
use crate::frame::{Frame, FrameId, Kind};
use crate::metadata::ValueType;
use crate::owner::Owner;
use crate::profile::{Limits, Profile, Sample};
use crate::text::TextId;

fn example() -> Profile {
    let types = vec![ValueType::samples(), ValueType::cpu()];
    let mut profile = Profile::new(types, Limits::default());
    let mut frame = |name: &str, module: &str, kind, line| -> FrameId {
        let (function, module) = (profile.text(name), profile.text(module));
        let file = profile.text("src/main.c");
        let address = if name.is_empty() { 0x1234 } else { 0 };
        let build_id = profile.text(if module == TextId::EMPTY { "" } else { "0123abcd" });
        profile.frame(Frame { function, module, build_id, file, line, kind, address })
    };
    let main = frame("main", "/usr/bin/app", Kind::Native, 10);
    let inlined = frame("work", "/usr/bin/app", Kind::Inlined, 20);
    let deeper = frame("<hot & \"cold\">", "/usr/bin/app", Kind::Inlined, 30);
    let kernel = frame("do_syscall_64", "[kernel]", Kind::Kernel, 0);
    let unknown = {
        let module = profile.text("/usr/lib/libfoo.so");
        profile.frame(Frame { module, address: 0x1234, ..Frame::default() })
    };
    let marker = profile.marker("[stack ends: no unwind table]");
    let stacks = [
        profile.stack(&[main, inlined, deeper]),
        profile.stack(&[main, inlined, kernel]),
        profile.stack(&[marker, unknown]),
        profile.stack(&[]),
    ];
    let owner = Owner {
        pid: 77,
        tid: 78,
        start_boottime_ns: 123_456_789_012,
        process: profile.text("app"),
        thread: profile.text("worker"),
        container: profile.text("server"),
        pod: profile.text("web-1"),
        namespace: profile.text("shop"),
        node: profile.text("node-1"),
    };
    let owner = profile.owner(owner);
    for (stack, count) in stacks.into_iter().zip(1..) {
        profile.add(stack, owner, None, &[count, count * 10_101_010]).unwrap();
    }
    profile.metadata.host = Some("host".to_owned());
    profile.metadata.start_unix_ns = Some(1_795_338_611_123_456_789);
    profile.metadata.duration_ns = Some(10_000_000_000);
    profile.metadata.frequency_hz = Some(99);
    profile.metadata.period = Some((ValueType::cpu(), 10_101_010));
    profile.metadata.default_value = Some(0);
    profile.metadata.comments.push("chandra profile".to_owned());
    profile.metadata.lose("ring full", 12);
    profile
}

fn written(profile: &Profile) -> Vec<u8> {
    let mut out = Vec::new();
    write(profile, &mut out).unwrap();
    out
}

/// Everything of a sample, in words.
fn words(profile: &Profile, sample: Sample<'_>) -> String {
    let texts = profile.texts();
    let frames: Vec<_> = (profile.frames_from_leaf(sample.stack))
        .map(|id| {
            let it = profile.frame_of(id);
            let (module, file) = (texts.get(it.module), texts.get(it.file));
            let (name, build_id) = (it.name(texts), texts.get(it.build_id));
            format!("{name} {module} {build_id} {file}:{} {:x} {:?}", it.line, it.address, it.kind)
        })
        .collect();
    let owner = profile.owner_of(sample.owner);
    let names =
        [owner.process, owner.thread, owner.container, owner.pod, owner.namespace, owner.node];
    let names: Vec<_> = names.map(|name| texts.get(name)).to_vec();
    let numbers = (owner.pid, owner.tid, owner.start_boottime_ns, sample.time_ns);
    format!("{frames:?} {names:?} {numbers:?} {:?}", sample.values)
}

fn all_words(profile: &Profile) -> Vec<String> {
    profile.samples().map(|sample| words(profile, sample)).collect()
}

#[test]
fn what_is_written_is_read_back_the_same() {
    let profile = example();
    let again = read(&written(&profile), Limits::default()).unwrap();
    // A marker has no file, and neither has what is not known.
    assert_eq!(all_words(&again), all_words(&profile));
    assert_eq!(again.metadata, profile.metadata);
    assert_eq!(again.value_types(), profile.value_types());
}

#[test]
fn times_are_read_back_where_they_were_kept() {
    let mut profile = Profile::new(vec![ValueType::samples()], Limits::default());
    profile.keep_times(std::num::NonZeroU64::new(1000).unwrap());
    let main = profile.marker("[main]");
    let stack = profile.stack(&[main]);
    for time in [0, 1_000, 3_600_000_000_000] {
        profile.add(stack, Default::default(), Some(time), &[1]).unwrap();
    }
    let again = read(&written(&profile), Limits::default()).unwrap();
    let times: Vec<_> = again.samples().map(|sample| sample.time_ns).collect();
    assert_eq!(times, [Some(0), Some(1_000), Some(3_600_000_000_000)]);
}

/// A message of one type, one string table and these samples.
fn message(samples: &[Message]) -> Vec<u8> {
    let mut message = Message::default();
    let mut value_type = Message::default();
    value_type.number(1, 1).number(2, 2);
    message.message(1, &value_type);
    for sample in samples {
        message.message(2, sample);
    }
    for text in ["", "samples", "count", "span"] {
        message.bytes(6, text.as_bytes());
    }
    message.0
}

fn sample(location: u64, value: u64) -> Message {
    let mut sample = Message::default();
    sample.number(1, location).number(2, value);
    sample
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let error = |bytes: &[u8]| read(bytes, Limits::default()).unwrap_err().to_string();
    assert_eq!(error(&message(&[sample(7, 1)])), "byte 8: there is no location 7");
    let negative = message(&[sample(0, u64::MAX)]);
    assert_eq!(
        error(&negative),
        "byte 8: a value is negative, as in the difference of two profiles"
    );
    assert_eq!(
        error(&message(&[Message::default()])),
        "byte 8: a sample has 0 values where there are 1 types"
    );
    assert_eq!(error(b""), "it has no type of value");
    assert_eq!(error(b"\x0a\xff"), "it is not pprof's message: byte 1: a number does not end");
    let mut cut = written(&example());
    cut.truncate(cut.len() / 2);
    assert!(error(&cut).starts_with("cannot unpack it: "), "{}", error(&cut));
}

#[test]
fn labels_that_are_not_kept_are_told() {
    let mut labelled = sample(0, 1);
    let mut label = Message::default();
    label.number(1, 3).number(3, 5);
    labelled.message(3, &label);
    let profile = read(&message(&[labelled]), Limits::default()).unwrap();
    assert_eq!(profile.metadata.notes, ["labels that are not kept: span (of 1 samples)"]);
    assert_eq!(profile.totals(), [1]);
}

/// A file of 1 MiB that would be 1 GiB.
#[test]
fn what_unpacks_to_too_much_is_refused() {
    use std::io::Write;
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    for _ in 0..super::MAX_BYTES / (1 << 20) + 1 {
        packed.write_all(&[0; 1 << 20]).unwrap();
    }
    let error = read(&packed.finish().unwrap(), Limits::default()).unwrap_err();
    assert!(matches!(error, super::Error::TooLarge), "{error}");
}
