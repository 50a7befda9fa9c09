use crate::graph::access_settings;

access_settings! {
    /// `[directory]` with `kind = "graph"`: the users of a tenant.
    GraphDirectorySettings {
        /// Which users there are, an OData filter of Graph: `accountEnabled eq true`. All of them where it is absent.
        #[serde(default)]
        filter: Option<String>,
        /// The NAME of the calendar of users whose mailbox is in Exchange Online.
        #[serde(default)]
        calendar_online: Option<String>,
        /// The NAME of the calendar of all other users.
        #[serde(default)]
        calendar: Option<String>,
        /// Users in one answer.
        #[serde(default = "default_page_size")]
        page_size: u32,
    }
}

/// The most that Graph gives.
fn default_page_size() -> u32 {
    999
}
