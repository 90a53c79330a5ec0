//! A container runtime of a test's own: containerd with its own root, state, socket and network, which
//! runs pods and containers from an image that is made on the spot.
//!
//! Invariant: when it is dropped, also by a test that fails, nothing is left: no process, no mount, no
//! cgroup, no namespace, no file. What a test that was killed left behind goes when the next one starts.

mod cri;
mod detour;
mod image;
mod remains;

use std::fs;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub use cri::{Confined, Container, Cri, Pairs, Pod, pairs};
pub use detour::Detour;

use crate::launch::{before_exec, checked};
use crate::namespaces::Namespace;
use crate::patience::wait_for;
use crate::scratch::Scratch;

/// The image that containers run: BusyBox's programs in `/bin`.
pub const IMAGE: &str = "localhost/chandra-busybox:1";
/// The image of sandboxes: it sleeps.
const PAUSE: &str = "localhost/chandra-pause:1";
/// Where its state is in its folder, and its socket: as on a host, whose root the folder so stands for.
const STATE: &str = "run/containerd";
const SOCKET: &str = "run/containerd/containerd.sock";
/// Where Debian has the network plugins.
const NETWORK_PLUGINS: &str = "/usr/lib/cni";

/// Why containerd cannot be run here, in words.
pub fn lack() -> Option<String> {
    let tools =
        ["root", "containerd", "containerd-shim-runc-v2", "ctr", "runc", "tar", "sha256sum"];
    crate::needs::lack(&tools).or_else(image::lack)
}

/// Returns from the test, with a line that says why, where containerd cannot be run.
#[macro_export]
macro_rules! needs_containerd {
    () => {
        if let Some(lack) = $crate::containerd::lack() {
            eprintln!("skipped: {}:{}: {lack}", file!(), line!());
            return;
        }
    };
}

/// A running containerd.
#[derive(Debug)]
pub struct Containerd {
    server: Child,
    cri: Cri,
    network: Option<Namespace>,
    folder: Scratch,
}

impl Containerd {
    /// Starts one that has the images, and waits until it answers.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn start() -> Self {
        remains::remove_abandoned();
        let folder = Scratch::new();
        let has_plugins = Path::new(NETWORK_PLUGINS).join("bridge").exists();
        let network = has_plugins.then(|| Namespace::new("cri"));
        configure(&folder, network.is_some());
        let cri = Cri::new(&folder.at(SOCKET), &remains::cgroup_of(folder.path()));
        let server = spawn(&folder, network.as_ref());
        // From here on dropping it cleans up.
        let mut this = Self { server, cri, network, folder };
        this.wait_until_up();
        this.import_images();
        this
    }

    /// Its socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.at(SOCKET)
    }

    /// To run pods and containers with.
    pub fn cri(&self) -> &Cri {
        &self.cri
    }

    /// Pods can have a network of their own.
    pub fn has_network(&self) -> bool {
        self.network.is_some()
    }

    /// A folder of the test's, for volumes.
    pub fn folder(&self) -> &Scratch {
        &self.folder
    }

    /// Ends it as a crash does. What it runs goes on running.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(&mut self) {
        self.server.kill().unwrap();
        self.server.wait().unwrap();
    }

    /// Starts it again and waits until it answers.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.server = spawn(&self.folder, self.network.as_ref());
        self.wait_until_up();
    }

    /// Where the bundle of a container in this namespace is: the specification that runc got, and more.
    pub fn bundle(&self, namespace: &str, id: &str) -> PathBuf {
        self.folder.at(STATE).join("io.containerd.runtime.v2.task").join(namespace).join(id)
    }

    /// The namespace for containers that no CRI knows; in cgroups of this name, which are the test's own.
    pub fn namespace(&self) -> String {
        remains::cgroup_of(self.folder.path()).trim_start_matches('/').to_owned()
    }

    /// Runs a container that no CRI knows, with these options of `ctr run`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn run_by_ctr(&self, id: &str, options: &[&str], words: &[&str]) {
        let images = image::run(self.ctr().args(["images", "ls", "-q"]));
        if images.is_empty() {
            image::run(self.ctr().args(["images", "import"]).arg(self.folder.at("image.tar")));
        }
        let mut command = self.ctr();
        command.args(["run", "--detach", "--runc-root"]).arg(self.folder.at("runc")).args(options);
        image::run(command.args([IMAGE, id]).args(words));
    }

    /// Ends it and removes it.
    ///
    /// # Panics
    /// When that fails.
    pub fn remove_by_ctr(&self, id: &str) {
        image::run(self.ctr().args(["tasks", "delete", "--force", id]));
        image::run(self.ctr().args(["containers", "delete", id]));
    }

    fn ctr(&self) -> Command {
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket()).arg("--namespace").arg(self.namespace());
        command
    }

    fn wait_until_up(&mut self) {
        let log = self.folder.at("containerd.log");
        wait_for("containerd to answer", || {
            if let Some(status) = self.server.try_wait().unwrap() {
                panic!("containerd ended, {status}: {}", fs::read_to_string(&log).unwrap());
            }
            self.cri.answers().then_some(())
        });
    }

    fn import_images(&self) {
        let archive = image::archive(&self.folder, &[IMAGE, PAUSE]);
        let mut command = Command::new("ctr");
        command.arg("--address").arg(self.socket());
        command.args(["--namespace", "k8s.io", "images", "import"]).arg(archive);
        image::run(&mut command);
        // CRI learns of images from events.
        for name in [IMAGE, PAUSE] {
            wait_for("the image", || self.cri.has_image(name).then_some(()));
        }
    }
}

impl Drop for Containerd {
    fn drop(&mut self) {
        drop(self.server.kill());
        drop(self.server.wait());
        remains::remove(self.folder.path());
    }
}

fn configure(folder: &Scratch, has_network: bool) {
    let at = |name: &str| folder.at(name).display().to_string();
    for name in ["cni", "plugins", "no-plugins"] {
        fs::create_dir(folder.at(name)).unwrap();
    }
    if has_network {
        let network = format!(
            r#"{{"cniVersion": "0.4.0", "name": "chandra", "plugins": [{{
                "type": "bridge", "bridge": "chandra0", "isGateway": true,
                "ipam": {{"type": "host-local", "dataDir": "{}", "subnet": "10.204.0.0/22"}}
            }}]}}"#,
            at("addresses"),
        );
        fs::write(folder.at("cni/10-chandra.conflist"), network).unwrap();
    }
    let configuration = format!(
        r#"
version = 2
root = "{root}"
state = "{state}"
disabled_plugins = ["io.containerd.internal.v1.tracing", "io.containerd.tracing.processor.v1.otlp"]
[grpc]
  address = "{socket}"
[plugins."io.containerd.internal.v1.opt"]
  path = "{opt}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE}"
  netns_mounts_under_state_dir = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "{NETWORK_PLUGINS}"
    conf_dir = "{cni}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "{runc}"
"#,
        root = at("root"),
        state = at(STATE),
        socket = at(SOCKET),
        opt = at("plugins"),
        cni = at("cni"),
        runc = at("runc"),
    );
    fs::write(folder.at("config.toml"), configuration).unwrap();
}

fn spawn(folder: &Scratch, network: Option<&Namespace>) -> Child {
    let log = fs::File::options().create(true).append(true).open(folder.at("containerd.log"));
    let log = log.unwrap();
    let mut command = Command::new("containerd");
    command.arg("--config").arg(folder.at("config.toml")).stdin(Stdio::null());
    command.stdout(log.try_clone().unwrap()).stderr(log);
    let network = network.map(Namespace::file);
    before_exec(&mut command, move || {
        // SAFETY: takes numbers only. It dies with the thread that started it: the test's.
        unsafe {
            checked(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            if let Some(network) = &network {
                checked(libc::setns(network.as_raw_fd(), libc::CLONE_NEWNET))?;
            }
        }
        Ok(())
    });
    command.spawn().unwrap()
}
