//! Names of places in the kernel's code, from `/proc/kallsyms`.
//!
//! The list is several megabytes and changes as modules come and go, so it is not kept: each time that
//! places are asked for it is read once, from beginning to end, for all of them.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

/// Where the kernel lists its symbols. It shows addresses to CAP_SYSLOG only, and to nobody where
/// `kernel.kptr_restrict` is 2.
pub const SYMBOLS: &str = "/proc/kallsyms";

/// Symbols are shorter (KSYM_NAME_LEN of `include/linux/kallsyms.h`), a module's name beside them too.
const LINE_BYTES: u64 = 1024;

/// The place as `FUNCTION+0xOFFSET` for each of these addresses, in their order; `None` for those that
/// no function lies below, which is all of them where the kernel hides addresses.
pub fn places(addresses: &[u64]) -> io::Result<Vec<Option<String>>> {
    find(BufReader::with_capacity(64 << 10, File::open(SYMBOLS)?), addresses)
}

/// The same, from a list as the kernel writes it.
///
/// # Errors
/// When it cannot be read.
pub fn find(mut list: impl BufRead, addresses: &[u64]) -> io::Result<Vec<Option<String>>> {
    let mut nearest: Vec<(u64, String)> = vec![(0, String::new()); addresses.len()];
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = io::Read::take(&mut list, LINE_BYTES).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        let Some((start, name)) = function(&line) else { continue };
        for (address, (nearest, nearest_name)) in addresses.iter().zip(&mut nearest) {
            if start <= *address && start > *nearest {
                *nearest = start;
                name.clone_into(nearest_name);
            }
        }
    }
    let places = addresses.iter().zip(nearest);
    let places = places.map(|(address, (start, name))| {
        (!name.is_empty()).then(|| format!("{name}+{:#x}", address.wrapping_sub(start)))
    });
    Ok(places.collect())
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
        find(list, &[address]).unwrap().remove(0)
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
    fn several_places_are_found_in_one_pass() {
        let found = find(LIST, &[0xffff_ffff_c000_0040, 1, 0xffff_ffff_8100_0104]).unwrap();
        assert_eq!(found, [Some("in_module+0x0".to_owned()), None, Some("before+0x4".to_owned())]);
    }
}
