//! A block device that nobody else uses, what a test does with it, and what the kernel says was done.

use std::fs::{self, File, OpenOptions};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::launch::checked;
use crate::scratch::Scratch;

const SIZE_BYTES: u64 = 8 << 20;
/// A multiple of every device's block.
pub const BLOCK_BYTES: usize = 4096;

/// The disk of a guest of tests/kernels/boot, which has no loop devices; its serial number says that it
/// may be written to.
const GUEST_DISK: &str = "nvme0n1";
const GUEST_DISK_SERIAL: &str = "chandra-test";

/// From include/uapi/linux/loop.h and fs.h.
const LOOP_CTL_GET_FREE: libc::Ioctl = 0x4C82;
const LOOP_SET_FD: libc::Ioctl = 0x4C00;
const LOOP_CLR_FD: libc::Ioctl = 0x4C01;
const BLKDISCARD: libc::Ioctl = 0x1277;

/// Memory as direct I/O wants it.
#[repr(C, align(4096))]
struct Block([u8; BLOCK_BYTES]);

/// A device; one that was made for the test is gone when dropped.
#[derive(Debug)]
pub struct Disk {
    name: String,
    device: File,
    is_loop: bool,
    _backing: Scratch,
}

/// Requests that the kernel says a device is done with, and the bytes of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// By operation: its name, requests, bytes (none of a flush).
    pub operations: [(&'static str, u64, u64); 4],
}

/// Whether this is a guest of tests/kernels/boot, with which everything may be done.
pub fn is_guest() -> bool {
    let serial = fs::read_to_string(format!("/sys/block/{GUEST_DISK}/device/serial"));
    serial.is_ok_and(|serial| serial.trim() == GUEST_DISK_SERIAL)
}

impl Disk {
    /// A loop device on a new file, or the guest's own disk; `None` where there is neither.
    ///
    /// # Panics
    /// When it cannot be made.
    pub fn new() -> Option<Self> {
        let backing = Scratch::new();
        let control = OpenOptions::new().read(true).write(true).open("/dev/loop-control").ok();
        let (name, is_loop) = match control {
            Some(control) => (new_loop(&control, &backing.at("disk")), true),
            None => (GUEST_DISK.to_owned(), false),
        };
        if !is_loop {
            let serial =
                fs::read_to_string(format!("/sys/block/{GUEST_DISK}/device/serial")).ok()?;
            assert_eq!(serial.trim(), GUEST_DISK_SERIAL, "another's disk");
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).custom_flags(libc::O_DIRECT);
        let device = options.open(PathBuf::from("/dev").join(&name)).unwrap();
        Some(Self { name, device, is_loop, _backing: backing })
    }

    /// Its name, without `/dev/`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Writes so many blocks, each by itself, past all caches of the kernel.
    ///
    /// # Panics
    /// When one is not written.
    pub fn write(&self, blocks: usize) {
        let block = Box::new(Block([b'x'; BLOCK_BYTES]));
        for number in 0..blocks {
            let at = libc::off_t::try_from(number * BLOCK_BYTES).unwrap();
            let descriptor = self.device.as_raw_fd();
            // SAFETY: reads from the block, which is as long as is said.
            let done =
                unsafe { libc::pwrite(descriptor, block.0.as_ptr().cast(), BLOCK_BYTES, at) };
            assert_eq!(usize::try_from(checked(done).unwrap()), Ok(BLOCK_BYTES));
        }
    }

    /// Reads so many blocks in the same way.
    ///
    /// # Panics
    /// When one is not read.
    pub fn read(&self, blocks: usize) {
        let mut block = Box::new(Block([0; BLOCK_BYTES]));
        for number in 0..blocks {
            let at = libc::off_t::try_from(number * BLOCK_BYTES).unwrap();
            let descriptor = self.device.as_raw_fd();
            // SAFETY: writes to the block, which is as long as is said.
            let done =
                unsafe { libc::pread(descriptor, block.0.as_mut_ptr().cast(), BLOCK_BYTES, at) };
            assert_eq!(usize::try_from(checked(done).unwrap()), Ok(BLOCK_BYTES));
        }
    }

    /// Lets the device bring to its medium what it holds back.
    ///
    /// # Panics
    /// When it does not.
    pub fn flush(&self) {
        self.device.sync_all().unwrap();
    }

    /// Tells the device that its first blocks are not needed any more.
    ///
    /// # Panics
    /// When it refuses that.
    pub fn discard(&self, blocks: usize) {
        let range = [0_u64, (blocks * BLOCK_BYTES) as u64];
        // SAFETY: reads both numbers.
        checked(unsafe { libc::ioctl(self.device.as_raw_fd(), BLKDISCARD, &raw const range) })
            .unwrap();
    }

    /// What the kernel's own account says (Documentation/block/stat.rst).
    ///
    /// # Panics
    /// When there is none.
    pub fn done(&self) -> Done {
        let line = fs::read_to_string(format!("/sys/block/{}/stat", self.name)).unwrap();
        let numbers: Vec<u64> =
            line.split_whitespace().map(|number| number.parse().unwrap()).collect();
        let of = |first: usize| (numbers[first], numbers[first + 2] * 512);
        let [read, write, discard] = [of(0), of(4), of(11)];
        let flushes = numbers[15];
        let operations = [
            ("read", read.0, read.1),
            // That account has a flush twice: as itself, and as the write of nothing that asked for it.
            ("write", write.0 - flushes, write.1),
            ("flush", flushes, 0),
            ("discard", discard.0, discard.1),
        ];
        Done { operations }
    }
}

impl Done {
    /// What was done since then.
    #[must_use]
    pub fn since(mut self, before: Self) -> Self {
        for (now, before) in self.operations.iter_mut().zip(before.operations) {
            (now.1, now.2) = (now.1 - before.1, now.2 - before.2);
        }
        self
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.is_loop {
            // SAFETY: takes numbers only.
            let _ = unsafe { libc::ioctl(self.device.as_raw_fd(), LOOP_CLR_FD, 0) };
        }
    }
}

/// The name of a loop device on a new file. Another program may take the free one first.
fn new_loop(control: &File, file: &Path) -> String {
    let options = || OpenOptions::new().read(true).write(true).clone();
    let backing = options().create_new(true).open(file).unwrap();
    backing.set_len(SIZE_BYTES).unwrap();
    crate::patience::wait_for("a free loop device", || {
        // SAFETY: takes numbers only.
        let free = unsafe { libc::ioctl(control.as_raw_fd(), LOOP_CTL_GET_FREE, 0) };
        let name = format!("loop{}", checked(free).ok()?);
        let device = options().open(Path::new("/dev").join(&name)).ok()?;
        // SAFETY: takes numbers only.
        let set = unsafe { libc::ioctl(device.as_raw_fd(), LOOP_SET_FD, backing.as_raw_fd()) };
        checked(set).ok().map(|_| name)
    })
}
