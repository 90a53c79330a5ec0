//! Colours (ECMA-48, SGR), the same for the same things as in Hubble.

/// What a text is, and so its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Host,
    Port,
    Identity,
    Good,
    Bad,
    Remarkable,
    Plain,
}

impl Style {
    /// The text in its colour, or as it is.
    pub fn paint(self, text: &str, color: bool) -> String {
        let number = match self {
            Style::Bad => 31,
            Style::Good => 32,
            Style::Port | Style::Remarkable => 33,
            Style::Identity => 35,
            Style::Host => 36,
            Style::Plain => return text.to_owned(),
        };
        if color { format!("\x1b[{number}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
