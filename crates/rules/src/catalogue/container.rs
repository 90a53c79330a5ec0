//! `container.*`: the container that the process is in.

use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;
const NONE: EventTypes = EventTypes::NONE;

fields! {
    /// Fields of the container.
    ContainerField in Container {
        Id = "container.id", Text, Nothing, One, ALL, "First 12 digits of its id; `host` for a process in none";
        FullId = "container.full_id", Text, Nothing, One, ALL, "Its id; `host` for a process in none";
        Name = "container.name", Text, Nothing, One, ALL, "Its name; `host` for a process in none";
        Type = "container.type", Text, Nothing, One, ALL, "Runtime that made it: `containerd`, `cri-o`; `host`";
        Image = "container.image", Text, Nothing, One, ALL, "Image as it was asked for";
        ImageRepository = "container.image.repository", Text, Nothing, One, ALL, "Image without tag and digest";
        ImageTag = "container.image.tag", Text, Nothing, One, ALL, "Tag of the image; `latest` where none was asked for";
        ImageDigest = "container.image.digest", Text, Nothing, One, ALL, "Digest of the image, if it was asked for by that";
        ImageId = "container.image.id", Text, Nothing, One, NONE, "Id of the image";
        Privileged = "container.privileged", Bool, Nothing, One, NONE, "It is privileged";
        Mounts = "container.mounts", Text, Nothing, One, NONE, "Its mounts";
        Mount = "container.mount", Text, Name, One, NONE, "A mount";
        MountSource = "container.mount.source", Text, Name, One, NONE, "Source of a mount";
        MountDestination = "container.mount.dest", Text, Name, One, NONE, "Destination of a mount";
        MountMode = "container.mount.mode", Text, Name, One, NONE, "Mode of a mount";
        Ip = "container.ip", Text, Nothing, One, NONE, "Its address";
        StartTime = "container.start_ts", Number, Nothing, One, NONE, "Its start, nanoseconds since 1970";
        Duration = "container.duration", Number, Nothing, One, NONE, "Nanoseconds since its start";
        Label = "container.label", Text, Name, One, NONE, "A label";
        Labels = "container.labels", Text, Nothing, One, NONE, "Its labels";
        HostPid = "container.host_pid", Bool, Nothing, One, NONE, "It shares the host's pid namespace";
        HostNetwork = "container.host_network", Bool, Nothing, One, NONE, "It shares the host's network namespace";
        HostIpc = "container.host_ipc", Bool, Nothing, One, NONE, "It shares the host's IPC namespace";
    }
}
