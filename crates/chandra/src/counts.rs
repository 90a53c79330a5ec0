//! What the kernel keeps by group: counts and histograms, summed over the processors.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chandra_doctor::Problem;
use chandra_event::drop::protocol_word;
use chandra_event::histogram::Histogram;
use chandra_event::names::errno_name;
use chandra_event::tcp::State;
use chandra_event::text;
use chandra_loader::abi::{self, GroupKey, group_field};
use chandra_loader::batch;
use chandra_loader::load::Loaded;
use chandra_signals::{Context, Signal};
use serde_json::Value;

use crate::cgroup;
use crate::device;
use crate::session;

/// The count of each group.
pub fn groups(loaded: &Loaded) -> Result<Vec<(GroupKey, u64)>, Problem> {
    let map = loaded.map("groups");
    let map = map.ok_or_else(|| problem(loaded, &"the object keeps no groups"))?;
    let entries = batch::lookup(&map).map_err(|error| problem(loaded, &error))?;
    let groups = entries.iter().filter_map(|(key, counts)| {
        let counts = counts.chunks_exact(8).filter_map(|count| count.first_chunk());
        Some((GroupKey::read(key)?, counts.map(|count| u64::from_ne_bytes(*count)).sum()))
    });
    Ok(groups.collect())
}

/// The histogram of each group, and of each code where nothing is grouped by; those that counted
/// something.
pub fn histograms(loaded: &Loaded) -> Result<Vec<(GroupKey, Histogram)>, Problem> {
    let (grouped, ungrouped) = (loaded.map("histograms"), loaded.map("ungrouped"));
    let (Some(grouped), Some(ungrouped)) = (grouped, ungrouped) else {
        return Err(problem(loaded, &"the object keeps no histograms"));
    };
    let read = |map| batch::lookup(map).map_err(|error| problem(loaded, &error));
    let (grouped, ungrouped) = (read(&grouped)?, read(&ungrouped)?);
    let grouped = grouped
        .iter()
        .filter_map(|(key, per_cpu)| Some((GroupKey::read(key)?, histogram(per_cpu))));
    let ungrouped = ungrouped.iter().filter_map(|(code, per_cpu)| {
        let code = u32::from_ne_bytes(*code.first_chunk()?);
        Some((GroupKey { code, ..GroupKey::ZERO }, histogram(per_cpu)))
    });
    Ok(grouped.chain(ungrouped).filter(|(_, histogram)| histogram.count() > 0).collect())
}

/// The name and the value of each field that is counted by, as it is written.
pub fn fields(
    signal: &Signal,
    by: &[(&'static str, u32)],
    key: &GroupKey,
    context: &Context,
) -> Vec<(&'static str, Value)> {
    by.iter().map(|(name, bit)| (*name, field(signal, *bit, key, context))).collect()
}

fn field(signal: &Signal, bit: u32, key: &GroupKey, context: &Context) -> Value {
    match bit {
        group_field::GROUP_PID => key.pid.into(),
        group_field::GROUP_UID => key.uid.into(),
        group_field::GROUP_COMM => {
            let end = key.comm.iter().position(|byte| *byte == 0).unwrap_or(key.comm.len());
            text::escape(key.comm.get(..end).unwrap_or_default()).into()
        }
        group_field::GROUP_CGROUP => cgroup::name(key.cgroup_hierarchy, key.cgroup_id).into(),
        group_field::GROUP_LOCAL_ADDRESS => address(key.family, key.local_address),
        group_field::GROUP_PEER_ADDRESS => address(key.family, key.peer_address),
        group_field::GROUP_LOCAL_PORT => key.local_port.into(),
        group_field::GROUP_PEER_PORT => key.peer_port.into(),
        group_field::GROUP_STATE => {
            State::from_kernel(key.state).map_or(Value::Null, |state| state.word().into())
        }
        group_field::GROUP_KIND => {
            let kind = signal.kinds.iter().find(|(_, number)| *number == key.kind);
            kind.map_or(Value::Null, |(name, _)| (*name).into())
        }
        group_field::GROUP_LOCATION => context.place(key.location).map_or(Value::Null, Value::from),
        group_field::GROUP_NET_NAMESPACE if key.net_namespace == 0 => Value::Null,
        group_field::GROUP_NET_NAMESPACE => key.net_namespace.into(),
        group_field::GROUP_PROTOCOL => {
            let protocol = Some(key.protocol).filter(|protocol| *protocol != 0);
            protocol_word(key.ethertype, protocol).map_or(Value::Null, Value::from)
        }
        group_field::GROUP_DEVICE => device::name(key.device).into(),
        group_field::GROUP_NUMBER => key.number.into(),
        group_field::GROUP_ERROR if key.number == 0 => Value::Null,
        group_field::GROUP_ERROR => errno(key.number).into(),
        _ => (signal.code_text)(key.code, context).into(),
    }
}

/// The name of an error, or its number.
pub fn errno(number: u16) -> String {
    errno_name(number.into()).map_or_else(|| number.to_string(), str::to_owned)
}

/// An address of the kernel's family number (2 or 10); an IPv4-mapped one counts as IPv4.
fn address(family: u8, bytes: [u8; 16]) -> Value {
    let [a, b, c, d, ..] = bytes;
    let address = match family {
        2 => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        _ => IpAddr::V6(Ipv6Addr::from(bytes)).to_canonical(),
    };
    address.to_string().into()
}

fn histogram(per_cpu: &[u8]) -> Histogram {
    let mut sum = Histogram::default();
    let values = per_cpu.chunks_exact(abi::Histogram::BYTES).filter_map(abi::Histogram::read);
    for value in values {
        sum.merge(&Histogram { buckets: value.buckets, sum: value.sum });
    }
    sum
}

fn problem(loaded: &Loaded, why: &dyn std::fmt::Display) -> Problem {
    session::ring_problem(loaded.name, why)
}
