//! Calendars in folders of `.ics` files.
