use async_trait::async_trait;
use jiff::Timestamp;

use crate::{Address, JoinInformation, OnlineMeeting, Platform, PortError};

/// A meeting to be made on a platform.
#[derive(Debug, Clone)]
pub struct ProvisionRequest {
    /// The same for the same old meeting, whoever asks and however often: the idempotency key.
    pub external_id: String,
    /// The meeting that is left.
    pub old: OnlineMeeting,
    /// Subject.
    pub subject: String,
    /// Organizer.
    pub organizer: Address,
    /// Start of the first occurrence.
    pub start: Option<Timestamp>,
    /// End of the last occurrence, where the series ends.
    pub last_end: Option<Timestamp>,
    /// Language of the block.
    pub language: String,
}

/// A platform that meetings can be moved to.
#[async_trait]
pub trait MeetingPlatform: Send + Sync {
    /// Its name in `TargetMeetingType`.
    fn platform(&self) -> Platform;

    /// Whether `meeting` is one of this very platform installation (own server, own tenant), so that it needs no
    /// move.
    fn holds(&self, meeting: &OnlineMeeting) -> bool;

    /// Makes the meeting, or finds the one made before under the same external id.
    ///
    /// # Errors
    /// `PlatformError` with a kind.
    async fn provision(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError>;

    /// What [`MeetingPlatform::provision`] would answer, without making anything: for previews. The default suits
    /// platforms whose provisioning only computes; others override it.
    ///
    /// # Errors
    /// As for provisioning.
    async fn preview(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        self.provision(request).await
    }

    /// The current coordinates of a meeting that is held here already.
    ///
    /// # Errors
    /// `PlatformError` with a kind.
    async fn refresh(&self, meeting: &OnlineMeeting) -> Result<JoinInformation, PortError>;

    /// Gives a provisioned meeting up again, after a rollback. Does nothing where there is nothing to give up.
    ///
    /// # Errors
    /// `PlatformError` with a kind.
    async fn release(&self, external_id: &str) -> Result<(), PortError>;
}
