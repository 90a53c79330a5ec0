//! A whole alert. The same arguments stand in several places of it: as a list, which tells best what is
//! secret, and joined by blanks in fields and in the output, where that can no longer be seen. So what the
//! list tells is taken out everywhere.

use std::sync::Arc;

use super::Redactor;
use crate::alert::{Alert, Context, Fields, Folded, Process, Redacted, Value};

/// A found secret that is shorter is not looked for elsewhere, since other words would be hit.
const MIN_ELSEWHERE: usize = 8;
/// The same of the value of a variable that a rule asks for by name.
const MIN_VARIABLE: usize = 4;
/// So many, and no more, are looked for everywhere.
const MAX_ELSEWHERE: usize = 64;

/// What is written elsewhere in place of what.
type Replacements = Vec<(String, String)>;

impl Redactor {
    /// Makes of an alert one that may leave.
    pub fn alert(&self, mut alert: Alert, folded: Option<Folded>) -> Redacted {
        if self.is_enabled() {
            let mut elsewhere = Replacements::new();
            self.context(&mut alert.context, &mut elsewhere);
            self.variables(&mut alert.output_fields, &mut elsewhere);
            // The longest first, so that a whole line is replaced before a part of it.
            elsewhere.sort_by_key(|(secret, _)| std::cmp::Reverse(secret.len()));
            elsewhere.truncate(MAX_ELSEWHERE);
            self.text(&mut alert.output, &elsewhere);
            self.fields(&mut alert.output_fields, &elsewhere);
            for preceding in &mut alert.context.preceding {
                self.fields(&mut preceding.fields, &elsewhere);
            }
        }
        Redacted::new(alert, folded)
    }

    fn context(&self, context: &mut Context, elsewhere: &mut Replacements) {
        for process in context.process.iter_mut().chain(&mut context.ancestors) {
            self.process(process, elsewhere);
        }
        for preceding in &mut context.preceding {
            for (_, value) in &mut preceding.fields {
                if let Value::Texts(texts) = value {
                    let bytes: Vec<_> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
                    let told = self.list(&bytes, elsewhere);
                    *texts = told.iter().map(|text| lossy(text)).collect();
                }
            }
        }
    }

    fn process(&self, process: &mut Process, elsewhere: &mut Replacements) {
        process.argv = self.list(&process.argv, elsewhere);
        for variable in &mut process.environment {
            *variable = self.variable(variable).into_owned();
        }
        // A process may call itself anything.
        for text in [&mut process.comm, &mut process.exe, &mut process.cwd] {
            *text = lossy(&self.line(text.as_bytes()));
        }
    }

    /// Arguments; remembers how they would look when joined.
    fn list(&self, arguments: &[Vec<u8>], elsewhere: &mut Replacements) -> Vec<Vec<u8>> {
        let borrowed: Vec<&[u8]> = arguments.iter().map(Vec::as_slice).collect();
        let told: Vec<Vec<u8>> =
            self.arguments(&borrowed).into_iter().map(std::borrow::Cow::into_owned).collect();
        let joined =
            |all: &[Vec<u8>]| all.iter().map(|one| lossy(one)).collect::<Vec<_>>().join(" ");
        for from in 0..2 {
            let (before, after) = (arguments.get(from..), told.get(from..));
            let (Some(before), Some(after)) = (before, after) else { continue };
            if before != after && before.len() > 1 {
                elsewhere.push((joined(before), joined(after)));
            }
        }
        for (before, after) in arguments.iter().zip(&told).filter(|(before, after)| before != after)
        {
            if before.len() >= MIN_ELSEWHERE {
                elsewhere.push((lossy(before), lossy(after)));
            }
        }
        told
    }

    fn fields(&self, fields: &mut Fields, elsewhere: &Replacements) {
        for (name, value) in fields {
            match value {
                // Done before all others.
                Value::Text(_) if is_environment(name) => {}
                Value::Text(text) => self.text(text, elsewhere),
                Value::Texts(texts) => texts.iter_mut().for_each(|text| self.text(text, elsewhere)),
                Value::Null | Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) => {
                }
            }
        }
    }

    fn text(&self, text: &mut String, elsewhere: &Replacements) {
        for (secret, instead) in elsewhere {
            if text.contains(secret.as_str()) {
                *text = text.replace(secret.as_str(), instead);
            }
        }
        if let std::borrow::Cow::Owned(told) = self.line(text.as_bytes()) {
            *text = lossy(&told);
        }
    }

    /// Fields of variables; remembers what is to be taken out of the output, too.
    fn variables(&self, fields: &mut Fields, elsewhere: &mut Replacements) {
        for (name, value) in fields.iter_mut().filter(|(name, _)| is_environment(name)) {
            let Value::Text(text) = value else { continue };
            let told = match variable_of(name) {
                Asked::All => self.environment(text),
                Asked::One(name) => self.value(name, text),
                // What was made of variables has no names any more: none of it is known to be harmless.
                Asked::Made => self.value("", text),
            };
            if told != *text {
                if text.len() >= MIN_VARIABLE {
                    elsewhere.push((text.clone(), told.clone()));
                }
                *text = told;
            }
        }
    }

    /// The value of a variable.
    fn value(&self, name: &str, value: &str) -> String {
        let variable = format!("{name}={value}");
        let told = lossy(&self.variable(variable.as_bytes()));
        told.get(name.len() + 1..).unwrap_or_default().to_owned()
    }

    /// `A=b C=d`: Falco's field of all variables, joined by blanks. What follows a blank and is no variable
    /// belongs to the value before it.
    fn environment(&self, text: &str) -> String {
        let mut told = String::new();
        let mut rest = Some(text);
        while let Some(all) = rest {
            let next = all.match_indices(' ').find(|(at, _)| begins_variable(&all[at + 1..]));
            let (variable, behind) = match next {
                Some((at, _)) => (&all[..at], Some(&all[at + 1..])),
                None => (all, None),
            };
            told.push_str(&lossy(&self.variable(variable.as_bytes())));
            told.push_str(if behind.is_some() { " " } else { "" });
            rest = behind;
        }
        told
    }
}

/// Which variables a field of an output is about.
enum Asked<'n> {
    All,
    One(&'n str),
    Made,
}

const ENVIRONMENTS: [&str; 3] = ["proc.env", "proc.aenv", "evt.arg.env"];
/// `proc.aenv[2]` has all variables of that ancestor, up to this one; behind it, a number is a name.
const ANCESTORS: &str = "proc.aenv[";
const MAX_ANCESTOR: u32 = 100;

fn variable_of(name: &str) -> Asked<'_> {
    let ancestor = name.strip_prefix(ANCESTORS).and_then(|rest| rest.strip_suffix(']'));
    if ancestor.and_then(|it| it.parse::<u32>().ok()).is_some_and(|it| it <= MAX_ANCESTOR) {
        return Asked::All;
    }
    let argument = ENVIRONMENTS.iter().find_map(|field| name.strip_prefix(field));
    match argument {
        Some("") => Asked::All,
        Some(argument) => {
            match argument.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(name) => Asked::One(name.trim_matches(['"', '\''])),
                None => Asked::Made,
            }
        }
        None => Asked::Made,
    }
}

fn is_environment(name: &Arc<str>) -> bool {
    ENVIRONMENTS.iter().any(|field| name.contains(field))
}

/// `NAME=`, whatever the name: those of programs are not only such as shells allow.
fn begins_variable(text: &str) -> bool {
    text.bytes().take_while(|byte| *byte != b' ').any(|byte| byte == b'=')
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Preceding, sample};

    fn json(alert: Alert) -> String {
        String::from_utf8(Redactor::default().alert(alert, None).json()).unwrap()
    }

    fn process(arguments: &[&str]) -> Process {
        let argv = arguments.iter().map(|argument| argument.as_bytes().to_vec()).collect();
        Process { argv, ..Process::default() }
    }

    #[test]
    fn a_secret_is_gone_from_every_place() {
        let arguments = ["mysql", "-pcorrect horse", "-u", "root", "-h", "db"];
        let line = arguments.join(" ");
        let alert = Alert {
            output: format!("Client run (command={line} args={})", &line[6..]),
            output_fields: vec![("proc.cmdline".into(), Value::Text(line.clone()))],
            context: Context {
                process: Some(process(&arguments)),
                ancestors: vec![process(&["sh", "-c", "mysql -p'correct horse' -u root -h db"])],
                preceding: vec![Preceding {
                    fields: vec![
                        ("argv".into(), Value::Texts(arguments.map(String::from).to_vec())),
                        ("line".into(), Value::Text(line)),
                    ],
                    ..Preceding::default()
                }],
                ..Context::default()
            },
            ..sample::alert()
        };
        let json = json(alert);
        assert!(!json.contains("correct") && !json.contains("horse"), "{json}");
        assert_eq!(json.matches("-u root -h db").count(), 5, "the rest stays: {json}");
        assert!(
            json.contains("(command=mysql -p<redacted:password> -u root -h db args=-p<"),
            "{json}"
        );
    }

    #[test]
    fn fields_of_the_environment_tell_names_alone() {
        let fields = vec![("proc.env".into(), Value::Text("PATH=/bin KEY=abc".into()))];
        let json = json(Alert { output_fields: fields, ..sample::alert() });
        assert!(json.contains(r#""proc.env":"PATH=/bin KEY=<redacted:environment>""#), "{json}");
    }

    #[test]
    fn the_value_of_a_variable_that_is_not_harmless_stands_nowhere() {
        let field = |name: &str, value: &str| (name.into(), Value::Text(value.into()));
        let alert = Alert {
            output: "ran with correct horse, /tmp/x.so and KEY=two words PATH=/bin; CORRECT HORSE"
                .into(),
            output_fields: vec![
                field("proc.env[PASSPHRASE]", "correct horse"),
                field("proc.env[LD_PRELOAD]", "/tmp/x.so"),
                field("proc.env", "KEY=two words PATH=/bin"),
                field("proc.aenv[2]", "KEY=of ancestor PATH=/sbin"),
                field("proc.aenv[PASSPHRASE]", "battery staple"),
                field("proc.aenv[101]", "LANG=secret value"),
                field("toupper(proc.env[PASSPHRASE])", "CORRECT HORSE"),
            ],
            ..sample::alert()
        };
        let json = json(alert);
        for secret in ["correct", "horse", "two", "words", "CORRECT"] {
            assert!(!json.contains(secret), "{secret}: {json}");
        }
        assert!(json.contains("<redacted:environment>, /tmp/x.so and KEY=<redacted"), "{json}");
        assert!(json.contains(r#""proc.env":"KEY=<redacted:environment> PATH=/bin""#), "{json}");
        assert!(json.contains(r#""proc.env[LD_PRELOAD]":"/tmp/x.so""#), "{json}");
        let all = r#""proc.aenv[2]":"KEY=<redacted:environment> PATH=/sbin""#;
        assert!(json.contains(all), "{json}");
        assert!(!json.contains("battery") && !json.contains("secret value"), "{json}");
    }

    #[test]
    fn what_follows_a_harmless_variable_is_not_harmless_for_that() {
        let fields =
            vec![("proc.env".into(), Value::Text("PATH=/a b my.key=hidden x SHLVL=1".into()))];
        let json = json(Alert { output_fields: fields, ..sample::alert() });
        let expected = r#""proc.env":"PATH=/a b my.key=<redacted:environment> SHLVL=1""#;
        assert!(json.contains(expected), "{json}");
    }

    #[test]
    fn the_environment_of_a_process_does_too() {
        let environment = vec![b"DB_URL=postgres://x".to_vec(), b"HOME=/root".to_vec()];
        let process = Process { environment, ..Process::default() };
        let context = Context { process: Some(process), ..Context::default() };
        let json = json(Alert { context, ..sample::alert() });
        assert!(json.contains(r#"["DB_URL=<redacted:environment>","HOME=/root"]"#), "{json}");
    }

    #[test]
    fn only_an_explicit_wish_turns_it_off() {
        let redactor =
            Redactor::new(super::super::Options { enabled: false, ..Default::default() });
        let context = Context { process: Some(process(&["mysql", "-px"])), ..Context::default() };
        let alert = Alert { context, ..sample::alert() };
        assert_eq!(redactor.alert(alert.clone(), None).alert(), &alert);
        assert_ne!(Redactor::default().alert(alert.clone(), None).alert(), &alert);
    }
}
