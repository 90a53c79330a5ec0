//! The bill of materials as those judge it who did not write it: CycloneDX's schema, by Debian's `python3-jsonschema`.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;
use serde_json::{Value, json};

/// What the judge says of a document; `None`, with a line that says why, where there is no judge.
fn refusal(document: &Path) -> Option<String> {
    let judge = Path::new(env!("CARGO_MANIFEST_DIR")).join("cyclonedx/validate");
    let Output { status, stdout, stderr } = Command::new(judge).arg(document).output().unwrap();
    let said = String::from_utf8(stdout).unwrap().trim().to_owned();
    match status.code() {
        Some(0 | 1) => {
            assert_eq!(status.success(), said.is_empty(), "{said}");
            Some(said)
        }
        Some(3) => {
            eprintln!("skipped: {}", String::from_utf8_lossy(&stderr).trim());
            None
        }
        _ => panic!("{}", String::from_utf8_lossy(&stderr)),
    }
}

/// Stops the test where CycloneDX's schema refuses the document.
#[track_caller]
pub fn assert_valid(document: &Path) {
    if let Some(refusal) = refusal(document) {
        assert_eq!(refusal, "");
    }
}

#[test]
fn what_is_written_down_is_as_the_schema_has_it_and_what_is_not_is_refused() {
    needs!("cargo", "python3", "readelf", "/usr/bin/python3");
    let scratch = Scratch::new();
    let file = scratch.at("chandra.cdx.json");
    let sbom = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/sbom");
    let written = Command::new(sbom).arg(chandra()).arg(&file).output().unwrap();
    assert!(written.status.success(), "{}", String::from_utf8_lossy(&written.stderr));
    assert_valid(&file);

    let document: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let hashed = document["components"].as_array().unwrap();
    let hashed = hashed.iter().position(|part| part["hashes"].is_array()).unwrap();
    for (place, value, words) in [
        ("/specVersion".to_owned(), json!("1.05"), "no CycloneDX 1.05"),
        ("/serialNumber".to_owned(), json!("urn:uuid:1"), "serialNumber"),
        ("/version".to_owned(), json!(0), "minimum"),
        ("/metadata/component/type".to_owned(), json!("program"), "metadata/component/type"),
        ("/components/0/name".to_owned(), json!(7), "components/0/name"),
        ("/components/0/licenses/0".to_owned(), json!({"expression": "GPL-5.0"}), "GPL-5.0"),
        (format!("/components/{hashed}/hashes/0/content"), json!("abc"), "abc"),
        ("/dependencies/0".to_owned(), json!({"dependsOn": []}), "'ref' is a required property"),
        ("/components/0".to_owned(), json!({"type": "library", "name": "x", "more": 1}), "more"),
    ] {
        let mut changed = document.clone();
        *changed.pointer_mut(&place).unwrap() = value;
        fs::write(&file, changed.to_string()).unwrap();
        let Some(refusal) = refusal(&file) else { return };
        assert!(refusal.contains(words), "{place}: {refusal}");
    }
}
