//! `chandra profile`: files of profiles, read, converted and compared.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use chandra_doctor::{Check, Problem};
use chandra_profile::diff::{self, Comparison};
use chandra_profile::format::{self, Format};
use chandra_profile::profile::{Limits, Profile};
use chandra_profile::{firefox, folded, html, pprof, speedscope, svg};

use crate::cli::profile::{DiffFormat, ProfileOptions, ProfileTask, View};
use crate::output;

/// So many functions are in a table.
const MAX_ROWS: usize = 40;

/// Runs the verb.
pub(crate) fn run(options: &ProfileOptions) -> Result<(), Problem> {
    let view = &options.view;
    match &options.task {
        ProfileTask::Convert { inputs, format } => {
            let profile = read_all(inputs, view)?;
            let value = value_of(&profile, view)?;
            write(&options.output, |out| convert(&profile, view, value, *format, out))
        }
        ProfileTask::Diff { before, after, format, absolute, min_z } => {
            let [one, other] =
                [before, after].map(|file| read_all(std::slice::from_ref(file), view));
            let asked = diff::Options {
                absolute: *absolute,
                min_z: *min_z,
                grouping: view.grouping,
                value: view.value.clone(),
            };
            let comparison = Comparison::new(&one?, &other?, asked).map_err(|error| {
                Problem::new(
                    Check::PROFILE,
                    format!("cannot compare {} with {}", after.display(), before.display()),
                    error,
                    "compare profiles of the same kind, or name what both measure with --value",
                )
            })?;
            write(&options.output, |out| match format {
                DiffFormat::Text => diff::write_table(&comparison, MAX_ROWS, out),
                DiffFormat::Svg => diff::write_svg(&comparison, &view.title, view.layout(), out),
                DiffFormat::Folded => comparison.write_folded(out),
            })
        }
    }
}

/// Writes it in a format.
pub(crate) fn convert(
    profile: &Profile,
    view: &View,
    value: usize,
    format: Format,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (title, grouping) = (view.title.clone(), view.grouping);
    match format {
        Format::Svg => {
            let limits = view.layout();
            svg::write(profile, &svg::Options { title, grouping, value, limits }, out)
        }
        Format::Html => {
            let max_frames = view.page_frames();
            html::write(profile, &html::Options { title, grouping, value, max_frames }, out)
        }
        Format::Folded => folded::write(profile, grouping, value, out),
        Format::Pprof => pprof::write(profile, out),
        Format::Speedscope => speedscope::write(profile, &title, value, out),
        Format::Firefox => firefox::write(profile, &title, value, out),
    }
}

/// All files as one profile, of what is looked at.
fn read_all(files: &[PathBuf], view: &View) -> Result<Profile, Problem> {
    let mut all: Option<Profile> = None;
    for file in files {
        let profile = read(file)?;
        for note in &profile.metadata.notes {
            eprintln!("{}: {note}", file.display());
        }
        match &mut all {
            None => all = Some(profile),
            Some(all) => all.merge(&profile).map_err(|error| {
                Problem::new(
                    Check::PROFILE,
                    format!("cannot merge {} with the files before it", file.display()),
                    error,
                    "merge profiles that measure the same",
                )
            })?,
        }
    }
    let all = all.unwrap_or_else(|| Profile::new(Vec::new(), Limits::default()));
    if view.filter.is_empty() { Ok(all) } else { Ok(view.filter.apply(&all)) }
}

fn read(file: &Path) -> Result<Profile, Problem> {
    let unreadable = |why: &dyn std::fmt::Display| {
        Problem::new(
            Check::PROFILE,
            format!("cannot read a profile from {}", file.display()),
            why,
            "pprof (packed or not) and folded stacks can be read; look at it with: \
             go tool pprof -top FILE",
        )
    };
    let open = |file: &Path| -> io::Result<Box<dyn Read>> {
        if file == Path::new("-") {
            Ok(Box::new(io::stdin()))
        } else {
            Ok(Box::new(File::open(file)?))
        }
    };
    let mut bytes = Vec::new();
    open(file)
        .and_then(|input| input.take(pprof::MAX_BYTES as u64 + 1).read_to_end(&mut bytes))
        .map_err(|error| unreadable(&error))?;
    if bytes.len() > pprof::MAX_BYTES {
        return Err(unreadable(&format!("it has more than {} MiB", pprof::MAX_BYTES >> 20)));
    }
    format::read(&bytes, Limits::default()).map_err(|error| unreadable(&error))
}

/// The index of the value that is shown.
fn value_of(profile: &Profile, view: &View) -> Result<usize, Problem> {
    let Some(name) = &view.value else { return Ok(profile.default_value()) };
    let types = profile.value_types();
    types.iter().position(|it| it.name == *name).ok_or_else(|| {
        let names: Vec<_> = types.iter().map(|it| it.name.as_str()).collect();
        Problem::usage(
            Check::PROFILE,
            format!("there is no value {name:?} in this profile"),
            format!("it has: {}", names.join(", ")),
            format!("--value {}", names.first().copied().unwrap_or_default()),
        )
    })
}

/// Writes to a file, or to standard output, of which a reader may take what it wants.
pub(crate) fn write(
    file: &Path,
    with: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Problem> {
    if file == Path::new("-") {
        let mut out = BufWriter::new(io::stdout().lock());
        return match with(&mut out).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(output::unwritable(&error)),
            Ok(()) => Ok(()),
        };
    }
    let written = File::create(file).and_then(|file| {
        let mut out = BufWriter::new(file);
        with(&mut out).and_then(|()| out.flush())
    });
    written.map_err(|error| {
        Problem::new(
            Check::OUTPUT,
            format!("cannot write {}", file.display()),
            error,
            "write where there are room and rights: -o FILE",
        )
    })
}
