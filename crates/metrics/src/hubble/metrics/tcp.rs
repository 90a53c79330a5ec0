//! Segments of TCP that open or end a connection, by their flag.

use chandra_hubble::flow::{Flow, TcpFlags};

use super::super::family::{Contextual, Forget, Metric, Of};
use super::super::options;
use super::super::words;
use crate::{Counter, Registry, SpecError, Values};

#[derive(Debug)]
pub(super) struct Tcp(Contextual<Counter>);

impl Tcp {
    pub fn new(options: &options::Metric, registry: &Registry) -> Result<Self, SpecError> {
        let of = Of("hubble_tcp_flags", "Flags of TCP that were seen.", "", &["flag", "family"]);
        Ok(Self(Contextual::counter(registry, &options.contexts, &of)?))
    }
}

impl Metric for Tcp {
    fn observe(&mut self, flow: &Flow, values: &mut Values) {
        let has_ip = flow.source_ip.or(flow.destination_ip).is_some();
        let flags = flow.l4.tcp_flags().filter(|_| has_ip && words::has_passed(flow));
        let Some(flags) = flags else { return };
        let syn = match flags.contains(TcpFlags::ACK) {
            true => "SYN-ACK",
            false => "SYN",
        };
        let family = flow.ip_version().as_str_name();
        let counted = [(TcpFlags::FIN, "FIN"), (TcpFlags::SYN, syn), (TcpFlags::RST, "RST")];
        let mut counted = counted.into_iter().filter(|(flag, _)| flags.contains(*flag)).peekable();
        if counted.peek().is_some() {
            self.0.push_contexts(flow, false, values);
        }
        counted.for_each(|(_, word)| self.0.count_in(flow, values, &[word, family]));
    }

    fn families(&mut self) -> Vec<&mut dyn Forget> {
        vec![&mut self.0]
    }
}
