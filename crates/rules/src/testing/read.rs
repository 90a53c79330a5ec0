//! Files of tests as they are written.

use std::net::SocketAddr;
use std::str::FromStr;

use chandra_event::bounded::Text;
use chandra_event::process::Stream;
use chandra_event::who::{Mount, Propagation};

use super::event::{Event, Other, Running};
use super::{Case, Expected, Unreadable};
use crate::catalogue::{EventType, EventTypes};
use crate::source::{Source, Sources};
use crate::yaml::{self, Content, Node};

type Read<T> = Result<T, Unreadable>;

/// The cases of a file.
pub(super) fn tests(name: &str, text: &str) -> Read<Vec<Case>> {
    let mut sources = Sources::default();
    let id = sources.add(Source::new(name, text));
    let reader = Reader(sources);
    let roots = yaml::read(id, text).map_err(|malformed| Unreadable {
        place: reader.0.spell(&malformed.place),
        message: malformed.message,
    })?;
    let mut cases = Vec::new();
    for root in &roots {
        for item in reader.sequence(root)? {
            reader.item(item, &mut cases)?;
        }
    }
    Ok(cases)
}

struct Reader(Sources);

impl Reader {
    fn wrong<T>(&self, node: &Node, message: impl Into<String>) -> Read<T> {
        Err(Unreadable { place: self.0.spell(&node.place), message: message.into() })
    }

    fn sequence<'n>(&self, node: &'n Node) -> Read<&'n [Node]> {
        match &node.content {
            Content::Sequence(nodes) => Ok(nodes),
            _ if node.is_null() => Ok(&[]),
            _ => self.wrong(node, format!("it is {}, and should be a sequence", node.kind())),
        }
    }

    fn mapping<'n>(&self, node: &'n Node) -> Read<&'n [(Node, Node)]> {
        match &node.content {
            Content::Mapping(pairs) => Ok(pairs),
            _ => self.wrong(node, format!("it is {}, and should be a mapping", node.kind())),
        }
    }

    fn text<'n>(&self, node: &'n Node) -> Read<&'n str> {
        match node.scalar() {
            Some(text) => Ok(text.as_str()),
            None => self.wrong(node, format!("it is {}, and should be a text", node.kind())),
        }
    }

    fn owned(&self, node: &Node) -> Read<Option<String>> {
        self.text(node).map(|text| Some(text.to_owned()))
    }

    /// What a text stands for: a number, an address, `true` or `false`.
    fn parsed<T: FromStr>(&self, node: &Node, what: &str) -> Read<T> {
        let text = self.text(node)?;
        text.parse().or_else(|_| self.wrong(node, format!("{text:?} is no {what}")))
    }

    fn is(&self, node: &Node) -> Read<bool> {
        self.parsed(node, "`true` or `false`")
    }

    fn item(&self, item: &Node, cases: &mut Vec<Case>) -> Read<()> {
        let pairs = self.mapping(item)?;
        let rule = pairs.iter().find(|(key, _)| matches!(self.text(key), Ok("rule")));
        let rule = rule.map(|(_, name)| self.text(name)).transpose()?;
        for (key, value) in pairs {
            let expected = match (self.text(key)?, rule) {
                ("rule", _) => continue,
                ("fires", Some(rule)) => Expected::Fires(rule.to_owned()),
                ("silent", Some(rule)) => Expected::Silent(rule.to_owned()),
                ("ordinary", None) => Expected::Ordinary,
                (other, Some(_)) => {
                    return self.wrong(key, format!("a rule's tests have no {other:?}"));
                }
                (other, None) => {
                    return self.wrong(key, format!("{other:?} is neither `rule` nor `ordinary`"));
                }
            };
            for node in self.sequence(value)? {
                cases.push(Case { expected: expected.clone(), event: self.event(node)? });
            }
        }
        Ok(())
    }

    fn event(&self, node: &Node) -> Read<Event> {
        let mut event = Event { place: self.0.spell(&node.place), ..Event::default() };
        for (key, value) in self.mapping(node)? {
            match self.text(key)? {
                "title" => event.title = self.owned(value)?,
                "ancestors" => {
                    for one in self.sequence(value)? {
                        event.ancestors.push(self.ancestor(one)?);
                    }
                }
                "container" => event.outside_of_containers = !self.is(value)?,
                "image" => event.image = self.owned(value)?,
                "namespace" => event.namespace = self.owned(value)?,
                "container_name" => event.container_name = self.owned(value)?,
                "privileged" => event.privileged = self.is(value)?,
                "labels" => event.labels = self.pairs(value)?,
                "mounts" => {
                    for one in self.sequence(value)? {
                        event.mounts.push(self.mount(one)?);
                    }
                }
                "host_mounts" => event.host_mounts = self.is(value)?,
                "uid" => event.uid = self.parsed(value, "user id")?,
                "tty" => event.tty = self.owned(value)?,
                "stdin" => event.stdin = Some(self.stream(value)?),
                "stdout" => event.stdout = Some(self.stream(value)?),
                "cred_jump" => event.cred_jump = self.is(value)?,
                "listens" => event.listens = self.generations(value)?,
                "connect" => event.other = Some(Other::Connect(self.address(value)?)),
                "accept" => event.other = Some(Other::Accept(self.address(value)?)),
                "open" => event.other = Some(Other::Open(self.text(value)?.to_owned())),
                "access" => event.open_flags = self.access(value)?,
                "call" => event.other = Some(Other::Call(self.call(value)?)),
                "arguments" => event.arguments = self.arguments(value)?,
                "path" => event.path = self.owned(value)?,
                "second_path" => event.second_path = self.owned(value)?,
                "result" => event.result = self.parsed(value, "number")?,
                "descriptor_path" => event.descriptor_path = self.owned(value)?,
                "socket" => event.socket = Some(self.address(value)?),
                "unix_socket" => event.unix_socket = self.owned(value)?,
                "peer_name" => event.peer_name = self.owned(value)?,
                _ => self.of_program(key, value, &mut event.running)?,
            }
        }
        self.complete(node, event.running.exe.is_empty())?;
        Ok(event)
    }

    fn pairs(&self, node: &Node) -> Read<Vec<(String, String)>> {
        let pairs = self.mapping(node)?.iter();
        pairs
            .map(|(key, value)| Ok((self.text(key)?.to_owned(), self.text(value)?.to_owned())))
            .collect()
    }

    /// `source:destination`, or with `:ro` behind.
    fn mount(&self, node: &Node) -> Read<Mount> {
        let text = self.text(node)?;
        let (paths, read_only) = match text.strip_suffix(":ro") {
            Some(paths) => (paths, true),
            None => (text, false),
        };
        let Some((source, destination)) = paths.split_once(':') else {
            return self.wrong(node, format!("{text:?} is no source:destination"));
        };
        let bounded = Text::new;
        Ok(Mount {
            host_path: bounded(source),
            container_path: bounded(destination),
            read_only,
            propagation: Propagation::default(),
        })
    }

    fn generations(&self, node: &Node) -> Read<Vec<u64>> {
        self.sequence(node)?.iter().map(|one| self.parsed(one, "generation")).collect()
    }

    fn address(&self, node: &Node) -> Read<SocketAddr> {
        self.parsed(node, "address with a port")
    }

    fn stream(&self, node: &Node) -> Read<Stream> {
        let word = self.text(node)?;
        let stream = Stream::of_word(word);
        stream.map_or_else(|| self.wrong(node, format!("{word:?} is no type of a stream")), Ok)
    }

    /// `O_*` of open(2), as on every architecture (`include/uapi/asm-generic/fcntl.h`).
    fn access(&self, node: &Node) -> Read<u32> {
        match self.text(node)? {
            "read" => Ok(0),
            "write" => Ok(0o1),
            "create" => Ok(0o101),
            "truncate" => Ok(0o1001),
            other => self.wrong(node, format!("{other:?} is no access to a file")),
        }
    }

    fn call(&self, node: &Node) -> Read<&'static str> {
        let name = self.text(node)?;
        match EventType::of_name(name).filter(|call| is_told_by_call(*call)) {
            Some(call) => Ok(call.name()),
            None => self.wrong(node, format!("{name:?} is no system call that rules are about")),
        }
    }

    fn arguments(&self, node: &Node) -> Read<[u64; 6]> {
        let mut arguments = [0; 6];
        let given = self.sequence(node)?;
        if given.len() > arguments.len() {
            return self.wrong(node, "a system call has six arguments at most");
        }
        for (place, node) in arguments.iter_mut().zip(given) {
            let text = self.text(node)?;
            *place = match text.strip_prefix("0x") {
                Some(digits) => u64::from_str_radix(digits, 16)
                    .or_else(|_| self.wrong(node, format!("{text:?} is no number")))?,
                None => self.parsed(node, "number")?,
            };
        }
        Ok(arguments)
    }

    /// A program, or only its path.
    fn ancestor(&self, node: &Node) -> Read<Running> {
        let mut running = Running::default();
        match node.scalar() {
            Some(exe) => running.exe = exe.as_str().to_owned(),
            None => {
                for (key, value) in self.mapping(node)? {
                    self.of_program(key, value, &mut running)?;
                }
            }
        }
        self.complete(node, running.exe.is_empty())?;
        Ok(running)
    }

    fn complete(&self, node: &Node, lacks_exe: bool) -> Read<()> {
        if lacks_exe { self.wrong(node, "it does not say `exe`") } else { Ok(()) }
    }

    fn of_program(&self, key: &Node, value: &Node, running: &mut Running) -> Read<()> {
        match self.text(key)? {
            "exe" => running.exe = self.text(value)?.to_owned(),
            "file" => running.file = self.owned(value)?,
            "script" => running.script = self.owned(value)?,
            "argv" => running.argv = Some(self.words(value)?),
            "comm" => running.comm = self.owned(value)?,
            "memfd" => running.memfd = self.is(value)?,
            "deleted" => running.deleted = self.is(value)?,
            "upper_layer" => running.upper_layer = self.is(value)?,
            "copy_of" => running.copy_of = self.owned(value)?,
            "cwd" => running.cwd = self.owned(value)?,
            "env" => running.env = self.pairs(value)?,
            "age" => running.age_seconds = Some(self.parsed(value, "number of seconds")?),
            other => return self.wrong(key, format!("there is no key {other:?}")),
        }
        Ok(())
    }

    /// A sequence of words, or a text with blanks between them.
    fn words(&self, node: &Node) -> Read<Vec<String>> {
        if let Some(text) = node.scalar() {
            return Ok(text.as_str().split_whitespace().map(str::to_owned).collect());
        }
        self.sequence(node)?.iter().map(|word| self.text(word).map(str::to_owned)).collect()
    }
}

fn is_told_by_call(event_type: EventType) -> bool {
    EventTypes::CALLS.contains(event_type) || event_type == EventType::Connect
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        tests("t.yaml", text).unwrap_err().to_string()
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        assert_eq!(
            error("- rule: R\n  fires:\n    - { exe: /a, exo: /b }\n"),
            "t.yaml:3:18: there is no key \"exo\""
        );
        assert_eq!(
            error("- rule: R\n  fires:\n    - argv: a\n"),
            "t.yaml:3:7: it does not say `exe`"
        );
        assert_eq!(error("- rule: R\n  fire: []\n"), "t.yaml:2:3: a rule's tests have no \"fire\"");
        assert_eq!(
            error("- fires: []\n"),
            "t.yaml:1:3: \"fires\" is neither `rule` nor `ordinary`"
        );
        assert_eq!(
            error("- ordinary: [{ exe: /a, connect: b }]\n"),
            "t.yaml:1:34: \"b\" is no address with a port"
        );
        assert!(error("- [").starts_with("t.yaml:1:"));
    }
}
