//! Names of the kernel's addresses, from `/proc/kallsyms`: its own functions, those of modules, and BPF programs,
//! which it lists as of a module `[bpf]`.
//!
//! The list says where a function begins, not where it ends: it ends with the next one, with the kernel's own
//! code (`_etext`), or after a mebibyte. Modules and BPF programs come and go; who wants the new ones reads the
//! list again, which takes some 100 ms. The core's functions never move ([`KernelSymbols::is_lasting`]).

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;

use crate::functions::{Builder, Functions, Symbol};
use crate::limits::Why;

/// Where the kernel lists its symbols.
pub const LIST: &str = "/proc/kallsyms";

/// A line is shorter: `KSYM_NAME_LEN` (`include/linux/kallsyms.h`), an address, a module.
const MAX_LINE_BYTES: u64 = 1024;
/// Several times those of a kernel with all its modules.
const MAX_FUNCTIONS: usize = 1 << 20;
/// No function is longer.
const MAX_FUNCTION_BYTES: u64 = 1 << 20;

/// Why there are no names.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KernelError {
    /// The list cannot be read.
    #[error("{LIST}: {0}")]
    Unreadable(#[from] io::Error),
    /// All addresses in it are zero.
    #[error(
        "the kernel hides its addresses in {LIST}: it shows them to CAP_SYSLOG, \
         and to nobody where kernel.kptr_restrict is 2"
    )]
    Hidden,
}

/// A place in the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelPlace<'a> {
    /// The function.
    pub function: &'a str,
    /// Its module, without brackets; `bpf` for BPF programs, empty for the kernel itself.
    pub module: &'a str,
    /// Where the function begins.
    pub start: u64,
}

/// The kernel's functions, as they were listed.
#[derive(Debug, Clone)]
pub struct KernelSymbols {
    functions: Functions,
    core: Range<u64>,
}

impl KernelSymbols {
    /// Those of the running kernel.
    ///
    /// # Errors
    /// When the list cannot be read, or hides addresses.
    pub fn read() -> Result<Self, KernelError> {
        Self::parse(BufReader::with_capacity(64 << 10, File::open(LIST)?))
    }

    /// Those of a list as the kernel writes it. What is no line of it is passed over.
    ///
    /// # Errors
    /// When it cannot be read, or hides addresses.
    pub fn parse(mut list: impl BufRead) -> Result<Self, KernelError> {
        let mut functions = Builder::new(MAX_FUNCTIONS);
        let (mut listed, mut hidden, mut core) = (0_u64, 0_u64, 0..0);
        let (mut line, mut name) = (Vec::new(), Vec::new());
        loop {
            line.clear();
            if Read::take(&mut list, MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let Some((start, is_visible, function, module)) = function(&line) else { continue };
            listed += 1;
            if start == 0 {
                hidden += 1;
                continue;
            }
            match function {
                "_stext" if module.is_empty() => core.start = start,
                "_etext" if module.is_empty() => {
                    core.end = start;
                    continue;
                }
                _ => {}
            }
            let function = (start, is_visible, function, module);
            if put(&mut functions, function, &mut name).is_err() {
                break;
            }
        }
        if listed > 0 && listed == hidden {
            return Err(KernelError::Hidden);
        }
        functions.end_at(core.end);
        Ok(Self { functions: functions.build(), core })
    }

    /// Those of the running kernel at some addresses, which ascend: what is asked of others is not known.
    ///
    /// # Errors
    /// As [`KernelSymbols::read`].
    pub fn read_for(addresses: &[u64]) -> Result<Self, KernelError> {
        Self::parse_for(addresses, BufReader::with_capacity(64 << 10, File::open(LIST)?))
    }

    /// Those at some addresses, which ascend, of a list as the kernel writes it.
    ///
    /// # Errors
    /// As [`KernelSymbols::parse`].
    pub fn parse_for(addresses: &[u64], list: impl BufRead) -> Result<Self, KernelError> {
        let mut nearest = Nearest::new(addresses);
        let core = nearest.take(list)?;
        // All names of a place are there, so that the same one is told as of the whole list.
        let lines = nearest.lines.iter().flat_map(|lines| lines.split_inclusive(is_end));
        let mut functions = Builder::new(MAX_FUNCTIONS);
        let mut name = Vec::new();
        for line in lines {
            let Some(function) = function(line) else { continue };
            if put(&mut functions, function, &mut name).is_err() {
                break;
            }
        }
        functions.end_at(core.end);
        Ok(Self { functions: functions.build(), core })
    }

    /// The function that an address is in.
    pub fn find(&self, address: u64) -> Option<KernelPlace<'_>> {
        let (start, name) = self.functions.find(address)?;
        let (function, module) = std::str::from_utf8(name).ok()?.split_once('\t')?;
        Some(KernelPlace { function, module, start })
    }

    /// The address is the core's, so that what is known of it stays true.
    pub fn is_lasting(&self, address: u64) -> bool {
        self.core.contains(&address)
    }

    /// How many functions there are.
    pub fn len(&self) -> usize {
        self.functions.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.functions.is_empty()
    }

    /// Bytes of memory.
    pub fn bytes(&self) -> usize {
        self.functions.bytes()
    }
}

/// Puts a function in, with `name` as room for its name. Its module stays with it.
fn put(
    functions: &mut Builder,
    (start, is_visible, function, module): (u64, bool, &str, &str),
    name: &mut Vec<u8>,
) -> Result<(), Why> {
    name.clear();
    for part in [function.as_bytes(), b"\t", module.as_bytes()] {
        name.extend(part);
    }
    let limit = start.saturating_add(MAX_FUNCTION_BYTES);
    functions.add(Symbol { start, size: 0, limit, name, is_visible })
}

/// Of a list, the lines of the functions that begin last before some addresses.
struct Nearest<'a> {
    addresses: &'a [u64],
    /// For each address where the last function begins that is between it and the address before.
    starts: Vec<u64>,
    /// Its lines: a place may have several names.
    lines: Vec<Vec<u8>>,
}

impl<'a> Nearest<'a> {
    fn new(addresses: &'a [u64]) -> Self {
        let lines = vec![Vec::new(); addresses.len()];
        Self { addresses, starts: vec![0; addresses.len()], lines }
    }

    /// Goes through a list; where the kernel's own code lies.
    fn take(&mut self, mut list: impl BufRead) -> Result<Range<u64>, KernelError> {
        let (mut listed, mut hidden, mut core) = (0_u64, 0_u64, 0..0);
        let mut line = Vec::new();
        let mut last = 0;
        loop {
            line.clear();
            if Read::take(&mut list, MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            let Some((start, name)) = beginning(&line) else { continue };
            listed += 1;
            match name {
                _ if start == 0 => {
                    hidden += 1;
                    continue;
                }
                b"_stext\n" => core.start = start,
                b"_etext\n" => {
                    core.end = start;
                    continue;
                }
                _ => {}
            }
            // The list ascends but for modules: it is mostly the same address as before.
            let is_behind = |at: usize| self.addresses.get(at).is_none_or(|it| *it >= start);
            if !(is_behind(last) && last.checked_sub(1).is_none_or(|it| !is_behind(it))) {
                last = self.addresses.partition_point(|address| *address < start);
            }
            let (Some(best), Some(lines)) = (self.starts.get_mut(last), self.lines.get_mut(last))
            else {
                continue;
            };
            if start > *best {
                *best = start;
                lines.clear();
            }
            if start == *best && lines.len() < MAX_ALIAS_BYTES {
                lines.extend(&line);
            }
        }
        if listed > 0 && listed == hidden {
            return Err(KernelError::Hidden);
        }
        Ok(core)
    }
}

/// Lines of one place that are kept.
const MAX_ALIAS_BYTES: usize = 64 << 10;

fn is_end(byte: &u8) -> bool {
    *byte == b'\n'
}

/// Where the function of a line begins, and the line from its name on; `None` for what is no function.
fn beginning(line: &[u8]) -> Option<(u64, &[u8])> {
    const DIGITS: usize = 16;
    let (digits, rest) = line.split_at_checked(DIGITS)?;
    let ([b' ', b't' | b'T' | b'w' | b'W', b' '], name) = rest.split_first_chunk()? else {
        return None;
    };
    let mut start = 0;
    for digit in digits {
        start = start << 4 | u64::from(char::from(*digit).to_digit(16)?);
    }
    Some((start, name))
}

/// Address, visibility, name and module of a line's function: `ffffffff81000000 T _text`, perhaps `[module]`.
fn function(line: &[u8]) -> Option<(u64, bool, &str, &str)> {
    let mut words = std::str::from_utf8(line).ok()?.split_ascii_whitespace();
    let (address, kind, name) = (words.next()?, words.next()?, words.next()?);
    let is_visible = matches!(kind, "T" | "W");
    if !is_visible && !matches!(kind, "t" | "w") {
        return None;
    }
    let start = u64::from_str_radix(address, 16).ok()?;
    let module = words.next().unwrap_or_default();
    let inner = module.strip_prefix('[').and_then(|module| module.strip_suffix(']'));
    Some((start, is_visible, name, inner.unwrap_or_default()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const TEXT: &str = "ffffffff81000000 T _stext\n\
        ffffffff81000100 t before\n\
        ffffffff81000200 D data\n\
        ffffffff81000300 t __alias\n\
        ffffffff81000300 W alias\n\
        ffffffff81000400 T _etext\n\
        ffffffffc0000040 t in_module\t[veth]\n\
        ffffffffc0100040 t bpf_prog_6deef7357e7b4530_count\t[bpf]\n";

    #[test]
    fn places_are_told_with_their_module_up_to_the_end_of_the_code() {
        let symbols = KernelSymbols::parse(TEXT.as_bytes()).unwrap();
        let place = |address: u64| {
            symbols.find(address).map(|it| (it.function, it.module, address - it.start))
        };
        assert_eq!(place(0xffff_ffff_8100_01ff), Some(("before", "", 0xff)));
        assert_eq!(place(0xffff_ffff_8100_0310), Some(("alias", "", 0x10)));
        assert_eq!(place(0xffff_ffff_8100_03ff), Some(("alias", "", 0xff)));
        assert_eq!(place(0xffff_ffff_8100_0400), None);
        assert_eq!(place(0xffff_ffff_c000_0041), Some(("in_module", "veth", 1)));
        let program = Some(("bpf_prog_6deef7357e7b4530_count", "bpf", 2));
        assert_eq!(place(0xffff_ffff_c010_0042), program);
        assert_eq!(place(0xffff_ffff_c050_0042), None);
        assert_eq!(place(0), None);
    }

    #[test]
    fn only_the_cores_functions_stay_where_they_are() {
        let symbols = KernelSymbols::parse(TEXT.as_bytes()).unwrap();
        assert!(symbols.is_lasting(0xffff_ffff_8100_0310));
        assert!(!symbols.is_lasting(0xffff_ffff_c000_0050));
        let without = TEXT.replace("_stext", "other").replace("_etext", "another");
        let symbols = KernelSymbols::parse(without.as_bytes()).unwrap();
        assert!(!symbols.is_lasting(0xffff_ffff_8100_0310));
    }

    #[test]
    fn a_list_that_hides_addresses_says_what_to_do() {
        let hidden = "0000000000000000 T _text\n0000000000000000 t before\n";
        let error = KernelSymbols::parse(hidden.as_bytes()).unwrap_err();
        assert!(error.to_string().contains("CAP_SYSLOG"), "{error}");
    }

    #[test]
    fn lines_of_any_kind_and_length_are_passed_over() {
        let long = format!("ffffffff81000000 T {}\n{TEXT}", "x".repeat(5000));
        let symbols = KernelSymbols::parse(long.as_bytes()).unwrap();
        assert_eq!(symbols.find(0xffff_ffff_8100_0100).unwrap().function, "before");
        for strange in [&b""[..], b"\n\n", b"zz T name\n", b"ffffffff81000000\n", b"\xff\xfe\n"] {
            assert!(KernelSymbols::parse(strange).unwrap().is_empty());
            assert!(KernelSymbols::parse_for(&[7], strange).unwrap().is_empty());
        }
    }

    /// Each function of the running kernel is found at its start, unless it has more names than one.
    #[test]
    fn every_function_that_the_kernel_lists_is_found() {
        let list = std::fs::read_to_string(LIST).unwrap();
        let symbols = match KernelSymbols::parse(list.as_bytes()) {
            Ok(symbols) => symbols,
            Err(error) => {
                println!("skipped: {error}");
                return;
            }
        };
        let mut names: std::collections::HashMap<u64, Vec<&str>> = std::collections::HashMap::new();
        for line in list.lines() {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            if let [address, "t" | "T" | "w" | "W", name, ..] = words[..]
                && name != "_etext"
            {
                names.entry(u64::from_str_radix(address, 16).unwrap()).or_default().push(name);
            }
        }
        assert!(names.len() > 10_000, "{}", names.len());
        some_are_named_as_all_are(&symbols, &list, names.keys().copied().collect());
        let mut beyond = 0;
        for (address, names) in &names {
            match symbols.find(*address) {
                Some(place) => {
                    assert_eq!(place.start, *address);
                    assert!(names.contains(&place.function), "{names:?} {place:?}");
                }
                // Marks of where code ends, which no code is at.
                None => beyond += 1,
            }
        }
        assert!(beyond < 10, "{beyond}");
    }

    fn some_are_named_as_all_are(symbols: &KernelSymbols, list: &str, mut starts: Vec<u64>) {
        starts.sort_unstable();
        for step in [1, 7, 1000, starts.len()] {
            let inside = starts.iter().step_by(step).map(|start| start + step as u64 % 40);
            let mut addresses: Vec<u64> = inside.chain([0, 1 << 40, u64::MAX]).collect();
            addresses.sort_unstable();
            let some = KernelSymbols::parse_for(&addresses, list.as_bytes()).unwrap();
            for address in &addresses {
                assert_eq!(some.find(*address), symbols.find(*address), "{address:#x}");
                assert_eq!(some.is_lasting(*address), symbols.is_lasting(*address));
            }
        }
    }
}
