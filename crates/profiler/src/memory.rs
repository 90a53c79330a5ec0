//! The executable memory of a process: pieces of files, sorted, none over another.

use std::sync::Arc;

use chandra_loader::sideband::Mapped;

/// What lies in a piece of memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum File {
    /// A file.
    OnDisk {
        /// Major and minor number of its device.
        device: (u32, u32),
        /// Its inode.
        inode: u64,
        /// Its path in the mount tree of the process.
        path: Arc<[u8]>,
    },
    /// The kernel's code for programs.
    Vdso,
    /// Code that was made at run time.
    Anonymous,
}

impl File {
    /// That of a mapping, by how the kernel names it.
    pub fn of(device: (u32, u32), inode: u64, path: &[u8]) -> Self {
        match (inode, path) {
            (_, b"[vdso]") => Self::Vdso,
            (0, _) => Self::Anonymous,
            // .NET's code, mapped twice: once to be written, once to be run.
            (_, path) if path.starts_with(b"/memfd:doublemapper") => Self::Anonymous,
            _ => Self::OnDisk { device, inode, path: path.into() },
        }
    }
}

/// A piece of executable memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Its first address.
    pub start: u64,
    /// The address behind its last one.
    pub end: u64,
    /// The offset in its file of the first address.
    pub offset: u64,
    /// What lies there.
    pub file: File,
}

impl Piece {
    /// A mapping that the kernel told of.
    pub fn of(mapped: &Mapped<'_>) -> Self {
        Self {
            start: mapped.start,
            end: mapped.start.saturating_add(mapped.bytes),
            offset: mapped.offset,
            file: File::of(mapped.device, mapped.inode, mapped.path),
        }
    }
}

/// See the [module](self).
#[derive(Debug, Clone, Default)]
pub struct Memory(Vec<Piece>);

/// Pieces of a process that are known; programs that make code map it in far fewer.
const MAX_PIECES: usize = 16_384;

impl Memory {
    /// Of these pieces; where two are of the same place, the later one counts.
    pub fn of(pieces: Vec<Piece>) -> Self {
        let mut memory = Self::default();
        for piece in pieces {
            // Past the bound the first ones count.
            let _ = memory.map(piece);
        }
        memory
    }

    /// Puts a piece in the place of whatever was there; false when there are too many.
    pub fn map(&mut self, piece: Piece) -> bool {
        if piece.start >= piece.end {
            return true;
        }
        let first = self.0.partition_point(|other| other.end <= piece.start);
        let behind = self.0.partition_point(|other| other.start < piece.end);
        if self.0.get(first) == Some(&piece) {
            return true;
        }
        if self.0.len() + 2 > MAX_PIECES {
            return false;
        }
        let before = self.0.get(first).filter(|other| other.start < piece.start);
        let before = before.map(|other| Piece { end: piece.start, ..other.clone() });
        let after = behind.checked_sub(1).and_then(|last| self.0.get(last));
        let after = after.filter(|other| other.end > piece.end).map(|other| Piece {
            start: piece.end,
            offset: other.offset.wrapping_add(piece.end - other.start),
            ..other.clone()
        });
        let new = before.into_iter().chain([piece]).chain(after);
        self.0.splice(first..behind.max(first), new);
        true
    }

    /// The piece that holds an address.
    pub fn find(&self, address: u64) -> Option<&Piece> {
        let next = self.0.partition_point(|piece| piece.start <= address);
        self.0.get(next.checked_sub(1)?).filter(|piece| address < piece.end)
    }

    /// All pieces, in order.
    pub fn pieces(&self) -> &[Piece] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(start: u64, end: u64, offset: u64, inode: u64) -> Piece {
        Piece { start, end, offset, file: File::of((8, 1), inode, b"/x") }
    }

    #[test]
    fn a_new_piece_cuts_what_was_there() {
        let mut memory = Memory::of(vec![piece(100, 200, 0, 1), piece(300, 400, 0, 2)]);
        assert!(memory.map(piece(150, 160, 7, 3)));
        let expected = [
            piece(100, 150, 0, 1),
            piece(150, 160, 7, 3),
            piece(160, 200, 60, 1),
            piece(300, 400, 0, 2),
        ];
        assert_eq!(memory.pieces(), expected);
        assert!(memory.map(piece(90, 350, 0, 4)));
        assert_eq!(memory.pieces(), [piece(90, 350, 0, 4), piece(350, 400, 50, 2)]);
        assert_eq!(memory.find(349).map(|piece| piece.start), Some(90));
        assert_eq!(memory.find(400), None);
        assert_eq!(memory.find(0), None);
    }

    #[test]
    fn neighbours_are_left_alone() {
        let mut memory = Memory::of(vec![piece(100, 200, 0, 1), piece(300, 400, 0, 2)]);
        assert!(memory.map(piece(200, 300, 0, 3)));
        let starts: Vec<_> = memory.pieces().iter().map(|piece| piece.start).collect();
        assert_eq!(starts, [100, 200, 300]);
        assert!(memory.map(piece(500, 500, 0, 3)), "nothing is nowhere");
        assert_eq!(memory.pieces().len(), 3);
    }
}
