//! `container.*`: the container that the process is in.

use super::{EventTypes, fields};

const ALL: EventTypes = EventTypes::CAPTURED;

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
        ImageDigest = "container.image.digest", Text, Nothing, One, ALL,
        "Digest of the image: that it was asked for by, or that its registry has it by";
        ImageId = "container.image.id", Text, Nothing, One, ALL, "First 12 digits of the id of the image";
        Privileged = "container.privileged", Bool, Nothing, One, ALL,
        "It is privileged: it was asked to be; where nobody tells that, it has all capabilities and devices, no seccomp and no masked paths";
        Mounts = "container.mounts", Text, Nothing, One, ALL,
        "Host paths in it, with blanks between: `source:dest:mode:rdwr:propagation`";
        Mount = "container.mount", Text, Mount, One, ALL, "A mount, in that form; none if there is no such mount";
        MountSource = "container.mount.source", Text, Mount, One, ALL, "Path of a mount on the host";
        MountDestination = "container.mount.dest", Text, Mount, One, ALL, "Path of a mount in the container";
        MountMode = "container.mount.mode", Text, Mount, One, ALL, "Mode of a mount: `ro` or `rw`";
        MountIsWritable = "container.mount.rdwr", Text, Mount, One, ALL, "The container can write to a mount: `true` or `false`";
        MountPropagation = "container.mount.propagation", Text, Mount, One, ALL,
        "Propagation of a mount: `private`, `rslave` or `rshared`";
        Ip = "container.ip", Text, Nothing, One, ALL, "Primary address of its pod; none in the host's network";
        NetworkJson = "container.cni.json", Text, Nothing, One, ALL,
        "What network plugins answered for its pod, as JSON, if the runtime tells that and it is no longer than 8 KiB";
        StartTime = "container.start_ts", Number, Nothing, One, ALL,
        "Its start as the runtime has it, nanoseconds since 1970; not known before the runtime says that it runs";
        Duration = "container.duration", Number, Nothing, One, ALL, "Nanoseconds since that start";
        Label = "container.label", Text, Name, One, ALL, "A label of the container, not of its pod";
        Labels = "container.labels", Text, Nothing, One, ALL, "Its labels: `key:value` with commas between";
        HostPid = "container.host_pid", Bool, Nothing, One, ALL, "It shares the host's pid namespace";
        HostNetwork = "container.host_network", Bool, Nothing, One, ALL, "It shares the host's network namespace";
        HostIpc = "container.host_ipc", Bool, Nothing, One, ALL, "It shares the host's IPC namespace";
    }
}
