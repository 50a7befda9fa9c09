//! Calendar systems.

pub mod caldav;
pub mod ics_folder;
mod invites;

pub use invites::Invites;
