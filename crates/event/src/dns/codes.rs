//! Names of the numbers of DNS, from IANA's registry of its parameters. A number without a name here is
//! written as RFC 3597 does: `TYPE65280`.

use std::fmt;

/// The name of a type of records: `A`, `AAAA`.
pub fn type_name(number: u16) -> impl fmt::Display {
    let name = match number {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        12 => "PTR",
        13 => "HINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        24 => "SIG",
        25 => "KEY",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        36 => "KX",
        37 => "CERT",
        39 => "DNAME",
        41 => "OPT",
        42 => "APL",
        43 => "DS",
        44 => "SSHFP",
        45 => "IPSECKEY",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        49 => "DHCID",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        53 => "SMIMEA",
        55 => "HIP",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        62 => "CSYNC",
        63 => "ZONEMD",
        64 => "SVCB",
        65 => "HTTPS",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        _ => "",
    };
    numbered(name, "TYPE", number)
}

/// The name of a response code: `NOERROR`, `NXDOMAIN`.
pub fn code_name(number: u16) -> impl fmt::Display {
    let name = match number {
        0 => "NOERROR",
        1 => "FORMERR",
        2 => "SERVFAIL",
        3 => "NXDOMAIN",
        4 => "NOTIMP",
        5 => "REFUSED",
        6 => "YXDOMAIN",
        7 => "YXRRSET",
        8 => "NXRRSET",
        9 => "NOTAUTH",
        10 => "NOTZONE",
        11 => "DSOTYPENI",
        16 => "BADVERS",
        17 => "BADKEY",
        18 => "BADTIME",
        19 => "BADMODE",
        20 => "BADNAME",
        21 => "BADALG",
        22 => "BADTRUNC",
        23 => "BADCOOKIE",
        _ => "",
    };
    numbered(name, "RCODE", number)
}

/// The name of an operation, of which there are sixteen.
pub(super) fn operation_name(number: u16) -> &'static str {
    const NAMES: [&str; 16] = [
        "query", "iquery", "status", "opcode3", "notify", "update", "dso", "opcode7", "opcode8",
        "opcode9", "opcode10", "opcode11", "opcode12", "opcode13", "opcode14", "opcode15",
    ];
    NAMES.get(usize::from(number)).copied().unwrap_or("opcode")
}

fn numbered(name: &'static str, kind: &'static str, number: u16) -> impl fmt::Display {
    fmt::from_fn(move |out| match name {
        "" => write!(out, "{kind}{number}"),
        name => out.write_str(name),
    })
}
