//! What is refused, where, and how that is told.

use super::strings;
use crate::selector::{Kind, LabelSelector, Selector, SelectorError, Typed, Why};

fn refused(kind: Kind, text: &str) -> SelectorError {
    let texts = strings(&[text]);
    let mut typed = Typed::default();
    *match kind {
        Kind::Namespace => &mut typed.namespaces,
        Kind::Pod => &mut typed.pods,
        Kind::Label => &mut typed.labels,
        Kind::Workload => &mut typed.workloads,
        Kind::Container => &mut typed.containers,
        Kind::Node => &mut typed.nodes,
    } = &texts;
    let error = Selector::parse(&typed).expect_err(text);
    assert_eq!((error.kind, &*error.text), (kind, text));
    error
}

#[test]
fn a_label_selector_that_kubernetes_refuses_is_refused_at_its_place() {
    let long = format!("a={}", "x".repeat(64));
    let prefix = format!("{}/a", "x".repeat(254));
    let cases = [
        (",a", 0),
        ("a,", 2),
        ("a,,b", 2),
        ("a b", 2),
        ("a (b)", 2),
        ("a in", 4),
        ("a in b", 5),
        ("a in ()", 6),
        ("a in (b", 7),
        ("a in (b c)", 8),
        ("a in (b))", 8),
        ("a notin", 7),
        ("a in (b,!c)", 8),
        ("a=!b", 2),
        ("a===b", 3),
        ("a!==b", 3),
        ("=b", 0),
        ("!", 1),
        ("!a=b", 2),
        ("!!a", 1),
        ("a=b=c", 3),
        ("a=b c", 4),
        ("a=)", 2),
        ("(a)", 0),
        ("a=-b", 2),
        ("a=b-", 3),
        ("a=b/c", 3),
        ("-a", 0),
        ("a_", 1),
        ("a/b/c", 3),
        ("/a", 0),
        ("a/", 2),
        ("A/b", 0),
        ("a..b/c", 2),
        ("a>b", 2),
        ("a>", 2),
        ("a<1.5", 2),
        ("a>-1", 2),
        ("a>99999999999999999999", 2),
        ("a=ä", 2),
        ("a\u{a0}=b", 1),
        ("a IN (b)", 2),
        ("a=\"b\"", 2),
        (&long, 65),
        (&prefix, 253),
        ("a=b;c", 3),
        ("a\0", 1),
    ];
    for (text, at) in cases {
        let error = refused(Kind::Label, text);
        assert_eq!(error.at, at, "{text:?}: {error}");
    }
}

#[test]
fn a_name_that_no_object_can_have_is_refused_at_its_place() {
    let long = "x".repeat(254);
    let digits = format!("docker://{}", "0".repeat(65));
    let cases = [
        (Kind::Namespace, "", 0),
        (Kind::Namespace, "Shop", 0),
        (Kind::Namespace, "a.b", 1),
        (Kind::Namespace, "shop,bank", 4),
        (Kind::Namespace, "a-", 2),
        (Kind::Namespace, "-a", 0),
        (Kind::Namespace, &long[..64], 63),
        (Kind::Pod, "", 0),
        (Kind::Pod, "shop/", 5),
        (Kind::Pod, "/web", 0),
        (Kind::Pod, "a/b/c", 3),
        (Kind::Pod, "we*b", 2),
        (Kind::Pod, "**", 0),
        (Kind::Pod, "-*", 0),
        (Kind::Pod, "a_b", 1),
        (Kind::Pod, "Shop/web", 0),
        (Kind::Pod, &long, 253),
        (Kind::Pod, "a..b", 2),
        (Kind::Workload, "/web", 0),
        (Kind::Workload, "deploy/", 7),
        (Kind::Workload, "de ploy/a", 2),
        (Kind::Workload, "deploy/a/b", 8),
        (Kind::Workload, "deployment./a", 11),
        (Kind::Workload, "Web", 0),
        (Kind::Workload, "web*", 3),
        (Kind::Container, "Nginx", 0),
        (Kind::Container, "a.b", 1),
        (Kind::Container, "containerd://0123", 17),
        (Kind::Container, "docker://0123456789ag", 20),
        (Kind::Container, &digits, 73),
        (Kind::Node, "", 0),
        (Kind::Node, "node_1", 4),
    ];
    for (kind, text, at) in cases {
        let error = refused(kind, text);
        assert_eq!(error.at, at, "{kind} {text:?}: {error}");
    }
}

#[test]
fn an_error_points_at_its_place() {
    let told = refused(Kind::Label, "app=web,tier i (x)").to_string();
    let expected = "label selector at byte 13: \
        expected =, ==, !=, in, notin, <, >, a comma or the end\n  \
        app=web,tier i (x)\n               ^";
    assert_eq!(told, expected);
    // Where bytes are not characters, and where a terminal would obey.
    let told = refused(Kind::Label, "a=b,ä\u{1b}[2J=c").to_string();
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(lines[1..], ["  a=b,ä\u{fffd}[2J=c", "      ^"]);
    let long = format!("{}(", "a,".repeat(100_000));
    let told = refused(Kind::Label, &long).to_string();
    assert!(told.len() < 300, "{told}");
    assert!(told.ends_with(&format!("\n  {:60}^", "")));
}

#[test]
fn errors_are_typed() {
    assert_eq!(LabelSelector::parse("a in ()"), Err((6, Why::NoValues)));
    assert_eq!(LabelSelector::parse("a>x"), Err((2, Why::NotANumber)));
    assert_eq!(LabelSelector::parse("a in b"), Err((5, Why::Expected("("))));
    let found = LabelSelector::parse("a$");
    assert!(matches!(found, Err((1, Why::Character { found: '$', .. }))), "{found:?}");
}
