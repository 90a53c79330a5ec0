//! What the kernel tests share: probes compiled when a test asks for them, and the line that says
//! why a test did nothing.

use std::path::{Path, PathBuf};

use chandra_bpf_build::{btf, compile, pack};
use chandra_loader::abi::Config;
use chandra_loader::load::{self, LoadError, Loaded, Options, Request};
use chandra_loader::packed::PackedObject;
use chandra_loader::spec::{Hook, SignalSpec};
use libbpf_rs::{Map, MapCore, Object, ObjectBuilder};

/// Whether this process may load BPF; prints the skipping when not.
pub fn is_root() -> bool {
    // SAFETY: no preconditions.
    let root = unsafe { libc::geteuid() } == 0;
    if !root {
        println!("skipped: needs root to load BPF");
    }
    root
}

/// A probe of `tests/bpf`, compiled.
pub fn object(name: &str) -> &'static [u8] {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    // Tests run at once, and so do test programs: each compiles to a file of its own.
    let thread = format!("{:?}", std::thread::current().id());
    let file = format!("{name}.{}.{thread}.o", std::process::id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    compile::compile(
        &root.join(format!("tests/bpf/{name}.bpf.c")),
        &[root.join("bpf"), PathBuf::from(env!("LIBBPF_HEADERS"))],
        std::env::consts::ARCH,
        &file,
    )
    .expect("the probe compiles");
    let bytes = std::fs::read(&file).expect("clang wrote it");
    let _ = std::fs::remove_file(&file);
    bytes.leak()
}

/// Bytes as an object that a program carries.
pub fn packed(object: &[u8]) -> PackedObject {
    PackedObject::new(pack::pack(object).expect("memory takes it").leak(), object.len())
}

/// A probe as a signal with these hooks.
pub fn spec(name: &'static str, sends_records: bool, hooks: &'static [Hook]) -> SignalSpec {
    let object = object(name);
    let config_offset = btf::exports(object).expect("BTF of clang").config_offset;
    SignalSpec {
        name,
        object: packed(object),
        object_without_kernel_btf: None,
        kernel_types: &[],
        config_offset,
        sends_records,
        records_per_second: None,
        governed: false,
        hooks,
    }
}

/// Loads a signal with all its hooks.
pub fn load(spec: &SignalSpec, config: Config, options: &Options) -> Result<Loaded, LoadError> {
    load_resized(spec, config, options, &[])
}

/// Loads a signal with all its hooks, and maps of another size.
pub fn load_resized(
    spec: &SignalSpec,
    config: Config,
    options: &Options,
    map_entries: &[(&str, u32)],
) -> Result<Loaded, LoadError> {
    let hooks: Vec<_> = spec.hooks.iter().map(|hook| hook.name).collect();
    load::load(&Request { spec, hooks: &hooks, config, map_entries, tracepoints: Ok(&[]), options })
}

/// Loads all programs and maps of an object without the loader.
pub fn load_plainly(name: &str) -> Object {
    let mut builder = ObjectBuilder::default();
    let open = builder.open_memory(object(name)).expect("libbpf opens it");
    open.load().expect("the kernel takes it")
}

/// A map of an object.
pub fn map<'a>(object: &'a Object, name: &str) -> Map<'a> {
    object.maps().find(|map| map.name() == name).expect("the object has the map")
}

/// This thread's number.
pub fn thread_id() -> u32 {
    // SAFETY: no preconditions.
    u32::try_from(unsafe { libc::gettid() }).expect("a thread's number is positive")
}
