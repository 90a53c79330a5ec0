//! Lines and inlined functions are those that LLVM's symbolizer has, and lines those of binutils' `addr2line`,
//! of programs in C++ and Rust that are compiled here with optimisation, and of this test itself.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_symbols::demangle::demangle;
use chandra_symbols::{Frame, Limits};

use crate::common::{Folder, Listed, Random, image, listed, output, program, text};

/// A frame as another tool has it: function, the last part of its file, line. Where the line is not known, tools
/// differ in whether the file is.
type Told = (String, String, u64);

fn last_part(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

fn ours(frame: &Frame) -> Told {
    let file = frame.file.as_deref().filter(|_| frame.line != 0).map(last_part);
    let file = file.unwrap_or_default();
    (frame.function.to_string(), file, frame.line.into())
}

fn ask(tool: &str, arguments: &[&str], addresses: &[u64]) -> Option<String> {
    let child = Command::new(tool)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("skipped: needs the program {tool}");
        return None;
    };
    let mut input = child.stdin.take().expect("a pipe");
    let lines: String = addresses.iter().map(|address| format!("{address:#x}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().expect("it ends");
    writer.join().expect("a thread").expect("it reads");
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What LLVM's symbolizer says, names as the linker has them.
fn llvm(file: &Path, addresses: &[u64]) -> Option<Vec<Vec<Told>>> {
    let arguments = [
        "--inlines",
        "--no-demangle",
        "--output-style=JSON",
        // The compiler's word on the outermost function, as ours, not the symbol table's.
        "--functions=linkage",
        "--no-untag-addresses",
        "--obj",
        text(file),
    ];
    let lines = ask("llvm-symbolizer", &arguments, addresses)?;
    let one = |line: &str| {
        let value: serde_json::Value = serde_json::from_str(line).expect("JSON");
        let frames = value["Symbol"].as_array().cloned().unwrap_or_default();
        let frame = |frame: &serde_json::Value| {
            let field = |name: &str| frame[name].as_str().unwrap_or_default().to_owned();
            let function = demangle(field("FunctionName").as_bytes());
            (function, last_part(&field("FileName")), frame["Line"].as_u64().unwrap_or(0))
        };
        frames.iter().map(frame).collect()
    };
    Some(lines.lines().map(one).collect())
}

/// What `addr2line` says.
fn addr2line(file: &Path, addresses: &[u64]) -> Option<Vec<Vec<Told>>> {
    let lines = ask("addr2line", &["-a", "-f", "-i", "-e", text(file)], addresses)?;
    let mut all: Vec<Vec<Told>> = Vec::new();
    let mut lines = lines.lines();
    while let Some(line) = lines.next() {
        if line.starts_with("0x") {
            all.push(Vec::new());
            continue;
        }
        let place = lines.next().expect("a place");
        let (file, line_number) = place.rsplit_once(':').expect("a line");
        // "12 (discriminator 3)"
        let number = line_number.split(' ').next().and_then(|digits| digits.parse().ok());
        let file = if file == "??" { String::new() } else { last_part(file) };
        let frame = (demangle(line.as_bytes()), file, number.unwrap_or(0));
        all.last_mut().expect("an address").push(frame);
    }
    Some(all)
}

/// Every start of a function and 1000 random addresses within functions.
fn places(functions: &[Listed], most: usize) -> Vec<u64> {
    let sized: Vec<_> = functions.iter().filter(|function| function.size > 0).collect();
    let mut state = Random(11);
    let mut addresses: Vec<u64> = sized.iter().map(|it| it.start).take(most).collect();
    for _ in 0..1000 {
        let number = usize::try_from(state.below(sized.len() as u64)).expect("small");
        addresses.push(sized[number].start + state.below(sized[number].size));
    }
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// All names that `nm` has for the function that an address is in, demangled.
fn names_at(functions: &[Listed], address: u64) -> Vec<String> {
    let around = functions.iter().filter(|it| (it.start..it.start + it.size).contains(&address));
    around.map(|function| demangle(function.name.as_bytes())).collect()
}

/// How many addresses two tools agree on; printing where they do not. Of several names of the outermost
/// function each has its own choice.
fn agreement(
    tool: &str,
    functions: &[Listed],
    addresses: &[u64],
    ours: &[Vec<Told>],
    theirs: &[Vec<Told>],
) -> f64 {
    assert_eq!(theirs.len(), addresses.len(), "{tool}");
    let mut same = 0;
    let mut shown = 0;
    for ((address, ours), theirs) in addresses.iter().zip(ours).zip(theirs) {
        let mut theirs = theirs.clone();
        for frame in &mut theirs {
            if frame.2 == 0 {
                frame.1.clear();
            }
        }
        if let (Some(ours), Some(theirs)) = (ours.last(), theirs.last_mut()) {
            let names = names_at(functions, *address);
            if names.contains(&ours.0) && names.contains(&theirs.0) {
                theirs.0.clone_from(&ours.0);
            }
        }
        if *ours == theirs {
            same += 1;
        } else if shown < 5 {
            shown += 1;
            println!("{tool} {address:#x}\n  ours   {ours:?}\n  theirs {theirs:?}");
        }
    }
    let inlined = ours.iter().filter(|frames| frames.len() > 1).count();
    println!("{tool}: {same} of {} agree; {inlined} with inlined functions", addresses.len());
    same as f64 / addresses.len() as f64
}

fn compare(file: &Path, least_inlined: usize, least: f64) {
    let Some(functions) = listed(file, &[]) else { return };
    let addresses = places(&functions, 3000);
    // How long it takes is not what is tested.
    let time = std::time::Duration::from_secs(120);
    let (read_time, resolve_time) = (time, time);
    let limits = Limits { dwarf_bytes: 1 << 30, read_time, resolve_time, ..Limits::default() };
    let image =
        chandra_symbols::Image::read(&crate::common::open(file), crate::common::nowhere(), &limits);
    assert_eq!(image.skipped(), []);
    let (found, is_whole) = image.resolve(&addresses, &limits);
    assert!(is_whole);
    let told: Vec<Vec<Told>> =
        found.iter().map(|frames| frames.iter().map(ours).collect()).collect();
    let inlined = found.iter().filter(|frames| frames.len() > 1).count();
    assert!(inlined >= least_inlined, "{inlined}");
    for frames in &found {
        let outermost = frames.len() - 1;
        assert!(frames.iter().enumerate().all(|(at, it)| it.is_inlined == (at < outermost)));
    }
    if let Some(theirs) = llvm(file, &addresses) {
        let share = agreement("llvm-symbolizer", &functions, &addresses, &told, &theirs);
        assert!(share >= least, "{share}");
    }
    // Some of its chains have the outermost name on the innermost frame, or no frame for it (2.40): places only.
    if let Some(theirs) = addr2line(file, &addresses) {
        let places = |all: Vec<Vec<Told>>| -> Vec<Vec<Told>> {
            let innermost = |mut frames: Vec<Told>| {
                frames.truncate(1);
                frames.iter_mut().for_each(|frame| frame.0.clear());
                frames
            };
            all.into_iter().map(innermost).collect()
        };
        let (told, theirs) = (places(told), places(theirs));
        let share = agreement("addr2line", &functions, &addresses, &told, &theirs);
        assert!(share >= least, "{share}");
    }
}

fn cpp(compiler: &str, arguments: &[&str]) {
    let folder = Folder::new(&format!("lines-{compiler}-{}", arguments.concat()));
    let file = folder.path("inlined");
    let source = program("inlined.cpp");
    let all = [arguments, &["-O2", "-o", text(&file), text(&source)]].concat();
    if output(compiler, &all).is_some() {
        compare(&file, 200, 1.0);
    }
}

#[test]
fn cpp_by_gcc_with_dwarf_5() {
    cpp("g++", &["-gdwarf-5"]);
}

#[test]
fn cpp_by_gcc_with_dwarf_4_in_packed_sections() {
    cpp("g++", &["-gdwarf-4", "-gz=zlib"]);
}

#[test]
fn cpp_by_clang() {
    cpp("clang++", &["-g"]);
}

#[test]
fn rust_with_optimisation() {
    let folder = Folder::new("lines-rustc");
    let file = folder.path("inlined");
    let source = program("inlined.rs");
    let arguments = ["--edition=2024", "-O", "-g", "-o", text(&file), text(&source)];
    if output("rustc", &arguments).is_some() {
        compare(&file, 200, 1.0);
    }
}

#[test]
fn this_program() {
    compare(&std::env::current_exe().expect("a program"), 100, 1.0);
}

#[test]
fn a_program_without_debug_information_has_names_without_lines() {
    let folder = Folder::new("lines-none");
    let file = folder.path("inlined");
    let arguments = ["-O2", "-o", text(&file), text(&program("inlined.cpp"))].map(str::to_owned);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if output("g++", &arguments).is_none() {
        return;
    }
    let listed = listed(&file, &[]).expect("nm");
    let function = listed.iter().find(|it| it.name == "plain_c").expect("a function");
    let (found, _) = image(&file).resolve(&[function.start], &Limits::default());
    assert_eq!(ours(&found[0][0]), ("plain_c".to_owned(), String::new(), 0));
}
