//! Counts by fields, kept in the kernel and read once at the end.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chandra_doctor::Problem;
use chandra_event::drop::protocol_word;
use chandra_event::tcp::State;
use chandra_event::text;
use chandra_loader::abi::{GroupKey, group_field};
use chandra_loader::batch;
use chandra_loader::load::Loaded;
use chandra_signals::{Context, Signal};
use serde_json::{Map, Value};

use super::terminal_width;
use crate::cgroup;
use crate::cli::common::Format;
use crate::cli::trace::TraceOptions;
use crate::output;
use crate::session;

/// Prints one line for each group, the largest first. Returns how many there were.
pub fn show(options: &TraceOptions, loaded: &Loaded, context: &Context) -> Result<u64, Problem> {
    let mut groups = read(options, loaded)?;
    groups.sort_by(|(left_key, left), (right_key, right)| {
        right.cmp(left).then_with(|| left_key.comm.cmp(&right_key.comm))
    });
    let limit = options.count.and_then(|count| usize::try_from(count).ok()).unwrap_or(usize::MAX);
    groups.truncate(limit);
    let rows = groups
        .iter()
        .map(|(key, count)| (fields(options.signal, &options.by, key, context), *count));
    let rows: Vec<_> = rows.collect();
    let text = match options.format {
        Format::Json => rows.iter().map(|(fields, count)| json_line(fields, *count)).collect(),
        Format::Table | Format::Wide => table(options, &rows),
    };
    output::write(text.as_bytes())?;
    Ok(rows.len() as u64)
}

fn read(options: &TraceOptions, loaded: &Loaded) -> Result<Vec<(GroupKey, u64)>, Problem> {
    let map = loaded.map("groups");
    let signal = options.signal.spec.name;
    let map = map.ok_or_else(|| session::ring_problem(signal, &"the object keeps no groups"))?;
    let entries = batch::lookup(&map).map_err(|error| session::ring_problem(signal, &error))?;
    let groups = entries.iter().filter_map(|(key, counts)| {
        let counts = counts.chunks_exact(8).filter_map(|count| count.first_chunk());
        Some((GroupKey::read(key)?, counts.map(|count| u64::from_ne_bytes(*count)).sum()))
    });
    Ok(groups.collect())
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
        _ => (signal.code_text)(key.code, context).into(),
    }
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

fn json_line(fields: &[(&'static str, Value)], count: u64) -> String {
    let mut object: Map<String, Value> =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    object.insert("count".to_owned(), count.to_string().into());
    Value::Object(object).to_string() + "\n"
}

fn table(options: &TraceOptions, rows: &[(Vec<(&'static str, Value)>, u64)]) -> String {
    let width = terminal_width(options.format).unwrap_or(usize::MAX);
    let mut out = format!("{:>10}", "COUNT");
    for (name, _) in &options.by {
        out += &format!("  {:<24}", name.to_uppercase());
    }
    let mut out = out.trim_end().to_owned() + "\n";
    for (fields, count) in rows {
        let mut line = format!("{count:>10}");
        for (_, value) in fields {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            line += &format!("  {text:<24}");
        }
        out.extend(line.trim_end().chars().take(width));
        out.push('\n');
    }
    out
}
