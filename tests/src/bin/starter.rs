//! Starts programs in ways that hide what they are: see `chandra_tests::ways`.

fn main() -> std::process::ExitCode {
    chandra_tests::ways::starter()
}
