use super::*;

fn shown(text: &str) -> String {
    parse(text).unwrap().to_string()
}

#[track_caller]
fn wrong(text: &str, message: &str, place: &str) -> SyntaxError {
    let error = parse(text).unwrap_err();
    assert_eq!(error.message, message, "{text}");
    assert_eq!(&text[error.span.range()], place, "{text}: {}", error.message);
    error
}

#[test]
fn and_binds_tighter_than_or_and_not_tighter_still() {
    let tree = parse("a or b and not c").unwrap();
    let Expression::Or(all) = &tree else { panic!("{tree:?}") };
    assert!(matches!(&all[1], Expression::And(both) if matches!(both[1], Expression::Not(_))));
    assert_eq!(parse("a or (b and (not c))").unwrap(), tree);
    assert_ne!(parse("(a or b) and not c").unwrap(), tree);
}

#[test]
fn what_is_printed_reads_as_one_expects() {
    for (text, expected) in [
        ("evt.type=execve", "evt.type = execve"),
        ("evt.type == execve", "evt.type = execve"),
        ("not(a)or(b)", "not a or b"),
        ("not not a", "a"),
        ("not (not a)", "not (not a)"),
        ("(a and b) and c", "(a and b) and c"),
        ("proc.name in(bash,  \"a b\" ,'c')", "proc.name in (bash, \"a b\", c)"),
        ("proc.name in shells", "proc.name in shells"),
        ("proc.name in ()", "proc.name in ()"),
        ("fd.name pmatch (/etc, /var/*/log)", "fd.name pmatch (/etc, /var/*/log)"),
        ("evt.rawres >= -0x1F", "evt.rawres >= -0x1F"),
        ("proc.tty exists", "proc.tty exists"),
        ("proc.aname[2]=sh", "proc.aname[2] = sh"),
        ("proc.env[\"A B\"] = x", "proc.env[\"A B\"] = x"),
        (
            "proc.cmdline contains \"a\\\"b\\\\.c\\d\"",
            "proc.cmdline contains \"a\\\"b\\\\.c\\\\d\"",
        ),
        ("proc.cmdline contains 'x=\"y\"'", "proc.cmdline contains \"x=\\\"y\\\"\""),
        ("proc.name startswith anyof (a, b)", "proc.name startswith anyof (a, b)"),
        ("proc.name startswith anyof prefixes", "proc.name startswith anyof prefixes"),
        ("proc.name = anyof and b", "proc.name = \"anyof\" and b"),
        ("proc.name = or or b", "proc.name = or or b"),
        ("tolower( proc.name ) = val( proc.pname )", "tolower(proc.name) = val(proc.pname)"),
        ("len(proc.args) > 5", "len(proc.args) > 5"),
        ("join(\"-\", (proc.name, \"x\")) = a", "join(\"-\", (proc.name, \"x\")) = a"),
        ("concat(fd.rip, \":\", fd.rport) in (x)", "concat(fd.rip, \":\", fd.rport) in (x)"),
        ("getopt(proc.args, \"nt:\")[t] = x", "getopt(proc.args, \"nt:\")[t] = x"),
        ("proc.name = toupper(basename(proc.exe))", "proc.name = toupper(basename(proc.exe))"),
        ("a\n  and\tb", "a and b"),
    ] {
        assert_eq!(shown(text), expected, "{text}");
        assert_eq!(parse(expected).unwrap(), parse(text).unwrap(), "{text}");
    }
}

#[test]
fn what_is_wrong_is_shown_where_it_is() {
    wrong("", "expected a field, a macro or `(`, but it ends here", "");
    wrong("a and", "expected a field, a macro or `(`, but it ends here", "");
    wrong("a and or b", "expected a field, a macro or `(`, found `or`", "or");
    wrong("a b", "expected `and`, `or` or the end, found `b`", "b");
    wrong("(a or b", "this `(` is not closed", "(");
    wrong("(a b)", "expected `and`, `or` or `)`, found `b`", "b");
    wrong("a or b)", "expected `and`, `or` or the end, found `)`", ")");
    wrong("proc.name in (a b)", "expected `,` or `)`, found `b`", "b");
    wrong("proc.name in (a,)", "expected an item of the list, found `)`", ")");
    wrong("proc.name = 'abc", "this string does not end", "'abc");
    wrong("name = x", "name is no field: fields have dots in their names", "name");
    wrong("evt.rawres > abc", "expected a number, found `abc`", "abc");
    wrong("proc.aname[] = x", "expected an argument, found `]`", "]");
    let error = wrong("proc.name contain x", "expected an operator, found `contain`", "contain");
    assert_eq!(error.hint.as_deref(), Some("did you mean contains?"));
    let error = wrong("tolowr(proc.name) = x", "there is no transformer tolowr", "tolowr");
    assert_eq!(error.hint.as_deref(), Some("did you mean tolower?"));
    let error = wrong("evt.is_open_read and b", "expected an operator, found `and`", "and");
    assert!(error.hint.unwrap().contains("evt.is_open_read = true"));
}

#[test]
fn depth_is_bounded() {
    let deep = |levels: usize| format!("{}a{}", "(".repeat(levels), ")".repeat(levels));
    assert_eq!(shown(&deep(100)), "a");
    assert!(parse(&deep(101)).unwrap_err().message.contains("100 levels"));
    assert!(parse(&deep(1_000_000)).is_err());
    let nested = format!("{}proc.name{} = x", "tolower(".repeat(200), ")".repeat(200));
    assert!(parse(&nested).is_err());
    assert_eq!(shown(&format!("{}a", "not ".repeat(100_001))), "not a");
}
