//! The archive: a folder with a file for each part.

use std::io;

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

/// A part: its file's name, and what is in it.
#[derive(Debug)]
pub struct Part {
    /// `agent/signals.json`
    pub name: String,
    /// Without secrets.
    pub bytes: Vec<u8>,
}

/// The parts in a folder, as a compressed tar.
pub fn compressed(folder: &str, parts: &[Part]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
    for part in parts {
        let mut header = Header::new_ustar();
        header.set_size(part.bytes.len() as u64);
        header.set_mode(0o600);
        archive.append_data(
            &mut header,
            format!("{folder}/{}", part.name),
            part.bytes.as_slice(),
        )?;
    }
    archive.into_inner()?.finish()
}
