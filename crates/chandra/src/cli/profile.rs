//! The options of `chandra profile`.

use std::path::{Path, PathBuf};

use chandra_doctor::{Check, Problem};
use chandra_profile::filter::{Filter, Regex};
use chandra_profile::format::Format;
use chandra_profile::owner::Grouping;
use chandra_profile::{diff, html, layout};
use clap::builder::PossibleValue;
use clap::{ArgMatches, Args, Command, FromArgMatches, ValueEnum};

use super::profiling::ProfilingArguments;
use super::profiling::elsewhere::OF_A_RELAY;

const EXAMPLES: &str = "\
Examples:
  sudo chandra profile -d 10s -o cpu.svg                 the whole machine, as a picture
  sudo chandra profile -d 30s --pod web-1 -o web.pb.gz   a pod, for go tool pprof and Grafana
  sudo chandra profile --comm nginx --by thread          folded stacks on standard output, at Ctrl-C
  sudo chandra profile --off-cpu -d 10s -o waits.svg     where threads wait, and how long
  chandra profile --server node-1:4244 --tls -d 30s -o cpu.svg
                                                         what another node's agent sees
  chandra profile convert cpu.pb.gz -o cpu.svg           a picture that can be clicked
  chandra profile convert cpu.pb.gz -o cpu.html          with groups and a table of functions
  chandra profile convert stacks.folded -o cpu.pb.gz     for go tool pprof and Grafana
  chandra profile convert a.pb.gz b.pb.gz -o both.svg    several as one
  chandra profile diff before.pb.gz after.pb.gz          what changed, in the terminal
  chandra profile diff before.pb.gz after.pb.gz -o diff.svg

Stacks are right without frame pointers. One that is not whole begins with why it ends.
With --server nothing is loaded and no root is needed: the agent there has to keep profiles (chandra agent --signals
…,cpu_profile,off_cpu), and samples 19 times a second and CPU.";

const SERVER: &str = "\
Profile the node of this agent, and not this machine: unix://PATH, tls://HOST:PORT or HOST:PORT; of this node
unix:///run/chandra/hubble.sock";

/// A format on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct FormatArgument(Format);

impl ValueEnum for FormatArgument {
    fn value_variants<'a>() -> &'a [Self] {
        static ALL: [FormatArgument; 6] = [
            FormatArgument(Format::Svg),
            FormatArgument(Format::Html),
            FormatArgument(Format::Folded),
            FormatArgument(Format::Pprof),
            FormatArgument(Format::Speedscope),
            FormatArgument(Format::Firefox),
        ];
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.0.word()))
    }
}

/// What a difference can be written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DiffFormat {
    /// The functions that changed, for a terminal.
    Text,
    /// A picture that can be clicked.
    Svg,
    /// Stacks with both values.
    Folded,
}

/// Whose stacks are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum By {
    /// All together.
    #[default]
    None,
    /// Those of threads.
    Thread,
    /// Of processes.
    Process,
    /// Of containers.
    Container,
    /// Of pods.
    Pod,
    /// Of namespaces.
    Namespace,
    /// Of nodes.
    Node,
}

impl From<By> for Grouping {
    fn from(by: By) -> Self {
        match by {
            By::None => Self::None,
            By::Thread => Self::Thread,
            By::Process => Self::Process,
            By::Container => Self::Container,
            By::Pod => Self::Pod,
            By::Namespace => Self::Namespace,
            By::Node => Self::Node,
        }
    }
}

/// What is looked at, and how it is drawn: the same for every verb that makes a picture.
#[derive(Debug, Args)]
struct ViewArguments {
    /// Whose stacks are apart
    #[arg(long, value_enum, default_value_t, hide_default_value = true, value_name = "WHOSE")]
    by: By,
    /// What is measured, where a profile measures several things: samples, cpu, alloc_space
    #[arg(long, value_name = "NAME")]
    value: Option<String>,
    /// The title of pictures and pages, instead of the file's name
    #[arg(long, value_name = "TEXT")]
    title: Option<String>,
    /// Draw no more frames than these; the others are drawn together
    #[arg(long, value_name = "COUNT")]
    max_frames: Option<usize>,
}

/// Which samples are kept.
#[derive(Debug, Args)]
struct FilterArguments {
    /// Only stacks with a function that matches this regular expression
    #[arg(long, value_name = "REGEX")]
    focus: Option<String>,
    /// Only stacks without any function that matches this regular expression
    #[arg(long, value_name = "REGEX")]
    ignore: Option<String>,
    /// Only this process
    #[arg(long, value_name = "PID")]
    pid: Option<u32>,
    /// Only processes of this name
    #[arg(long, value_name = "NAME")]
    comm: Option<String>,
    /// Only containers of this name or id
    #[arg(long, value_name = "NAME")]
    container: Option<String>,
    /// Only pods of this name
    #[arg(long, value_name = "NAME")]
    pod: Option<String>,
    /// Only this namespace
    #[arg(short, long, value_name = "NAME")]
    namespace: Option<String>,
    /// Only this node
    #[arg(long, value_name = "NAME")]
    node: Option<String>,
}

#[derive(Debug, Args)]
struct ConvertArguments {
    /// Profiles, pprof or folded stacks; several are merged; - is standard input
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<PathBuf>,
    /// Where to; the end of the name tells the format; - is standard output
    #[arg(short, long, value_name = "OUT")]
    output: PathBuf,
    /// The format, where the name does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<FormatArgument>,
    #[command(flatten)]
    view: ViewArguments,
    #[command(flatten)]
    filter: FilterArguments,
}

#[derive(Debug, Args)]
struct DiffArguments {
    /// The profile before; - is standard input
    #[arg(value_name = "BEFORE")]
    before: PathBuf,
    /// The profile after; - is standard input
    #[arg(value_name = "AFTER")]
    after: PathBuf,
    /// Where to; the end of the name tells the format [default: a table on standard output]
    #[arg(short, long, value_name = "OUT", default_value = "-", hide_default_value = true)]
    output: PathBuf,
    /// The format, where the name does not tell
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<DiffFormat>,
    /// Compare values as they are, and not as shares of each profile
    #[arg(long)]
    absolute: bool,
    /// From so many standard deviations on a difference is more than chance
    #[arg(long, value_name = "Z", default_value_t = diff::MIN_Z)]
    min_z: f64,
    #[command(flatten)]
    view: ViewArguments,
    #[command(flatten)]
    filter: FilterArguments,
}

/// What is looked at, and how it is drawn.
#[derive(Debug)]
pub struct View {
    /// Whose stacks are apart.
    pub grouping: Grouping,
    /// The name of what is measured.
    pub value: Option<String>,
    /// The title.
    pub title: String,
    /// How many frames are drawn at most, if that was said.
    pub max_frames: Option<usize>,
    /// Which samples are kept.
    pub filter: Filter,
}

impl View {
    fn new(view: ViewArguments, filter: FilterArguments, of: String) -> Result<Self, Problem> {
        let pattern = |option: &str, text: Option<String>| {
            let parse = |text: String| {
                Regex::new(&text).map_err(|error| {
                    Problem::usage(
                        Check::FILTERS,
                        format!("--{option} {text:?} is no regular expression"),
                        error,
                        format!("a text as it is: --{option} {:?}", escaped(&text)),
                    )
                })
            };
            text.map(parse).transpose()
        };
        let FilterArguments { focus, ignore, pid, comm, container, pod, namespace, node } = filter;
        Ok(Self {
            grouping: view.by.into(),
            value: view.value,
            title: view.title.unwrap_or(of),
            max_frames: view.max_frames,
            filter: Filter {
                focus: pattern("focus", focus)?,
                ignore: pattern("ignore", ignore)?,
                process: comm,
                ..Filter { pid, container, pod, namespace, node, ..Filter::default() }
            },
        })
    }

    /// What is too narrow for a picture.
    pub fn layout(&self) -> layout::Limits {
        let limits = layout::Limits::default();
        layout::Limits { max_frames: self.max_frames.unwrap_or(limits.max_frames), ..limits }
    }

    /// How many frames a page has at most.
    pub fn page_frames(&self) -> usize {
        self.max_frames.unwrap_or(html::MAX_FRAMES)
    }
}

/// A text that a regular expression takes as it is.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if r"\.+*?()|[]{}^$#&-~".contains(c) {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// What is asked of profiles.
#[derive(Debug)]
pub enum ProfileTask {
    /// To be written otherwise.
    Convert {
        /// The files.
        inputs: Vec<PathBuf>,
        /// As what.
        format: Format,
    },
    /// To be compared.
    Diff {
        /// The file before.
        before: PathBuf,
        /// The file after.
        after: PathBuf,
        /// As what.
        format: DiffFormat,
        /// As they are, and not as shares.
        absolute: bool,
        /// From where on a difference is more than chance.
        min_z: f64,
    },
}

/// `chandra profile …`
#[derive(Debug)]
pub struct ProfileOptions {
    /// What is asked.
    pub task: ProfileTask,
    /// Where to.
    pub output: PathBuf,
    /// What is looked at.
    pub view: View,
}

impl ProfileOptions {
    /// What was typed below `chandra profile`.
    pub fn parse(matches: &ArgMatches) -> Result<Result<Self, Problem>, clap::Error> {
        Ok(match matches.subcommand() {
            Some(("diff", matches)) => Self::diff(DiffArguments::from_arg_matches(matches)?),
            matches => {
                let matches = matches.map(|(_, matches)| matches);
                let matches = matches.ok_or(clap::Error::new(
                    clap::error::ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
                ))?;
                Self::convert(ConvertArguments::from_arg_matches(matches)?)
            }
        })
    }

    fn convert(arguments: ConvertArguments) -> Result<Self, Problem> {
        let ConvertArguments { inputs, output, format, view, filter } = arguments;
        let format = match format {
            Some(FormatArgument(format)) => format,
            None => Format::of_name(&output.to_string_lossy())
                .ok_or_else(|| unknown_format(&output, &Format::ALL))?,
        };
        let of = inputs.iter().map(|input| name_of(input)).collect::<Vec<_>>().join(" + ");
        let view = View::new(view, filter, of)?;
        Ok(Self { task: ProfileTask::Convert { inputs, format }, output, view })
    }

    fn diff(arguments: DiffArguments) -> Result<Self, Problem> {
        let DiffArguments { before, after, output, format, absolute, min_z, view, filter } =
            arguments;
        let format = match (format, Format::of_name(&output.to_string_lossy())) {
            (Some(format), _) => format,
            (None, Some(Format::Svg)) => DiffFormat::Svg,
            (None, Some(Format::Folded)) if !ends_with(&output, ".txt") => DiffFormat::Folded,
            (None, _) if output == Path::new("-") || ends_with(&output, ".txt") => DiffFormat::Text,
            (None, _) => return Err(unknown_format(&output, &[Format::Svg, Format::Folded])),
        };
        if before == after && before == Path::new("-") {
            return Err(Problem::usage(
                Check::PROFILE,
                "cannot read two profiles from standard input",
                "it is one stream",
                "chandra profile diff before.pb.gz -",
            ));
        }
        let view = View::new(view, filter, format!("{} → {}", name_of(&before), name_of(&after)))?;
        Ok(Self {
            task: ProfileTask::Diff { before, after, format, absolute, min_z },
            output,
            view,
        })
    }
}

fn ends_with(path: &Path, end: &str) -> bool {
    path.to_string_lossy().to_ascii_lowercase().ends_with(end)
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The problem of a name that says no format.
pub fn unknown_format(output: &Path, formats: &[Format]) -> Problem {
    let ends: Vec<_> = formats.iter().flat_map(|it| it.extensions().first()).copied().collect();
    let name = if output == Path::new("-") {
        "standard output has no name".to_owned()
    } else {
        format!("{} ends like no format", output.display())
    };
    Problem::usage(
        Check::PROFILE,
        "cannot tell in which format to write",
        format!("{name}; names end with {}", ends.join(", ")),
        "--format, or another name",
    )
}

/// `chandra profile`, with its verbs. Its own options are for taking profiles, and go with none of them.
pub fn command() -> Command {
    let command = ProfilingArguments::augment_args(Command::new("profile"));
    // A relay makes no profiles.
    let command = OF_A_RELAY
        .iter()
        .fold(command, |command, id| command.mut_arg(id, |argument| argument.hide(true)));
    command
        .mut_arg("server", |argument| argument.help(SERVER))
        .about("Sample what runs, or tell where threads wait, with stacks, and make a profile of it; draw, convert and compare profiles")
        .long_about(None)
        .args_conflicts_with_subcommands(true)
        .subcommand(
            ConvertArguments::augment_args(Command::new("convert"))
                .about("Write profiles in another format, or draw them")
                .long_about(None),
        )
        .subcommand(
            DiffArguments::augment_args(Command::new("diff"))
                .about("Compare two profiles: what grew, what shrank, what is only chance")
                .long_about(None),
        )
        .after_help(EXAMPLES)
}
