//! The files that a person names for rules: files, or folders of them.
//!
//! Of a folder all files are read that end with `.yaml` or `.yml`, those in folders below included, in the order
//! of their paths; what begins with a dot is not, nor are tests beside rules. A link to a file is followed (that
//! is how Kubernetes mounts them), one to a folder is not, so that there is no way around in circles.

use std::fs;
use std::path::{Path, PathBuf};

use chandra_doctor::{Check, Problem};
use chandra_rules::source::{Source, Sources};

use super::read;
use crate::cli::rules::OWN;

/// Folders within each other, and what is in all of them, that are looked through.
const MAX_DEPTH: usize = 32;
const MAX_ENTRIES: usize = 200_000;

/// The tests that stand beside rules end so.
const TESTS: &str = ".tests.yaml";

/// What all of the files hold; folders stand for their files, and the names of Chandra's own for those.
pub(crate) fn sources(named: &[PathBuf]) -> Result<Sources, Problem> {
    let mut sources = Sources::default();
    for file in rules(named)? {
        let text = own(&file).map_or_else(|| read(&file), |text| Ok(text.to_owned()))?;
        sources.add(Source::new(file.display().to_string(), text));
    }
    Ok(sources)
}

/// The rules of Chandra's own that are called so.
fn own(file: &Path) -> Option<&'static str> {
    OWN.iter().find(|(name, _)| file.as_os_str() == *name).map(|(_, text)| *text)
}

/// Files of rules. A folder without any is a mistake, and would watch nothing.
pub(crate) fn rules(named: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let files = within(named, &|name| {
        !name.ends_with(TESTS) && (name.ends_with(".yaml") || name.ends_with(".yml"))
    })?;
    if let Some(folder) =
        named.iter().find(|one| own(one).is_none() && one.is_dir() && !has_some_of(&files, one))
    {
        return Err(Problem::new(
            Check::RULES,
            format!("there are no rules in {}", folder.display()),
            "no file in it, or below it, ends with .yaml or .yml",
            format!("ls -laR {}", folder.display()),
        ));
    }
    Ok(files)
}

fn has_some_of(files: &[PathBuf], folder: &Path) -> bool {
    files.iter().any(|file| file.starts_with(folder))
}

/// Files of tests: those beside files, and all in folders.
pub(crate) fn tests(named: &[PathBuf]) -> Result<Vec<PathBuf>, Problem> {
    let beside = |file: &PathBuf| match file.is_dir() {
        true => file.clone(),
        false => file.with_extension("tests.yaml"),
    };
    let named: Vec<_> = named.iter().map(beside).collect();
    within(&named, &|name| name.ends_with(TESTS))
}

/// Files as they are named, and those of folders that are wanted.
fn within(named: &[PathBuf], is_wanted: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>, Problem> {
    let mut found = Vec::new();
    for file in named {
        if own(file).is_none() && file.is_dir() {
            let before = found.len();
            walk(file, is_wanted, 0, &mut 0, &mut found)?;
            if let Some(found) = found.get_mut(before..) {
                found.sort();
            }
        } else {
            found.push(file.clone());
        }
    }
    Ok(found)
}

fn walk(
    folder: &Path,
    is_wanted: &dyn Fn(&str) -> bool,
    depth: usize,
    seen: &mut usize,
    found: &mut Vec<PathBuf>,
) -> Result<(), Problem> {
    let problem = |why: String| {
        Problem::new(
            Check::RULES,
            format!("cannot read rules from {}", folder.display()),
            why,
            format!("ls -la {}", folder.display()),
        )
    };
    if depth > MAX_DEPTH {
        return Err(problem(format!("it lies below more than {MAX_DEPTH} folders")));
    }
    for entry in fs::read_dir(folder).map_err(|error| problem(error.to_string()))? {
        let entry = entry.map_err(|error| problem(error.to_string()))?;
        *seen += 1;
        if *seen > MAX_ENTRIES {
            return Err(problem(format!("there are more than {MAX_ENTRIES} files")));
        }
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let file_type = entry.file_type().map_err(|error| problem(error.to_string()))?;
        if name.starts_with('.') {
            continue;
        }
        if file_type.is_dir() {
            walk(&entry.path(), is_wanted, depth + 1, seen, found)?;
        } else if is_wanted(&name) && entry.path().is_file() {
            found.push(entry.path());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_folder_stands_for_the_files_of_rules_in_it() {
        let folder = std::env::temp_dir().join(format!("chandra-rules-{}", std::process::id()));
        let at = |name: &str| folder.join(name);
        fs::create_dir_all(at("linux/below")).unwrap();
        fs::create_dir_all(at(".git")).unwrap();
        fs::create_dir_all(at("empty/er")).unwrap();
        for name in
            ["b.yml", "a.yaml", "a.tests.yaml", "linux/below/c.yml", "README.md", ".git/d.yml"]
        {
            fs::write(at(name), "").unwrap();
        }
        symlink(at("b.yml"), at("link.yml")).unwrap();
        symlink(&folder, at("around")).unwrap();
        let named = [at("README.md"), folder.clone()];
        let names = |files: Vec<PathBuf>| -> Vec<String> {
            let inner = files.iter().map(|file| file.strip_prefix(&folder).unwrap());
            inner.map(|file| file.display().to_string()).collect()
        };
        let (rules, tests) = (rules(&named).unwrap(), tests(&named).unwrap());
        let missing = sources(&[at("nothing.yaml")]).unwrap_err();
        let empty = sources(&[at("empty")]).unwrap_err();
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(names(rules), ["README.md", "a.yaml", "b.yml", "link.yml", "linux/below/c.yml"]);
        assert_eq!(names(tests), ["README.tests.yaml", "a.tests.yaml"]);
        assert!(missing.to_string().contains("nothing.yaml"), "{missing}");
        assert!(empty.to_string().contains("there are no rules in"), "{empty}");
    }
}
