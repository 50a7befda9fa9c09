//! Directories of users.
