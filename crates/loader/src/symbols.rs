//! Names of places in the kernel's code, from `/proc/kallsyms`.
//!
//! Making and reading that list takes the kernel and us some 100 ms, so it is kept: functions only, a few
//! megabytes. The core's never change; those of modules come and go, see [`Symbols::is_lasting`].

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

/// Where the kernel lists its symbols. It shows addresses to CAP_SYSLOG only, and to nobody where
/// `kernel.kptr_restrict` is 2.
pub const SYMBOLS: &str = "/proc/kallsyms";

/// Symbols are shorter (KSYM_NAME_LEN of `include/linux/kallsyms.h`), a module's name beside them too.
const LINE_BYTES: u64 = 1024;

/// So many functions are kept: several times those of a kernel with all its modules.
const MAX_FUNCTIONS: usize = 1 << 20;

/// The kernel's functions as they were listed.
#[derive(Debug, Clone, Default)]
pub struct Symbols {
    /// By address, each with the place of its name in `names`.
    functions: Vec<(u64, u32)>,
    /// One after another, each with a line's end behind it.
    names: String,
    core: Range<u64>,
}

impl Symbols {
    /// Those of the running kernel.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn read() -> io::Result<Self> {
        Self::parse(BufReader::with_capacity(64 << 10, File::open(SYMBOLS)?))
    }

    /// Those of a list as the kernel writes it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn parse(mut list: impl BufRead) -> io::Result<Self> {
        let mut symbols = Self::default();
        let mut line = Vec::new();
        while symbols.functions.len() < MAX_FUNCTIONS {
            line.clear();
            if Read::take(&mut list, LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if let Some((start, name)) = function(&line) {
                symbols.add(start, name);
            }
        }
        // Of two names of one function the first that is listed.
        symbols.functions.sort_by_key(|(start, _)| *start);
        symbols.functions.dedup_by_key(|(start, _)| *start);
        Ok(symbols)
    }

    fn add(&mut self, start: u64, name: &str) {
        match name {
            "_stext" => self.core.start = start,
            "_etext" => self.core.end = start,
            _ => {}
        }
        // Hidden addresses are all zero.
        if let (1.., Ok(place)) = (start, u32::try_from(self.names.len())) {
            self.functions.push((start, place));
            self.names.push_str(name);
            self.names.push('\n');
        }
    }

    /// The place as `FUNCTION+0xOFFSET`; `None` when no function lies below, which is so for all
    /// addresses where the kernel hides them.
    pub fn place(&self, address: u64) -> Option<String> {
        let next = self.functions.partition_point(|(start, _)| *start <= address);
        let (start, place) = self.functions.get(next.checked_sub(1)?)?;
        let name = self.names.get(usize::try_from(*place).ok()?..)?.lines().next()?;
        Some(format!("{name}+{:#x}", address.wrapping_sub(*start)))
    }

    /// The address is the core's, so that what is known of it stays true.
    pub fn is_lasting(&self, address: u64) -> bool {
        self.core.contains(&address)
    }
}

/// The address and the name of a line's function: `ffffffff81000000 T _text`, then perhaps `[module]`.
fn function(line: &[u8]) -> Option<(u64, &str)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
    let start = u64::from_str_radix(address, 16).ok()?;
    matches!(kind, "t" | "T" | "w" | "W").then_some((start, name))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"ffffffff81000000 T _text\n\
        ffffffff81000100 t before\n\
        ffffffff81000200 D data\n\
        ffffffff81000300 W weak\n\
        ffffffff81000300 t alias\n\
        ffffffffc0000040 t in_module\t[veth]\n";

    fn text(list: &[u8], address: u64) -> Option<String> {
        Symbols::parse(list).unwrap().place(address)
    }

    #[test]
    fn a_place_is_named_by_the_nearest_function_below() {
        assert_eq!(text(LIST, 0xffff_ffff_8100_0100).as_deref(), Some("before+0x0"));
        assert_eq!(text(LIST, 0xffff_ffff_8100_02ff).as_deref(), Some("before+0x1ff"));
        assert_eq!(text(LIST, 0xffff_ffff_8100_0310).as_deref(), Some("weak+0x10"));
        assert_eq!(text(LIST, 0xffff_ffff_c000_0050).as_deref(), Some("in_module+0x10"));
        assert_eq!(text(LIST, 0xffff_ffff_80ff_ffff), None);
    }

    #[test]
    fn hidden_addresses_name_nothing() {
        let hidden = b"0000000000000000 T _text\n0000000000000000 t before\n";
        assert_eq!(text(hidden, 0xffff_ffff_8100_0100), None);
    }

    #[test]
    fn lines_of_any_kind_and_length_are_passed_over() {
        let long = [b"ffffffff81000000 T ".as_slice(), &[b'x'; 5000], b"\n", LIST].concat();
        assert_eq!(text(&long, 0xffff_ffff_8100_0100).as_deref(), Some("before+0x0"));
        for strange in [&b""[..], b"\n\n", b"zz T name\n", b"ffffffff81000000\n", b"\xff\xfe\n"] {
            assert_eq!(text(strange, u64::MAX), None);
        }
    }

    #[test]
    fn only_the_cores_functions_stay_where_they_are() {
        let list =
            [&b"ffffffff81000000 T _stext\n"[..], LIST, b"ffffffff81001000 T _etext\n"].concat();
        let symbols = Symbols::parse(&*list).unwrap();
        assert!(symbols.is_lasting(0xffff_ffff_8100_0310));
        assert!(!symbols.is_lasting(0xffff_ffff_c000_0050));
        assert!(!Symbols::parse(LIST).unwrap().is_lasting(0xffff_ffff_8100_0310));
    }
}
