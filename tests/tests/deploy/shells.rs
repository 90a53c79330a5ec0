//! `chandra completions` and `chandra man`, judged by what they are for: a real shell, and a real man.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use chandra_tests::failure::fails;
use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::chandra;

fn printed(arguments: &[&str]) -> String {
    let output = Command::new(chandra()).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What follows words that begin so, of the lines of help: verbs, or long options.
fn in_help(path: &[&str]) -> (Vec<String>, BTreeSet<String>) {
    let help = printed(&[path, &["--help"]].concat());
    let mut is_verb = false;
    let (mut verbs, mut options) = (Vec::new(), BTreeSet::new());
    for line in help.lines() {
        if !line.starts_with(' ') {
            is_verb = line == "Commands:";
        }
        let word = line.split_whitespace().next().unwrap_or_default();
        if is_verb && line.starts_with("  ") && !line.starts_with("   ") && word != "help" {
            verbs.push(word.to_owned());
        }
        let bare = line.trim_start();
        if bare.starts_with('-') && line.len() - bare.len() < 8 {
            let long = bare.split([' ', ',', '=', '[']).find(|word| word.starts_with("--"));
            options.extend(long.map(|long| long.trim_end_matches("...").to_owned()));
        }
    }
    (verbs, options)
}

/// What Bash offers where each of these lines is typed, the last word of which is not complete yet.
fn offered_by_bash(lines: &[String]) -> Vec<BTreeSet<String>> {
    let ask = r#"
        source /dev/fd/3
        while IFS= read -r line; do
            IFS=' ' read -r -a COMP_WORDS <<< "$line"
            [[ $line == *' ' ]] && COMP_WORDS+=('')
            COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
            COMPREPLY=()
            _chandra chandra "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
            echo "${COMPREPLY[*]}"
        done"#;
    let scratch = Scratch::new();
    let script = scratch.at("chandra.bash");
    fs::write(&script, printed(&["completions", "bash"])).unwrap();
    let ask = ask.replace("/dev/fd/3", script.to_str().unwrap());
    let mut shell = Command::new("bash");
    shell.args(["--norc", "-c", &ask]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().unwrap();
    let mut input = shell.stdin.take().unwrap();
    let typed = lines.join("\n") + "\n";
    let writer = std::thread::spawn(move || input.write_all(typed.as_bytes()));
    let output = shell.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let offered = text.lines().map(|line| line.split_whitespace().map(str::to_owned).collect());
    let offered: Vec<_> = offered.collect();
    assert_eq!(offered.len(), lines.len(), "{text}");
    offered
}

#[test]
fn bash_completes_every_verb_and_option_that_help_shows() {
    needs!("bash");
    let mut paths = vec![Vec::<String>::new()];
    let (mut lines, mut expected) = (Vec::new(), Vec::new());
    while let Some(path) = paths.pop() {
        let words: Vec<_> = path.iter().map(String::as_str).collect();
        let (verbs, options) = in_help(&words);
        let typed = ["chandra"].into_iter().chain(words.iter().copied()).collect::<Vec<_>>();
        lines.push(format!("{} -", typed.join(" ")));
        expected.push(options);
        if !verbs.is_empty() {
            lines.push(format!("{} ", typed.join(" ")));
            expected.push(verbs.iter().cloned().collect());
        }
        paths.extend(verbs.into_iter().map(|verb| [path.clone(), vec![verb]].concat()));
    }
    let all: usize = expected.iter().map(BTreeSet::len).sum();
    assert!(lines.len() > 40 && all > 400, "{} lines, {all} words", lines.len());
    for ((line, expected), offered) in lines.iter().zip(&expected).zip(offered_by_bash(&lines)) {
        let missing: Vec<_> = expected.difference(&offered).collect();
        assert!(missing.is_empty(), "{line:?} lacks {missing:?}");
        assert!(!offered.contains("canary"), "{line:?}: what is not for people is offered");
    }
}

#[test]
fn bash_completes_values() {
    needs!("bash");
    let lines = ["chandra tr", "chandra agent --signals ", "chandra trace exec --output j"];
    let offered = offered_by_bash(&lines.map(str::to_owned));
    assert_eq!(offered[0], BTreeSet::from(["trace".to_owned()]));
    assert!(offered[1].contains("tcp") && offered[1].contains("process"), "{:?}", offered[1]);
    assert_eq!(offered[2], BTreeSet::from(["json".to_owned()]));
}

#[test]
fn other_shells_take_their_scripts() {
    for shell in ["zsh", "fish"] {
        let script = printed(&["completions", shell]);
        assert!(script.contains("tcp-retransmit"), "{shell}");
        if let Some(lack) = needs::lack(&[shell]) {
            eprintln!("skipped: {shell} does not judge its script: {lack}");
            continue;
        }
        let scratch = Scratch::new();
        let file = scratch.at("script");
        fs::write(&file, script).unwrap();
        assert!(Command::new(shell).arg("-n").arg(file).status().unwrap().success(), "{shell}");
    }
    fails(Command::new(chandra()).args(["completions", "csh"]), 2, "usage", &["csh"]);
}

#[test]
fn man_shows_every_page_without_a_warning() {
    needs!("man", "nroff");
    let scratch = Scratch::new();
    let folder = scratch.at("man1").display().to_string();
    assert_eq!(printed(&["man", "--folder", &folder]), "");
    let pages: BTreeSet<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for page in ["chandra.1", "chandra-agent.1", "chandra-trace-exec.1", "chandra-man.1"] {
        assert!(pages.contains(page), "{page} is not in {pages:?}");
    }
    assert!(!pages.iter().any(|page| page.contains("canary") || page.contains("help")));
    for page in &pages {
        let path = format!("{folder}/{page}");
        let mut man = Command::new("man");
        man.args(["--warnings=w", "-l", &path]).env("MANWIDTH", "100").env("LC_ALL", "C.UTF-8");
        let output = man.output().unwrap();
        let (shown, said) = (String::from_utf8(output.stdout), String::from_utf8(output.stderr));
        assert_eq!((output.status.code(), said.unwrap()), (Some(0), String::new()), "{page}");
        let (name, shown) = (page.trim_end_matches(".1"), shown.unwrap());
        assert!(shown.contains(name), "{page}");
        for word in shown.split_whitespace().filter(|word| word.starts_with("chandra-")) {
            let Some((other, _)) = word.split_once("(1)") else { continue };
            assert!(pages.contains(&format!("{other}.1")), "{page} names {other}");
        }
    }
    let one = printed(&["man", "trace", "exec"]);
    assert_eq!(one, fs::read_to_string(format!("{folder}/chandra-trace-exec.1")).unwrap());
    fails(
        Command::new(chandra()).args(["man", "trace", "nothing"]),
        2,
        "usage",
        &["trace nothing"],
    );
}
