//! What an alert of a Sigma rule says. The licence of Sigma's own rules (DRL 1.1) asks for their authors in
//! every output.

use std::fmt::Write;

use super::Origin;
use super::taxonomy::Category;

const WHO: &str =
    "user=%user.name process=%proc.exepath command=%proc.exeline parent=%proc.pexepath";

/// The output, as a rule of Falco's would have it.
pub(super) fn of(title: &str, category: &Category, origin: &Origin) -> String {
    let mut text = format!("{} ({WHO} {}", plain(title), category.output);
    if let Some(id) = &origin.id {
        let _ = write!(text, " sigma={}", plain(id));
    }
    if let Some(author) = &origin.author {
        let _ = write!(text, " author={}", plain(author));
    }
    text.push(')');
    text
}

/// A text in which nothing is a field.
fn plain(text: &str) -> String {
    let text = text.replace('%', "%%");
    // A star that an output begins with is left out of it.
    text.strip_prefix('*').map_or(text.clone(), |rest| format!("**{rest}"))
}
