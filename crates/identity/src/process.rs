//! Processes and their ancestors.
