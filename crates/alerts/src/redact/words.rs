//! Secrets among words: arguments of a program, or the words of a command line.
//!
//! What a word is depends on the words before it: the program, its subcommand, the flag whose value comes
//! next. Words that do not begin a program's use of secrets cost a look at their first bytes.

use std::ops::Range;

use super::kind::Kind;
use super::names;
use super::programs::{self, Flag, Form, Program};
use super::text::is_name;
use super::value::{is_harmless, is_path};

/// What is secret, by word.
pub(crate) type Emit<'e> = dyn FnMut(usize, Range<usize>, Kind) + 'e;

/// Tells which parts of which words are secret.
pub(crate) fn scan(words: &[&[u8]], emit: &mut Emit<'_>) {
    let mut scan = Scan { words, emit, command: Command::default(), pending: None, echoed: None };
    (0..words.len()).for_each(|index| scan.word(index));
    scan.end_command(words.len());
}

/// What is known of the command that the words are of.
#[derive(Default)]
struct Command {
    program: Option<&'static Program>,
    joins_by_slash: bool,
    /// It reads a secret, which somebody may have echoed to it, or which follows `<<<`.
    reads: Option<Form>,
    /// After so many more words that are no flags comes a secret.
    place: Option<usize>,
    is_after_pairs: bool,
    /// A few words that are no flags: the program's subcommands are among them.
    subcommands: [usize; 4],
    subcommand_count: usize,
    has_login: bool,
    /// Names and values follow.
    sets: bool,
}

struct Scan<'w, 'e, 'f> {
    words: &'w [&'w [u8]],
    emit: &'e mut Emit<'f>,
    command: Command,
    /// The next word is such a secret.
    pending: Option<(Form, Kind)>,
    /// The words after `echo`, to the pipe.
    echoed: Option<Range<usize>>,
}

impl Scan<'_, '_, '_> {
    fn bytes(&self, index: usize) -> &[u8] {
        self.words.get(index).copied().unwrap_or_default()
    }

    fn word(&mut self, index: usize) {
        let Some(word) = self.words.get(index).copied() else { return };
        if let Some((form, kind)) = self.pending.take() {
            if !looks_like_flag(word) {
                return self.secret(index, 0, form, kind);
            }
        } else if matches!(word, b"|" | b"||" | b"&&" | b";" | b"&") {
            return self.end_command(index);
        }
        self.reader(word);
        match word {
            b"<<<" => self.pending = self.command.reads.map(|form| (form, Kind::Password)),
            [b'-', _, ..] => self.flag(index, word),
            _ => self.other(index, word),
        }
    }

    /// Flags and programs that read a secret from where `echo` writes to.
    fn reader(&mut self, word: &[u8]) {
        let form = match word {
            b"-S" | b"--stdin" | b"--password-stdin" | b"--passphrase-fd" | b"--with-token"
            | b"--key-file=-" | b"-kd" => Form::Whole,
            _ => match base_name(word) {
                b"chpasswd" => Form::After(b':'),
                b"kinit" | b"cryptsetup" | b"passwd" | b"smbpasswd" | b"vncpasswd" => Form::Whole,
                _ => return,
            },
        };
        self.command.reads = Some(form);
        for index in self.echoed.take().into_iter().flatten() {
            let word = self.bytes(index);
            if !looks_like_flag(word) && !word.contains(&b'%') {
                self.secret(index, 0, form, Kind::Password);
            }
        }
    }

    fn flag(&mut self, index: usize, word: &[u8]) {
        let equals = word.iter().position(|byte| *byte == b'=');
        let name = word.get(..equals.unwrap_or(word.len())).unwrap_or_default();
        if let Some(found) = self.own_flag(word, name) {
            let Flag { name: own, form, kind, .. } = *found;
            if let Form::Later(count) = form {
                self.command.place = Some(count);
                return;
            }
            let is_long = own.starts_with("--");
            return match equals.filter(|_| is_long) {
                Some(equals) => self.secret(index, equals + 1, form, kind),
                None if is_long || word.len() == own.len() || !word.starts_with(own.as_bytes()) => {
                    self.pending = Some((form, kind));
                }
                None => self.secret(index, own.len(), form, kind),
            };
        }
        if let Some(program) = self.command.program {
            let is_cluster =
                !word.starts_with(b"--") && word.iter().skip(1).all(u8::is_ascii_alphabetic);
            if program.is_batch && is_cluster && word.contains(&b'b') {
                self.command.place = Some(if word.contains(&b'n') { 2 } else { 3 });
            }
            if program.harmless.iter().any(|known| known.as_bytes() == name) {
                return;
            }
        }
        if name.len() <= 2 || !name.iter().all(|byte| is_name(*byte)) {
            return;
        }
        let Some(kind) = names::secret(name) else { return };
        match equals {
            Some(equals) => self.secret(index, equals + 1, Form::Whole, kind),
            None if word.iter().all(|byte| is_name(*byte)) => {
                self.pending = Some((Form::Whole, kind))
            }
            None => {}
        }
    }

    /// A flag that the program has for a secret: `-p`, `-pVALUE`, `-sSu`, `--user`.
    fn own_flag(&self, word: &[u8], name: &[u8]) -> Option<&'static Flag> {
        let program = self.command.program?;
        program.flags.iter().find(|flag| {
            let own = flag.name.as_bytes();
            let fits = if own.starts_with(b"--") {
                name == own
            } else {
                let cluster = own.len() == 2 && word.len() <= 6 && flag.next && flag.attached;
                let is_cluster = cluster
                    && word.iter().skip(1).all(u8::is_ascii_alphabetic)
                    && word.last() == own.last()
                    && word.get(1) != own.get(1);
                flag.next && word == own
                    || flag.attached && word.len() > own.len() && word.starts_with(own)
                    || is_cluster
            };
            fits && (flag.after.is_empty() || self.has_subcommand(flag.after))
        })
    }

    fn has_subcommand(&self, name: &str) -> bool {
        let known = self.command.subcommands.iter().take(self.command.subcommand_count);
        known.clone().any(|index| self.bytes(*index) == name.as_bytes())
    }

    /// A word that is no flag.
    fn other(&mut self, index: usize, word: &[u8]) {
        if let Some((name, value)) = assigned(word)
            && let Some(kind) = names::secret(name)
        {
            return self.secret(index, word.len() - value.len(), Form::Whole, kind);
        }
        let (start, begin) = without_prefix(word);
        let base = base_name(begin);
        if matches!(base, b"echo" | b"printf") {
            self.echoed = Some(index + 1..index + 1);
        } else if let Some(program) = programs::named(base).filter(|_| is_command(begin)) {
            self.command = Command { program: Some(program), ..Command::default() };
            self.command.place =
                program.places.iter().find(|(after, _)| after.is_empty()).map(|it| it.1);
            return;
        } else if programs::joins_by_slash(base) {
            self.command = Command { joins_by_slash: true, ..Command::default() };
            return;
        }
        if self.command.joins_by_slash && self.account(index, word) {
            return;
        }
        if let Some(range) = user_and_password(begin) {
            return self.tell(index, start + range.start..start + range.end, Kind::UrlPassword);
        }
        if self.in_place(index, word) {
            return;
        }
        if let Some(program) = self.command.program {
            self.of_program(index, word, program);
        }
        // `machine m login l password p`, as .netrc has it.
        self.command.has_login |= word == b"login";
        if self.command.has_login && matches!(word, b"password" | b"passwd") {
            self.pending = Some((Form::Whole, Kind::Password));
        } else if self.command.sets && index > 0 {
            // `config set NAME VALUE`
            let name = self.bytes(index - 1);
            if let Some(kind) = names::secret(name).filter(|_| !name.starts_with(b"-")) {
                self.secret(index, 0, Form::Whole, kind);
            }
        }
        self.command.sets |= matches!(word, b"set" | b"put" | b"config");
    }

    fn of_program(&mut self, index: usize, word: &[u8], program: &'static Program) {
        for flag in program.flags.iter().filter(|flag| flag.name.starts_with('/')) {
            if word.starts_with(flag.name.as_bytes()) {
                return self.secret(index, flag.name.len(), flag.form, flag.kind);
            }
        }
        if self.command.is_after_pairs {
            if word.contains(&b'=') {
                self.secret(index, 0, Form::After(b'='), Kind::Secret);
            }
            return;
        }
        let is_word = |known: &&str| known.as_bytes() == word;
        let is_place = |after: &str| {
            after.as_bytes() == word || after.ends_with('.') && word.starts_with(after.as_bytes())
        };
        if program.keywords.iter().any(is_word) {
            self.pending = Some((Form::Whole, Kind::Password));
        }
        self.command.is_after_pairs |= program.pairs_after.iter().any(is_word);
        if let Some((_, count)) = program.places.iter().find(|(after, _)| is_place(after)) {
            self.command.place = Some(*count);
        }
        if let Some(slot) = self.command.subcommands.get_mut(self.command.subcommand_count) {
            *slot = index;
            self.command.subcommand_count += 1;
        }
    }

    /// Whether this is where the program takes its secret.
    fn in_place(&mut self, index: usize, word: &[u8]) -> bool {
        let Some(count) = self.command.place else { return false };
        self.command.place = count.checked_sub(1).filter(|left| *left > 0);
        let is_here = count == 1 && !word.contains(&b'=');
        if is_here {
            self.secret(index, 0, Form::Whole, Kind::Password);
        }
        is_here
    }

    /// `scott/tiger@database`
    fn account(&mut self, index: usize, word: &[u8]) -> bool {
        let start = word.iter().position(|byte| *byte == b'=').map_or(0, |equals| equals + 1);
        let account = word.get(start..).unwrap_or_default();
        let Some(slash) = account.iter().position(|byte| *byte == b'/').filter(|at| *at > 0) else {
            return false;
        };
        let end = account.iter().rposition(|byte| *byte == b'@').unwrap_or(account.len());
        self.tell(index, start + slash + 1..start + end.max(slash + 1), Kind::Password);
        true
    }

    fn secret(&mut self, index: usize, start: usize, form: Form, kind: Kind) {
        let word = self.bytes(index);
        let value = word.get(start..).unwrap_or_default();
        let after = |sign: u8| value.iter().position(|byte| *byte == sign).map(|at| at + 1);
        let skipped = match form {
            Form::Whole => Some(0),
            Form::Later(_) => None,
            Form::After(sign) => after(sign),
            Form::Cookie => after(b'=').map(|_| 0),
            Form::Prefixed => [&b"pass:"[..], b"key:", b"hexkey:"]
                .iter()
                .find(|prefix| value.starts_with(prefix))
                .map(|prefix| prefix.len()),
        };
        if let Some(skipped) = skipped {
            self.tell(index, start + skipped..word.len(), kind);
        }
    }

    fn tell(&mut self, index: usize, range: Range<usize>, kind: Kind) {
        let word = self.bytes(index);
        let range = unquoted(word, range);
        if word.get(range.clone()).is_some_and(|value| !is_harmless(value, kind)) {
            (self.emit)(index, range, kind);
        }
    }

    fn end_command(&mut self, end: usize) {
        self.command = Command::default();
        self.echoed = self.echoed.take().filter(|_| self.bytes(end) == b"|").and_then(|echoed| {
            // What was echoed stays known for the one command that it is piped to.
            let ended = if echoed.is_empty() { echoed.start..end } else { return None };
            Some(ended)
        });
    }
}

/// Whether a word in a secret's place is rather the next flag.
fn looks_like_flag(word: &[u8]) -> bool {
    match word {
        [b'-', b'-', rest @ ..] => {
            rest.first().is_some_and(u8::is_ascii_lowercase)
                && rest.iter().take_while(|byte| **byte != b'=').all(|byte| is_name(*byte))
        }
        [b'-', letter] => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

/// `NAME=VALUE`, as a shell assigns and an environment has it.
fn assigned(word: &[u8]) -> Option<(&[u8], &[u8])> {
    let equals = word.iter().position(|byte| !is_name(*byte))?;
    let name = word.get(..equals)?;
    let value = word.get(equals..)?.strip_prefix(b"=")?;
    name.first().filter(|first| first.is_ascii_alphabetic() || **first == b'_')?;
    Some((name, value))
}

/// Without what may stand right before a program or an account, and how much that was.
fn without_prefix(word: &[u8]) -> (usize, &[u8]) {
    let signs = |byte: &u8| matches!(byte, b'(' | b'{' | b'`' | b'$' | b'"' | b'\'');
    let mut start = word.iter().take_while(|byte| signs(byte)).count();
    let rest = word.get(start..).unwrap_or_default();
    if let Some((name, _)) = assigned(rest) {
        start += name.len() + 1;
    }
    (start, word.get(start..).unwrap_or_default())
}

fn base_name(word: &[u8]) -> &[u8] {
    word.rsplit(|byte| *byte == b'/').next().unwrap_or(word)
}

/// A program by its name or its path; not something that only ends like one.
fn is_command(word: &[u8]) -> bool {
    is_path(word) || !word.contains(&b'/')
}

/// The range without the quotes around it.
fn unquoted(word: &[u8], range: Range<usize>) -> Range<usize> {
    let value = word.get(range.clone()).unwrap_or_default();
    match value {
        [first @ (b'\'' | b'"'), .., last] if first == last => range.start + 1..range.end - 1,
        _ => range,
    }
}

/// The password in `user:password@host`, which is written without a scheme by many programs.
fn user_and_password(word: &[u8]) -> Option<Range<usize>> {
    let end = word.iter().rposition(|byte| *byte == b'@')?;
    let host = word.get(end + 1..)?;
    let info = word.get(..end)?;
    let colon = info.iter().position(|byte| *byte == b':')?;
    let (user, password) = (info.get(..colon)?, info.get(colon + 1..)?);
    let is_user = |byte: &u8| is_name(*byte) || matches!(byte, b'/' | b'\\' | b'+');
    let is_scheme =
        matches!(user, b"npm" | b"pkg" | b"jsr" | b"file" | b"git" | b"link" | b"workspace");
    if user.is_empty()
        || !user.iter().all(is_user)
        || is_scheme
        || password.len() < 3
        || password.starts_with(b"//")
        || password.starts_with(b"refs/")
        || password.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let name_length =
        host.iter().position(|byte| matches!(byte, b':' | b'/' | b'?')).unwrap_or(host.len());
    let name = host.get(..name_length)?;
    let is_known = name == b"localhost"
        || name.contains(&b'.') && name.iter().all(|byte| is_name(*byte)) && !is_version(name);
    is_known.then_some(colon + 1..end)
}

/// `17.0.1`, which is no address.
fn is_version(name: &[u8]) -> bool {
    let is_number = |part: &[u8]| !part.is_empty() && part.iter().all(u8::is_ascii_digit);
    let mut parts = name.split(|byte| *byte == b'.');
    parts.clone().next().is_some_and(is_number)
        && !(parts.clone().count() == 4 && parts.all(is_number))
}
