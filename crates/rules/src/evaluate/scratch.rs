//! Memory that evaluation uses again and again.

/// Memory for evaluating events, one after the other. Made once, for one thread.
#[derive(Debug, Default)]
pub struct Scratch {
    /// What is known of each predicate for the event at hand: 0 nothing yet, else a truth and 1.
    pub(crate) memo: Vec<u8>,
    pub(crate) buffers: Buffers,
}

/// Buffers for values that are made of others.
#[derive(Debug, Default)]
pub(crate) struct Buffers {
    pub left: Made,
    pub right: Made,
    /// Where values are spelled that have to be.
    pub names: Vec<u8>,
}

/// Where an operand's value is made.
#[derive(Debug, Default)]
pub(crate) struct Made(pub Vec<u8>);
