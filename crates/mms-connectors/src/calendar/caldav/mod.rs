//! Calendars on a CalDAV server (RFC 4791, RFC 6638).

mod location;
mod multistatus;
mod settings;

pub use settings::{Auth, CalDavSettings, SchedulingChoice};
