//! What a secret is said to have been.

macro_rules! kinds {
    ($($kind:ident $name:literal $what:literal,)*) => {
        /// What a secret is said to have been, so that one can look for its source: `<redacted:NAME>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = $what] $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Lower-case letters and dashes.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }

            /// What stands in the secret's place.
            pub(crate) fn marker(self) -> &'static str {
                match self {
                    $(Self::$kind => concat!("<redacted:", $name, ">"),)*
                }
            }
        }
    };
}

kinds! {
    Password "password" "Given as a password, a passphrase or a PIN.",
    Secret "secret" "Given as a secret or as credentials.",
    Token "token" "Given as a token.",
    Key "key" "Given as a key that lets in, encrypts or signs.",
    Authorization "authorization" "The header `Authorization`.",
    Cookie "cookie" "The header `Cookie` or `Set-Cookie`.",
    UrlPassword "url-password" "In a URL, before the host.",
    Webhook "webhook" "A URL's path that is as good as a password.",
    PrivateKey "private-key" "A private key as text.",
    PasswordHash "password-hash" "As `crypt(3)` has it.",
    Jwt "jwt" "A JSON web token, or the like of it.",
    AwsKey "aws-key" "Of Amazon Web Services.",
    AzureKey "azure-key" "Of Azure.",
    GoogleKey "google-key" "Of Google.",
    GithubToken "github-token" "Of GitHub.",
    GitlabToken "gitlab-token" "Of GitLab.",
    SlackToken "slack-token" "Of Slack.",
    StripeKey "stripe-key" "Of Stripe.",
    AiKey "ai-key" "Of a service that answers with a language model.",
    RegistryToken "registry-token" "Of a registry of packages or images.",
    ServiceToken "service-token" "Of another service, known by its shape.",
    Environment "environment" "The value of a variable that is not on the list of harmless ones.",
}

const OPEN: &[u8] = b"<redacted:";
/// No name is longer.
const MAX_NAME: usize = 24;

/// The length of the marker that begins here, if one does.
pub(crate) fn marker_at(bytes: &[u8]) -> Option<usize> {
    let rest = bytes.strip_prefix(OPEN)?;
    let end = rest.iter().take(MAX_NAME).position(|byte| *byte == b'>')?;
    let name = rest.get(..end)?;
    let is_name = Kind::ALL.iter().any(|kind| kind.name().as_bytes() == name);
    is_name.then_some(OPEN.len() + end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_known_for_one() {
        for kind in Kind::ALL {
            assert!(kind.name().len() < MAX_NAME);
            let text = format!("{}x", kind.marker());
            assert_eq!(marker_at(text.as_bytes()), Some(text.len() - 1));
        }
        for other in ["<redacted:>", "<redacted:mine>", "<redacted:token", "redacted:token>"] {
            assert_eq!(marker_at(other.as_bytes()), None);
        }
    }
}
