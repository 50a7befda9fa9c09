//! Who did what, noted where it is done, so that every way to do it is in the trail.

use jiff::Timestamp;
use mms_model::AuditEntry;
use mms_model::port::{RequestStore, StoreError};

use crate::Engine;

/// Notes what `actor` did.
///
/// # Errors
/// The store's.
pub async fn audit(
    store: &dyn RequestStore,
    actor: &str,
    action: &str,
    target: &str,
    detail: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let [actor, action, target, detail] = [actor, action, target, detail].map(str::to_owned);
    store.audit(&AuditEntry { at: now, actor, action, target, detail }).await
}

impl Engine {
    /// As [`audit`], now.
    pub(crate) async fn note(
        &self,
        actor: &str,
        action: &str,
        target: &str,
        detail: &str,
    ) -> Result<(), StoreError> {
        audit(&*self.store, actor, action, target, detail, self.clock.now()).await
    }

    /// What was done, the newest first, each with its number; `before` is the last number of the page before.
    ///
    /// # Errors
    /// The store's.
    pub async fn audit_trail(
        &self,
        before: Option<i64>,
        limit: u32,
    ) -> Result<Vec<(i64, AuditEntry)>, StoreError> {
        self.store.audit_trail(before, limit).await
    }
}
