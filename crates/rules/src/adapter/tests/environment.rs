//! `proc.env`: what is there, what is not, and what may have been cut off.

use chandra_event::process::Environment;

use super::*;

fn with(environment: Option<Environment<'static>>) -> Exec<'static> {
    Exec { environment, ..exec() }
}

fn whole(head: &'static [u8]) -> Option<Environment<'static>> {
    Some(Environment { head, total_bytes: head.len() as u64 })
}

#[test]
fn variables_are_found_by_their_whole_names() {
    let (labels, lineage, node) = (labels(), lineage(), node());
    let who = somebody(&labels);
    let exec = with(whole(b"PATH=/bin\0LD_PRELOAD=/tmp/x.so\0XLD=1\0EMPTY=\0A=b=c\0A=second\0"));
    let facts = RecordFacts::new(&exec, 1, &who, &lineage, &node).unwrap();
    check(
        &facts,
        &[
            "proc.env[LD_PRELOAD] = /tmp/x.so and proc.env[LD_PRELOAD] startswith /tmp/",
            "not proc.env[LD] exists and not proc.env[PRELOAD] exists and not proc.env[ld_preload] exists",
            "proc.env[EMPTY] = \"\" and proc.env[EMPTY] exists",
            // Programs find the first.
            "proc.env[A] = \"b=c\" and not proc.env[A] = second",
            "proc.env contains \"PATH=/bin LD_PRELOAD=\" and not proc.env icontains evil",
            "proc.env endswith \"A=second\"",
        ],
        &[("%proc.env[PATH]", "/bin"), ("%proc.env[NONE]", "<NA>")],
    );
}

#[test]
fn what_was_cut_off_or_not_asked_for_is_unknown() {
    let (labels, lineage, node) = (labels(), lineage(), node());
    let who = somebody(&labels);
    let cut = with(Some(Environment { head: b"A=1\0B=begin", total_bytes: 20_000 }));
    let not_asked = with(None);
    let value = |exec: &Exec<'_>, argument: &Argument| {
        let facts = RecordFacts::new(exec, 1, &who, &lineage, &node).unwrap();
        let field = FieldId::Process(crate::catalogue::ProcessField::Env);
        match facts.value(field, argument) {
            Value::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Value::Cut { head, .. } => format!("{}…", String::from_utf8_lossy(head)),
            Value::Words(words) => format!("{} words", words.arguments().count()),
            other => format!("{other:?}"),
        }
    };
    let named = |name: &str| Argument::Name(name.into());
    assert_eq!(value(&cut, &named("A")), "1");
    assert_eq!(value(&cut, &named("B")), "begin…");
    assert_eq!(value(&cut, &named("C")), "Unknown");
    assert_eq!(value(&cut, &Argument::None), "2 words");
    assert_eq!(value(&not_asked, &named("A")), "Unknown");
    assert_eq!(value(&with(whole(b"")), &named("A")), "Absent");
}
