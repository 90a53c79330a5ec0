//! Variables: their names are told, their values only where a name is known to be harmless.

use super::kind::{Kind, marker_at};
use super::line;
use super::spans::Spans;

/// Harmless everywhere, and of use to who looks into an alert.
const HARMLESS: &[&[u8]] = &[
    b"PATH",
    b"HOME",
    b"USER",
    b"LOGNAME",
    b"SHELL",
    b"PWD",
    b"OLDPWD",
    b"LANG",
    b"LANGUAGE",
    b"TERM",
    b"TZ",
    b"HOSTNAME",
    b"SHLVL",
    b"_",
    b"UID",
    b"EUID",
    b"DISPLAY",
    b"EDITOR",
    b"PAGER",
    b"LD_PRELOAD",
    b"LD_LIBRARY_PATH",
    b"LD_AUDIT",
    b"SSH_CLIENT",
    b"SSH_CONNECTION",
    b"SSH_TTY",
    b"SUDO_USER",
    b"SUDO_UID",
    b"SUDO_GID",
    b"SUDO_COMMAND",
    b"HISTFILE",
    b"HISTSIZE",
    b"KUBERNETES_SERVICE_HOST",
    b"KUBERNETES_SERVICE_PORT",
    b"PYTHONPATH",
    b"GOGC",
    b"GOMAXPROCS",
    b"DEBIAN_FRONTEND",
];

/// Adds what is secret in `NAME=VALUE`.
pub(super) fn scan(variable: &[u8], allowed: &[String], spans: &mut Spans) {
    let Some(equals) = variable.iter().position(|byte| *byte == b'=') else {
        return line::scan(variable, spans);
    };
    let (name, value) = (variable.get(..equals), variable.get(equals + 1..));
    let (name, value) = (name.unwrap_or_default(), value.unwrap_or_default());
    let is_locale = name.starts_with(b"LC_");
    let is_allowed = HARMLESS.contains(&name)
        || is_locale
        || allowed.iter().any(|allowed| allowed.as_bytes() == name);
    if is_allowed {
        // Its value may still hold what is one by its shape.
        line::scan(variable, spans);
    } else if marker_at(value) != Some(value.len()) {
        spans.add(equals + 1..variable.len(), Kind::Environment);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Options, Redactor};

    fn redacted(variable: &str) -> String {
        let redactor =
            Redactor::new(Options { environment: vec!["REGION".into()], ..Options::default() });
        String::from_utf8(redactor.variable(variable.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn only_values_that_are_known_to_be_harmless_stay() {
        for same in
            ["PATH=/bin:/usr/bin", "LC_ALL=C", "REGION=eu", "LD_PRELOAD=/tmp/x.so", "EMPTY="]
        {
            assert_eq!(redacted(same), same);
        }
        assert_eq!(redacted("DB=x=y"), "DB=<redacted:environment>");
        assert_eq!(redacted("DB=<redacted:environment>"), "DB=<redacted:environment>");
    }

    #[test]
    fn a_harmless_variable_may_hold_a_secret() {
        assert_eq!(
            redacted("SUDO_COMMAND=/usr/bin/mysql -phunter2"),
            "SUDO_COMMAND=/usr/bin/mysql -p<redacted:password>"
        );
    }
}
