//! Single values of a record, by their path in it. What is not there, or is of another kind, is not known.

use std::net::{IpAddr, SocketAddr};

use chandra_event::names;
use chandra_event::process::Comm;
use chandra_event::time::Timestamp;
use serde_json::Value;

use super::Recorded;

impl Recorded {
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        self.object.pointer(path)?.as_str()
    }

    pub(super) fn bytes(&self, path: &str) -> &[u8] {
        self.text(path).unwrap_or_default().as_bytes()
    }

    pub(super) fn is(&self, path: &str) -> bool {
        self.object.pointer(path).and_then(Value::as_bool).unwrap_or_default()
    }

    /// A number, which is a string where it may pass 2^53.
    pub(super) fn number(&self, path: &str) -> Option<u64> {
        let value = self.object.pointer(path)?;
        value.as_u64().or_else(|| value.as_str()?.parse().ok())
    }

    pub(super) fn small(&self, path: &str) -> Option<u32> {
        self.number(path).and_then(|number| u32::try_from(number).ok())
    }

    pub(super) fn time(&self, path: &str) -> Timestamp {
        let time = self.text(path).and_then(|text| text.parse::<jiff::Timestamp>().ok());
        let ns = time.and_then(|time| u64::try_from(time.as_nanosecond()).ok());
        Timestamp(ns.unwrap_or_default())
    }

    pub(super) fn comm(&self, path: &str) -> Comm {
        let mut comm = Comm::default();
        for (place, byte) in comm.0.iter_mut().zip(self.bytes(path).iter().take(15)) {
            *place = *byte;
        }
        comm
    }

    pub(super) fn capabilities(&self, path: &str) -> u64 {
        let listed = self.object.pointer(path).and_then(Value::as_array);
        let listed: Vec<&str> = listed.into_iter().flatten().filter_map(Value::as_str).collect();
        let bits = (0..).zip(names::capabilities(u64::MAX));
        bits.filter(|(_, name)| listed.contains(&name.to_string().as_str()))
            .fold(0, |set, (bit, _): (u32, _)| set | 1 << bit)
    }

    pub(super) fn mode(&self, path: &str) -> Option<u32> {
        u32::from_str_radix(self.text(path)?, 8).ok()
    }

    /// A device as /proc writes it, `8:1`.
    pub(super) fn device(&self, path: &str) -> Option<u32> {
        let (major, minor) = self.text(path)?.split_once(':')?;
        let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
        Some(major.checked_shl(20)? | minor & 0xf_ffff)
    }

    pub(super) fn words(&self, path: &str) -> impl Iterator<Item = &str> {
        let words = self.object.pointer(path).and_then(Value::as_array);
        words.into_iter().flatten().filter_map(Value::as_str)
    }

    pub(super) fn end(&self, object: &str) -> Option<SocketAddr> {
        let address: IpAddr = self.text(&format!("{object}/address"))?.parse().ok()?;
        // A connection that begins has no port of its own yet.
        let port = self.number(&format!("{object}/port")).unwrap_or_default();
        Some(SocketAddr::new(address, u16::try_from(port).ok()?))
    }
}
