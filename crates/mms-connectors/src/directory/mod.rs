//! Directories of users.

pub mod file;
