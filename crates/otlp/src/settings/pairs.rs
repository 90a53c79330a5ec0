//! Lists of `key=value`, separated by commas, as OpenTelemetry has them in variables: those of W3C Baggage
//! without properties. A value may have octets as `%20`.

/// Why it is no such list.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {character}: {why}")]
pub struct Error {
    /// The character, from 1.
    pub character: usize,
    /// What is wrong there. No value is quoted: it may be a secret.
    pub why: String,
}

/// The pairs, in their order. Space around keys and values is not part of them; empty members are passed over.
///
/// # Errors
/// Where a member has no key or no `=`, or its value is no text.
pub fn parse(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = Vec::new();
    let mut at = 0;
    for member in text.split(',') {
        let begin = at + (member.len() - member.trim_start().len());
        at += member.len() + 1;
        if member.trim().is_empty() {
            continue;
        }
        let error = |byte: usize, why: &str| {
            let before = text.get(..byte).unwrap_or_default();
            Error { character: before.chars().count() + 1, why: why.to_owned() }
        };
        let member = member.trim();
        let Some((key, value)) = member.split_once('=') else {
            return Err(error(begin, "there is no = after the key"));
        };
        let value_at = begin + key.len() + 1;
        if key.trim().is_empty() {
            return Err(error(begin, "there is no key before ="));
        }
        let value_at = value_at + (value.len() - value.trim_start().len());
        let value = decoded(value.trim()).map_err(|(byte, why)| error(value_at + byte, why))?;
        pairs.push((key.trim().to_owned(), value));
    }
    Ok(pairs)
}

fn decoded(text: &str) -> Result<String, (usize, &'static str)> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes().enumerate();
    while let Some((at, byte)) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?.1).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err((at, "after % come two hexadecimal digits (% itself is %25)"));
        };
        bytes.push((high << 4 | low) as u8);
    }
    String::from_utf8(bytes).map_err(|_| (0, "what the value stands for is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).unwrap()
    }

    #[test]
    fn pairs_are_taken_apart() {
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(
            pairs(" a = 1,Authorization=Basic%20eDp5==,, c=%C3%A4%2C ,d="),
            [pair("a", "1"), pair("Authorization", "Basic eDp5=="), pair("c", "ä,"), pair("d", "")]
        );
        assert_eq!(pairs(""), []);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, character, why) in [
            ("a", 1, "no ="),
            ("ä=1, b", 6, "no ="),
            ("a=1,=2", 5, "no key"),
            ("a= 1%2", 5, "two hexadecimal"),
            ("a=%zz", 3, "two hexadecimal"),
            ("ü=1,b=%ff", 7, "no text"),
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.character, character, "{text}: {error}");
            assert!(error.to_string().contains(why), "{text}: {error}");
        }
    }
}
