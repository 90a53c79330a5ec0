//! Executable memory of a process that runs, from `/proc/PID/maps` (proc_pid_maps(5)).

use std::io;

use crate::memory::{File, Piece};

/// So much of the list is read; a process with more executable mappings than fit is known in part.
const MAX_BYTES: u64 = 64 << 20;

/// Executable mappings of a process.
///
/// # Errors
/// When there is no such process, or it may not be looked at.
pub fn read(pid: u32) -> io::Result<Vec<Piece>> {
    use std::io::Read;
    let mut text = Vec::new();
    let maps = std::fs::File::open(format!("/proc/{pid}/maps"))?;
    maps.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(parse(&text).collect())
}

/// Executable mappings of such a list; lines that are none are left out.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Piece> {
    text.split(|byte| *byte == b'\n').filter_map(piece)
}

/// `7f00-8f00 r-xp 00001000 08:01 1234    /usr/bin/x`
fn piece(line: &[u8]) -> Option<Piece> {
    let mut rest = line;
    let mut word = || {
        let end = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
        let (word, behind) = rest.split_at(end);
        rest = behind.get(1..).unwrap_or_default();
        std::str::from_utf8(word).ok()
    };
    let (addresses, rights, offset) = (word()?, word()?, word()?);
    let (device, inode) = (word()?, word()?);
    if rights.as_bytes().get(2) != Some(&b'x') {
        return None;
    }
    let number = |text| u64::from_str_radix(text, 16).ok();
    let (start, end) = addresses.split_once('-')?;
    let (major, minor) = device.split_once(':')?;
    let small = |text| u32::from_str_radix(text, 16).ok();
    let path = rest.trim_ascii_start();
    Some(Piece {
        start: number(start)?,
        end: number(end)?,
        offset: number(offset)?,
        file: File::of(
            (small(major)?, small(minor)?),
            inode.parse().ok()?,
            path.strip_suffix(b" (deleted)").unwrap_or(path),
        ),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const LIST: &[u8] = b"55d0c000-55d0d000 r--p 00000000 08:01 77    /usr/bin/some thing\n\
        55d0d000-55d0f000 r-xp 00001000 08:01 77    /usr/bin/some thing\n\
        7f000000-7f001000 rwxp 00000000 00:00 0 \n\
        7ffc1000-7ffc3000 r-xp 00000000 00:00 0     [vdso]\n\
        7f100000-7f101000 r-xp 00002000 fd:0a 9     /lib/old.so (deleted)\n\
        ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]\n\
        no mapping at all\n";

    #[test]
    fn executable_mappings_are_read_with_their_files() {
        let pieces: Vec<_> = parse(LIST).collect();
        let starts: Vec<_> = pieces.iter().map(|piece| piece.start).collect();
        assert_eq!(
            starts,
            [0x55d0_d000, 0x7f00_0000, 0x7ffc_1000, 0x7f10_0000, 0xffff_ffff_ff60_0000]
        );
        assert_eq!((pieces[0].end, pieces[0].offset), (0x55d0_f000, 0x1000));
        assert_eq!(pieces[0].file, File::of((8, 1), 77, b"/usr/bin/some thing"));
        assert_eq!(pieces[1].file, File::Anonymous);
        assert_eq!(pieces[2].file, File::Vdso);
        assert_eq!(pieces[3].file, File::of((0xfd, 10), 9, b"/lib/old.so"));
    }

    #[test]
    fn this_process_has_code_of_its_own() {
        let own = std::env::current_exe().unwrap();
        let own = own.to_str().unwrap().as_bytes().to_vec();
        let pieces = read(std::process::id()).unwrap();
        let is_own =
            |piece: &&Piece| matches!(&piece.file, File::OnDisk { path, .. } if **path == *own);
        assert!(pieces.iter().find(is_own).is_some());
    }
}
