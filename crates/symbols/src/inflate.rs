//! What is packed in ELF files: sections (zlib), and a whole file within `.gnu_debugdata` (xz). A few bytes can
//! unpack to any number, so there is a bound to what comes out, and to the memory that it takes.

use std::io::Read;

use flate2::read::ZlibDecoder;
use lzma_rust2::XzReader;

use crate::limits::Why;

/// `Elf64_Chdr`: kind, reserved, size, alignment.
const HEADER_BYTES: usize = 24;
const ZLIB: u32 = 1;
const ZSTD: u32 = 2;
/// For the dictionary of xz. `xz -9` has one of 64 MiB; what packs these sections chooses 8 MiB or less.
const XZ_MEMORY_KIB: u32 = 80 << 10;

/// A section with `SHF_COMPRESSED`.
pub(crate) fn section(packed: &[u8], limit: u64) -> Result<Vec<u8>, Why> {
    let cut = || Why::Damaged("a packed section without a header".to_owned());
    let (header, data) = packed.split_at_checked(HEADER_BYTES).ok_or_else(cut)?;
    let kind = header.first_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    let bytes = header.get(8..).and_then(<[u8]>::first_chunk).map(|it| u64::from_le_bytes(*it));
    let (kind, bytes) = kind.zip(bytes).ok_or_else(cut)?;
    match kind {
        ZLIB if bytes > limit => Err(Why::Large { bytes, limit }),
        ZLIB => all(ZlibDecoder::new(data), bytes),
        ZSTD => Err(Why::Packed("zstd".to_owned())),
        other => Err(Why::Packed(format!("kind {other}"))),
    }
}

/// What is within `.gnu_debugdata`.
pub(crate) fn xz(packed: &[u8], limit: u64) -> Result<Vec<u8>, Why> {
    all(XzReader::new_mem_limit(packed, false, XZ_MEMORY_KIB), limit)
}

fn all(reader: impl Read, limit: u64) -> Result<Vec<u8>, Why> {
    let mut content = Vec::new();
    let read = reader.take(limit.saturating_add(1)).read_to_end(&mut content);
    read.map_err(|error| Why::Damaged(error.to_string()))?;
    let bytes = content.len() as u64;
    if bytes > limit { Err(Why::Large { bytes, limit }) } else { Ok(content) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    fn packed_by_xz(content: &[u8]) -> Vec<u8> {
        let mut xz = Command::new("xz");
        let mut xz = xz.arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = xz.stdin.take().unwrap();
        let content = content.to_vec();
        let writer = std::thread::spawn(move || input.write_all(&content).unwrap());
        let output = xz.wait_with_output().unwrap();
        writer.join().unwrap();
        output.stdout
    }

    #[test]
    fn what_xz_packs_is_unpacked_up_to_the_limit() {
        let content: Vec<u8> = (0..1_000_000_u32).flat_map(|it| (it / 7).to_le_bytes()).collect();
        let packed = packed_by_xz(&content);
        assert!(xz(&packed, content.len() as u64).unwrap() == content);
        let limit = content.len() as u64 - 1;
        assert!(matches!(xz(&packed, limit), Err(Why::Large { limit: at, .. }) if at == limit));
        assert!(matches!(xz(&packed[..packed.len() / 2], 1 << 30), Err(Why::Damaged(_))));
        let bomb = packed_by_xz(&vec![0; 50 << 20]);
        assert!(bomb.len() < 10_000, "{}", bomb.len());
        assert!(matches!(xz(&bomb, 1 << 20), Err(Why::Large { .. })));
    }

    #[test]
    fn sections_say_how_long_they_are_and_are_no_longer() {
        let content = vec![7; 100_000];
        let mut packer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(&content).unwrap();
        let packed = packer.finish().unwrap();
        let with = |kind: u32, bytes: u64| {
            let mut section = kind.to_le_bytes().to_vec();
            section.extend([0; 4]);
            section.extend(bytes.to_le_bytes());
            section.extend(1_u64.to_le_bytes());
            section.extend(&packed);
            section
        };
        assert_eq!(section(&with(ZLIB, 100_000), 1 << 20).unwrap(), content);
        assert!(matches!(section(&with(ZLIB, 1 << 40), 1 << 20), Err(Why::Large { .. })));
        assert!(matches!(section(&with(ZLIB, 99), 1 << 20), Err(Why::Large { limit: 99, .. })));
        assert_eq!(section(&with(ZSTD, 5), 9), Err(Why::Packed("zstd".to_owned())));
        assert!(section(&with(ZLIB, 5)[..20], 9).is_err());
    }
}
