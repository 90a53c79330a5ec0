//! Messages of CRI on the wire, written by hand so that they may be wrong.

/// A field of bytes, of text or of a message.
pub fn field(number: u64, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut out = varint(number << 3 | 2);
    out.extend(varint(content.len() as u64));
    out.extend_from_slice(content);
    out
}

/// A field that is a number.
pub fn number(field: u64, value: u64) -> Vec<u8> {
    [varint(field << 3), varint(value)].concat()
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

/// An entry of a map in this field.
pub fn entry(number: u64, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Vec<u8> {
    field(number, [field(1, key), field(2, value)].concat())
}

pub fn version() -> Vec<u8> {
    [field(1, "0.1.0"), field(2, "fake"), field(3, "9.9"), field(4, "v1")].concat()
}

/// One line of ListContainers, which runs.
pub fn listed_container(id: impl AsRef<[u8]>, sandbox: &str) -> Vec<u8> {
    field(1, [field(1, id), field(2, sandbox), number(6, 1)].concat())
}

/// One line of ListPodSandbox, which is ready.
pub fn listed_pod(id: &str) -> Vec<u8> {
    field(1, field(1, id))
}

/// The status of a running container, with what else is to be in it.
pub fn container_status(id: &str, more: &[u8], info: &str) -> Vec<u8> {
    let metadata = field(2, field(1, format!("name-of-{id}")));
    let status = [field(1, id), metadata, number(3, 1), more.to_vec()].concat();
    [field(1, status), entry(2, "info", info)].concat()
}

/// The status of a pod on the host's network.
pub fn pod_status(id: &str) -> Vec<u8> {
    let metadata = field(2, [field(1, format!("name-of-{id}")), field(3, "fake")].concat());
    let linux = field(6, field(1, field(2, number(1, 2))));
    field(1, [field(1, id), metadata, linux].concat())
}

/// An event about a container.
pub fn event(id: &str) -> Vec<u8> {
    [field(1, id), number(2, 1)].concat()
}
