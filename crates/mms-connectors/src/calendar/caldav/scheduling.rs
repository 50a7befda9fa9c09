//! Who sends updates to attendees: the server (RFC 6638) or MMS.

use mms_model::port::Scheduling;

use super::settings::SchedulingChoice;

/// What a server says of itself that bears on scheduling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ServerTraits {
    /// `calendar-auto-schedule` in the `DAV` header.
    pub claims: bool,
    /// `access-control` in the `DAV` header.
    pub access_control: bool,
    /// Whether the principal has a scheduling outbox.
    pub has_outbox: bool,
}

/// Decides, with the reason for an administrator.
///
/// A server that schedules needs WebDAV access control for its scheduling privileges (RFC 6638 section
/// 6 builds on RFC 3744). Xandikos announces `calendar-auto-schedule`, has an outbox and delivers
/// nothing on a PUT; it lacks `access-control`, and that gives it away without asking for its name, which
/// it does not say.
pub(super) fn decide(choice: SchedulingChoice, traits: &ServerTraits) -> (Scheduling, &'static str) {
    match choice {
        SchedulingChoice::Server => (Scheduling::Server, "the settings say that the server sends updates"),
        SchedulingChoice::Client => (Scheduling::Client, "the settings say that MMS sends updates"),
        SchedulingChoice::Auto if !traits.claims => {
            (Scheduling::Client, "the server does not announce calendar-auto-schedule")
        }
        SchedulingChoice::Auto if !traits.has_outbox => {
            (Scheduling::Client, "the user has no scheduling outbox")
        }
        SchedulingChoice::Auto if !traits.access_control => (
            Scheduling::Client,
            "the server announces calendar-auto-schedule, but not the access control that scheduling needs",
        ),
        SchedulingChoice::Auto => (
            Scheduling::Server,
            "the server announces calendar-auto-schedule and the user has a scheduling outbox",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_alone_is_not_believed() {
        let traits = |claims, access_control, has_outbox| ServerTraits { claims, access_control, has_outbox };
        let auto = |t: ServerTraits| decide(SchedulingChoice::Auto, &t).0;
        assert_eq!(auto(traits(true, true, true)), Scheduling::Server);
        assert_eq!(auto(traits(true, false, true)), Scheduling::Client, "as Xandikos");
        assert_eq!(auto(traits(true, true, false)), Scheduling::Client);
        assert_eq!(auto(traits(false, true, true)), Scheduling::Client);
    }

    #[test]
    fn the_administrator_has_the_last_word() {
        let none = ServerTraits::default();
        assert_eq!(decide(SchedulingChoice::Server, &none).0, Scheduling::Server);
        let all = ServerTraits { claims: true, access_control: true, has_outbox: true };
        assert_eq!(decide(SchedulingChoice::Client, &all).0, Scheduling::Client);
    }
}
