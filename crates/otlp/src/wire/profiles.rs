//! Profiles: `ResourceProfiles`, and the dictionary of a request that samples refer to by number (package
//! `opentelemetry.proto.profiles.v1development` of opentelemetry-proto 1.10; alpha).
//!
//! Whose a sample is, is told twofold: the container with its pod is the resource, the process and the thread
//! are attributes. A profile that is too large for a request goes on in the next, with a dictionary of its own.

mod dictionary;

use std::collections::BTreeMap;

use chandra_profile::metadata::ValueType;
use chandra_profile::owner::Owner;
use chandra_profile::profile::{Profile, Sample};
use chandra_profile::text::TextId;

use super::{Any, bytes_field, fixed64_field, nested, of_resource, varint_field};
use crate::resource::Resource;
use dictionary::Dictionary;

/// A request is not made much longer: gRPC's receivers take 4 MiB unless they are told otherwise.
const REQUEST_BYTES: usize = 1 << 20;

/// Of `ScopeProfiles`.
const PROFILES: u32 = 2;
/// Of `ExportProfilesServiceRequest`.
const DICTIONARY: u32 = 2;
/// Of `Profile`.
const SAMPLES: u32 = 2;

/// Of whom samples are told together: namespace, pod and container.
type Whose = [TextId; 3];

/// Writes requests, and how many profiles are in each.
pub(crate) fn write(profile: &Profile, node: &Resource, each: &mut dyn FnMut(Vec<u8>, u64)) {
    let mut all: BTreeMap<Whose, Vec<Sample<'_>>> = BTreeMap::new();
    for sample in profile.samples() {
        let Owner { container, pod, namespace, .. } = profile.owner_of(sample.owner);
        all.entry([namespace, pod, container]).or_default().push(sample);
    }
    let mut request = Request::new(profile);
    for (whose, samples) in &all {
        let resource = node.fields_of(&attributes(profile, *whose));
        let mut written = Vec::new();
        for sample in samples {
            request.sample(sample, &mut written);
            if request.bytes() + written.len() > REQUEST_BYTES {
                request.profile(&resource, &std::mem::take(&mut written));
                std::mem::replace(&mut request, Request::new(profile)).finish(each);
            }
        }
        if !written.is_empty() {
            request.profile(&resource, &written);
        }
    }
    request.finish(each);
}

/// What the conventions call the container and its pod.
fn attributes(profile: &Profile, [namespace, pod, container]: Whose) -> Vec<(String, String)> {
    let texts = profile.texts();
    let of_container = match texts.get(container) {
        id if id.len() == 64 && id.bytes().all(|it| it.is_ascii_hexdigit()) => "container.id",
        _ if pod != TextId::EMPTY => "k8s.container.name",
        _ => "container.name",
    };
    let all = [("k8s.namespace.name", namespace), ("k8s.pod.name", pod), (of_container, container)];
    let known = all.into_iter().filter(|(_, text)| *text != TextId::EMPTY);
    known.map(|(key, text)| (key.to_owned(), texts.get(text).to_owned())).collect()
}

/// A request that is being written.
struct Request<'a> {
    profile: &'a Profile,
    dictionary: Dictionary<'a>,
    /// Of `ExportProfilesServiceRequest`.
    fields: Vec<u8>,
    profiles: u64,
}

impl<'a> Request<'a> {
    fn new(profile: &'a Profile) -> Self {
        let dictionary = Dictionary::new(profile);
        Self { profile, dictionary, fields: Vec::new(), profiles: 0 }
    }

    fn bytes(&self) -> usize {
        self.fields.len() + self.dictionary.bytes()
    }

    /// A sample, as a field of `Profile`.
    fn sample(&mut self, sample: &Sample<'_>, out: &mut Vec<u8>) {
        let Owner { pid, process, tid, thread, .. } = self.profile.owner_of(sample.owner);
        let texts = self.profile.texts();
        let numbers = [("process.pid", pid), ("thread.id", tid)];
        let numbers = numbers.into_iter().filter(|(_, number)| *number != 0);
        let words = [("chandra.process.comm", process), ("thread.name", thread)];
        let words = words.into_iter().filter(|(_, text)| *text != TextId::EMPTY);
        let numbers = numbers.map(|(key, number)| (key, Any::Int(number.into())));
        let words = words.map(|(key, text)| (key, Any::Text(texts.get(text))));
        let attributes: Vec<u64> = numbers
            .chain(words)
            .map(|(key, value)| self.dictionary.attribute(key, value))
            .collect();
        let stack = self.dictionary.stack(sample.stack);
        let value = sample.values.get(self.profile.default_value()).copied().unwrap_or(0);
        nested(SAMPLES, out, |out| {
            varint_field(1, stack, out);
            dictionary::numbers(2, &attributes, out);
            dictionary::numbers(4, &[value.min(i64::MAX as u64)], out);
        });
    }

    /// A profile of what is described by fields of `Resource`, from its samples.
    fn profile(&mut self, resource: &[u8], samples: &[u8]) {
        let metadata = &self.profile.metadata;
        let mut out = Vec::with_capacity(samples.len() + 64);
        nested(PROFILES, &mut out, |out| {
            if let Some(of) = self.profile.value_types().get(self.profile.default_value()) {
                let of = self.value_type(of);
                bytes_field(1, &of, out);
            }
            out.extend_from_slice(samples);
            fixed64_field(3, metadata.start_unix_ns.unwrap_or(0), out);
            varint_field(4, metadata.duration_ns.unwrap_or(0), out);
            if let Some((of, period)) = &metadata.period {
                let of = self.value_type(of);
                bytes_field(5, &of, out);
                varint_field(6, *period, out);
            }
        });
        of_resource(resource, &out, &mut self.fields);
        self.profiles += 1;
    }

    /// Fields of `ValueType`.
    fn value_type(&mut self, of: &ValueType) -> Vec<u8> {
        let mut out = Vec::new();
        varint_field(1, self.dictionary.text(&of.name), &mut out);
        varint_field(2, self.dictionary.text(&of.unit), &mut out);
        out
    }

    fn finish(self, each: &mut dyn FnMut(Vec<u8>, u64)) {
        if self.profiles == 0 {
            return;
        }
        let mut out = self.fields;
        nested(DICTIONARY, &mut out, |out| self.dictionary.write(out));
        each(out, self.profiles);
    }
}
