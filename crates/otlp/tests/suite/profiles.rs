//! Profiles as a collector reads them, with OpenTelemetry's own types.

use std::collections::BTreeMap;

use chandra_metrics::Registry;
use chandra_otlp::{Exporter, Given, Signal};
use chandra_profile::frame::{Frame, Kind};
use chandra_profile::metadata::ValueType;
use chandra_profile::owner::Owner;
use chandra_profile::profile::{Limits, Profile};
use chandra_tests::collector::{Collector, Reply, Speaks, attribute};
use chandra_tests::patience::PATIENCE;

use crate::common::{Families, given, settings, start};
use opentelemetry_proto::tonic::collector::profiles::v1development::ExportProfilesServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::profiles::v1development as told;
use tonic::Code;

/// An export of profiles alone.
fn exporting(collector: &Collector, speaks: Speaks) -> Exporter {
    let signals = Some(vec!["profiles".into()]);
    let settings = settings(&Given { signals, ..given(collector, speaks) });
    assert_eq!(settings.destinations[0].signal, Signal::Profiles);
    start(&settings, &Families::new(Registry::default()).registry)
}

/// A profile as the agent has them: counts, and times, which are what is shown.
fn profile() -> Profile {
    let mut profile = Profile::new(vec![ValueType::samples(), ValueType::cpu()], Limits::default());
    profile.metadata.start_unix_ns = Some(1_000_000_000);
    profile.metadata.duration_ns = Some(10_000_000_000);
    profile.metadata.period = Some((ValueType::cpu(), 52_631_579));
    profile
}

/// What a sample says, with all numbers looked up: its stack from the leaf as `function:line|caller:line@module`,
/// its attributes, and its value.
fn readable(
    request: &ExportProfilesServiceRequest,
    sample: &told::Sample,
) -> (String, String, i64) {
    let dictionary = request.dictionary.as_ref().unwrap();
    let text = |index: i32| dictionary.string_table[index as usize].as_str();
    let attributes = |indices: &[i32]| {
        let mut all = BTreeMap::new();
        for index in indices {
            let attribute = &dictionary.attribute_table[*index as usize];
            let value = match attribute.value.as_ref().unwrap().value.as_ref().unwrap() {
                Value::StringValue(text) => text.clone(),
                Value::IntValue(number) => number.to_string(),
                other => panic!("{other:?}"),
            };
            assert_eq!(all.insert(text(attribute.key_strindex), value), None, "each key once");
        }
        all.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(" ")
    };
    let stack = &dictionary.stack_table[sample.stack_index as usize];
    let location = |index: &i32| {
        let location = &dictionary.location_table[*index as usize];
        let lines = location.lines.iter().map(|line| {
            let function = &dictionary.function_table[line.function_index as usize];
            format!("{}:{}", text(function.name_strindex), line.line)
        });
        let mapping = &dictionary.mapping_table[location.mapping_index as usize];
        let lines = lines.collect::<Vec<_>>().join("|");
        let (module, of_module) = (text(mapping.filename_strindex), &mapping.attribute_indices);
        let (of_module, own) = (attributes(of_module), attributes(&location.attribute_indices));
        format!("{lines}@{module}[{of_module}][{own}]+{:x}", location.address)
    };
    let stack: Vec<_> = stack.location_indices.iter().map(location).collect();
    let [value] = sample.values[..] else { panic!("{sample:?}") };
    (stack.join(" "), attributes(&sample.attribute_indices), value)
}

#[test]
fn a_profile_is_told_by_container_with_names_and_inlined_functions() {
    let mut profile = profile();
    let [main, outer, inner, libc, kernel, id] =
        ["main", "outer", "inner", "/lib/libc.so.6", "[kernel]", "00ff"].map(|it| profile.text(it));
    let frame = |function, module, line, kind, address| Frame {
        function,
        module,
        line,
        kind,
        address,
        build_id: if kind == Kind::Kernel { Default::default() } else { id },
        ..Frame::default()
    };
    let nameless = frame(Default::default(), libc, 0, Kind::Native, 0x10);
    let frames = [
        frame(main, libc, 7, Kind::Native, 0x20),
        frame(outer, libc, 8, Kind::Native, 0x30),
        frame(inner, libc, 9, Kind::Inlined, 0x30),
    ];
    let frames = frames.map(|frame| profile.frame(frame));
    let user = profile.stack(&frames);
    let [nameless, kernel] =
        [nameless, frame(outer, kernel, 0, Kind::Kernel, 0)].map(|it| profile.frame(it));
    let other = profile.stack(&[nameless, kernel]);
    let [process, thread, container, pod, namespace] =
        ["nginx", "worker", "web", "web-1", "shop"].map(|it| profile.text(it));
    let in_pod =
        Owner { pid: 42, tid: 43, process, thread, container, pod, namespace, ..Owner::default() };
    let in_pod = profile.owner(in_pod);
    let nowhere = profile.owner(Owner { pid: 1, process, ..Owner::default() });
    profile.add(user, in_pod, None, &[2, 200]).unwrap();
    profile.add(other, in_pod, None, &[1, 100]).unwrap();
    profile.add(user, nowhere, None, &[3, 300]).unwrap();

    for speaks in [Speaks::Grpc, Speaks::Http] {
        let collector = Collector::start(speaks);
        let exporter = exporting(&collector, speaks);
        exporter.profiles().unwrap().push(&profile);
        let figures = exporter.stop(PATIENCE);
        assert_eq!((figures.len(), figures[0].made, figures[0].sent), (1, 2, 2), "{figures:?}");
        collector.received(|received| {
            let [request] = &received.profiles[..] else { panic!("{received:?}") };
            let [of_node, of_pod] = &request.resource_profiles[..] else { panic!("{request:?}") };
            let [of_node, in_pod] = [of_node, of_pod].map(|it| &it.scope_profiles[0].profiles[0]);
            let resource = &of_pod.resource.as_ref().unwrap().attributes;
            for (key, expected) in [
                ("k8s.namespace.name", "shop"),
                ("k8s.pod.name", "web-1"),
                ("k8s.container.name", "web"),
                ("k8s.node.name", "node-1"),
                ("service.name", ""),
            ] {
                assert_eq!(attribute(resource, key), expected, "{key}");
            }
            let all = |profile: &told::Profile| {
                profile.samples.iter().map(|it| readable(request, it)).collect::<Vec<_>>()
            };
            let of_libc =
                "/lib/libc.so.6[process.executable.build_id.gnu=00ff][profile.frame.type=native]";
            let stack = format!("inner:9|outer:8@{of_libc}+30 main:7@{of_libc}+20");
            let whose = "chandra.process.comm=nginx process.pid=42 thread.id=43 thread.name=worker";
            let other = format!("outer:0@[kernel][][profile.frame.type=kernel]+0 @{of_libc}+10");
            let expected = [(stack.clone(), whose.into(), 200), (other, whose.into(), 100)];
            assert_eq!(all(in_pod), expected);
            let whose = "chandra.process.comm=nginx process.pid=1".to_owned();
            assert_eq!(all(of_node), [(stack, whose, 300)]);
            assert_eq!(
                (in_pod.time_unix_nano, in_pod.duration_nano),
                (1_000_000_000, 10_000_000_000)
            );
            assert_eq!(in_pod.period, 52_631_579);
            let text = |index: i32| {
                request.dictionary.as_ref().unwrap().string_table[index as usize].as_str()
            };
            let of = in_pod.sample_type.unwrap();
            assert_eq!((text(of.type_strindex), text(of.unit_strindex)), ("cpu", "nanoseconds"));
            nothing_comes_first(request.dictionary.as_ref().unwrap());
        });
    }
}

/// What the specification asks of every table.
fn nothing_comes_first(dictionary: &told::ProfilesDictionary) {
    assert_eq!(dictionary.mapping_table[0], told::Mapping::default());
    assert_eq!(dictionary.location_table[0], told::Location::default());
    assert_eq!(dictionary.function_table[0], told::Function::default());
    assert_eq!(dictionary.link_table[0], told::Link::default());
    assert_eq!(dictionary.string_table[0], "");
    assert_eq!(dictionary.attribute_table[0], told::KeyValueAndUnit::default());
    assert_eq!(dictionary.stack_table[0], told::Stack::default());
}

#[test]
fn a_profile_that_is_large_is_told_in_requests_that_are_not() {
    const STACKS: u64 = 40_000;
    let mut profile = profile();
    for number in 0..STACKS {
        let function = profile.text(&format!("{number:0>100}"));
        let frame = profile.frame(Frame { function, ..Frame::default() });
        let stack = profile.stack(&[frame]);
        let owner = Owner { pid: 1 + number as u32 % 3, ..Owner::default() };
        let owner = profile.owner(owner);
        profile.add(stack, owner, None, &[1, number]).unwrap();
    }
    let collector = Collector::start(Speaks::Grpc);
    let exporter = exporting(&collector, Speaks::Grpc);
    exporter.profiles().unwrap().push(&profile);
    let figures = exporter.stop(PATIENCE).remove(0);
    assert_eq!(figures.made, figures.sent, "{figures:?}");
    collector.received(|received| {
        assert_eq!(received.profiles.len() as u64, figures.sent);
        let mut sum = 0;
        for request in &received.profiles {
            let size = prost::Message::encoded_len(request);
            assert!(size < 2 << 20, "{size}");
            let samples = request.resource_profiles[0].scope_profiles[0].profiles[0].samples.iter();
            sum += samples
                .map(|sample| {
                    let (stack, _, value) = readable(request, sample);
                    assert!(stack.starts_with(&format!("{value:0>100}:0@")), "{stack}");
                    value as u64
                })
                .sum::<u64>();
        }
        assert_eq!(sum, STACKS * (STACKS - 1) / 2);
    });
}

#[test]
fn profiles_that_a_collector_does_not_take_are_counted() {
    let collector = Collector::start(Speaks::Http);
    collector.reply([Reply::Refuse(404, Code::Unimplemented, None), Reply::Partial(1, "no room")]);
    let exporter = exporting(&collector, Speaks::Http);
    let mut profile = profile();
    let function = profile.text("main");
    let frame = profile.frame(Frame { function, ..Frame::default() });
    let stack = profile.stack(&[frame]);
    profile.add(stack, Default::default(), None, &[1, 1]).unwrap();
    for _ in 0..3 {
        exporter.profiles().unwrap().push(&profile);
    }
    let figures = exporter.stop(PATIENCE).remove(0);
    let drops: Vec<_> = figures.drops.iter().map(|(cause, count)| (cause.name(), *count)).collect();
    assert_eq!((figures.made, figures.sent), (3, 1), "{figures:?}");
    assert_eq!(drops, [("refused", 1), ("rejected", 1)]);
}
