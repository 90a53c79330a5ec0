//! Files that we write in readers that are not ours, and files of others in our reader.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;
use chandra_tests::{go_profile, needs};
use serde_json::Value;

fn profile(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new(chandra()).arg("profile").args(arguments).args(files).output().unwrap()
}

fn convert(from: &Path, to: &Path, options: &[&str]) -> String {
    let output = profile(&[&["convert"], options, &["-o"]].concat(), &[to, from]);
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{error}");
    error
}

/// Lines of folded stacks: stack, value.
fn folded(file: &Path) -> BTreeMap<String, u64> {
    let text = fs::read_to_string(file).unwrap();
    let line = |line: &str| {
        let (stack, value) = line.rsplit_once(' ').unwrap();
        (stack.to_owned(), value.parse().unwrap())
    };
    text.lines().map(line).collect()
}

/// What `go tool pprof -raw` says: frames from the root with the values of each sample, and its labels.
fn raw(text: &str) -> Vec<(String, Vec<u64>, String)> {
    let (_, text) = text.split_once("Samples:\n").unwrap();
    let (samples, text) = text.split_once("Locations\n").unwrap();
    let (locations, _) = text.split_once("Mappings\n").unwrap();
    // Functions inlined into a location follow it, without a number, each further out.
    let mut names: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    let mut last = 0;
    for line in locations.lines() {
        let mut words = line.split_whitespace().peekable();
        if let Some(id) = words.peek().and_then(|word| word.strip_suffix(':')) {
            last = id.parse().unwrap();
            words.next();
        }
        let name = words.find(|word| !word.starts_with("0x") && !word.starts_with("M="));
        names.entry(last).or_default().push(name.unwrap_or("?").to_owned());
    }
    let mut all = Vec::new();
    for line in samples.lines().skip(1) {
        let Some((values, ids)) = line.split_once(": ") else {
            let (.., labels): &mut (String, Vec<u64>, String) = all.last_mut().unwrap();
            *labels = format!("{labels} {}", line.trim()).trim().to_owned();
            continue;
        };
        let values = values.split_whitespace().map(|value| value.parse().unwrap()).collect();
        let ids: Vec<u64> = ids.split_whitespace().map(|id| id.parse().unwrap()).collect();
        let mut frames: Vec<_> = ids.iter().flat_map(|id| names[id].clone()).collect();
        frames.reverse();
        all.push((frames.join(";"), values, String::new()));
    }
    all
}

#[test]
fn go_reads_what_we_write() {
    needs!("go");
    let scratch = Scratch::new();
    let (input, output) = (scratch.at("in.folded"), scratch.at("out.pb.gz"));
    let stacks = "main;outer;inlined_[i];deeper_[i] 5\nmain;sys_read_[k] 7\n[unknown] 3\n";
    fs::write(&input, stacks).unwrap();
    convert(&input, &output, &[]);
    let told = go_profile::pprof(&scratch, &["-raw"], &output);
    let told: BTreeMap<_, _> =
        raw(&told).into_iter().map(|(stack, it, _)| (stack, it[0])).collect();
    let expected = [("main;outer;inlined;deeper", 5), ("main;sys_read", 7), ("[unknown]", 3)];
    assert_eq!(told, expected.map(|(stack, value)| (stack.to_owned(), value)).into());
    // Its own reckoning of shares: main is on 12 of 15.
    let top = go_profile::pprof(&scratch, &["-top", "-cum"], &output);
    let main = top.lines().find(|line| line.ends_with(" main")).unwrap();
    assert!(main.contains("80.00%"), "{top}");
}

#[test]
fn what_go_wrote_is_read_and_written_again_the_same() {
    needs!("go");
    let scratch = Scratch::new();
    let theirs = go_profile::take(&scratch);
    let (ours, by_pod) = (scratch.at("ours.pb.gz"), scratch.at("pods.folded"));
    let said = convert(&theirs, &ours, &[]);
    assert!(said.contains("labels that are not kept: shard"), "{said}");

    // Both through pprof's own eyes; the label that we do not keep is left out there, too.
    let see = |file: &Path| {
        let told = go_profile::pprof(
            &scratch,
            &["-raw", "-tagignore=none", "-tagshow=pod|namespace"],
            file,
        );
        let mut told = raw(&told);
        told.sort();
        told
    };
    let truth = see(&theirs);
    assert!(truth.len() >= 2, "{truth:?}");
    assert_eq!(see(&ours), truth);

    // And as folded stacks, grouped by pod: the sums are those that pprof sees.
    convert(&theirs, &by_pod, &["--by", "pod", "--value", "samples"]);
    let mut expected: BTreeMap<String, u64> = BTreeMap::new();
    for (stack, values, labels) in truth {
        let pod = labels.split("pod:[").nth(1).map_or("[no pod]".to_owned(), |rest| {
            format!("shop/{}", rest.split(']').next().unwrap())
        });
        *expected.entry(format!("{pod};{stack}")).or_default() += values[0];
    }
    let found = folded(&by_pod);
    let found: BTreeMap<_, _> =
        found.into_iter().map(|(stack, value)| (stack.replace("_[i]", ""), value)).collect();
    assert_eq!(found, expected);
}

/// What <https://www.speedscope.app/file-format-schema.json> asks of sampled profiles.
#[test]
fn speedscope_files_are_as_their_schema_has_them() {
    let scratch = Scratch::new();
    let (input, output) = (scratch.at("in.folded"), scratch.at("out.speedscope.json"));
    fs::write(&input, "main;a 5\nmain;b;a 7\nother 1\n").unwrap();
    convert(&input, &output, &[]);
    let file: Value = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
    assert_eq!(file["$schema"], "https://www.speedscope.app/file-format-schema.json");
    let frames = file["shared"]["frames"].as_array().unwrap();
    let name = |index: &Value| {
        frames[usize::try_from(index.as_u64().unwrap()).unwrap()]["name"].as_str().unwrap()
    };
    let profile = &file["profiles"][0];
    assert_eq!((&profile["type"], &profile["unit"]), (&"sampled".into(), &"none".into()));
    assert_eq!((&profile["startValue"], &profile["endValue"]), (&0.into(), &13.into()));
    assert!(profile["name"].is_string());
    let samples = profile["samples"].as_array().unwrap();
    let weights = profile["weights"].as_array().unwrap();
    let stacks: Vec<_> = samples
        .iter()
        .zip(weights)
        .map(|(stack, weight)| {
            let names: Vec<_> = stack.as_array().unwrap().iter().map(name).collect();
            format!("{} {weight}", names.join(";"))
        })
        .collect();
    assert_eq!(stacks, ["main;a 5", "main;b;a 7", "other 1"]);
}

/// What the format's document says of tables: as many entries as `length` says, and indexes that are there.
#[test]
fn firefox_profiles_are_whole() {
    let scratch = Scratch::new();
    let (input, output) = (scratch.at("in.folded"), scratch.at("out.firefox.json"));
    fs::write(&input, "main;a 5\nmain;b_[k];a 7\nother 1\n").unwrap();
    convert(&input, &output, &[]);
    let file: Value = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
    assert!(file["meta"]["preprocessedProfileVersion"].is_u64());
    let thread = &file["threads"][0];
    let column = |table: &str, name: &str| -> Vec<Option<u64>> {
        let column = thread[table][name].as_array().unwrap_or_else(|| panic!("{table}.{name}"));
        assert_eq!(thread[table]["length"], column.len(), "{table}.{name}");
        column.iter().map(Value::as_u64).collect()
    };
    let (prefixes, frames) = (column("stackTable", "prefix"), column("stackTable", "frame"));
    let (functions, names) = (column("frameTable", "func"), column("funcTable", "name"));
    let strings = thread["stringArray"].as_array().or(file["shared"]["stringArray"].as_array());
    let at = |list: &[Option<u64>], index: u64| list[usize::try_from(index).unwrap()];
    let stack = |leaf: u64| {
        let mut names_from_leaf = Vec::new();
        let mut next = Some(leaf);
        while let Some(stack) = next {
            let function = at(&functions, at(&frames, stack).unwrap()).unwrap();
            let name = at(&names, function).unwrap();
            let name = &strings.unwrap()[usize::try_from(name).unwrap()];
            names_from_leaf.push(name.as_str().unwrap());
            next = at(&prefixes, stack);
        }
        names_from_leaf.reverse();
        names_from_leaf.join(";")
    };
    let stacks: Vec<_> =
        column("samples", "stack").into_iter().map(|it| stack(it.unwrap())).collect();
    let weights: Vec<_> = column("samples", "weight").into_iter().flatten().collect();
    assert_eq!(stacks, ["main;a", "main;b;a", "other"]);
    assert_eq!(weights, [5, 7, 1]);
    assert_eq!(thread["samples"]["weightType"], "samples");
}

#[test]
fn files_are_merged_filtered_and_compared() {
    let scratch = Scratch::new();
    let (one, two, out) = (scratch.at("1.folded"), scratch.at("2.folded"), scratch.at("3.folded"));
    fs::write(&one, "main;a 500\nmain;b 500\n").unwrap();
    fs::write(&two, "main;a 800\nmain;b 200\n").unwrap();
    convert(&one, &out, &[two.to_str().unwrap(), "--focus", "^a$"]);
    assert_eq!(folded(&out), [("main;a".to_owned(), 1300)].into());

    let output = profile(&["diff"], &[&one, &two]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && text.contains("+30.00"), "{text}");
    let output = profile(&["diff", "--format", "folded"], &[&one, &two]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text, "main;a 500 800\nmain;b 500 200\n");
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let scratch = Scratch::new();
    let input = scratch.at("in.folded");
    fs::write(&input, "main 1\nmain\n").unwrap();
    let told = |arguments: &[&str], files: &[&Path]| {
        let output = profile(arguments, files);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.stdout.is_empty());
        (output.status.code().unwrap(), error)
    };
    let (code, error) = told(&["convert", "-o", "-", "--format", "svg"], &[&input]);
    assert_eq!(code, 1);
    assert!(error.contains("line 2: no value after the stack"), "{error}");
    let (code, error) = told(&["convert", "-o", "x.json"], &[&input]);
    assert_eq!(code, 2);
    assert!(error.contains(".speedscope.json, .firefox.json"), "{error}");
    let (code, error) = told(&["convert", "-o", "x.svg", "--focus", "("], &[&input]);
    assert_eq!(code, 2);
    assert!(error.contains("--focus \"\\\\(\""), "{error}");
    fs::write(&input, "main 1\n").unwrap();
    let (code, error) = told(&["convert", "-o", "x.svg", "--value", "cpu"], &[&input]);
    assert_eq!(code, 2);
    assert!(error.contains("it has: samples"), "{error}");
    let absent = scratch.at("absent.pb.gz");
    let (code, error) = told(&["convert", "-o", "x.svg"], &[&absent]);
    assert_eq!(code, 1);
    assert!(error.contains("No such file"), "{error}");
}
