//! Does what rules are about: see `chandra_tests::deeds`.

fn main() -> std::process::ExitCode {
    chandra_tests::deeds::doer()
}
