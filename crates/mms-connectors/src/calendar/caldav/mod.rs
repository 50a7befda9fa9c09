//! Calendars on a CalDAV server (RFC 4791, RFC 6638).
