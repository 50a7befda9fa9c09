use mms_model::port::StoreError;
use mms_model::{PortError, RequestId};

use crate::UnknownType;

/// What the engine answers when it cannot do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The store failed, or the lease was lost.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A calendar, a platform or the directory failed.
    #[error(transparent)]
    Port(#[from] PortError),
    /// There is no such migration here.
    #[error(transparent)]
    Unknown(#[from] UnknownType),
    /// Migrations are switched off.
    #[error(
        "MigrationDisabled: migrations are switched off for the tenant: run Set-CsTenantMigrationConfiguration \
         -MeetingMigrationEnabled $true first"
    )]
    Disabled,
    /// No such request.
    #[error("there is no migration request {0}: list them with mms status")]
    NoSuchRequest(RequestId),
    /// Somebody else has the request or another one of its user, or it is in the wrong state.
    #[error("the request {0} cannot be worked on now: {1}")]
    NotAvailable(RequestId, &'static str),
}
