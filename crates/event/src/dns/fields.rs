//! The fields of the `dns` signal's records.

use super::codes::operation_name;
use super::{Dns, Malformed, Message};
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::socket::EndsFields;
use crate::time::Timestamp;
use crate::value::Value;

crate::fields! {
    /// What a query and its response both have.
    struct QuestionFields(dns: &Dns<'_>) = [] {
        "dns.name", "NAME", 30, Table, DnsName(dns.message.question.map(|question| question.name)),
        "The name that is asked for, in lower case, without the dot at its end";
        "dns.type", "QTYPE", 6, Table,
        DnsType(dns.message.question.map(|question| question.type_code)),
        "The type of records that is asked for";
        "dns.class", "CLASS", 5, Json,
        Number(dns.message.question.map(|question| question.class)),
        "The class that is asked for; 1 is the Internet";
        "dns.id", "ID", 5, Wide, Number(dns.message.id),
        "The message's number, which its response repeats";
        "dns.operation", "OPERATION", 9, Json, Word(operation_name(dns.message.operation())),
        "query, notify, update, …";
        "dns.question_count", "QUESTIONS", 9, Json, Number(dns.message.questions()),
        "How many questions the message says it has; the first is shown";
        "dns.message_bytes", "SIZE", 6, Wide, Number(dns.message_bytes),
        "Size of the message as it was sent";
        "dns.message_is_cut", "CUT", 5, Json, Bool(dns.is_cut),
        "Only its beginning was captured: it is larger than 4096 bytes, or TCP sent it in pieces";
        "dns.malformed", "MALFORMED", 13, Wide, Word(dns.malformed().map(Malformed::word)),
        "What is wrong with the message: ends_too_soon, label, pointer, name_too_long, data or trailing_bytes";
        "dns.recursion_desired", "RD", 5, Json, Bool(dns.message.recursion_desired()),
        "Whoever is asked shall ask others";
        "dns.checking_disabled", "CD", 5, Json, Bool(dns.message.checking_disabled()),
        "The answer need not be verified";
        "dns.is_authentic", "AD", 5, Json, Bool(dns.message.is_authentic()),
        "Verified by DNSSEC, or asked to be";
        "dns.edns.udp_payload_bytes", "EDNS_SIZE", 9, Json,
        Number(dns.message.edns.map(|edns| edns.udp_payload_bytes)),
        "How large a datagram the sender takes";
        "dns.edns.version", "EDNS_VERSION", 12, Json,
        Number(dns.message.edns.map(|edns| edns.version)),
        "Version of EDNS";
        "dns.edns.dnssec_ok", "DO", 5, Json, Bool(dns.message.edns.map(|edns| edns.dnssec_ok)),
        "Records of DNSSEC are wanted";
    }
}

crate::fields! {
    /// What only a response has.
    struct ResponseOnlyFields(dns: &Dns<'_>) = [] {
        "dns.rcode", "RCODE", 8, Table, DnsCode(dns.message.response_code()),
        "The response code";
        "dns.is_authoritative", "AA", 5, Json, Bool(dns.message.is_authoritative()),
        "The answer is of the one who has the name";
        "dns.is_truncated", "TC", 5, Wide, Bool(dns.message.is_truncated()),
        "It did not fit: the client asks again by TCP";
        "dns.recursion_available", "RA", 5, Json, Bool(dns.message.recursion_available()),
        "Whoever answers asks others";
        "dns.answer_count", "ANSWER_COUNT", 12, Json, Number(dns.message.answer_count()),
        "How many answers the message says it has; 64 are shown at most";
        "dns.answers", "ANSWERS", 30, Table, DnsAnswers(dns.message.answers),
        "The answers in their order: name, type, ttl_seconds, and the address or the target that it is";
    }
}

crate::record! {
    /// A DNS query was sent or received
    pub static DNS_QUERY: Kind = ("dns", "dns_query");
    struct QueryFields(dns: &Dns<'_>) = [
        OwnerFields(dns.process.as_ref()), EndsFields(&dns.ends), QuestionFields(dns)
    ] {}
}

crate::record! {
    /// A DNS response was sent or received
    pub static DNS_RESPONSE: Kind = ("dns", "dns_response");
    struct ResponseFields(dns: &Dns<'_>) = [
        OwnerFields(dns.process.as_ref()), EndsFields(&dns.ends), LatencyFields(dns),
        QuestionFields(dns), ResponseOnlyFields(dns)
    ] {}
}

crate::fields! {
    /// How long a response took.
    struct LatencyFields(dns: &Dns<'_>) = [] {
        "latency_ns", "LATENCY", 7, Table, Number(dns.latency_ns),
        "From the query to this response, at this end, when the query was seen";
    }
}

impl Message<'_> {
    fn questions(&self) -> u16 {
        let [questions, ..] = self.counts;
        questions
    }

    fn answer_count(&self) -> u16 {
        let [_, answers, ..] = self.counts;
        answers
    }
}

impl Record for Dns<'_> {
    fn kind(&self) -> &'static Kind {
        if self.message.is_response() { &DNS_RESPONSE } else { &DNS_QUERY }
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        if self.message.is_response() {
            ResponseFields::visit(self, each);
        } else {
            QueryFields::visit(self, each);
        }
    }

    fn event(&self) -> Event<'_> {
        Event::Dns(self)
    }
}
