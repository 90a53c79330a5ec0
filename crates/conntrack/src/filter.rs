//! What the kernel need not wake us for: a filter on the socket (classic BPF, `linux/filter.h`) that drops
//! events of what is not TCP, and of connections whose answers come from where their packets go.
//!
//! It reads attributes with the two extensions that the kernel has for netlink: one finds an attribute
//! behind an offset, one inside of the attribute at an offset. Whatever it does not find passes: what is
//! told to nobody could not be counted, so the [parser](crate::message) has the last word.
//!
//! It is for sockets that get one message at a time; of a listing's many it would look at the first only.

use socket2::SockFilter;

use crate::attribute::{
    CTA_IP_V4_DST, CTA_IP_V4_SRC, CTA_IP_V6_DST, CTA_IP_V6_SRC, CTA_PROTO_DST_PORT, CTA_PROTO_NUM,
    CTA_PROTO_SRC_PORT, CTA_TUPLE_IP, CTA_TUPLE_ORIG, CTA_TUPLE_PROTO, CTA_TUPLE_REPLY,
};
use crate::message::TCP;

/// Where attributes begin: behind both headers.
const ATTRIBUTES: u32 = 20;
/// `nfgen_family`, right behind the first header.
const FAMILY: u32 = 16;
const AF_INET: u32 = 2;
/// An attribute's value is behind its length and its type.
const VALUE: u32 = 4;

// Instructions, as `linux/bpf_common.h` puts them together: A is the accumulator, X the index register,
// memory has sixteen words.
const LOAD_NUMBER: u16 = 0x00;
const LOAD_WORD: u16 = 0x20;
const LOAD_BYTE: u16 = 0x30;
const LOAD_WORD_BEHIND_X: u16 = 0x40;
const LOAD_HALF_BEHIND_X: u16 = 0x48;
const LOAD_BYTE_BEHIND_X: u16 = 0x50;
const LOAD_MEMORY: u16 = 0x60;
const LOAD_X_NUMBER: u16 = 0x01;
const LOAD_X_MEMORY: u16 = 0x61;
const STORE: u16 = 0x02;
const A_TO_X: u16 = 0x07;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_EQUAL_X: u16 = 0x1d;
const RETURN: u16 = 0x06;

/// Loads that are no loads but extensions (`SKF_AD_OFF + SKF_AD_NLATTR`, `… + SKF_AD_NLATTR_NEST`): the
/// offset of the attribute whose name is in X, from the offset in A; 0 if there is none.
const FIND: u32 = (-0x1000_i32 + 12).cast_unsigned();
const FIND_INSIDE: u32 = (-0x1000_i32 + 16).cast_unsigned();

/// Words of memory.
const THERE: u32 = 0;
const BACK: u32 = 1;
const DESTINATION: u32 = 2;
const SOURCE: u32 = 3;
const WORD: u32 = 4;

/// Where a jump goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum To {
    /// The next instruction.
    Next,
    /// So many instructions further.
    Skip(usize),
    Pass,
    Drop,
}

/// A program that is being written.
#[derive(Debug, Default)]
struct Program(Vec<(u16, u32, To, To)>);

impl Program {
    fn add(&mut self, code: u16, value: u32) {
        self.0.push((code, value, To::Next, To::Next));
    }

    fn jump(&mut self, code: u16, value: u32, equal: To, other: To) {
        self.0.push((code, value, equal, other));
    }

    /// A becomes the offset of an attribute: behind the headers, or on a path inside of the one whose
    /// offset is in memory.
    fn find(&mut self, start: Option<u32>, path: &[u16]) {
        match start {
            None => self.add(LOAD_NUMBER, ATTRIBUTES),
            Some(word) => self.add(LOAD_MEMORY, word),
        }
        for name in path {
            self.add(LOAD_X_NUMBER, u32::from(*name));
            self.add(LOAD_WORD, if start.is_some() { FIND_INSIDE } else { FIND });
            self.jump(JUMP_IF_EQUAL, 0, To::Pass, To::Next);
        }
    }

    /// Passes what differs in these attributes: that of where packets go, that of where answers come from.
    /// Their values are as many of what is loaded.
    fn compare(&mut self, there: [u16; 2], back: [u16; 2], load: u16, count: u32) {
        self.find(Some(THERE), &there);
        self.add(STORE, DESTINATION);
        self.find(Some(BACK), &back);
        self.add(STORE, SOURCE);
        for word in 0..count {
            self.add(LOAD_X_MEMORY, DESTINATION);
            self.add(load, VALUE + 4 * word);
            self.add(STORE, WORD);
            self.add(LOAD_X_MEMORY, SOURCE);
            self.add(load, VALUE + 4 * word);
            self.add(LOAD_X_MEMORY, WORD);
            self.jump(JUMP_IF_EQUAL_X, 0, To::Next, To::Pass);
        }
    }

    /// With its two ends, to which jumps go.
    fn finish(self) -> Vec<SockFilter> {
        let drop_at = self.0.len();
        let distance = |at: usize, to| {
            let instructions = match to {
                To::Next => 0,
                To::Skip(count) => count,
                To::Drop => drop_at - at - 1,
                To::Pass => drop_at - at,
            };
            u8::try_from(instructions).unwrap_or(u8::MAX)
        };
        let instructions = self.0.iter().enumerate().map(|(at, &(code, value, equal, other))| {
            SockFilter::new(code, distance(at, equal), distance(at, other), value)
        });
        let ends = [SockFilter::new(RETURN, 0, 0, 0), SockFilter::new(RETURN, 0, 0, u32::MAX)];
        instructions.chain(ends).collect()
    }
}

/// The filter.
pub fn translated_tcp() -> Vec<SockFilter> {
    let mut program = Program::default();
    program.find(None, &[CTA_TUPLE_ORIG]);
    program.add(STORE, THERE);
    program.find(None, &[CTA_TUPLE_REPLY]);
    program.add(STORE, BACK);
    program.find(Some(THERE), &[CTA_TUPLE_PROTO, CTA_PROTO_NUM]);
    program.add(A_TO_X, 0);
    program.add(LOAD_BYTE_BEHIND_X, VALUE);
    program.jump(JUMP_IF_EQUAL, u32::from(TCP), To::Next, To::Drop);
    program.compare(
        [CTA_TUPLE_PROTO, CTA_PROTO_DST_PORT],
        [CTA_TUPLE_PROTO, CTA_PROTO_SRC_PORT],
        LOAD_HALF_BEHIND_X,
        1,
    );
    let mut ipv4 = Program::default();
    ipv4.compare(
        [CTA_TUPLE_IP, CTA_IP_V4_DST],
        [CTA_TUPLE_IP, CTA_IP_V4_SRC],
        LOAD_WORD_BEHIND_X,
        1,
    );
    ipv4.jump(JUMP_IF_EQUAL, 0, To::Drop, To::Drop);
    program.add(LOAD_BYTE, FAMILY);
    program.jump(JUMP_IF_EQUAL, AF_INET, To::Next, To::Skip(ipv4.0.len()));
    program.0.append(&mut ipv4.0);
    program.compare(
        [CTA_TUPLE_IP, CTA_IP_V6_DST],
        [CTA_TUPLE_IP, CTA_IP_V6_SRC],
        LOAD_WORD_BEHIND_X,
        4,
    );
    program.finish()
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_jump_reaches_its_end() {
        let instructions = super::translated_tcp().len();
        assert!(instructions < usize::from(u8::MAX), "{instructions}");
    }
}
