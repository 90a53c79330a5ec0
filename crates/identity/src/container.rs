//! Containers by cgroup.
