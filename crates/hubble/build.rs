//! Rust from the messages in `proto/`, without a compiler of protocol buffers to be installed, and their
//! descriptions for gRPC's reflection and for JSON.

use std::env;
use std::error::Error;
use std::fs;
use std::path::PathBuf;

use protox::prost::Message;

const ROOT: &str = "proto";
const FILES: [&str; 7] = [
    "flow/flow.proto",
    "relay/relay.proto",
    "observer/observer.proto",
    "peer/peer.proto",
    "chandra/v1/flow_details.proto",
    "chandra/v1/alerts.proto",
    "chandra/v1/profiles.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed={ROOT}");
    let files = protox::Compiler::new([ROOT])?
        .include_imports(true)
        .include_source_info(true)
        .open_files(FILES)?
        .file_descriptor_set();
    let has_services = env::var_os("CARGO_FEATURE_GRPC").is_some();
    let mut described = files.clone();
    for file in &mut described.file {
        file.source_code_info = None;
    }
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?);
    fs::write(out.join("descriptors.bin"), described.encode_to_vec())?;
    if has_services {
        tonic_prost_build::configure().build_transport(false).compile_fds(files)?;
    } else {
        prost_build::Config::new().compile_fds(files)?;
    }
    Ok(())
}
