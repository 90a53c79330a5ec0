//! Whether a name says that its value is secret: `--db-password`, `API_KEY`, `clientSecret`.
//!
//! A name is read as words, at `-`, `_`, `.` and where small letters turn to capitals. A word that names a
//! secret makes the name a secret's, unless its last word says that the value is something about it
//! (`password-file`, `token_ttl`) or its first that there is none (`no-password`, `ask-pass`).

use super::kind::Kind;

/// Longer names are judged by their ends.
const MAX_NAME: usize = 64;
const MAX_WORDS: usize = MAX_NAME;

/// Words that name a secret wherever they stand in a name.
const WORDS: &[(&[u8], Kind)] = &[
    (b"password", Kind::Password),
    (b"passwd", Kind::Password),
    (b"passwort", Kind::Password),
    (b"passphrase", Kind::Password),
    (b"passcode", Kind::Password),
    (b"pwd", Kind::Password),
    (b"pw", Kind::Password),
    (b"upw", Kind::Password),
    (b"opw", Kind::Password),
    (b"psk", Kind::Password),
    (b"requirepass", Kind::Password),
    (b"masterauth", Kind::Password),
    (b"secret", Kind::Secret),
    (b"credential", Kind::Secret),
    (b"credentials", Kind::Secret),
    (b"creds", Kind::Secret),
    (b"token", Kind::Token),
    (b"jwt", Kind::Token),
    (b"bearer", Kind::Token),
    (b"sessionid", Kind::Token),
    (b"dsn", Kind::Secret),
    (b"authorization", Kind::Authorization),
    (b"cookie", Kind::Cookie),
];

/// Ends of words that do, for names that are written in one: `PGPASSWORD`, `dbpass`.
const ENDS: &[(&[u8], Kind)] = &[
    (b"password", Kind::Password),
    (b"passwd", Kind::Password),
    (b"passphrase", Kind::Password),
    (b"pass", Kind::Password),
    (b"pwd", Kind::Password),
    (b"secret", Kind::Secret),
    (b"token", Kind::Token),
    (b"apikey", Kind::Key),
    (b"secretkey", Kind::Key),
    (b"accesskey", Kind::Key),
    (b"privatekey", Kind::Key),
    (b"authkey", Kind::Key),
    (b"accountkey", Kind::Key),
    (b"sharedkey", Kind::Key),
    (b"signingkey", Kind::Key),
    (b"encryptionkey", Kind::Key),
    (b"licensekey", Kind::Key),
];

/// Words that end so and are none.
const NO_ENDS: &[&[u8]] =
    &[b"bypass", b"compass", b"multipass", b"overpass", b"oldpwd", b"nopass", b"nopasswd"];

/// What stands before `key` where that lets in, encrypts or signs.
const KEYS: &[&[u8]] = &[
    b"api",
    b"access",
    b"secret",
    b"private",
    b"auth",
    b"encryption",
    b"encrypt",
    b"decryption",
    b"signing",
    b"signature",
    b"account",
    b"storage",
    b"master",
    b"session",
    b"license",
    b"subscription",
    b"shared",
    b"app",
    b"application",
    b"admin",
    b"consumer",
    b"integration",
    b"ingestion",
    b"write",
    b"deploy",
    b"hmac",
    b"aes",
    b"functions",
    b"wep",
    b"unseal",
    b"recovery",
    b"hex",
    b"primary",
    b"secondary",
];

/// Last words of names whose value only says something about a secret.
const ABOUT: &[&[u8]] = &[
    b"file",
    b"files",
    b"path",
    b"paths",
    b"dir",
    b"directory",
    b"name",
    b"names",
    b"id",
    b"ids",
    b"type",
    b"ttl",
    b"length",
    b"len",
    b"size",
    b"count",
    b"limit",
    b"limits",
    b"max",
    b"min",
    b"url",
    b"uri",
    b"endpoint",
    b"policy",
    b"policies",
    b"timeout",
    b"expiry",
    b"expires",
    b"expiration",
    b"duration",
    b"lifetime",
    b"age",
    b"interval",
    b"format",
    b"mode",
    b"field",
    b"header",
    b"env",
    b"var",
    b"version",
    b"enabled",
    b"enable",
    b"disabled",
    b"required",
    b"prompt",
    b"stdin",
    b"fd",
    b"algorithm",
    b"alg",
    b"method",
    b"provider",
    b"store",
    b"manager",
    b"source",
    b"ref",
    b"reference",
    b"selector",
    b"namespace",
    b"mount",
    b"volume",
    b"backend",
    b"class",
    b"usage",
    b"audience",
    b"issuer",
    b"server",
    b"service",
    b"location",
    b"rotation",
    b"template",
    b"command",
    b"cmd",
    b"helper",
    b"script",
    b"program",
    b"engine",
    b"created",
    b"changed",
    b"authentication",
    b"hashing",
    b"cost",
    b"strength",
    b"jar",
    b"domain",
    b"rounds",
    b"expire",
    b"secure",
    b"samesite",
    b"httponly",
    b"refresh",
];

/// First words of names whose value is no secret, or that have no value.
const NONE: &[&[u8]] = &[
    b"no",
    b"ask",
    b"prompt",
    b"allow",
    b"disable",
    b"enable",
    b"require",
    b"skip",
    b"max",
    b"min",
    b"num",
    b"generate",
    b"has",
    b"is",
    b"show",
    b"with",
    b"without",
    b"validate",
    b"print",
    b"revoke",
    b"clear",
    b"random",
    b"existing",
];

/// Whole names that look like one and are not, or the other way round.
const WHOLE: &[(&[u8], Option<Kind>)] = &[
    (b"auth-user-pass", None),
    // It only keeps clusters apart.
    (b"initial-cluster-token", None),
    (b"pass", Some(Kind::Password)),
    // The folder that a shell works in, and a password of ODBC: only what is no path is taken out.
    (b"pwd", Some(Kind::Secret)),
    (b"pin", Some(Kind::Password)),
    (b"so-pin", Some(Kind::Password)),
    (b"sopin", Some(Kind::Password)),
    (b"user-pin", Some(Kind::Password)),
    (b"x-amz-signature", Some(Kind::Key)),
    (b"x-amz-credential", Some(Kind::Key)),
    (b"x-goog-signature", Some(Kind::Key)),
    (b"signature", Some(Kind::Key)),
    (b"_auth", Some(Kind::Secret)),
    (b"basic-auth", Some(Kind::Secret)),
    (b"http-auth", Some(Kind::Secret)),
    (b"requestpass", Some(Kind::Password)),
];

/// Parameters of URLs that are secret beyond what such a name says elsewhere.
const PARAMETERS: &[&[u8]] = &[
    b"key",
    b"sig",
    b"code",
    b"auth",
    b"apitoken",
    b"session",
    b"sid",
    b"hmac",
    b"pass",
    b"ticket",
];

/// What the value of this name would be, where that is secret.
pub(crate) fn secret(name: &[u8]) -> Option<Kind> {
    let name = name.get(name.len().saturating_sub(MAX_NAME)..).unwrap_or(name);
    let first = name.iter().position(|byte| !matches!(byte, b'-' | b'/')).unwrap_or(name.len());
    let name = name.get(first..).unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    // Nothing shorter names one.
    if name.len() < 2 || !name.iter().all(is_name) {
        return None;
    }
    if let Some((_, kind)) = WHOLE.iter().find(|(whole, _)| whole.eq_ignore_ascii_case(name)) {
        return *kind;
    }
    let mut lower = [0; MAX_NAME];
    let mut words: [&[u8]; MAX_WORDS] = [&[]; MAX_WORDS];
    let words = split(name, &mut lower, &mut words);
    let last = words.last()?;
    if ABOUT.contains(last) || words.first().is_some_and(|first| NONE.contains(first)) {
        return None;
    }
    words.iter().enumerate().find_map(|(index, word)| {
        let before = index.checked_sub(1).and_then(|index| words.get(index));
        word_kind(word, before.copied())
    })
}

/// The same of a parameter in a URL.
pub(crate) fn secret_parameter(name: &[u8]) -> Option<Kind> {
    let is_parameter = PARAMETERS.iter().any(|parameter| parameter.eq_ignore_ascii_case(name));
    secret(name).or_else(|| is_parameter.then_some(Kind::Key))
}

fn word_kind(word: &[u8], before: Option<&[u8]>) -> Option<Kind> {
    if let Some((_, kind)) = WORDS.iter().find(|(known, _)| *known == word) {
        return Some(*kind);
    }
    match word {
        b"key" => before.filter(|before| KEYS.contains(before)).map(|_| Kind::Key),
        // `DB_PASS`, but not `pass_through`, which has no word before.
        b"pass" => before.map(|_| Kind::Password),
        _ if word.len() > 4 && !NO_ENDS.contains(&word) => {
            ENDS.iter().find(|(end, _)| word.ends_with(end)).map(|(_, kind)| *kind)
        }
        _ => None,
    }
}

/// The words of a name, in small letters.
fn split<'w, 'l>(
    name: &[u8],
    lower: &'l mut [u8; MAX_NAME],
    words: &'w mut [&'l [u8]; MAX_WORDS],
) -> &'w [&'l [u8]] {
    for (to, from) in lower.iter_mut().zip(name) {
        *to = from.to_ascii_lowercase();
    }
    let lower: &'l [u8] = lower;
    let at = |index: usize| name.get(index).copied().unwrap_or(b'-');
    let mut count = 0;
    let mut start = 0;
    let mut push = |start: usize, end: usize| {
        if let (Some(word), Some(slot)) = (lower.get(start..end), words.get_mut(count))
            && !word.is_empty()
        {
            *slot = word;
            count += 1;
        }
    };
    for index in 0..=name.len() {
        let byte = at(index);
        if !byte.is_ascii_alphanumeric() {
            push(start, index);
            start = index + 1;
        } else if index > start && byte.is_ascii_uppercase() {
            let begins_small =
                at(index + 1).is_ascii_lowercase() && at(index - 1).is_ascii_uppercase();
            if at(index - 1).is_ascii_lowercase() || begins_small {
                push(start, index);
                start = index;
            }
        }
    }
    words.get(..count).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_secrets_are_known() {
        for name in [
            "password",
            "--password",
            "PGPASSWORD",
            "DB_PASS",
            "dbpass",
            "userPassword",
            "MYSQL_PWD",
            "passphrase",
            "storepass",
            "spring.datasource.password",
            "sslpassword",
        ] {
            assert_eq!(secret(name.as_bytes()), Some(Kind::Password), "{name}");
        }
        for name in ["token", "authToken", "X-Auth-Token", "GITHUB_TOKEN", "_authToken"] {
            assert_eq!(secret(name.as_bytes()), Some(Kind::Token), "{name}");
        }
        for name in ["api_key", "apiKey", "APIKey", "X-API-Key", "AccountKey", "secretkey"] {
            assert_eq!(secret(name.as_bytes()), Some(Kind::Key), "{name}");
        }
        for name in ["client-secret", "SECRET", "aws_secret_access_key"] {
            assert_eq!(secret(name.as_bytes()), Some(Kind::Secret), "{name}");
        }
    }

    #[test]
    fn names_of_other_things_are_not() {
        for name in [
            "",
            "-p",
            "password-file",
            "token_ttl",
            "no-password",
            "ask-pass",
            "max-tokens",
            "key",
            "tokenizer",
            "secretName",
            "pass-through",
            "bypass",
            "keyring",
            "public-key",
            "ssh-key",
            "passwordless",
            "auth-user-pass",
            "api-key-id",
            "OLDPWD",
            "sort-key",
        ] {
            assert_eq!(secret(name.as_bytes()), None, "{name}");
        }
        assert_eq!(secret_parameter(b"key"), Some(Kind::Key));
        assert_eq!(secret_parameter(b"page"), None);
    }

    #[test]
    fn a_name_of_any_length_is_judged() {
        let long = format!("{}password", "a_".repeat(1000));
        assert_eq!(secret(long.as_bytes()), Some(Kind::Password));
    }
}
