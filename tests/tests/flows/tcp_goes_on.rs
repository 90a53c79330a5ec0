//! A connection that lasts, as flows: what went over it so far, at both ends, while it goes on.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use chandra_tests::flows::Observed;
use chandra_tests::needs;
use chandra_tests::patience::wait_for;
use chandra_tests::record::Record;

#[test]
fn what_goes_over_a_connection_that_lasts_is_told_at_both_ends() {
    needs!("root");
    let observed = Observed::start(&["--signals", "process,tcp", "--interval", "1s"]);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut opener = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (mut acceptor, _) = listener.accept().unwrap();
    let port = opener.local_addr().unwrap().port().to_string();
    let updates = || {
        let flows = observed.flows(&["--protocol", "tcp", "--port", &port]);
        let is_update = |flow: &Record| flow.text("flow.extensions.event") == Some("tcp_update");
        flows.into_iter().filter(is_update).collect::<Vec<_>>()
    };
    let bytes = |flow: &Record| {
        ["forward", "backward"]
            .map(|way| flow.number(&format!("flow.extensions.{way}.bytes")).unwrap_or_default())
    };
    // Of the acceptor's end what it sent stands first, too.
    let mut exchange = |sent: usize, answered: usize, so_far: [u64; 2]| {
        opener.write_all(&vec![b'q'; sent]).unwrap();
        acceptor.read_exact(&mut vec![0; sent]).unwrap();
        acceptor.write_all(&vec![b'a'; answered]).unwrap();
        opener.read_exact(&mut vec![0; answered]).unwrap();
        let [there, back] = so_far;
        for expected in [[there, back], [back, there]] {
            wait_for("an end's totals so far", || {
                updates().iter().any(|flow| bytes(flow) == expected).then_some(())
            });
        }
    };
    exchange(1000, 30, [1000, 30]);
    exchange(500, 7, [1500, 37]);
    for flow in updates() {
        assert_eq!(flow.text("flow.verdict"), Some("FORWARDED"), "{flow:?}");
        assert_eq!(flow.at("flow.l4.TCP.flags.ACK"), Some(&true.into()), "{flow:?}");
    }
    observed.agent.stop();
}
