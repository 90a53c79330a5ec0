//! The descriptions of our own messages, for what walks them by name: field masks, JSON, CEL.

use std::sync::LazyLock;

use prost_reflect::{DescriptorPool, MessageDescriptor};

use crate::proto::FILE_DESCRIPTOR_SET;

/// All messages of `proto/`. They were compiled with this program, so that they decode.
static POOL: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(FILE_DESCRIPTOR_SET).unwrap_or_default());

/// All of them, and those of protocol buffers that they have in them.
pub(crate) fn messages() -> impl Iterator<Item = MessageDescriptor> {
    POOL.all_messages()
}

/// A message by its full name: `flow.Flow`.
pub(crate) fn message(name: &str) -> Option<MessageDescriptor> {
    POOL.get_message_by_name(name)
}
