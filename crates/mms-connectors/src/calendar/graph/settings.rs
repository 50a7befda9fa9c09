use crate::graph::access_settings;

access_settings! {
    /// `[calendar.NAME]` with `kind = "graph"`: the mailboxes of a tenant in Exchange Online. A user's mailbox is found
    /// by `place` in the directory, or else by the UPN.
    GraphCalendarSettings {
        /// For how many days ahead changed occurrences of a series are looked for. Meetings are found however far
        /// ahead they lie.
        #[serde(default = "default_horizon_days")]
        horizon_days: u32,
        /// Events that are read together.
        #[serde(default = "default_page_size")]
        page_size: usize,
        /// How many attendees may be told in the name of one organizer within 24 hours; the other meetings wait. 0 for
        /// no limit.
        #[serde(default = "default_recipients_per_day")]
        recipients_per_day: u32,
    }
}

fn default_horizon_days() -> u32 {
    730
}

fn default_page_size() -> usize {
    200
}

/// Exchange Online lets a mailbox send to 10,000 recipients a day. The rest is the organizer's own.
fn default_recipients_per_day() -> u32 {
    8_000
}
