//! What a program has as its standard input and output: the record tells it, and a shell on a connection is an
//! alert of the rules that Chandra comes with.

use std::fs::File;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::launch;
use chandra_tests::needs;
use chandra_tests::replay::default_alerts;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;

/// One end of a connection to this machine itself, and the other.
fn connection(address: SocketAddr) -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(address).unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    (near, listener.accept().unwrap().0)
}

fn localhost(is_ipv6: bool) -> SocketAddr {
    if is_ipv6 { (Ipv6Addr::LOCALHOST, 0).into() } else { (Ipv4Addr::LOCALHOST, 0).into() }
}

/// Runs a program with this as its input and output.
fn run(command: &mut Command, stream: impl Into<OwnedFd>) -> u32 {
    let input: OwnedFd = stream.into();
    let output = input.try_clone().unwrap();
    let mut child = command.stdin(input).stdout(output).stderr(Stdio::null()).spawn().unwrap();
    child.wait().unwrap();
    child.id()
}

#[test]
fn every_kind_of_stream_has_its_word() {
    needs!("root");
    let scratch = Scratch::new();
    let mut trace = Trace::start(&["exec"]);
    let (terminal, name) = launch::terminal();
    let (pipe, _written) = std::io::pipe().unwrap();
    let ((ipv4, _far), (ipv6, _farther)) =
        (connection(localhost(false)), connection(localhost(true)));
    let (unix, _other) = UnixStream::pair().unwrap();
    let open = |path: &Path| File::options().read(true).write(true).open(path).unwrap();
    let streams: [(&str, OwnedFd); 9] = [
        ("file", File::create(scratch.at("file")).unwrap().into()),
        ("directory", File::open(scratch.path()).unwrap().into()),
        ("pipe", pipe.into()),
        ("tty", open(&Path::new("/dev").join(name)).into()),
        ("null", open(Path::new("/dev/null")).into()),
        ("ipv4", ipv4.into()),
        ("ipv6", ipv6.into()),
        ("unix", unix.into()),
        ("other", open(Path::new("/dev/zero")).into()),
    ];
    for (word, stream) in streams {
        let pid = run(&mut Command::new("true"), stream);
        let record = trace.wait_for(word, |record| record.is("exec", pid));
        assert_eq!(record.text("process.stdin_type"), Some(word));
        assert_eq!(record.text("process.stdout_type"), Some(word));
    }
    drop(terminal);
    let mut command = Command::new("true");
    launch::before_exec(&mut command, || {
        // SAFETY: takes numbers only.
        launch::checked(unsafe { libc::close(0) }).map(drop)
    });
    let pid = run(&mut command, File::create(scratch.at("another")).unwrap());
    let record = trace.wait_for("the closed one", |record| record.is("exec", pid));
    assert_eq!(record.at("process.stdin_type"), None);
    assert_eq!(record.text("process.stdout_type"), Some("file"));
    trace.stop().summary_without_loss();
}

#[test]
fn a_shell_on_a_connection_is_an_alert_and_one_on_a_pair_of_sockets_is_none() {
    needs!("root", "bash");
    let mut trace = Trace::start(&["exec"]);
    let mut of = |what: &str, command: &mut Command, stream: OwnedFd| {
        let pid = run(command, stream);
        let record = trace.wait_for(what, |record| record.is("exec", pid));
        let alerts = default_alerts(&[record]);
        alerts.iter().any(|alert| alert.text("rule") == Some("Shell on a network connection"))
    };
    let shell = || {
        let mut command = Command::new("bash");
        command.args(["-c", "true"]);
        command
    };
    for is_ipv6 in [false, true] {
        let (near, _far) = connection(localhost(is_ipv6));
        assert!(of("a shell on a connection", &mut shell(), near.into()));
    }
    let (near, _far) = connection(localhost(false));
    assert!(!of("another program on a connection", &mut Command::new("true"), near.into()));
    let (near, _far) = UnixStream::pair().unwrap();
    assert!(!of("a shell on a pair of sockets", &mut shell(), near.into()));
    let (near, _written) = std::io::pipe().unwrap();
    assert!(!of("a shell on a pipe", &mut shell(), near.into()));
}
