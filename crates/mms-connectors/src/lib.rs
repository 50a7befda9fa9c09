//! Implementations of the ports of `mms-model`: calendars, directories, meeting platforms and
//! senders of invitations. Only this crate knows a vendor's wire format.

pub mod calendar;
pub mod diagnosis;
pub mod directory;
pub mod graph;
mod parsed_file;
pub mod platform;
pub mod sender;
pub mod transport;
