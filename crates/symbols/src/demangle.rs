//! Names as they were written: of Rust and of C++.
//!
//! A mangled name can be made that is written out longer than memory is, or nests deeper than the stack. What
//! is too long, too deep or no mangled name is told as it is.

use std::fmt::{self, Write};

use cpp_demangle::{DemangleOptions, ParseOptions, Symbol};

/// Longer mangled names are not looked into.
const MAX_MANGLED_BYTES: usize = 8 << 10;
/// No name is told longer; it ends in `…` then.
pub const MAX_BYTES: usize = 4 << 10;
/// Compilers do not come near; the stack of a thread is enough for many times that.
const MAX_DEPTH: u32 = 96;

/// A linker's name as it was written. Rust's hashes and the versions of symbols are left out; what is not
/// UTF-8, or a control character, is replaced.
pub fn demangle(name: &[u8]) -> String {
    let whole = String::from_utf8_lossy(name);
    let text = whole.split_once('@').map_or(&*whole, |(name, _)| name);
    let text = if text.is_empty() { &*whole } else { text };
    let written = match text {
        _ if text.len() > MAX_MANGLED_BYTES => None,
        // Names of Rust's first scheme are those of C++, with a hash of 16 digits as the last part.
        _ if text.starts_with("_R") || text.starts_with("_ZN") && text.contains("17h") => {
            rust(text).or_else(|| cpp(text))
        }
        _ if text.starts_with("_Z") || text.starts_with("___Z") => cpp(text),
        _ => None,
    };
    let written = written.unwrap_or_else(|| text.to_owned());
    tidy(&written)
}

fn rust(name: &str) -> Option<String> {
    let symbol = rustc_demangle::try_demangle(name).ok()?;
    bounded(|out| write!(out, "{symbol:#}"))
}

fn cpp(name: &str) -> Option<String> {
    let options = ParseOptions::default().recursion_limit(MAX_DEPTH);
    let symbol = Symbol::new_with_options(name, &options).ok()?;
    let options = DemangleOptions::new().recursion_limit(MAX_DEPTH);
    bounded(|out| symbol.structured_demangle(out, &options))
}

fn bounded(write: impl FnOnce(&mut Bounded) -> fmt::Result) -> Option<String> {
    let mut out = Bounded(String::new());
    write(&mut out).ok()?;
    Some(out.0).filter(|text| !text.is_empty())
}

/// Refuses what is too long, which ends whoever writes.
struct Bounded(String);

impl Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.0.len() + text.len() > MAX_BYTES {
            return Err(fmt::Error);
        }
        self.0.push_str(text);
        Ok(())
    }
}

/// Without control characters, and no longer than names are.
pub(crate) fn tidy(text: &str) -> String {
    const END: char = '…';
    let mut tidy = String::with_capacity(text.len().min(MAX_BYTES));
    for char in text.chars() {
        if tidy.len() + char.len_utf8() + END.len_utf8() > MAX_BYTES {
            tidy.push(END);
            break;
        }
        tidy.push(if char.is_control() { char::REPLACEMENT_CHARACTER } else { char });
    }
    tidy
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_rust_and_cpp_are_told_as_they_were_written() {
        let told = |name: &str| demangle(name.as_bytes());
        let legacy = "_ZN4core3fmt9Formatter9write_str17h0123456789abcdefE";
        assert_eq!(told(legacy), "core::fmt::Formatter::write_str");
        assert_eq!(told(&format!("{legacy}.llvm.123456789")), "core::fmt::Formatter::write_str");
        assert_eq!(told("_RNvCs1234_7mycrate3foo"), "mycrate::foo");
        assert_eq!(told("_ZNSt6vectorIiSaIiEE9push_backERKi"), {
            "std::vector<int, std::allocator<int> >::push_back(int const&)"
        });
        assert_eq!(told("_ZN3foo3barE"), "foo::bar");
        assert_eq!(told("memcpy@@GLIBC_2.14"), "memcpy");
        assert_eq!(told("main"), "main");
        assert_eq!(told("main.(*Server).Serve"), "main.(*Server).Serve");
    }

    #[test]
    fn what_is_no_name_is_told_as_it_is() {
        assert_eq!(demangle(b"_Znonsense"), "_Znonsense");
        assert_eq!(demangle(b"a\xffb\nc"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(demangle(b""), "");
    }

    #[test]
    fn names_that_grow_without_end_are_not_written_out() {
        // Each argument is a pair of the one before: 2^60 names.
        let mut name = "_Z1fI1AE".to_owned() + "St4pairIS_S_E";
        for number in 0..60 {
            let before = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ".chars().nth(number % 36);
            let before = before.unwrap_or('0');
            name += &format!("St4pairIS{before}_S{before}_E");
        }
        let deep = format!("_Z{}i", "P".repeat(8000));
        let nested = format!("_Z1f{}", "N1a".repeat(2000));
        let generic = format!("_RI{}", "I".repeat(5000));
        for name in [name, deep, nested, generic, "x".repeat(100_000)] {
            let told = demangle(name.as_bytes());
            assert!(!told.is_empty() && told.len() <= MAX_BYTES, "{}", told.len());
        }
    }
}
