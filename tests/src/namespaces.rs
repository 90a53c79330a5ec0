//! Network namespaces of a test's own: a client, a server, and a router between them that changes
//! both addresses of every connection.

use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::launch::{before_exec, checked};
use crate::scratch::{maker_of, unique};

/// A network namespace with its loopback up; it is deleted when dropped.
#[derive(Debug)]
pub struct Namespace(String);

impl Namespace {
    /// A new one. `role` makes its name readable.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new(role: &str) -> Self {
        remove_abandoned();
        let this = Self(format!("{PREFIX}{role}-{}", unique()));
        run(&["ip", "netns", "add", &this.0]);
        this.run("ip link set lo up");
        this
    }

    /// Its name, for `ip netns`.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The inode number that names it everywhere.
    pub fn inode(&self) -> u64 {
        use std::os::linux::fs::MetadataExt;
        self.file().metadata().unwrap().st_ino()
    }

    /// The file that stands for it.
    pub fn file(&self) -> File {
        File::open(format!("/run/netns/{}", self.0)).unwrap()
    }

    /// Runs a program in it, given as words between spaces.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, command: &str) -> String {
        let mut words = vec!["ip", "netns", "exec", &self.0];
        words.extend(command.split(' '));
        run(&words)
    }

    /// Does something in a thread that is in this namespace. Sockets made there belong to it and
    /// may be used from anywhere.
    ///
    /// # Panics
    /// When `act` does.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        let file = self.file();
        std::thread::scope(|scope| {
            let inside = scope.spawn(move || {
                // SAFETY: takes numbers only, and changes this thread alone.
                checked(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }).unwrap();
                act()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts the program in it.
    pub fn start_in(&self, command: &mut Command) {
        let file = self.file();
        before_exec(command, move || {
            // SAFETY: takes numbers only.
            checked(unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) }).map(drop)
        });
    }

    /// Gives its loopback these addresses as well.
    ///
    /// # Panics
    /// When it cannot have them.
    pub fn add_addresses(&self, addresses: &[&str]) {
        for address in addresses {
            self.run(&format!("ip address add {address}/32 dev lo"));
        }
    }

    /// The value of a counter of TCP in it, as RetransSegs.
    ///
    /// # Panics
    /// When the kernel does not count that.
    pub fn tcp_counter(&self, name: &str) -> u64 {
        self.counter("Tcp", name)
    }

    /// The value of a counter in it, by its group and its name as nstat(8) joins them: `Udp` and
    /// `NoPorts`.
    ///
    /// # Panics
    /// When the kernel does not count that.
    pub fn counter(&self, group: &str, name: &str) -> u64 {
        let head = format!("{group}: ");
        let tables = self.run("cat /proc/net/snmp /proc/net/netstat");
        let mut rows = tables.lines().filter_map(|line| line.strip_prefix(&head));
        let (names, values) = (rows.next().unwrap(), rows.next().unwrap());
        let place = names.split(' ').position(|known| known == name).unwrap();
        values.split(' ').nth(place).unwrap().parse().unwrap()
    }

    /// The same for IPv6: `Udp6NoPorts`.
    ///
    /// # Panics
    /// When the kernel does not count that.
    pub fn counter_of_ipv6(&self, name: &str) -> u64 {
        let table = self.run("cat /proc/net/snmp6");
        let mut rows = table.lines().map(|line| line.split_ascii_whitespace());
        let mut row = rows.find(|row| row.clone().next() == Some(name)).unwrap();
        row.nth(1).unwrap().parse().unwrap()
    }

    /// How many packets the named nft counter has counted, `TABLE` as in `inet filter`.
    ///
    /// # Panics
    /// When there is no such counter.
    pub fn nft_counter(&self, table: &str, name: &str) -> u64 {
        let text = self.run(&format!("nft list counter {table} {name}"));
        let mut words = text.split_ascii_whitespace().skip_while(|word| *word != "packets");
        words.nth(1).unwrap().parse().unwrap()
    }
}

/// What the names of all of them begin with.
const PREFIX: &str = "chandra-";

/// Deletes those of tests that were killed.
fn remove_abandoned() {
    let Ok(names) = std::fs::read_dir("/run/netns") else { return };
    for name in names.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let number = name.strip_prefix(PREFIX).and_then(|name| name.rsplit('-').next());
        let maker = number.and_then(|number| number.parse().ok()).map(maker_of);
        if maker.is_some_and(|maker| !Path::new(&format!("/proc/{maker}")).exists()) {
            drop(Namespace(name));
        }
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        drop(Command::new("ip").args(["netns", "delete", &self.0]).stderr(Stdio::null()).status());
    }
}

/// Joins two namespaces by a cable with these addresses at its ends.
///
/// # Panics
/// When that fails.
pub fn join(left: (&Namespace, &str, &str), right: (&Namespace, &str, &str)) {
    let (near, far) = (left.0.name(), right.0.name());
    run(&[
        "ip", "link", "add", left.1, "netns", near, "type", "veth", "peer", "name", right.1,
        "netns", far,
    ]);
    for (namespace, device, address) in [left, right] {
        namespace.run(&format!("ip address add {address} dev {device}"));
        namespace.run(&format!("ip link set {device} up"));
    }
}

/// A client that knows the server by addresses only that the router gives it.
#[derive(Debug)]
pub struct Routed {
    /// Has 10.201.0.2.
    pub client: Namespace,
    /// Has 10.202.0.2, which the client has no other way to.
    pub server: Namespace,
    router: Namespace,
}

impl Routed {
    /// The first of the two ports that the client connects to, on any address in 10.203.0.0/16.
    pub const VISIBLE_PORT: u16 = 20_080;
    /// The first of the two ports that the server is reached on.
    pub const SERVER_PORT: u16 = 28_080;

    /// The router changes the destination (DNAT), each visible port to one of the server's, and the
    /// source to its own address and a random port (SNAT).
    ///
    /// # Panics
    /// When a namespace or a rule cannot be made.
    pub fn new() -> Self {
        let [client, router, server] = ["client", "router", "server"].map(Namespace::new);
        join((&client, "wire", "10.201.0.2/24"), (&router, "inside", "10.201.0.1/24"));
        join((&router, "outside", "10.202.0.1/24"), (&server, "wire", "10.202.0.2/24"));
        client.run("ip route add default via 10.201.0.1");
        router.run("sysctl -q -w net.ipv4.ip_forward=1");
        for rule in [
            "add table ip nat",
            "add chain ip nat before { type nat hook prerouting priority -100 ; }",
            "add chain ip nat after { type nat hook postrouting priority 100 ; }",
            "add rule ip nat before ip daddr 10.203.0.0/16 tcp dport 20080 dnat to 10.202.0.2:28080",
            "add rule ip nat before ip daddr 10.203.0.0/16 tcp dport 20081 dnat to 10.202.0.2:28081",
            "add rule ip nat after oifname outside masquerade random",
        ] {
            router.run(&format!("nft {rule}"));
        }
        Self { client, server, router }
    }

    /// How many connections the router changed the addresses of and remembers.
    pub fn translated(&self) -> u64 {
        self.router.run("cat /proc/sys/net/netfilter/nf_conntrack_count").trim().parse().unwrap()
    }
}

impl Default for Routed {
    fn default() -> Self {
        Self::new()
    }
}

fn run(words: &[&str]) -> String {
    let output = Command::new(words[0]).args(&words[1..]).stdin(Stdio::null()).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{words:?}: {error}");
    String::from_utf8(output.stdout).unwrap()
}
