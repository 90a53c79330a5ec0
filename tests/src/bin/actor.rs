//! The actor as a program: see `chandra_tests::actor`.

fn main() -> std::process::ExitCode {
    chandra_tests::actor::play()
}
