//! Compiled objects as the program carries them: deflated (RFC 1951).
//!
//! An object has the same code once for each rung, and for each instruction the line that it was written on: it is
//! five times as large as what is in it. It is unpacked once for each load of its signal, and kept no longer.

use flate2::{Decompress, FlushDecompress, Status};

/// A compiled BPF object, deflated when the program was built.
#[derive(Debug, Clone, Copy)]
pub struct PackedObject {
    deflated: &'static [u8],
    bytes: usize,
}

impl PackedObject {
    /// One that was deflated from `bytes` bytes.
    pub const fn new(deflated: &'static [u8], bytes: usize) -> Self {
        Self { deflated, bytes }
    }

    /// The object; `None` when this is not what was deflated.
    pub fn unpack(&self) -> Option<Vec<u8>> {
        let mut object = Vec::with_capacity(self.bytes);
        let mut inflate = Decompress::new(false);
        let end = inflate.decompress_vec(self.deflated, &mut object, FlushDecompress::Finish);
        let is_whole = matches!(end, Ok(Status::StreamEnd)) && object.len() == self.bytes;
        is_whole.then_some(object)
    }
}

#[cfg(test)]
mod tests {
    use chandra_bpf_build::pack::pack;

    use super::*;

    fn packed(object: &[u8]) -> &'static [u8] {
        pack(object).unwrap().leak()
    }

    #[test]
    fn what_is_unpacked_is_what_was_packed() {
        let object: Vec<u8> = (0..200_000_u32).flat_map(|word| (word / 7).to_le_bytes()).collect();
        let packed = packed(&object);
        assert!(packed.len() < object.len() / 2, "{}", packed.len());
        assert_eq!(PackedObject::new(packed, object.len()).unpack(), Some(object));
        assert_eq!(PackedObject::new(self::packed(b""), 0).unpack(), Some(Vec::new()));
    }

    #[test]
    fn what_was_not_packed_is_refused() {
        let packed = packed(&[7; 5000]);
        for bytes in [0, 4999, 5001] {
            assert_eq!(PackedObject::new(packed, bytes).unpack(), None);
        }
        assert_eq!(PackedObject::new(&packed[..packed.len() - 1], 5000).unpack(), None);
        assert_eq!(PackedObject::new(b"\x7fELF", 4).unpack(), None);
        assert_eq!(PackedObject::new(b"", 0).unpack(), None);
    }
}
