//! Tokens that are known by their shape: what they begin with, what they are made of, how long they are.
//!
//! The shapes are what those who issue the tokens say of them; so that one that is a little longer or
//! shorter than today's is still known, only a minimum is asked for.

use std::sync::LazyLock;

use super::kind::Kind;

/// What a token is made of after its beginning.
#[derive(Debug, Clone, Copy)]
enum Made {
    /// `0-9a-f`
    Hex,
    /// `0-9A-Z`
    Capitals,
    /// `0-9A-Za-z`
    Word,
    /// The same, `_` and `-`
    Url,
    /// The same, and `.`, `=`, `+`, `/`, `~`, `%`, `:`
    Any,
    /// The same, and `$` and `,`, which stand between the parts of a hash
    Hash,
}

impl Made {
    fn of(self, byte: u8) -> bool {
        match self {
            Self::Hex => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f' | b'A'..=b'F'),
            Self::Capitals => byte.is_ascii_digit() || byte.is_ascii_uppercase(),
            Self::Word => byte.is_ascii_alphanumeric(),
            Self::Url => byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'),
            Self::Any => {
                Self::Url.of(byte) || matches!(byte, b'.' | b'=' | b'+' | b'/' | b'~' | b'%' | b':')
            }
            Self::Hash => Self::Any.of(byte) || matches!(byte, b'$' | b','),
        }
    }
}

struct Token {
    begin: &'static str,
    made: Made,
    min: usize,
    kind: Kind,
}

const fn token(begin: &'static str, made: Made, min: usize, kind: Kind) -> Token {
    Token { begin, made, min, kind }
}

use Kind::{
    AiKey, AwsKey, AzureKey, GithubToken, GitlabToken, GoogleKey, Jwt, PasswordHash, PrivateKey,
    RegistryToken, ServiceToken, SlackToken, StripeKey,
};
use Made::{Any, Capitals, Hash, Hex, Url, Word};

static TOKENS: &[Token] = &[
    token("AKIA", Capitals, 16, AwsKey),
    token("ASIA", Capitals, 16, AwsKey),
    token("ABIA", Capitals, 16, AwsKey),
    token("ACCA", Capitals, 16, AwsKey),
    token("ABSK", Any, 60, AwsKey),
    token("bedrock-api-key-", Any, 20, AwsKey),
    token("AIza", Url, 30, GoogleKey),
    token("ya29.", Any, 20, GoogleKey),
    token("GOCSPX-", Url, 20, GoogleKey),
    token("1//0", Url, 30, GoogleKey),
    token("ghp_", Word, 30, GithubToken),
    token("gho_", Word, 30, GithubToken),
    token("ghu_", Word, 30, GithubToken),
    token("ghs_", Any, 30, GithubToken),
    token("ghr_", Word, 30, GithubToken),
    token("github_pat_", Url, 30, GithubToken),
    token("glpat-", Any, 18, GitlabToken),
    token("gldt-", Any, 18, GitlabToken),
    token("glrt-", Any, 18, GitlabToken),
    token("glptt-", Any, 18, GitlabToken),
    token("glcbt-", Any, 18, GitlabToken),
    token("glft-", Any, 18, GitlabToken),
    token("glsoat-", Any, 18, GitlabToken),
    token("glimt-", Any, 18, GitlabToken),
    token("glagent-", Any, 18, GitlabToken),
    token("gloas-", Any, 18, GitlabToken),
    token("GR1348941", Url, 18, GitlabToken),
    token("xoxb-", Any, 10, SlackToken),
    token("xoxp-", Any, 10, SlackToken),
    token("xoxa-", Any, 10, SlackToken),
    token("xoxr-", Any, 10, SlackToken),
    token("xoxs-", Any, 10, SlackToken),
    token("xoxo-", Any, 10, SlackToken),
    token("xoxc-", Any, 10, SlackToken),
    token("xoxd-", Any, 10, SlackToken),
    token("xoxe-", Any, 10, SlackToken),
    token("xoxe.xox", Any, 10, SlackToken),
    token("xapp-", Any, 10, SlackToken),
    token("sk_live_", Word, 10, StripeKey),
    token("sk_test_", Word, 10, StripeKey),
    token("rk_live_", Word, 10, StripeKey),
    token("rk_test_", Word, 10, StripeKey),
    token("sk_prod_", Word, 10, StripeKey),
    token("whsec_", Any, 20, StripeKey),
    token("sk-ant-", Url, 20, AiKey),
    token("sk-proj-", Url, 20, AiKey),
    token("sk-svcacct-", Url, 20, AiKey),
    token("sk-admin-", Url, 20, AiKey),
    token("sk-or-v1-", Hex, 20, AiKey),
    token("sk-", Word, 32, AiKey),
    token("hf_", Word, 30, AiKey),
    token("api_org_", Word, 30, AiKey),
    token("r8_", Word, 30, AiKey),
    token("gsk_", Word, 30, AiKey),
    token("xai-", Word, 40, AiKey),
    token("pplx-", Word, 30, AiKey),
    token("tvly-", Url, 20, AiKey),
    token("lsv2_pt_", Any, 20, AiKey),
    token("lsv2_sk_", Any, 20, AiKey),
    token("nvapi-", Url, 30, AiKey),
    token("npm_", Word, 30, RegistryToken),
    token("pypi-", Url, 40, RegistryToken),
    token("dckr_pat_", Url, 20, RegistryToken),
    token("dckr_oat_", Url, 20, RegistryToken),
    token("rubygems_", Hex, 40, RegistryToken),
    token("cio", Word, 32, RegistryToken),
    token("oy2", Word, 43, RegistryToken),
    token("CLOJARS_", Word, 40, RegistryToken),
    token("AKCp", Word, 60, RegistryToken),
    token("cmVmdGtu", Word, 40, RegistryToken),
    token("eyJ", Any, 37, Jwt),
    token("pk.eyJ", Any, 30, Jwt),
    token("sk.eyJ", Any, 30, Jwt),
    token("v1.public.", Any, 40, Jwt),
    token("v2.local.", Any, 40, Jwt),
    token("v4.local.", Any, 40, Jwt),
    token("v4.public.", Any, 40, Jwt),
    token("hvs.", Url, 20, ServiceToken),
    token("hvb.", Url, 20, ServiceToken),
    token("hvr.", Url, 20, ServiceToken),
    token("dop_v1_", Hex, 32, ServiceToken),
    token("doo_v1_", Hex, 32, ServiceToken),
    token("dor_v1_", Hex, 32, ServiceToken),
    token("shpat_", Hex, 32, ServiceToken),
    token("shpca_", Hex, 32, ServiceToken),
    token("shppa_", Hex, 32, ServiceToken),
    token("shpss_", Hex, 32, ServiceToken),
    token("SG.", Any, 40, ServiceToken),
    token("key-", Hex, 32, ServiceToken),
    token("SK", Hex, 32, ServiceToken),
    token("dapi", Hex, 32, ServiceToken),
    token("lin_api_", Word, 30, ServiceToken),
    token("lin_oauth_", Hex, 30, ServiceToken),
    token("ntn_", Word, 40, ServiceToken),
    token("secret_", Word, 40, ServiceToken),
    token("figd_", Url, 30, ServiceToken),
    token("PMAK-", Any, 40, ServiceToken),
    token("dp.pt.", Word, 30, ServiceToken),
    token("dp.st.", Any, 30, ServiceToken),
    token("dp.ct.", Word, 30, ServiceToken),
    token("pul-", Hex, 40, ServiceToken),
    token("fo1_", Url, 40, ServiceToken),
    token("fm1", Any, 80, ServiceToken),
    token("fm2_", Any, 80, ServiceToken),
    token("pscale_tkn_", Any, 30, ServiceToken),
    token("pscale_pw_", Any, 30, ServiceToken),
    token("pscale_oauth_", Any, 30, ServiceToken),
    token("sntrys_", Any, 40, ServiceToken),
    token("sntryu_", Hex, 40, ServiceToken),
    token("glc_", Any, 32, ServiceToken),
    token("glsa_", Any, 32, ServiceToken),
    token("NRAK-", Word, 20, ServiceToken),
    token("NRJS-", Hex, 15, ServiceToken),
    token("NRIQ-", Url, 20, ServiceToken),
    token("HRKU-", Url, 30, ServiceToken),
    token("AGE-SECRET-KEY-1", Capitals, 20, PrivateKey),
    token("PuTTY-User-Key-File-", Any, 1, PrivateKey),
    token("sq0atp-", Url, 20, ServiceToken),
    token("sq0csp-", Url, 20, ServiceToken),
    token("EAAA", Url, 50, ServiceToken),
    token("EAAC", Word, 50, ServiceToken),
    token("ATATT3", Any, 60, ServiceToken),
    token("ATCTT3", Any, 60, ServiceToken),
    token("ATBB", Word, 28, ServiceToken),
    token("dt0c01.", Any, 60, ServiceToken),
    token("dt0s01.", Any, 60, ServiceToken),
    token("sbp_", Hex, 40, ServiceToken),
    token("sb_secret_", Url, 20, ServiceToken),
    token("CCIPAT_", Any, 30, ServiceToken),
    token("bkua_", Hex, 40, ServiceToken),
    token("pnu_", Word, 36, ServiceToken),
    token("tfp_", Any, 40, ServiceToken),
    token("CFPAT-", Url, 40, ServiceToken),
    token("aio_", Word, 28, ServiceToken),
    token("EZAK", Word, 50, ServiceToken),
    token("EZTK", Word, 50, ServiceToken),
    token("duffel_live_", Any, 40, ServiceToken),
    token("duffel_test_", Any, 40, ServiceToken),
    token("FLWSECK", Any, 30, ServiceToken),
    token("fio-u-", Any, 60, ServiceToken),
    token("shippo_live_", Hex, 40, ServiceToken),
    token("shippo_test_", Hex, 40, ServiceToken),
    token("rdme_", Word, 60, ServiceToken),
    token("xkeysib-", Any, 60, ServiceToken),
    token("xsmtpsib-", Any, 60, ServiceToken),
    token("ops_eyJ", Any, 40, ServiceToken),
    token("tskey-", Url, 20, ServiceToken),
    token("nfp_", Word, 30, ServiceToken),
    token("ico-", Word, 32, ServiceToken),
    token("sha256~", Url, 40, ServiceToken),
    token("squ_", Hex, 40, ServiceToken),
    token("sqp_", Hex, 40, ServiceToken),
    token("sqa_", Hex, 40, ServiceToken),
    token("live_sk_", Word, 20, ServiceToken),
    token("mp_live_", Word, 20, ServiceToken),
    token("tk-us-", Url, 48, ServiceToken),
    token("p8e-", Word, 32, ServiceToken),
    token("LTAI", Word, 16, ServiceToken),
    token("AKID", Word, 32, ServiceToken),
    token("v1.0-", Any, 140, ServiceToken),
    token("phx_", Word, 40, ServiceToken),
    token("rnd_", Word, 28, ServiceToken),
    token("vcp_", Word, 24, ServiceToken),
    token("tfe.", Word, 40, ServiceToken),
    token("$1$", Hash, 20, PasswordHash),
    token("$2a$", Hash, 40, PasswordHash),
    token("$2b$", Hash, 40, PasswordHash),
    token("$2y$", Hash, 40, PasswordHash),
    token("$5$", Hash, 30, PasswordHash),
    token("$6$", Hash, 30, PasswordHash),
    token("$y$", Hash, 30, PasswordHash),
    token("$7$", Hash, 30, PasswordHash),
    token("$gy$", Hash, 30, PasswordHash),
    token("$apr1$", Hash, 20, PasswordHash),
    token("$argon2", Hash, 30, PasswordHash),
    token("$pbkdf2", Hash, 30, PasswordHash),
    token("$scrypt$", Hash, 30, PasswordHash),
    token("{SSHA}", Any, 20, PasswordHash),
    token("SCRAM-SHA-256$", Hash, 40, PasswordHash),
];

/// Where the tokens are that begin with each byte.
static BY_FIRST: LazyLock<Vec<Vec<&'static Token>>> = LazyLock::new(|| {
    let with = |first: u8| {
        TOKENS.iter().filter(move |token| token.begin.as_bytes().first() == Some(&first))
    };
    (0..=u8::MAX).map(|first| with(first).collect()).collect()
});

/// The length and the kind of the token that the bytes begin with, if they do. What stood before them
/// must not be a part of a word.
pub(crate) fn at(bytes: &[u8]) -> Option<(usize, Kind)> {
    let first = *bytes.first()?;
    let known = BY_FIRST.get(usize::from(first))?.iter().find_map(|token| {
        let rest = bytes.strip_prefix(token.begin.as_bytes())?;
        let length = run(rest, |byte| token.made.of(byte));
        (length >= token.min).then_some((token.begin.len() + length, token.kind))
    });
    known.or_else(|| if first.is_ascii_alphanumeric() { shaped(bytes) } else { None })
}

fn run(bytes: &[u8], is_part: impl Fn(u8) -> bool) -> usize {
    bytes.iter().position(|byte| !is_part(*byte)).unwrap_or(bytes.len())
}

/// Those that have something in the middle. No run is looked at beyond the length that would do.
fn shaped(bytes: &[u8]) -> Option<(usize, Kind)> {
    const LONGEST: usize = 40;
    let near = bytes.get(..LONGEST).unwrap_or(bytes);
    let first = run(near, |byte| Url.of(byte));
    let (head, rest) = bytes.split_at_checked(first)?;
    let then = |begin: &str, min: usize, kind: Kind| {
        let tail = rest.strip_prefix(begin.as_bytes())?;
        let length = run(tail, |byte| Url.of(byte));
        (length >= min).then_some((first + begin.len() + length, kind))
    };
    match head {
        // Terraform: 14 and 60 or more.
        _ if first == 14 && rest.starts_with(b".atlasv1.") => then(".atlasv1.", 50, ServiceToken),
        // Azure: three, a digit, `Q~`, 30 or more.
        [.., digit, b'Q'] if first == 5 && digit.is_ascii_digit() => {
            let length =
                run(rest.strip_prefix(b"~")?, |byte| Url.of(byte) || matches!(byte, b'.' | b'~'));
            (length >= 30).then_some((first + 1 + length, AzureKey))
        }
        // Telegram: a number and 35.
        _ if (8..=10).contains(&first) && head.iter().all(u8::is_ascii_digit) => {
            then(":AA", 30, ServiceToken)
        }
        // Mailchimp: 32 and the data centre.
        [hex @ .., b'-', b'u', b's', _] | [hex @ .., b'-', b'u', b's', _, _]
            if hex.len() == 32 && hex.iter().all(|byte| Hex.of(*byte)) =>
        {
            Some((first, ServiceToken))
        }
        // Discord: the number of a user in base64, six, and 27 or more.
        [b'M' | b'N' | b'O', ..] if (23..=28).contains(&first) => {
            let middle = run(rest.strip_prefix(b".")?.get(..7)?, |byte| Url.of(byte));
            let tail = rest.get(1 + middle..)?.strip_prefix(b".")?;
            let length = run(tail, |byte| Url.of(byte));
            (middle == 6 && length >= 27).then_some((first + 8 + length, ServiceToken))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_beginning_hides_one_that_is_longer() {
        for (index, token) in TOKENS.iter().enumerate() {
            let hidden = |later: &&Token| {
                later.begin.starts_with(token.begin) && later.min + later.begin.len() < token.min
            };
            let later = TOKENS.iter().skip(index + 1).find(hidden);
            assert!(later.is_none(), "{} before {}", token.begin, later.unwrap().begin);
        }
    }

    #[test]
    fn words_are_no_tokens() {
        for word in
            ["sk-learn", "key-value", "npm_config", "SKIP", "eyJ", "cio", "hf_hub", "pul-request"]
        {
            assert_eq!(at(word.as_bytes()), None, "{word}");
        }
    }
}
