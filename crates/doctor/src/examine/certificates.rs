//! Certificates, and how long they are valid.

use crate::node::{Certificate, Node};
use crate::{Check, Finding, Grade};

const SECONDS_PER_DAY: i64 = 86_400;
/// So many days before the end it is time to renew one, where nobody does it by himself.
const SOON: i64 = 14;

pub fn examine(node: &Node) -> Vec<Finding> {
    node.certificates.iter().map(|certificate| one(certificate, node.now)).collect()
}

fn one(certificate: &Certificate, now: i64) -> Finding {
    let Certificate { place, whose, expires } = certificate;
    let subject = format!("certificate of {whose}");
    let found = |grade, says: String, next: &str| {
        Finding::new(grade, Check::CERTIFICATES, subject.clone(), format!("{place}: {says}"), next)
    };
    let renew = "renew it; Chandra reads its files again when they change";
    match expires {
        Err(why) => found(Grade::Failed, why.clone(), "name a file of PEM that has a certificate"),
        Ok(end) => {
            let days = end.saturating_sub(now).div_euclid(SECONDS_PER_DAY);
            match days {
                ..0 => found(Grade::Failed, format!("expired {} days ago", -days), renew),
                0..=SOON => found(Grade::Warning, format!("{days} days left"), renew),
                _ => Finding::fine(
                    Check::CERTIFICATES,
                    subject,
                    format!("{place}: {days} days left"),
                ),
            }
        }
    }
}
