//! Values that stand where a secret would, and are none.

use super::kind::{Kind, marker_at};

/// Longer values are taken for secrets without a look.
const MAX_LOOK: usize = 256;

const WORDS: &[&[u8]] = &[
    b"true",
    b"false",
    b"yes",
    b"no",
    b"on",
    b"off",
    b"none",
    b"null",
    b"nil",
    b"never",
    b"always",
    b"required",
    b"optional",
    b"prompt",
    b"auto",
    b"default",
    b"disabled",
    b"enabled",
    b"-",
    b"=",
    b"{}",
    b"[]",
    b"\\",
    b"file",
    b"env",
    b"|",
    b">",
    b"<",
];

/// Words before what only says where the secret is.
const REFERENCES: &[&[u8]] = &[
    b"file:",
    b"env:",
    b"fd:",
    b"vault:",
    b"op://",
    b"sm://",
    b"secretref:",
    b"arn:aws",
    b"{{",
    b"$(",
    b"`",
    b"id=",
    b"src=",
    b"source=",
    b"fileb://",
    b"file://",
    b"keyring:",
    b"aws-sm://",
    b"gcpsm://",
];

/// Whether this is not a secret although it stands where one would: nothing, what has been redacted
/// already, a word that switches, a shell's variable, or where the secret is to be found.
pub(crate) fn is_harmless(value: &[u8], kind: Kind) -> bool {
    if value.is_empty() || marker_at(value) == Some(value.len()) {
        return true;
    }
    if value.len() > MAX_LOOK {
        return false;
    }
    WORDS.iter().any(|word| word.eq_ignore_ascii_case(value))
        || REFERENCES.iter().any(|reference| value.starts_with(reference))
        || value.iter().all(|byte| *byte == b'*')
        || is_variable(value)
        || kind != Kind::Password && (is_path(value) || is_small_number(value))
}

/// `$NAME`, `${NAME}`, `${NAME:-…}`, `%NAME%`: in capitals, as passwords seldom are.
fn is_variable(value: &[u8]) -> bool {
    let name = |name: &[u8]| {
        !name.is_empty()
            && name
                .iter()
                .all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || *byte == b'_')
    };
    match value {
        [b'$', b'{', rest @ .., b'}'] => {
            let end = rest.iter().position(|byte| *byte == b':').unwrap_or(rest.len());
            rest.get(..end).is_some_and(name)
        }
        [b'$', rest @ ..] => name(rest) || matches!(rest, [b'1'..=b'9' | b'@' | b'*']),
        [b'%', rest @ .., b'%'] => name(rest),
        _ => false,
    }
}

/// Where a token or a key lies, not the token: secrets in base64 have `/` too, but no short parts.
pub(crate) fn is_path(value: &[u8]) -> bool {
    let value = value.split(|byte| *byte == b',').next().unwrap_or_default();
    let begins = [&b"/"[..], b"./", b"../", b"~/", b"@/", b"@./"];
    begins.iter().any(|begin| value.starts_with(begin))
        && value.split(|byte| *byte == b'/').all(|part| part.len() <= 48)
        && !value.iter().any(|byte| matches!(byte, b'+' | b'='))
}

fn is_small_number(value: &[u8]) -> bool {
    value.len() < 6 && value.iter().all(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_secret_is_left() {
        for value in [
            "",
            "<redacted:token>",
            "TRUE",
            "none",
            "$DB_PASSWORD",
            "${TOKEN}",
            "${TOKEN:-x}",
            "$1",
            "****",
            "file:/run/x",
            "{{ vault }}",
            "$(cat x)",
            "%PASSWORD%",
        ] {
            assert!(is_harmless(value.as_bytes(), Kind::Password), "{value}");
        }
        assert!(is_harmless(b"/run/secrets/token", Kind::Token));
        assert!(is_harmless(b"4096", Kind::Token));
    }

    #[test]
    fn what_may_be_one_is_not() {
        for value in ["hunter2", "$ecret", "/run/x", "123", "<redacted:token>x", "*a*", "nope"] {
            assert!(!is_harmless(value.as_bytes(), Kind::Password), "{value}");
        }
        assert!(!is_harmless(b"/wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", Kind::Secret));
    }
}
