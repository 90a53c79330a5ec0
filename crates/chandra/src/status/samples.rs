//! Samples of the text format of Prometheus, as far as it takes to read what an agent tells.

/// A sample: its family, its labels, its value.
#[derive(Debug, PartialEq)]
pub struct Sample<'a> {
    /// `chandra_alerts_total`
    pub name: &'a str,
    /// `rule`, and which.
    pub labels: Vec<(&'a str, String)>,
    /// How many.
    pub value: f64,
}

impl Sample<'_> {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(label, _)| *label == name).map(|(_, value)| value.as_str())
    }
}

/// All samples. A line that is none is passed over.
pub fn samples(text: &str) -> impl Iterator<Item = Sample<'_>> {
    text.lines().filter(|line| !line.starts_with('#')).filter_map(sample)
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let end = line.find(['{', ' '])?;
    let (name, mut rest) = line.split_at_checked(end)?;
    let mut labels = Vec::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, quoted) = rest.split_once("=\"")?;
            let (value, behind) = unquoted(quoted)?;
            labels.push((label, value));
            rest = behind.strip_prefix(',').unwrap_or(behind);
        }
        rest = rest.strip_prefix('}')?;
    }
    let value = rest.split_whitespace().next()?.parse().ok()?;
    Some(Sample { name, labels, value })
}

/// What is before the closing quote, and what is behind it.
fn unquoted(quoted: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    loop {
        match letters.next()? {
            (at, '"') => return Some((value, quoted.get(at + 1..)?)),
            (_, '\\') => value.push(match letters.next()?.1 {
                'n' => '\n',
                other => other,
            }),
            (_, letter) => value.push(letter),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_have_names_labels_and_values() {
        let text =
            "# HELP a b\na 1\nb_total{x=\"1, \\\"2\\\"}\",y=\"\\\\n\\n\"} 2.5 123\nc{} +Inf\n";
        let found: Vec<_> = samples(text).collect();
        assert_eq!(found[0], Sample { name: "a", labels: vec![], value: 1.0 });
        assert_eq!((found[1].label("x"), found[1].label("y")), (Some("1, \"2\"}"), Some("\\n\n")));
        assert_eq!(
            (found[1].value, found[1].label("z"), found[2].value),
            (2.5, None, f64::INFINITY)
        );
    }

    #[test]
    fn what_is_no_sample_is_passed_over() {
        for wrong in
            ["", "a", "a{", "a{b", "a{b=", "a{b=\"", "a{b=\"\\", "a{b=\"c\"", "a{b=\"c\"} ", "a x"]
        {
            assert_eq!(samples(wrong).count(), 0, "{wrong:?}");
        }
    }
}
