//! Calendar systems.

pub mod caldav;
pub mod ics_folder;
