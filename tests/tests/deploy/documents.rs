//! The commands of the documents are run, and what is shown as output comes. `chandra_tests::documents` has the
//! marks by which a page says what is not run, and why.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use chandra_tests::documents::{self, Language};
use chandra_tests::needs;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn holds(page: &str) {
    needs!("root", "bash", "ip", "curl");
    let report = documents::run(&root().join(page));
    println!("{}", report.summary(page));
    assert!(report.failures.is_empty(), "{}\n{}", report.summary(page), report.failures.join("\n"));
}

/// A test for each page, so that they run side by side.
macro_rules! pages {
    ($($test:ident $page:literal;)*) => {
        $(#[test] fn $test() { holds($page); })*
        const PAGES: &[&str] = &[$($page),*];
    };
}

pages! {
    readme "README.md";
    contributing "CONTRIBUTING.md";
    install "docs/start/install.md";
    kubernetes "docs/start/kubernetes.md";
    falco "docs/guides/falco.md";
    hubble "docs/guides/hubble.md";
    metrics "docs/guides/metrics.md";
    opentelemetry "docs/guides/opentelemetry.md";
    profiling "docs/guides/profiling.md";
    rules "docs/guides/rules.md";
    top "docs/guides/top.md";
    tracing "docs/guides/tracing.md";
    budgets "docs/concepts/budgets.md";
    connection_key "docs/concepts/connection-key.md";
    data_path "docs/concepts/data-path.md";
    identity "docs/concepts/identity.md";
    ladder "docs/concepts/ladder.md";
    ledger "docs/concepts/ledger.md";
}

/// Pages below this folder, by their paths from the root.
fn pages_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            pages_below(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
}

#[test]
fn every_page_with_commands_is_run() {
    let mut found = Vec::new();
    pages_below(&root().join("docs"), &mut found);
    for entry in fs::read_dir(root()).unwrap() {
        found.extend(
            Some(entry.unwrap().path())
                .filter(|path| path.extension().is_some_and(|it| it == "md")),
        );
    }
    let mut with_commands = BTreeSet::new();
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        let page = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        let blocks = documents::blocks(&text).unwrap_or_else(|error| panic!("{page}:{error}"));
        let is_shell = |language| [Language::Shell, Language::Console].contains(&language);
        if blocks.iter().any(|block| is_shell(block.language)) {
            with_commands.insert(page);
        }
    }
    assert_eq!(with_commands, PAGES.iter().map(|page| (*page).to_owned()).collect());
}
