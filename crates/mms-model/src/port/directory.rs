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

    /// Why `user` has no calendar, where the directory can tell: what it shows of them and what to do, as the end of a
    /// sentence.
    async fn why_no_calendar(&self, _user: &User) -> Option<String> {
        None
    }
}
