//! `container.mount*`

use chandra_event::who::{ContainerDetails, Mount};

use crate::catalogue::ContainerField;
use crate::evaluate::{Argument, Value};
use crate::matching::Chosen;

/// The value of a field of mounts.
pub(super) fn value<'r>(
    field: ContainerField,
    argument: &Argument,
    details: &'r ContainerDetails,
) -> Value<'r> {
    use ContainerField as Of;
    let (Some(mounts), omitted) = (details.mounts.as_deref(), details.mounts_omitted) else {
        return Value::Unknown;
    };
    if field == Of::Mounts {
        let is_whole = omitted == 0 && !mounts.iter().any(Mount::is_cut);
        return if is_whole { Value::Mounts(mounts) } else { Value::Unknown };
    }
    let Argument::Mount(choice) = argument else { return Value::Absent };
    let chosen = match field {
        Of::MountSource => choice.choose(mounts, omitted, |mount| &mount.container_path),
        _ => choice.choose(mounts, omitted, |mount| &mount.host_path),
    };
    let mount = match chosen {
        Chosen::Mount(mount) => mount,
        Chosen::None => return Value::Absent,
        Chosen::Unknown => return Value::Unknown,
    };
    let word = |word: &'static str| Value::Text(word.as_bytes());
    match field {
        Of::MountSource => Value::Text(mount.host_path.as_str().as_bytes()),
        Of::MountDestination => Value::Text(mount.container_path.as_str().as_bytes()),
        Of::MountMode => word(if mount.read_only { "ro" } else { "rw" }),
        Of::MountIsWritable => word(if mount.read_only { "false" } else { "true" }),
        Of::MountPropagation => word(mount.propagation.word()),
        _ => Value::Mounts(std::slice::from_ref(mount)),
    }
}
