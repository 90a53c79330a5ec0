//! What the inode of an executed file says: who may write to it, and when it was changed.

use chandra_event::process::{Exec, FileStatus};
use chandra_event::time::Timestamp;

use crate::evaluate::Value;

const CAP_DAC_OVERRIDE: u64 = 1 << 1;
const OTHERS_WRITE: u32 = 0o002;
const GROUP_WRITE: u32 = 0o020;
const OWNER_WRITE: u32 = 0o200;

/// Whether its user may write to it, by its permissions and the user's capabilities. Of a group the effective
/// one is known and not those beside it, so of a file that another group may write to it is not known.
pub(super) fn is_writable<'r>(exec: &Exec<'_>) -> Value<'r> {
    let file = &exec.file_status;
    let may = |bit: u32| Value::Bool(file.mode & bit != 0);
    if file.is_read_only {
        Value::Bool(false)
    } else if exec.capabilities.effective & CAP_DAC_OVERRIDE != 0 {
        Value::Bool(true)
    } else if file.uid == exec.effective_uid {
        may(OWNER_WRITE)
    } else if file.gid == exec.effective_gid {
        may(GROUP_WRITE)
    } else if (file.mode & GROUP_WRITE != 0) == (file.mode & OTHERS_WRITE != 0) {
        may(OTHERS_WRITE)
    } else {
        Value::Unknown
    }
}

/// Nanoseconds from the last change of its inode to the start of the process; below 0 where it was changed
/// since.
pub(super) fn change_to_start<'r>(file: &FileStatus, start: Timestamp) -> Value<'r> {
    let at = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    Value::Number(at(start.0) - at(file.change_time.0))
}

/// Nanoseconds from the start of its pid namespace to the last change of its inode; below 0 where it was there
/// before.
pub(super) fn change_to_namespace_start<'r>(exec: &Exec<'_>) -> Value<'r> {
    let Some(start) = exec.pid_namespace_start else { return Value::Unknown };
    let at = |time: u64| i64::try_from(time).unwrap_or(i64::MAX);
    Value::Number(at(exec.file_status.change_time.0) - at(start.0))
}

#[cfg(test)]
mod tests {
    use chandra_event::process::{Capabilities, FileStatus};

    use super::*;

    fn writable(mode: u32, uid: u32, gid: u32, effective: u64) -> Value<'static> {
        is_writable(&Exec {
            effective_uid: 7,
            effective_gid: 8,
            capabilities: Capabilities { effective, ..Capabilities::default() },
            file_status: FileStatus { mode: 0o100_000 | mode, uid, gid, ..FileStatus::default() },
            ..Exec::default()
        })
    }

    #[test]
    fn the_first_class_of_permissions_that_fits_decides() {
        assert_eq!(writable(0o755, 7, 0, 0), Value::Bool(true));
        assert_eq!(writable(0o577, 7, 0, 0), Value::Bool(false));
        assert_eq!(writable(0o775, 0, 8, 0), Value::Bool(true));
        assert_eq!(writable(0o757, 0, 8, 0), Value::Bool(false));
        assert_eq!(writable(0o755, 0, 0, 0), Value::Bool(false));
        assert_eq!(writable(0o777, 0, 0, 0), Value::Bool(true));
    }

    #[test]
    fn what_another_group_may_write_to_may_be_its_own() {
        assert_eq!(writable(0o775, 0, 0, 0), Value::Unknown);
        assert_eq!(writable(0o757, 0, 0, 0), Value::Unknown);
    }

    #[test]
    fn a_capability_overrides_permissions_and_a_read_only_mount_that() {
        assert_eq!(writable(0o555, 0, 0, 1 << 1), Value::Bool(true));
        let file_status = FileStatus { is_read_only: true, ..FileStatus::default() };
        let capabilities = Capabilities { effective: u64::MAX, ..Capabilities::default() };
        let exec = Exec { capabilities, file_status, ..Exec::default() };
        assert_eq!(is_writable(&exec), Value::Bool(false));
    }
}
