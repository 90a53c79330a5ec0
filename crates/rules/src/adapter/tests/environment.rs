//! `proc.env` and `proc.aenv`: what is there, what is not, and what may have been cut off.

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

fn ancestors(environments: Vec<Option<Environment<'static>>>) -> Known {
    Known { programs: lineage(), environments, ..Known::default() }
}

#[test]
fn variables_of_ancestors_are_found_by_generation_and_by_name() {
    let (labels, node) = (labels(), node());
    let who = somebody(&labels);
    let exec = with(whole(b"A=own\0"));
    let known = ancestors(vec![None, whole(b"PATH=/bin\0A=near\0"), whole(b"A=far\0B=far\0")]);
    let facts = RecordFacts::new(&exec, 1, &who, &known, &node).unwrap();
    check(
        &facts,
        &[
            "proc.aenv[0] = \"A=own\" and proc.aenv[1] = \"PATH=/bin A=near\" and proc.aenv[2] endswith \"B=far\"",
            // The nearest that has it, and not the process itself.
            "proc.aenv[A] = near and not proc.aenv[A] = own and proc.aenv[B] = far",
            "not proc.aenv[PAT] exists and not proc.aenv[C] exists and not proc.aenv[3] exists",
            "proc.aenv contains \"B=far\" and proc.aenv startswith PATH and not proc.aenv contains own",
        ],
        &[("%proc.aenv[B]", "far"), ("%proc.aenv[2]", "A=far B=far"), ("%proc.aenv[C]", "<NA>")],
    );
}

#[test]
fn an_ancestor_whose_variables_nobody_read_may_have_any() {
    let (labels, node) = (labels(), node());
    let who = somebody(&labels);
    let exec = with(whole(b""));
    let value = |known: &Known, argument: Argument| {
        let facts = RecordFacts::new(&exec, 1, &who, known, &node).unwrap();
        let field = FieldId::Process(crate::catalogue::ProcessField::AncestorEnv);
        format!("{:?}", facts.value(field, &argument))
    };
    let unread = ancestors(vec![None, None, whole(b"A=far\0")]);
    assert_eq!(value(&unread, Argument::Name("A".into())), "Unknown");
    assert_eq!(value(&unread, Argument::Ancestor(1)), "Unknown");
    assert_eq!(value(&unread, Argument::Ancestor(9)), "Absent");
    let read = ancestors(vec![None, whole(b"B=1\0"), whole(b"C=1\0")]);
    assert_eq!(value(&read, Argument::Name("A".into())), "Absent");
}
