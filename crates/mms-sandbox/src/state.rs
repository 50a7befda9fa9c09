//! What all requests share: the organisation, the faults, and what was counted.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::ews::Made;
use crate::faults::Faults;
use crate::graph::{Limits, Meetings, Tokens};
use crate::organisation::Organisation;
use crate::ucwa::Ucwa;

pub(crate) struct Shared {
    pub(crate) organisation: Organisation,
    pub(crate) tokens: Tokens,
    pub(crate) meetings: Meetings,
    pub(crate) limits: Limits,
    pub(crate) ucwa: Ucwa,
    pub(crate) made: Made,
    end_point: Option<Vec<u8>>,
    faults: Mutex<Faults>,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    /// Requests by operation.
    requests: BTreeMap<String, u64>,
    /// Requests inside batches, by method.
    batched: BTreeMap<String, u64>,
    /// Connections that were signed in by NTLM.
    sign_ins: u64,
    /// Response codes other than success.
    refusals: BTreeMap<String, u64>,
    /// Updates that were mailed, by event and attendee.
    mails: BTreeMap<(String, String), u64>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(organisation: Organisation, end_point: Option<Vec<u8>>) -> Self {
        Self {
            organisation,
            tokens: Tokens::default(),
            meetings: Meetings::default(),
            limits: Limits::default(),
            ucwa: Ucwa::default(),
            made: Made::default(),
            end_point,
            faults: Mutex::default(),
            counts: Mutex::default(),
        }
    }

    pub(crate) fn faults(&self) -> Faults {
        locked(&self.faults).clone()
    }

    pub(crate) fn set_faults(&self, faults: Faults) {
        *locked(&self.faults) = faults;
    }

    pub(crate) fn count_request(&self, operation: &str) {
        *locked(&self.counts).requests.entry(operation.to_owned()).or_default() += 1;
    }

    pub(crate) fn count_sign_in(&self) {
        locked(&self.counts).sign_ins += 1;
    }

    pub(crate) fn count_batched(&self, method: &str) {
        *locked(&self.counts).batched.entry(method.to_owned()).or_default() += 1;
    }

    /// Whether a user's mailbox does not exist any more.
    pub(crate) fn has_vanished(&self, user: usize) -> bool {
        let vanished = locked(&self.faults).vanished.clone();
        vanished.is_some_and(|address| self.organisation.find(&address) == Some(user))
    }

    /// What URLs of this server begin with.
    pub(crate) fn scheme(&self) -> &'static str {
        if self.end_point.is_some() { "https" } else { "http" }
    }

    /// What a channel binding names the certificate by; none without TLS.
    pub(crate) fn end_point(&self) -> Option<&[u8]> {
        self.end_point.as_deref()
    }

    pub(crate) fn count_refusal(&self, code: &str) {
        *locked(&self.counts).refusals.entry(code.to_owned()).or_default() += 1;
    }

    pub(crate) fn mail(&self, event: &str, attendees: impl IntoIterator<Item = String>) {
        let mut counts = locked(&self.counts);
        for attendee in attendees {
            *counts.mails.entry((event.to_owned(), attendee)).or_default() += 1;
        }
    }

    pub(crate) fn report(&self) -> Value {
        let counts = locked(&self.counts);
        let mails: Vec<Value> = counts
            .mails
            .iter()
            .map(|((event, attendee), count)| json!({"event": event, "attendee": attendee, "count": count}))
            .collect();
        json!({
            "requests": counts.requests,
            "batched": counts.batched,
            "requestsInAll": counts.requests.values().sum::<u64>(),
            "signIns": counts.sign_ins,
            "refusals": counts.refusals,
            "inFlightSeconds": self.limits.in_flight().as_secs_f64(),
            "mails": mails,
            "ucwa": self.ucwa.report(),
        })
    }
}
