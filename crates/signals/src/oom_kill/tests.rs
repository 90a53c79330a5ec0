//! Decoding of records from bytes as the probe writes them.

use chandra_event::record::Event;

use super::*;

fn decoded(record: &OomKillRecord) -> OomKill {
    let mut found = None;
    let outcome = decode(&record.to_array(), &Context::test(), &mut |record| {
        let Event::OomKill(kill) = record.event() else { panic!("not of this signal") };
        found = Some(*kill);
    });
    assert_eq!(outcome, Ok(()));
    found.unwrap()
}

#[test]
fn only_what_the_probe_knew_is_told() {
    let flags = oom_kill_flag::OOM_VICTIM | oom_kill_flag::OOM_MEMORY_LIMIT;
    let mut record = OomKillRecord {
        flags,
        victim_thread: 7,
        oom_score_adjustment: -500,
        anonymous_pages: 3,
        limit_cgroup_id: 42,
        limit_pages: 1024,
        limit_usage_pages: u64::MAX,
        ..OomKillRecord::ZERO
    };
    record.process.pid = 6;
    let kill = decoded(&record);
    let victim = kill.victim.unwrap();
    assert_eq!((kill.thread_id, victim.process.pid), (7, 6));
    assert_eq!((victim.oom_score_adjustment, victim.resident), (-500, None));
    let page = page_bytes() as u64;
    let limit = kill.limit.unwrap();
    assert_eq!((limit.cgroup_id, limit.bytes, limit.usage_bytes), (42, 1024 * page, u64::MAX));
    record.flags = oom_kill_flag::OOM_VICTIM | oom_kill_flag::OOM_RESIDENT;
    let kill = decoded(&record);
    assert_eq!(kill.limit, None);
    assert_eq!(kill.victim.unwrap().resident.unwrap().anonymous_bytes, 3 * page);
    record.flags = 0;
    let kill = decoded(&record);
    assert_eq!((kill.victim, kill.thread_id), (None, 7));
}
