//! The role in the documentation is what the code asks for: no less, and no more.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test states what it expects by stopping")]

use std::collections::BTreeSet;
use std::path::Path;

use chandra_kubernetes::{Resource, VERBS, rule};

type Grants = BTreeSet<(String, String, String)>;

/// The lists of words in a line like `- apiGroups: ["", "apps"]`.
fn words(line: &str) -> Vec<String> {
    let inside = line.split_once('[').unwrap().1.strip_suffix(']').unwrap();
    inside.split(", ").map(|word| word.trim_matches('"').to_owned()).collect()
}

fn granted(role: &str) -> Grants {
    let rules = role.split_once("rules:\n").unwrap().1;
    let lines: Vec<&str> = rules.lines().map(str::trim).collect();
    let mut grants = Grants::new();
    for rule in lines.chunks(3) {
        let [groups, resources, verbs] = rule else { panic!("{rule:?}") };
        assert!(groups.starts_with("- apiGroups: "), "{groups}");
        assert!(resources.starts_with("resources: ") && verbs.starts_with("verbs: "), "{rule:?}");
        for group in words(groups) {
            for resource in words(resources) {
                let of = |verb| (group.clone(), resource.clone(), verb);
                grants.extend(words(verbs).into_iter().map(of));
            }
        }
    }
    grants
}

#[test]
fn the_documented_role_is_what_is_asked_for() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/rbac.md");
    let page = std::fs::read_to_string(page).unwrap();
    let role = page.split_once("```yaml\n").unwrap().1.split_once("\n```").unwrap().0;
    let asked = Resource::ALL.into_iter().flat_map(|resource| {
        let rule = rule(resource);
        VERBS.map(|verb| (rule.group.to_owned(), rule.resource.to_owned(), verb.to_owned()))
    });
    assert_eq!(granted(role), asked.collect());
    // Each is explained.
    for resource in Resource::ALL {
        assert!(page.contains(&format!("\n| `{}` |", resource.word())), "{}", resource.word());
    }
}
