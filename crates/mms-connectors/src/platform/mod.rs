//! Platforms that meetings can be moved to.
