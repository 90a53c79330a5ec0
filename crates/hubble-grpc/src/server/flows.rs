//! Telling flows to one client, as it takes them.
