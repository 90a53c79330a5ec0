//! Generates the Rust side of the ABI that all probes share, and tells the crates that compile
//! probes where the headers are.

use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;

use chandra_bpf_build::{btf, compile, generate};

fn main() -> ExitCode {
    chandra_bpf_build::finish(run())
}

fn run() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    let headers = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("bpf");
    let libbpf_headers = PathBuf::from(std::env::var("DEP_BPF_INCLUDE")?);
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=CLANG");
    println!("cargo::metadata=headers={}", headers.display());
    println!("cargo::metadata=libbpf_headers={}", libbpf_headers.display());
    // For the tests, which compile probes of their own.
    println!("cargo::rustc-env=LIBBPF_HEADERS={}", libbpf_headers.display());

    let object = out.join("abi.bpf.o");
    let arch = std::env::var("CARGO_CFG_TARGET_ARCH")?;
    compile::compile(&headers.join("abi.bpf.c"), &[headers, libbpf_headers], &arch, &object)?;
    let exports = btf::exports(&std::fs::read(object)?)?;
    std::fs::write(out.join("abi.rs"), generate::rust(&exports))?;
    Ok(())
}
