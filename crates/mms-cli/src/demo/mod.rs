//! What `mms demo` shows: an organisation, and a mail server that only counts.

pub mod organisation;
pub mod post_box;
