//! `chandra observe` and an agent that both show certificates: who is let in, who is not and is told why
//! and what to do, and what happens when certificates change.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;

use chandra_tests::certificates::{Authority, Signed, Validity};
use chandra_tests::failure::fails;
use chandra_tests::flows::Observed;
use chandra_tests::needs;
use chandra_tests::observe::{Running, command, printed, said};
use chandra_tests::patience::wait_for;
use chandra_tests::scratch::Scratch;

const NAME: &str = "agent.test";

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// An agent with certificates, and the folder that has them.
struct Secured {
    folder: Scratch,
    /// Whose certificate the agent has.
    servers: Authority,
    /// Whose certificates are let in.
    clients: Authority,
    address: String,
    observed: Observed,
}

impl Secured {
    fn start(validity: Validity) -> Self {
        let folder = Scratch::new();
        let [servers, clients] = ["servers", "clients"].map(|name| Authority::new(&folder, name));
        let Signed { certificate, key } = servers.sign(&folder, "agent", NAME, validity);
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let observed = Observed::start(&[
            "--signals",
            "tcp",
            "--hubble-listen-address",
            &address,
            "--hubble-tls-cert-file",
            text(&certificate),
            "--hubble-tls-key-file",
            text(&key),
            "--hubble-tls-client-ca-files",
            text(&clients.file),
        ]);
        Self { folder, servers, clients, address, observed }
    }

    /// `chandra WORDS --tls …`, which shows this certificate.
    fn ask_trusting(
        &self,
        words: &[&str],
        authority: &Authority,
        name: &str,
        shown: Option<&Signed>,
    ) -> Command {
        let mut command = command(words);
        command.args(["--server", &self.address, "--tls", "--tls-server-name", name]);
        command.arg("--tls-ca-cert-files").arg(&authority.file);
        if let Some(Signed { certificate, key }) = shown {
            command.arg("--tls-client-cert-file").arg(certificate);
            command.arg("--tls-client-key-file").arg(key);
        }
        command
    }

    fn ask(&self, words: &[&str], shown: Option<&Signed>) -> Command {
        self.ask_trusting(words, &self.servers, NAME, shown)
    }

    /// A client's certificate.
    fn client(&self, authority: &Authority, validity: Validity) -> Signed {
        authority.sign(&self.folder, "client", "client.test", validity)
    }
}

#[test]
fn only_who_shows_a_valid_certificate_of_the_right_authority_is_let_in() {
    needs!("root");
    let secured = Secured::start(Validity::Now);
    let right = secured.client(&secured.clients, Validity::Now);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    drop(TcpStream::connect(listener.local_addr().unwrap()).unwrap());
    let port = listener.local_addr().unwrap().port().to_string();
    let observe = ["observe", "--all", "--to-port", &port, "-o", "json"];
    wait_for("the flow", || {
        let flows = printed(&mut secured.ask(&observe, Some(&right)));
        flows.contains(&format!("\"destination_port\":{port}")).then_some(())
    });
    // Every request says it alike, streams and others; and again, lest it depends on who is faster.
    for words in [&["status"][..], &["observe", "--all"], &["list", "namespaces"]].repeat(5) {
        let missing = &mut secured.ask(words, None);
        fails(missing, 1, "hubble", &["it wants a certificate", "--tls-client-cert-file"]);
        let other = secured.servers.sign(&secured.folder, "other", "x.test", Validity::Now);
        let wrong = &mut secured.ask(words, Some(&other));
        fails(
            wrong,
            1,
            "hubble",
            &["does not accept the certificate", "--hubble-tls-client-ca-files"],
        );
        let old = secured.clients.sign(&secured.folder, "old", "client.test", Validity::Over);
        let expired = &mut secured.ask(words, Some(&old));
        fails(expired, 1, "hubble", &["shown to it is not valid at this time", "renew it"]);
    }
    // Nobody of those has a place for long.
    assert_eq!(said(&mut secured.ask(&["status"], Some(&right))).code, Some(0));
    secured.observed.agent.stop();
}

#[test]
fn a_server_that_is_not_the_right_one_is_not_asked() {
    needs!("root");
    let secured = Secured::start(Validity::Now);
    let right = secured.client(&secured.clients, Validity::Now);
    let words = ["observe", "--all"];
    let other_name = &mut secured.ask_trusting(&words, &secured.servers, "db.test", Some(&right));
    let told = ["is for another name", "agent.test", "--tls-server-name"];
    fails(other_name, 1, "hubble", &told);
    let stranger = &mut secured.ask_trusting(&words, &secured.clients, NAME, Some(&right));
    fails(stranger, 1, "hubble", &["of no authority that is trusted", "--tls-ca-cert-files"]);
    // One that speaks no TLS, and one that speaks nothing else.
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = plain.local_addr().unwrap().to_string();
    let answering = std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = plain.accept().unwrap();
        assert!(stream.read(&mut [0; 64]).unwrap() > 0);
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
    });
    let server = format!("tls://{address}");
    let mut not_encrypted = command(&["status", "--server", &server, "--tls-ca-cert-files"]);
    not_encrypted.arg(&secured.servers.file);
    fails(&mut not_encrypted, 1, "hubble", &["does not speak TLS", "leave tls:// and --tls out"]);
    answering.join().unwrap();
    let in_clear = &mut command(&["status", "--server", &secured.address]);
    fails(in_clear, 1, "hubble", &["where it wants TLS: --tls"]);
    secured.observed.agent.stop();
}

#[test]
fn a_certificate_of_the_agent_that_is_over_is_told_and_its_successor_is_taken_at_once() {
    needs!("root");
    let secured = Secured::start(Validity::Over);
    let right = secured.client(&secured.clients, Validity::Now);
    let status = || secured.ask(&["status"], Some(&right));
    let told = ["its certificate is not valid at this time", "expired", "openssl s_client"];
    fails(&mut status(), 1, "hubble", &told);
    secured.servers.sign(&secured.folder, "agent", NAME, Validity::Now);
    wait_for("the new certificate", || (said(&mut status()).code == Some(0)).then_some(()));
    secured.observed.agent.stop();
}

#[test]
fn an_authority_that_is_replaced_lets_others_in_and_streams_that_run_go_on() {
    needs!("root");
    let secured = Secured::start(Validity::Now);
    let first = secured.client(&secured.clients, Validity::Now);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let follow = ["observe", "-f", "--to-port", &port];
    let following = Running::start(&mut secured.ask(&follow, Some(&first)));
    let connect = || {
        let opener = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        drop((listener.accept().unwrap(), opener));
    };
    wait_for("a stream", || {
        connect();
        (!following.lines().is_empty()).then_some(())
    });
    // The file has another authority now; a client of it has a certificate of its own.
    let next = Authority::new(&secured.folder, "next");
    let second = next.sign(&secured.folder, "second", "client.test", Validity::Now);
    std::fs::rename(&next.file, &secured.clients.file).unwrap();
    wait_for("the new authority", || {
        (said(&mut secured.ask(&["status"], Some(&second))).code == Some(0)).then_some(())
    });
    let refused = &mut secured.ask(&["status"], Some(&first));
    fails(refused, 1, "hubble", &["does not accept the certificate"]);
    let before = following.lines().len();
    connect();
    wait_for("more of the stream", || (following.lines().len() > before).then_some(()));
    following.interrupt();
    secured.observed.agent.stop();
}
