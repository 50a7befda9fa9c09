//! Triggers: who wants whom migrated.

use std::time::Duration;

use jiff::Timestamp;
use mms_model::port::{Enqueue, Enqueued};
use mms_model::{Identity, MigrationType, Platform, RequestId, SourceMeetingType, TargetMeetingType, User};

use crate::{Engine, EngineError, Switch};

/// Why a migration is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    /// An administrator asks; refused where migrations are switched off.
    Manual,
    /// Something happened; ignored where migrations are switched off.
    Automatic,
}

/// Why there is no such migration here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnknownType {
    /// No meeting can be on this platform: it is neither known nor configured.
    #[error("\"{name}\" is no source of meetings: use {}", known.join(", "))]
    Source {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// No meeting can go to this platform: it is not configured.
    #[error(
        "{}: the platform {name} is not configured ({})",
        mms_model::Code::PlatformNotConfigured,
        configured(known)
    )]
    Target {
        /// What was asked for.
        name: Platform,
        /// What is configured.
        known: Vec<String>,
    },
}

fn configured(names: &[String]) -> String {
    if names.is_empty() { "none is".to_owned() } else { format!("configured: {}", names.join(", ")) }
}

/// A migration to be started.
#[derive(Debug, Clone)]
pub struct Start {
    /// Whose.
    pub user: User,
    /// From what to where.
    pub migration: MigrationType,
    /// Why.
    pub trigger: Trigger,
    /// Without the grace period.
    pub at_once: bool,
    /// Earliest instant (a batch's pace).
    pub not_before: Option<Timestamp>,
    /// The same for the same trigger that comes again (a batch that is resumed); none for a new one.
    pub id: Option<RequestId>,
    /// Who asks.
    pub requested_by: String,
}

impl Start {
    /// An administrator's start of `migration` for `user`, after the grace period.
    pub fn manual(user: User, migration: MigrationType, requested_by: impl Into<String>) -> Self {
        let requested_by = requested_by.into();
        Self {
            user,
            migration,
            trigger: Trigger::Manual,
            at_once: false,
            not_before: None,
            id: None,
            requested_by,
        }
    }

    /// Skips the grace period.
    #[must_use]
    pub fn at_once(self) -> Self {
        Self { at_once: true, ..self }
    }
}

impl Engine {
    /// The user that an administrator names.
    ///
    /// # Errors
    /// Unknown or ambiguous, naming what was looked for.
    pub async fn resolve(&self, identity: &Identity) -> Result<User, EngineError> {
        Ok(self.connectors.directory.resolve(identity).await?)
    }

    /// The migration from `source` to `target`, its platforms spelled as they are configured.
    ///
    /// # Errors
    /// Meetings cannot be there, or cannot go there; with what can be asked for.
    pub fn migration(
        &self,
        source: SourceMeetingType,
        target: TargetMeetingType,
    ) -> Result<MigrationType, UnknownType> {
        let configured: Vec<Platform> = self.connectors.platforms.iter().map(|p| p.platform()).collect();
        let migration = MigrationType { source, target }.spelled_as(&configured);
        if let SourceMeetingType::Platform(name) = &migration.source
            && !Platform::KNOWN.contains(name)
            && !configured.contains(name)
        {
            let own = configured.iter().filter(|p| !Platform::KNOWN.contains(p));
            let known = std::iter::once("All".to_owned())
                .chain(Platform::KNOWN.iter().chain(own).map(Platform::to_string))
                .collect();
            return Err(UnknownType::Source { name: name.to_string(), known });
        }
        if let TargetMeetingType::Platform(name) = &migration.target
            && !configured.contains(name)
        {
            let known = configured.iter().map(Platform::to_string).collect();
            return Err(UnknownType::Target { name: name.clone(), known });
        }
        Ok(migration)
    }

    /// Makes a request, or joins the user's waiting one. `None` where an automatic trigger comes while migrations
    /// are switched off.
    ///
    /// # Errors
    /// [`EngineError::Disabled`] for a manual start while migrations are switched off; the store's.
    pub async fn start(&self, start: Start) -> Result<Option<Enqueued>, EngineError> {
        if !self.is_on(Switch::MeetingMigration).await? {
            return match start.trigger {
                Trigger::Manual => Err(EngineError::Disabled),
                Trigger::Automatic => Ok(None),
            };
        }
        let trigger = Enqueue {
            id: start.id.unwrap_or_else(|| RequestId(self.ids.uuid())),
            user: start.user,
            migration: start.migration,
            now: self.clock.now(),
            grace: if start.at_once { Duration::ZERO } else { self.settings.grace },
            not_before: start.not_before,
            requested_by: start.requested_by.clone(),
        };
        let enqueued = self.store.enqueue(trigger).await?;
        let action = match enqueued {
            Enqueued::New(_) => Some("StartMigration"),
            Enqueued::Joined(_) => Some("JoinMigration"),
            Enqueued::Known(_) => None,
        };
        if let Some(action) = action {
            let request = enqueued.request();
            let detail = format!("{} {}", request.migration, request.id);
            self.note(&start.requested_by, action, &request.user.upn, &detail).await?;
        }
        Ok(Some(enqueued))
    }
}
