//! Symbols that are not in the program: packed into it, or in files around it, inside the root of its process.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use chandra_symbols::limits::{Part, Why};
use chandra_symbols::{Image, Limits, Place};
use chandra_unwind::BuildId;

use crate::common::{Folder, listed, nowhere, open, output, program, text};

/// A program without symbols, its debug file, and an address within a function that only the debug file names.
struct Parts {
    folder: Folder,
    stripped: PathBuf,
    debug: PathBuf,
    address: u64,
}

fn parts(name: &str) -> Option<Parts> {
    let folder = Folder::new(name);
    let [whole, stripped, debug] = ["whole", "stripped", "debug"].map(|name| folder.path(name));
    let source = program("inlined.cpp");
    let arguments = ["-g", "-O2", "-Wl,--build-id", "-o", text(&whole), text(&source)];
    output("g++", &arguments)?;
    output("objcopy", &["--only-keep-debug", text(&whole), text(&debug)])?;
    output("objcopy", &["--strip-all", text(&whole), text(&stripped)])?;
    let functions = listed(&whole, &[])?;
    let function = functions.iter().find(|it| it.name == "plain_c").expect("a function");
    Some(Parts { address: function.start, folder, stripped, debug })
}

fn name(image: &Image, address: u64) -> Option<(String, u32)> {
    let (found, is_whole) = image.resolve(&[address], &Limits::default());
    assert!(is_whole);
    found[0].last().map(|frame| (frame.function.to_string(), frame.line))
}

fn in_root(parts: &Parts, file: &Path, path: &str) -> Image {
    let root = File::open(parts.folder.path("root")).expect("a folder");
    let place = Place { roots: &[&root], path: Path::new(path) };
    Image::read(&open(file), place, &Limits::default())
}

fn root(parts: &Parts, path: &str, from: &Path) -> PathBuf {
    let to = parts.folder.path("root").join(path);
    fs::create_dir_all(to.parent().expect("a folder")).expect("a folder");
    fs::copy(from, &to).expect("a copy");
    to
}

#[test]
fn a_symbol_table_packed_into_the_program_is_read() {
    let Some(parts) = parts("mini") else { return };
    assert_eq!(
        name(&Image::read(&open(&parts.stripped), nowhere(), &Limits::default()), parts.address),
        None
    );
    let mini = parts.folder.path("mini");
    output("objcopy", &["--strip-debug", text(&parts.debug), text(&mini)]).expect("objcopy");
    if output("xz", &["--keep", text(&mini)]).is_none() {
        return;
    }
    let section = format!(".gnu_debugdata={}.xz", text(&mini));
    let file = parts.folder.path("with");
    output("objcopy", &["--add-section", &section, text(&parts.stripped), text(&file)])
        .expect("it");
    let read = |limits: &Limits| Image::read(&open(&file), nowhere(), limits);
    let image = read(&Limits::default());
    assert_eq!(image.skipped(), []);
    assert_eq!(name(&image, parts.address), Some(("plain_c".to_owned(), 0)));
    let image = read(&Limits { unpacked_bytes: 5000, ..Limits::default() });
    let [skipped] = image.skipped() else { panic!("{:?}", image.skipped()) };
    assert_eq!(skipped.part, Part::MiniDebugInfo);
    assert!(matches!(skipped.why, Why::Large { limit: 5000, .. }), "{skipped}");
}

#[test]
fn a_debug_file_is_found_by_its_build_id_inside_the_root() {
    let Some(parts) = parts("build-id") else { return };
    let id = BuildId::read(&fs::read(&parts.stripped).expect("a file")).expect("an ELF file");
    let id = id.to_string();
    let path = format!("usr/lib/debug/.build-id/{}/{}.debug", &id[..2], &id[2..]);
    let debug = root(&parts, &path, &parts.debug);
    let image = in_root(&parts, &parts.stripped, "/usr/bin/whole");
    assert_eq!(image.skipped(), []);
    let found = name(&image, parts.address).expect("a name");
    assert_eq!(found.0, "plain_c");
    assert!(found.1 > 50, "a line: {found:?}");

    // Another build's, at the same place.
    fs::copy("/bin/true", &debug).expect("a copy");
    let image = in_root(&parts, &parts.stripped, "/usr/bin/whole");
    assert_eq!(name(&image, parts.address), None);
    let [skipped] = image.skipped() else { panic!("{:?}", image.skipped()) };
    assert_eq!((skipped.part, &skipped.why), (Part::DebugFile, &Why::OtherBuild));

    // A link out of the root leads to nothing.
    fs::remove_file(&debug).expect("a file");
    std::os::unix::fs::symlink(&parts.debug, &debug).expect("a link");
    let image = in_root(&parts, &parts.stripped, "/usr/bin/whole");
    assert_eq!((name(&image, parts.address), image.skipped()), (None, &[][..]));
}

#[test]
fn a_debug_file_is_found_by_its_link_if_its_sum_is_right() {
    let Some(parts) = parts("link") else { return };
    let linked = parts.folder.path("linked");
    let link = format!("--add-gnu-debuglink={}", text(&parts.debug));
    output("objcopy", &[&link, text(&parts.stripped), text(&linked)]).expect("objcopy");
    for place in ["opt/app/debug", "opt/app/.debug/debug", "usr/lib/debug/opt/app/debug"] {
        let debug = root(&parts, place, &parts.debug);
        let image = in_root(&parts, &linked, "/opt/app/program");
        assert_eq!(image.skipped(), [], "{place}");
        assert_eq!(name(&image, parts.address).expect("a name").0, "plain_c", "{place}");
        let mut content = fs::read(&debug).expect("a file");
        *content.last_mut().expect("bytes") ^= 1;
        fs::write(&debug, content).expect("a file");
        let image = in_root(&parts, &linked, "/opt/app/program");
        assert_eq!(name(&image, parts.address), None, "{place}");
        let [skipped] = image.skipped() else { panic!("{:?}", image.skipped()) };
        assert_eq!((skipped.part, &skipped.why), (Part::DebugFile, &Why::OtherBuild));
        fs::remove_file(debug).expect("a file");
    }
}
