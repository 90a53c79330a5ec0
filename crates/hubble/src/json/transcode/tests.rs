//! Messages with every field that there is, made from the description of the messages, are written as
//! prost-reflect writes them.

use prost::Message as _;
use prost_reflect::{DynamicMessage, Kind, MessageDescriptor, Value};

use super::super::reflected;
use super::*;

/// A small generator of numbers (Steele, Lea, Flood: splitmix64).
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// Small ones, big ones, and those at the ends.
    fn number(&mut self) -> u64 {
        match self.below(6) {
            0 => 0,
            1 => self.below(200),
            2 => u64::MAX,
            3 => 1 << 63,
            4 => u64::from(u32::MAX),
            _ => self.next(),
        }
    }

    fn text(&mut self) -> String {
        let pieces =
            ["", "k8s:app=web", "\"", "\\", "\n\t\u{1}\u{7f}", "é", "\u{2028}", "😀", "/</script>"];
        (0..self.below(4)).map(|_| pieces[self.below(pieces.len() as u64) as usize]).collect()
    }
}

/// A message in which each field is there, or some of them are.
fn message(
    of: &MessageDescriptor,
    is_full: bool,
    numbers: &mut Numbers,
    deep: u32,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    match of.full_name() {
        "google.protobuf.Timestamp" => {
            let seconds = numbers.below(253_402_300_799 + 62_135_596_801) as i64 - 62_135_596_800;
            let nanos = [0, 7, 567_800_000, 120_000, 999_999_999][numbers.below(5) as usize];
            message.set_field_by_name("seconds", Value::I64(seconds));
            message.set_field_by_name("nanos", Value::I32(nanos));
            return message;
        }
        "google.protobuf.Duration" => {
            message.set_field_by_name("seconds", Value::I64(numbers.below(315_576_000_000) as i64));
            message.set_field_by_name("nanos", Value::I32(numbers.below(1_000_000_000) as i32));
            return message;
        }
        "google.protobuf.Any" => {
            let name = "chandra.v1.FlowDetails";
            let content = reflect::message(name).expect(name);
            let content = self::message(&content, is_full, numbers, deep + 1).encode_to_vec();
            let url = Value::String(format!("type.googleapis.com/{name}"));
            message.set_field_by_name("type_url", url);
            message.set_field_by_name("value", Value::Bytes(content.into()));
            return message;
        }
        _ => {}
    }
    for field in of.fields() {
        let is_too_deep = deep > 5 && matches!(field.kind(), Kind::Message(_));
        if is_too_deep || !is_full && numbers.below(3) > 0 {
            continue;
        }
        // Of a choice any one.
        if let Some(choice) =
            field.containing_oneof().filter(|_| !field.field_descriptor_proto().proto3_optional())
            && choice.fields().any(|other| message.has_field(&other))
            && numbers.below(3) > 0
        {
            continue;
        }
        let mut one = || value(&field.kind(), is_full, numbers, deep);
        let value = match field.is_list() {
            true => Value::List((0..3).map(|_| one()).collect()),
            false => one(),
        };
        message.set_field(&field, value);
    }
    message
}

fn value(kind: &Kind, is_full: bool, numbers: &mut Numbers, deep: u32) -> Value {
    match kind {
        Kind::Bool => Value::Bool(numbers.below(2) == 1),
        Kind::Int32 => Value::I32(numbers.number() as i32),
        Kind::Int64 => Value::I64(numbers.number().cast_signed()),
        Kind::Uint32 => Value::U32(numbers.number() as u32),
        Kind::Uint64 => Value::U64(numbers.number()),
        Kind::Fixed64 => Value::U64(numbers.number()),
        Kind::Double => Value::F64(numbers.next() as f64),
        Kind::String => Value::String(numbers.text()),
        Kind::Bytes => Value::Bytes(numbers.text().into_bytes().into()),
        Kind::Enum(words) => {
            let all: Vec<_> = words.values().map(|it| it.number()).chain([-1, 77_777]).collect();
            Value::EnumNumber(all[numbers.below(all.len() as u64) as usize])
        }
        Kind::Message(of) => Value::Message(message(of, is_full, numbers, deep + 1)),
        other => panic!("a kind of field that is new: {other:?}"),
    }
}

/// Every message of these packages, by name.
fn own() -> Vec<MessageDescriptor> {
    let own = |name: &str| {
        ["flow.", "observer.", "relay.", "peer.", "chandra.v1."]
            .iter()
            .any(|it| name.starts_with(it))
    };
    reflect::messages()
        .filter(|message| own(message.full_name()) && !message.is_map_entry())
        .collect()
}

#[test]
fn every_field_of_every_message_is_written_as_by_reflection() {
    let mut numbers = Numbers(1);
    let (mut simple, mut others) = (0, Vec::new());
    for of in own() {
        for round in 0..200 {
            let encoded = message(&of, round % 4 == 0, &mut numbers, 0).encode_to_vec();
            let expected = reflected(of.full_name(), &encoded).expect("a message");
            match text(of.full_name(), &encoded) {
                Some(text) => {
                    assert_eq!(text, expected, "{}", of.full_name());
                    simple += 1;
                }
                None => others.push(of.full_name().to_owned()),
            }
        }
    }
    others.dedup();
    println!("{simple} written; not: {others:?}");
    // A figure of floating point, a mask of a request: neither comes by the thousands.
    for name in
        ["flow.Flow", "observer.GetFlowsResponse", "chandra.v1.FlowDetails", "flow.FlowFilter"]
    {
        assert!(!others.contains(&name.to_owned()), "{name} is not written here");
    }
    assert!(simple > 5000);
}

#[test]
fn what_is_not_as_we_encode_it_is_left_to_reflection() {
    use prost_types::{Any, Timestamp};

    use crate::proto::flow::Flow;
    let refuses = |flow: &Flow| text("flow.Flow", &flow.encode_to_vec()).is_none();
    let time =
        |seconds, nanos| Flow { time: Some(Timestamp { seconds, nanos }), ..Flow::default() };
    assert!(!refuses(&time(0, 0)));
    for (seconds, nanos) in [(i64::MAX, 0), (0, -1), (0, 1_000_000_000)] {
        assert!(refuses(&time(seconds, nanos)), "{seconds} {nanos}");
    }
    for (kind, value) in [("x.y/Z", vec![]), ("", vec![]), ("x/flow.Flow", vec![0xff])] {
        let extensions = Some(Any { type_url: kind.into(), value });
        assert!(refuses(&Flow { extensions, ..Flow::default() }), "{kind}");
    }
    // Twice, out of order, cut short, of another wire type: of uuid (34) and verdict (2).
    let uuid = Flow { uuid: "u".into(), ..Flow::default() }.encode_to_vec();
    let verdict = Flow { verdict: 1, ..Flow::default() }.encode_to_vec();
    for bytes in
        [[&uuid[..], &uuid[..]].concat(), [&uuid[..], &verdict].concat(), vec![0x10], vec![0x12, 0]]
    {
        assert_eq!(text("flow.Flow", &bytes), None, "{bytes:?}");
    }
    let both = [&verdict[..], &uuid].concat();
    assert_eq!(text("flow.Flow", &both).as_deref(), Some(r#"{"verdict":"FORWARDED","uuid":"u"}"#));
    // A field of a later version, before and behind.
    let later = [&verdict[..], &[0xc2, 0x3e, 1, b'x', 0xc2, 0x3e, 1, b'y']].concat();
    assert_eq!(text("flow.Flow", &later), reflected("flow.Flow", &later).ok());
}

#[test]
fn no_bytes_make_it_panic_and_what_it_writes_is_what_reflection_does() {
    let mut numbers = Numbers(2);
    let of = reflect::message("observer.GetFlowsResponse").expect("a message");
    let whole = message(&of, true, &mut numbers, 0).encode_to_vec();
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        bytes.truncate(numbers.below(bytes.len() as u64 + 1) as usize);
        for _ in 0..numbers.below(4) {
            let place = numbers.below(bytes.len().max(1) as u64) as usize;
            if let Some(byte) = bytes.get_mut(place) {
                *byte = numbers.next() as u8;
            }
        }
        if let Some(text) = text(of.full_name(), &bytes) {
            assert_eq!(Some(text), reflected(of.full_name(), &bytes).ok(), "{bytes:02x?}");
        }
    }
}
