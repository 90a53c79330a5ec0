//! Who listens for connections when a program is executed: the process itself, its parent, the parent's parent.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use chandra_tests::needs;
use chandra_tests::scratch::Scratch;
use chandra_tests::trace::Trace;

/// Opens what its first argument names, and executes `true` as its second one says. Says its own process id, that
/// of who executes, and that of what is executed.
const SERVER: &str = r#"
import os, resource, socket, sys

def tcp(family, address):
    made = socket.socket(family, socket.SOCK_STREAM)
    made.bind(address)
    return made

what, how = sys.argv[1:]
if what == "ipv4":
    server = tcp(socket.AF_INET, ("127.0.0.1", 0)); server.listen()
elif what == "ipv6":
    server = tcp(socket.AF_INET6, ("::1", 0)); server.listen()
elif what == "multipath":
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262); server.bind(("127.0.0.1", 0)); server.listen()
elif what == "bound":
    server = tcp(socket.AF_INET, ("127.0.0.1", 0))
elif what == "connected":
    server = tcp(socket.AF_INET, ("127.0.0.1", 0)); server.listen()
    client = socket.create_connection(server.getsockname())
    connection = server.accept()[0]
    server.close()
elif what == "datagrams":
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); server.bind(("127.0.0.1", 0))
elif what == "unix":
    server = socket.socket(socket.AF_UNIX); server.bind("\0chandra-%d" % os.getpid()); server.listen()
elif what == "far":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    server = tcp(socket.AF_INET, ("127.0.0.1", 0)); server.listen()
    os.dup2(server.fileno(), 2000); server.close()
elif what == "crowded":
    resource.setrlimit(resource.RLIMIT_NOFILE, (4096, 4096))
    null = os.open("/dev/null", os.O_RDONLY)
    for descriptor in range(10, 1100):
        os.dup2(null, descriptor)
    server = tcp(socket.AF_INET, ("127.0.0.1", 0)); server.listen()
    os.dup2(server.fileno(), 2000); server.close()
elif what == "passed":
    # One end gets the listener from another process, and was never near where it was made.
    near, far = socket.socketpair()
    if not os.fork():
        server = tcp(socket.AF_INET, ("127.0.0.1", 0)); server.listen()
        socket.send_fds(far, [b"x"], [server.fileno()])
        os._exit(0)
    far.close()
    server = socket.recv_fds(near, 1, 1)[1][0]
    os.wait()

def run():
    child = os.fork()
    if not child:
        os.execv("/bin/true", ["true"])
    print(os.getpid(), child, flush=True)
    os.waitpid(child, 0)

if how == "itself":
    os.set_inheritable(server.fileno(), True)
if how == "worker":
    # It inherits the socket at the fork, and its parent gives it up.
    near, far = os.pipe()
    worker = os.fork()
    if not worker:
        os.close(far); os.read(near, 1)
        run()
        os._exit(0)
    server.close()
    os.close(far)
    os.waitpid(worker, 0)
elif how == "helper":
    # What is in between was executed, so that it has nothing of it.
    helper = "import os; child = os.spawnv(os.P_NOWAIT, '/bin/true', ['true']); print(os.getpid(), child, flush=True); os.waitpid(child, 0)"
    os.spawnv(os.P_WAIT, sys.executable, [sys.executable, "-c", helper])
else:
    run()
"#;

/// What the record of the last execution says of the three.
fn listening(trace: &mut Trace, script: &Path, what: &str, how: &str) -> [Option<bool>; 3] {
    let mut command = Command::new("python3");
    let mut server = command.arg(script).args([what, how]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(server.wait().unwrap().success(), "{what} {how}");
    let pid: u32 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    let name = format!("{what} {how}");
    let record = trace.wait_for(&name, |record| {
        record.is("exec", pid) && record.text("process.comm") == Some("true")
    });
    ["process.listens", "process.parent_listens", "process.grandparent_listens"]
        .map(|field| record.at(field).map(|value| value.as_bool().unwrap()))
}

#[test]
fn a_server_is_known_by_the_sockets_that_it_has_open_when_a_program_is_executed() {
    needs!("root", "python3");
    let scratch = Scratch::new();
    let script = scratch.at("server.py");
    fs::write(&script, SERVER).unwrap();
    let mut trace = Trace::start(&["exec"]);
    let (yes, no) = (Some(true), Some(false));
    for (what, how, expected) in [
        ("ipv4", "run", [no, yes, no]),
        ("ipv6", "run", [no, yes, no]),
        // The socket is not closed at the exec.
        ("passed", "run", [yes, yes, no]),
        ("ipv4", "itself", [yes, yes, no]),
        // It was inherited at a fork; who had listened has closed it.
        ("ipv4", "worker", [no, yes, no]),
        ("ipv4", "helper", [no, no, yes]),
        // Nobody listens.
        ("nothing", "run", [no, no, no]),
        ("bound", "run", [no, no, no]),
        ("connected", "run", [no, no, no]),
        ("datagrams", "run", [no, no, no]),
        ("unix", "run", [no, no, no]),
        // Both are inherited, too; the latter is beyond the files that are looked at.
        ("far", "run", [yes, yes, no]),
        ("crowded", "run", [None, None, no]),
    ] {
        assert_eq!(listening(&mut trace, &script, what, how), expected, "{what} {how}");
    }
    if fs::read_to_string("/proc/sys/net/mptcp/enabled").is_ok_and(|text| text.trim() == "1") {
        assert_eq!(listening(&mut trace, &script, "multipath", "run"), [no, yes, no]);
    }
    trace.stop().summary_without_loss();
}
