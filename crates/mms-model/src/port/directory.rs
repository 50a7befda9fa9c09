use async_trait::async_trait;

use crate::{Identity, PortError, User};

/// Users and their identities.
#[async_trait]
pub trait Directory: Send + Sync {
    /// The user that `identity` names.
    ///
    /// # Errors
    /// `UserNotFound`, or `UserAmbiguous` with the candidates, each naming what was looked for.
    async fn resolve(&self, identity: &Identity) -> Result<User, PortError>;

    /// Every user, in the directory's order.
    ///
    /// # Errors
    /// `DirectoryError`.
    async fn users(&self) -> Result<Vec<User>, PortError>;
}
