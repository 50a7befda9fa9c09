//! What goes wrong on demand.

use serde::Deserialize;

/// What goes wrong. Shares are of requests, from 0 to 1.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// Milliseconds before each answer.
    pub latency_ms: u64,
    /// Requests that are answered with `ErrorServerBusy`.
    pub busy: f64,
    /// `BackOffMilliseconds` of these answers.
    pub back_off_ms: u64,
    /// Requests whose connection is broken off: half of the answer comes.
    pub broken: f64,
    /// Writes that are done although their connection is broken off.
    pub lost_answers: f64,
    /// The account may not act for users.
    pub impersonation_denied: bool,
    /// No application access policy lets the application make meetings.
    pub no_access_policy: bool,
    /// For how many seconds a token is good; an hour where it is not said.
    pub token_seconds: Option<u64>,
    /// Whether the limits of each mailbox hold: four requests at a time, ten thousand in ten minutes.
    pub limits: bool,
    /// A mailbox that does not exist any more, by its address.
    pub vanished: Option<String>,
    /// Writes before which an attendee's answer comes in, so that the change key is another.
    pub answers_meanwhile: f64,
    /// The pool of Skype for Business Server that users are homed on; another number moves them, and the old pool is gone.
    pub pool: u32,
    /// A user whom the organisation moved to Skype for Business Online, by address.
    pub homed_online: Option<String>,
    /// Lists of online meetings say but their ids.
    pub short_listings: bool,
    /// Basic authentication is off, as in most organisations.
    pub no_basic: bool,
    /// NTLM without a channel binding is refused over TLS (Extended Protection set to `Require`).
    pub channel_binding_required: bool,
    /// Sign-ins by NTLM whose connection is closed along with the challenge.
    pub dropped_challenges: f64,
    /// Every answer closes its connection, so that the next request has to sign in again.
    pub no_keep_alive: bool,
}
