//! What the tenant's administrators switch on and off. Each switch is on unless somebody switched it off.

use jiff::Timestamp;
use mms_model::port::{RequestStore, StoreError};

use crate::{Engine, audit};

/// A setting of the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// `MeetingMigrationEnabled`: whether migrations run at all.
    MeetingMigration,
    /// `AutomaticallyMigrateUserMeetings`: whether a change of audio conferencing refreshes a user's meetings.
    AutomaticMigration,
}

impl Switch {
    /// The name that the cmdlets have for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::MeetingMigration => "MeetingMigrationEnabled",
            Self::AutomaticMigration => "AutomaticallyMigrateUserMeetings",
        }
    }

    /// Whether it is on.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_on(self, store: &dyn RequestStore) -> Result<bool, StoreError> {
        Ok(store.setting(self.name()).await?.is_none_or(|value| value != "false"))
    }

    /// Switches it, and notes who did.
    ///
    /// # Errors
    /// The store's.
    pub async fn set(
        self,
        store: &dyn RequestStore,
        on: bool,
        by: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let value = if on { "true" } else { "false" };
        store.set_setting(self.name(), value).await?;
        audit(store, by, "ChangeSetting", self.name(), value, now).await
    }
}

impl Engine {
    /// Whether `switch` is on.
    ///
    /// # Errors
    /// The store's.
    pub async fn is_on(&self, switch: Switch) -> Result<bool, StoreError> {
        switch.is_on(&*self.store).await
    }

    /// Switches `switch`, and notes who did.
    ///
    /// # Errors
    /// The store's.
    pub async fn set_switch(&self, switch: Switch, on: bool, by: &str) -> Result<(), StoreError> {
        switch.set(&*self.store, on, by, self.clock.now()).await
    }
}
