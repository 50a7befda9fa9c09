//! Calendar systems.

pub mod caldav;
mod editor;
pub mod ews;
mod exchange;
mod exchange_calendar;
pub mod graph;
pub mod ics_folder;
mod invites;

pub use invites::Invites;
