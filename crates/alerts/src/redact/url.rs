//! Addresses: where a user and a password may stand, and those that are secret as a whole.

use std::ops::Range;

use super::kind::marker_at;
use super::text::is_name;

/// The first colon; what was redacted has one of its own, which is none.
pub(super) fn colon_in(bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += bytes.get(at..)?.iter().position(|byte| matches!(byte, b':' | b'<'))?;
        match bytes.get(at)? {
            b':' => return Some(at),
            _ => at += marker_at(bytes.get(at..)?).unwrap_or(1),
        }
    }
}

/// Hosts, and the begin of paths, of which the rest lets anybody in who knows it.
const WEBHOOKS: &[&[u8]] = &[
    b"hooks.slack.com/services/",
    b"hooks.slack.com/workflows/",
    b"hooks.slack.com/triggers/",
    b"discord.com/api/webhooks/",
    b"discordapp.com/api/webhooks/",
    b"api.telegram.org/bot",
    b"hooks.zapier.com/hooks/catch/",
    b"maker.ifttt.com/trigger/",
    b"outlook.office.com/webhook/",
    b"chat.googleapis.com/v1/spaces/",
    b"oapi.dingtalk.com/robot/send",
    b"open.feishu.cn/open-apis/bot/v2/hook/",
    b"hc-ping.com/",
    b"events.pagerduty.com/integration/",
];

/// The secret part of an address, after its scheme.
pub(super) fn webhook(bytes: &[u8]) -> Option<Range<usize>> {
    let listed = WEBHOOKS.iter().find(|begin| bytes.starts_with(begin)).map(|begin| begin.len());
    let start = listed.or_else(|| {
        const OFFICE: &[u8] = b".webhook.office.com/webhookb2/";
        let near = bytes.get(..96).unwrap_or(bytes);
        let at = near.windows(OFFICE.len()).position(|window| window == OFFICE)?;
        near.get(..at)?.iter().all(|byte| is_name(*byte)).then_some(at + OFFICE.len())
    })?;
    let rest = bytes.get(start..)?;
    let is_end = |byte: &u8| {
        byte.is_ascii_whitespace()
            || matches!(byte, b'\'' | b'"' | b'<' | b'>' | b')' | b',' | b';')
    };
    let length = rest.iter().position(is_end).unwrap_or(rest.len());
    (length > 0).then_some(start..start + length)
}
