//! Names are those that binutils' `nm` has, of files of this machine and of this test.

use std::collections::BTreeMap;
use std::path::Path;

use chandra_symbols::{Image, Limits};

use crate::common::{Listed, Random, image, listed, loaded};

/// Every function is found at its start by one of its names; random addresses by the function that they
/// are in, and by none where there is none.
fn agree(image: &Image, listed: &[Listed], random: usize) {
    let mut starts: BTreeMap<u64, Vec<&Listed>> = BTreeMap::new();
    for function in listed {
        starts.entry(function.start).or_default().push(function);
    }
    let mut checked = 0;
    for (start, functions) in &starts {
        let sized = functions.iter().any(|function| function.size > 0);
        let Some((found, name)) = image.function(*start) else {
            assert!(!sized, "nothing at {start:#x}: {functions:?}");
            continue;
        };
        let name = String::from_utf8_lossy(name);
        let name = name.split('@').next().expect("a name");
        if sized {
            assert_eq!(found, *start, "{name} {functions:?}");
            assert!(functions.iter().any(|function| function.name == name), "{name} {functions:?}");
            checked += 1;
        }
    }
    assert!(checked > 10, "{checked}");
    let sized: Vec<&Listed> = listed.iter().filter(|function| function.size > 0).collect();
    let first = sized.iter().map(|it| it.start).min().expect("functions");
    let end = sized.iter().map(|it| it.start + it.size).max().expect("functions");
    let mut state = Random(7);
    let (mut named, mut nameless) = (0, 0);
    for _ in 0..random {
        let address = first + state.below(end - first);
        let around = sized.iter().filter(|it| (it.start..it.start + it.size).contains(&address));
        let around: Vec<_> = around.collect();
        let innermost = around.iter().map(|it| it.start).max();
        let found = image.function(address);
        match innermost {
            Some(start) => {
                let (found, name) = found.expect("a function");
                let name = String::from_utf8_lossy(name);
                let name = name.split('@').next().expect("a name").to_owned();
                assert_eq!(found, start, "{address:#x} is {name}, not {around:?}");
                assert!(around.iter().any(|it| it.name == name), "{address:#x}: {name} {around:?}");
                named += 1;
            }
            None => {
                // Only functions that do not say how long they are.
                if let Some((found, name)) = found {
                    let sizes = starts.get(&found).map(|all| all.iter().all(|it| it.size == 0));
                    let name = String::from_utf8_lossy(name);
                    assert_ne!(sizes, Some(false), "{address:#x} is beyond {name}");
                }
                nameless += 1;
            }
        }
    }
    println!("{checked} functions; of {random} addresses {named} named, {nameless} without a name");
    assert!(named > random / 10);
}

fn dynamic(file: &Path) {
    let Some(listed) = listed(file, &["-D"]) else { return };
    let image = image(file);
    assert_eq!(image.skipped(), []);
    agree(&image, &listed, 1000);
}

#[test]
fn functions_of_the_c_library_are_those_of_nm() {
    dynamic(&loaded("libc.so"));
}

#[test]
fn functions_of_bash_are_those_of_nm() {
    dynamic(Path::new("/bin/bash"));
}

#[test]
fn functions_of_this_program_are_those_of_nm() {
    let file = std::env::current_exe().expect("a program");
    let Some(mut listed) = listed(&file, &[]) else { return };
    listed.retain(|function| !function.name.starts_with(['$', '.']));
    let limits = Limits { dwarf_bytes: 0, ..Limits::default() };
    let image = Image::read(&crate::common::open(&file), crate::common::nowhere(), &limits);
    agree(&image, &listed, 1000);
}
