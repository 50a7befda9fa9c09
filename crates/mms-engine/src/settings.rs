use std::sync::Arc;
use std::time::Duration;

use mms_model::{AttendeeChoice, IdentityMap};

/// How migrations run.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineSettings {
    /// How long a request waits for other triggers. 90 minutes.
    pub grace: Duration,
    /// Meetings with more people than that, the organizer included, fail; 0 for no limit. 250.
    pub max_attendees: usize,
    /// How often a request is tried again; at most 9. 9.
    pub retries: u32,
    /// How long originals are kept for rollback. 30 days.
    pub retention_originals: Duration,
    /// How long requests that ended are kept. 365 days.
    pub retention_history: Duration,
    /// Who is told. All.
    pub notify: AttendeeChoice,
    /// The organisation's own mail domains, in lower case: what [`AttendeeChoice::External`] leaves out. Empty
    /// means the domains of the user's addresses, without those that `identities` maps to others.
    pub internal_domains: Vec<String>,
    /// Raise SEQUENCE, for clients that ignore an update without. No.
    pub raise_sequence: bool,
    /// Meetings at a time. 200.
    pub page_size: u32,
    /// Users at a time. 4.
    pub workers: usize,
    /// How long a claim holds without a heartbeat. 5 minutes.
    pub lease: Duration,
    /// Names the organisation in external ids. Empty.
    pub tenant: String,
    /// Language of a block where the old one shows none (BCP 47 primary tag). `en`.
    pub default_language: String,
    /// Who got another address by a move between tenants. Nobody.
    pub identities: Arc<IdentityMap>,
}

impl Default for EngineSettings {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self {
            grace: Duration::from_secs(90 * 60),
            max_attendees: 250,
            retries: crate::MAX_RETRIES,
            retention_originals: Duration::from_secs(30 * DAY),
            retention_history: Duration::from_secs(365 * DAY),
            notify: AttendeeChoice::All,
            internal_domains: Vec::new(),
            raise_sequence: false,
            page_size: 200,
            workers: 4,
            lease: Duration::from_secs(300),
            tenant: String::new(),
            default_language: "en".to_owned(),
            identities: Arc::default(),
        }
    }
}
