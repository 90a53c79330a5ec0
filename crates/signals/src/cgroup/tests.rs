//! Decoding of cgroup records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn bytes(kind: u32, path: &[u8]) -> Vec<u8> {
    let mut record = CgroupRecord {
        time_ns: 5,
        id: 7,
        parent_id: 3,
        kind,
        hierarchy: 8,
        level: 2,
        path_length: u32::try_from(path.len()).unwrap(),
        ..CgroupRecord::ZERO
    };
    record.process.pid = 99;
    let mut bytes = record.to_array().to_vec();
    bytes.extend_from_slice(path);
    bytes
}

#[test]
fn a_cgroup_keeps_its_path_as_it_is_and_its_maker_where_there_is_one() {
    for (kind, pid) in [(cgroup_kind::KIND_CGROUP_MKDIR, Some(99)), (cgroup_kind::KIND_CGROUP_RELEASE, None)] {
        let mut seen = 0;
        decode(&bytes(kind, b"/a/\xff"), &Context::test(), &mut |record| {
            let Event::Cgroup(cgroup) = record.event() else { panic!("not of this signal") };
            assert_eq!((cgroup.id, cgroup.hierarchy, cgroup.level), (7, 8, 2));
            assert_eq!((cgroup.parent_id, cgroup.path), (Some(3), b"/a/\xff".as_slice()));
            assert_eq!(cgroup.process.map(|process| process.pid), pid);
            assert!(!cgroup.path_truncated);
            seen += 1;
        })
        .unwrap();
        assert_eq!(seen, 1);
    }
}

#[test]
fn a_path_as_long_as_the_kernel_spells_may_have_lost_its_end() {
    for (length, cut) in [(1022, false), (1023, true)] {
        let bytes = bytes(cgroup_kind::KIND_CGROUP_MKDIR, &vec![b'a'; length]);
        decode(&bytes, &Context::test(), &mut |record| {
            let Event::Cgroup(cgroup) = record.event() else { panic!("not of this signal") };
            assert_eq!(cgroup.path_truncated, cut);
        })
        .unwrap();
    }
}

#[test]
fn every_truncation_of_a_record_is_an_error_and_nothing_else() {
    let bytes = bytes(cgroup_kind::KIND_CGROUP_RENAME, b"/docker/a");
    for length in 0..bytes.len() {
        let result = decode(&bytes[..length], &Context::test(), &mut |_| panic!("decoded {length} bytes"));
        assert_eq!(result, Err(DecodeError::Short(length)));
    }
}

#[test]
fn a_kind_of_another_version_is_named() {
    let result = decode(&bytes(99, b""), &Context::test(), &mut |_| {});
    assert_eq!(result, Err(DecodeError::Kind(99)));
}
