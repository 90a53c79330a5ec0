//! A page's fenced blocks, with the marks before them, and the commands in them.

/// A fenced block.
#[derive(Debug, Clone, Default)]
pub struct Block {
    /// The line of its fence, from 1 on.
    pub line: usize,
    /// What the fence says that it holds.
    pub language: Language,
    /// What the comments before it say.
    pub marks: Marks,
    /// Its lines, each with its end.
    pub text: String,
}

/// What a block holds, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Language {
    /// Commands, one after the other.
    Shell,
    /// `$ COMMAND`, and below it what that prints.
    Console,
    /// No language is named.
    None,
    /// Anything else.
    #[default]
    Other,
}

/// What the comments before a block say. The header of this module's parent has what each does.
#[derive(Debug, Clone, Default)]
pub struct Marks {
    /// Why nothing of it is run.
    pub not_run: Option<String>,
    /// Words from which on a line is not run, each with why.
    pub cuts: Vec<(String, String)>,
    /// What prepares it.
    pub before: Vec<String>,
    /// What runs while it does.
    pub beside: Vec<String>,
    /// What prints it.
    pub output_of: Option<String>,
    /// Why what is shown is not compared.
    pub output_differs: Option<String>,
    /// The file that it is.
    pub file: Option<String>,
    /// How its commands may end, besides well.
    pub exit_codes: Vec<i32>,
}

/// A command of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// As a shell takes it; several lines where it goes over several.
    pub text: String,
    /// Lines that it is shown to print.
    pub output: Vec<String>,
}

/// All fenced blocks of a page.
///
/// # Errors
/// `LINE: what is wrong there`: a mark that is not known, or gives no reason, or a fence that does not end.
pub fn blocks(page: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut comments = Vec::new();
    let mut lines = page.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        let line_number = number + 1;
        let at = |error: String| format!("{line_number}: {error}");
        if let Some(comment) = line.strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->")) {
            comments.push((line_number, comment.trim()));
        } else if let Some(language) = line.strip_prefix("```") {
            let mut marks = Marks::default();
            for (line, mark) in comments.drain(..) {
                marks.add(mark).map_err(|error| format!("{line}: {error}"))?;
            }
            let mut text = String::new();
            loop {
                let (_, line) =
                    lines.next().ok_or_else(|| at("this block has no end".to_owned()))?;
                if line == "```" {
                    break;
                }
                text.push_str(line);
                text.push('\n');
            }
            let language = match language.trim() {
                "sh" => Language::Shell,
                "console" => Language::Console,
                "" => Language::None,
                _ => Language::Other,
            };
            blocks.push(Block { line: line_number, language, marks, text });
        } else {
            comments.clear();
        }
    }
    Ok(blocks)
}

impl Block {
    /// Its commands, with what each is shown to print.
    pub fn commands(&self) -> Vec<Command> {
        match (self.language, &self.marks.output_of) {
            (Language::Shell, _) => of_script(&self.text),
            (Language::Console, _) => of_session(&self.text),
            (Language::None, Some(command)) => {
                let output = self.text.lines().map(str::to_owned).collect();
                vec![Command { text: command.clone(), output }]
            }
            (Language::None | Language::Other, _) => Vec::new(),
        }
    }
}

impl Marks {
    fn add(&mut self, mark: &str) -> Result<(), String> {
        let unknown = || format!("no such mark: {mark}");
        if let Some(cut) = mark.strip_prefix("not run from \"") {
            let (words, why) = cut.split_once("\" on:").ok_or_else(unknown)?;
            self.cuts.push((words.to_owned(), said(why, mark)?));
            return Ok(());
        }
        let (name, value) = mark.split_once(':').ok_or_else(unknown)?;
        let value = said(value, mark)?;
        match name.trim() {
            "not run" => self.not_run = Some(value),
            "run before" => self.before.push(value),
            "run beside" => self.beside.push(value),
            "output of" => self.output_of = Some(value),
            "output differs" => self.output_differs = Some(value),
            "file" => self.file = Some(value),
            "exit code" => {
                let code = value.split_once(',').and_then(|(code, _)| code.parse().ok());
                self.exit_codes.push(code.ok_or_else(|| format!("no code with a reason: {mark}"))?);
            }
            _ => return Err(unknown()),
        }
        Ok(())
    }

    /// What of a command is run, which may be nothing, and why the rest is not. A here-document stays.
    pub fn what_is_run(&self, command: &str) -> (String, Option<&str>) {
        let found = self.cuts.iter().filter_map(|(words, why)| Some((command.find(words)?, why)));
        let Some((place, why)) = found.min_by_key(|(place, _)| *place) else {
            return (command.to_owned(), None);
        };
        let (kept, rest) = command.split_at(place);
        let document = rest.find('\n').filter(|_| end_of_here_document(kept).is_some());
        let document = document.map_or("", |end| &rest[end..]);
        (format!("{}{document}", kept.trim()), Some(why))
    }
}

/// What a mark says, which has to be something.
fn said(value: &str, mark: &str) -> Result<String, String> {
    match value.trim() {
        "" => Err(format!("this mark says nothing: {mark}")),
        value => Ok(value.to_owned()),
    }
}

/// The commands of a script: a line each, but for lines that go on behind a backslash, and here-documents.
fn of_script(text: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let mut command = line.to_owned();
        while command.ends_with('\\') {
            let Some(line) = lines.next() else { break };
            command.push('\n');
            command.push_str(line);
        }
        if let Some(end) = end_of_here_document(&command) {
            for line in lines.by_ref() {
                command.push('\n');
                command.push_str(line);
                if line == end {
                    break;
                }
            }
        }
        if !command.trim().is_empty() && !command.trim_start().starts_with('#') {
            commands.push(Command { text: command, output: Vec::new() });
        }
    }
    commands
}

fn end_of_here_document(command: &str) -> Option<String> {
    let (_, rest) = command.split_once("<<'")?;
    rest.split_once('\'').map(|(end, _)| end.to_owned())
}

fn of_session(text: &str) -> Vec<Command> {
    let mut commands: Vec<Command> = Vec::new();
    for line in text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            commands.push(Command { text: command.to_owned(), output: Vec::new() });
        } else if let Some(command) = commands.last_mut() {
            command.output.push(line.to_owned());
        }
    }
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(commands: &[Command]) -> Vec<&str> {
        commands.iter().map(|command| command.text.as_str()).collect()
    }

    #[test]
    fn a_script_has_a_command_a_line_and_some_go_over_several() {
        let text =
            "a   # what a does\n\n# a remark\nb --one \\\n  --two\nc <<'END' | d\nin it\nEND\ne\n";
        let block = Block { language: Language::Shell, text: text.to_owned(), ..Block::default() };
        let expected =
            ["a   # what a does", "b --one \\\n  --two", "c <<'END' | d\nin it\nEND", "e"];
        assert_eq!(texts(&block.commands()), expected);
    }

    #[test]
    fn a_session_has_what_is_printed_below_each_command() {
        let text = "$ a\none\ntwo\n$ b\n";
        let block =
            Block { language: Language::Console, text: text.to_owned(), ..Block::default() };
        let commands = block.commands();
        assert_eq!(texts(&commands), ["a", "b"]);
        assert_eq!(commands[0].output, ["one", "two"]);
    }

    #[test]
    fn marks_are_of_the_block_right_below_them() {
        let page = "<!-- not run: there is no moon here -->\n```sh\na\n```\n\n```sh\nb\n```\n\
                    <!-- run before: c -->\nprose\n```\nd\n```\n";
        let blocks = blocks(page).unwrap();
        assert_eq!(blocks[0].marks.not_run.as_deref(), Some("there is no moon here"));
        assert_eq!((blocks[0].line, blocks[0].text.as_str()), (2, "a\n"));
        assert!(blocks[1].marks.not_run.is_none());
        assert!(blocks[2].marks.before.is_empty() && blocks[2].commands().is_empty());
    }

    #[test]
    fn a_line_is_cut_where_what_is_not_here_begins() {
        let page = "<!-- not run from \"| kubectl\" on: no cluster -->\n\
                    <!-- not run from \"kubectl\" on: no cluster -->\n<!-- not run from \"tls://e\" on: none -->\n```sh\na | kubectl b\nkubectl c\nd\n```\n";
        let marks = &blocks(page).unwrap()[0].marks;
        assert_eq!(marks.what_is_run("a | kubectl b"), ("a".to_owned(), Some("no cluster")));
        assert_eq!(marks.what_is_run("kubectl c"), (String::new(), Some("no cluster")));
        assert_eq!(marks.what_is_run("d"), ("d".to_owned(), None));
        let document = "a <<'END' | kubectl b\nin it\nEND";
        assert_eq!(marks.what_is_run(document).0, "a <<'END'\nin it\nEND");
    }

    #[test]
    fn a_mark_that_is_not_known_or_gives_no_reason_is_an_error_with_its_line() {
        for page in [
            "\n<!-- not ran: x -->\n```sh\n```\n",
            "\n<!-- not run: -->\n```sh\n```\n",
            "\n<!-- exit code: 1 -->\n```sh\n```\n",
            "\n```sh\n",
        ] {
            let error = blocks(page).unwrap_err();
            assert!(error.starts_with("2: "), "{error}");
        }
    }
}
