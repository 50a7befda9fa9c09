//! Senders of invitations, for calendars that do not send updates themselves.

pub mod smtp;
