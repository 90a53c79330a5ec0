//! Colours of frames: the hue says what kind of code it is, the shade which module and function; the same
//! name has the same colour in every profile. All of them are light enough for dark letters.

use crate::frame::Kind;
use crate::tree::Label;

/// `#rrggbb`.
pub type Hex = [u8; 7];

/// Grey, of what is no code or makes no difference.
pub const GREY: Hex = *b"#c8c8c8";

/// The colour of a frame.
pub fn of(label: &Label) -> Hex {
    let module = unit(hash(label.module.as_bytes()));
    let name = unit(hash(label.name.as_bytes()));
    // Degrees and width of the hues of a kind; modules of native code are told apart by theirs.
    let (hue, saturation, lightness) = match label.kind {
        Kind::Kernel => (18.0 + 22.0 * name, 0.85, 0.70),
        Kind::Native => (75.0 + 125.0 * module, 0.52, 0.66),
        Kind::Inlined => (75.0 + 125.0 * module, 0.42, 0.78),
        Kind::Interpreted => (205.0 + 35.0 * name, 0.70, 0.77),
        Kind::Jit => (265.0 + 45.0 * name, 0.60, 0.79),
        Kind::Marker | Kind::Owner => return GREY,
    };
    hex(hue, saturation, lightness + 0.07 * (name - 0.5))
}

/// From blue, what shrank, through grey to red, what grew; `change` is from -1 to 1.
pub fn of_change(change: f64) -> Hex {
    let strength = change.abs().clamp(0.0, 1.0).sqrt();
    let hue = if change < 0.0 { 215.0 } else { 4.0 };
    hex(hue, 0.35 + 0.55 * strength, 0.86 - 0.20 * strength)
}

/// FNV-1a, 64 bits: the same on every machine and in the page's script.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Spread over 0 to 1.
fn unit(hash: u64) -> f64 {
    f64::from((hash >> 40) as u32) / f64::from(1_u32 << 24)
}

fn hex(hue: f64, saturation: f64, lightness: f64) -> Hex {
    let chroma = (1.0 - (2.0 * lightness - 1.0).abs()) * saturation;
    let channel = |offset: f64| {
        let position = (offset + hue / 30.0) % 12.0;
        let value =
            lightness - chroma / 2.0 * (position - 3.0).min(9.0 - position).clamp(-1.0, 1.0);
        (value * 255.0).round().clamp(0.0, 255.0) as u8
    };
    let mut out = *b"#000000";
    for (digits, channel) in out.get_mut(1..).unwrap_or_default().chunks_mut(2).zip([
        channel(0.0),
        channel(8.0),
        channel(4.0),
    ]) {
        for (digit, value) in digits.iter_mut().zip([channel >> 4, channel & 15]) {
            *digit = b"0123456789abcdef".get(usize::from(value)).copied().unwrap_or(b'0');
        }
    }
    out
}

/// As text.
pub fn text(hex: &Hex) -> &str {
    std::str::from_utf8(hex).unwrap_or("#c8c8c8")
}

#[cfg(test)]
mod tests {
    use super::{hex, of, of_change, text};
    use crate::frame::Kind;
    use crate::tree::Label;

    fn label(name: &str, module: &str, kind: Kind) -> Label {
        Label { name: name.to_owned(), module: module.to_owned(), kind }
    }

    /// Relative luminance by WCAG 2, of `#rrggbb`.
    fn luminance(hex: &str) -> f64 {
        let linear = |at: usize| {
            let value = f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * linear(1) + 0.7152 * linear(3) + 0.0722 * linear(5)
    }

    #[test]
    fn known_hues_are_right() {
        assert_eq!(text(&hex(0.0, 1.0, 0.5)), "#ff0000");
        assert_eq!(text(&hex(120.0, 1.0, 0.25)), "#008000");
        assert_eq!(text(&hex(240.0, 1.0, 0.5)), "#0000ff");
    }

    /// Contrast of 4.5 to letters of #111 is what WCAG's AA asks for.
    #[test]
    fn dark_letters_are_readable_on_every_colour() {
        let letters = luminance("#111111");
        let readable = |color: &str| (luminance(color) + 0.05) / (letters + 0.05) >= 4.5;
        for kind in Kind::ALL {
            for number in 0..500 {
                let color = of(&label(&format!("f{number}"), &format!("m{}", number % 50), kind));
                assert!(readable(text(&color)), "{kind:?} {}", text(&color));
            }
        }
        for change in -100..=100 {
            let color = of_change(f64::from(change) / 100.0);
            assert!(readable(text(&color)), "{change} {}", text(&color));
        }
    }

    #[test]
    fn a_name_has_its_colour() {
        let of = |name, module| of(&label(name, module, Kind::Native));
        assert_eq!(of("main", "app"), of("main", "app"));
        assert_ne!(of("main", "app"), of("main", "libc.so.6"));
    }
}
