//! The fields of the `file_open` signal's record.

use super::FileOpen;
use crate::process::OwnerFields;
use crate::record::{Event, Field, Kind, Record};
use crate::time::Timestamp;
use crate::value::Value;

crate::record! {
    /// A file was opened, or could not be
    pub static FILE_OPEN: Kind = ("file_open", "file_open");
    pub struct FileOpenFields(open: &FileOpen<'_>) = [OwnerFields(Some(&open.process))] {
        "file.flags", "FLAGS", 24, Table, OpenFlags(open.flags),
        "How it was opened: O_* of open(2)";
        "file.mode", "MODE", 5, Json, Mode(open.given_mode()),
        "Permissions asked for, where the call may make the file";
        "file.type", "FILE_TYPE", 9, Wide, Word(open.opened.map(|it| it.file_type.word())),
        "What was opened";
        "file.permissions", "PERMISSIONS", 11, Wide, Mode(open.opened.map(|it| it.permissions)),
        "Its permissions";
        "file.device", "DEVICE", 7, Json, Device(open.opened.map(|it| it.device)),
        "Device of its file system";
        "file.inode", "INODE", 10, Wide, Big(open.opened.map(|it| it.inode)),
        "Inode number";
        "file.is_created", "CREATED", 7, Wide, Bool(open.opened.map(|it| it.is_created)),
        "The call made it";
        "file.descriptor", "FD", 4, Wide, Number(open.descriptor),
        "Descriptor that it was opened as, where the hook knows it";
        "file.is_resolved", "RESOLVED", 8, Json, Bool(open.opened.is_some()),
        "`path` is where the kernel arrived; else it is what was asked for, made absolute";
        "file.path_truncated", "PATH_TRUNCATED", 5, Json, Bool(open.path_truncated),
        "The beginning of `path` is missing";
        "file.name", "NAME_GIVEN", 24, Json, Bytes(open.name),
        "Name that the caller gave, who chooses it freely";
        "file.path", "PATH", 40, Table, Bytes(open.path),
        "Path of the file, from the root of the process";
        "error", "ERROR", 12, Table, Errno(Some(open.error).filter(|error| *error != 0)),
        "Why it could not be opened";
        "error_number", "ERRNO", 5, Json, Number(Some(open.error).filter(|error| *error != 0)),
        "Number of that error";
        "sampled_one_in", "SAMPLED", 7, Json, Number(Some(open.sampled_one_in).filter(|one_in| *one_in != 1)),
        "Of so many one was told, drawn at random, so that it stands for all of them; absent where all are told";
    }
}

impl Record for FileOpen<'_> {
    fn kind(&self) -> &'static Kind {
        &FILE_OPEN
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn visit(&self, each: &mut dyn FnMut(&'static Field, Value<'_>)) {
        FileOpenFields::visit(self, each);
    }

    fn event(&self) -> Event<'_> {
        Event::FileOpen(self)
    }
}
