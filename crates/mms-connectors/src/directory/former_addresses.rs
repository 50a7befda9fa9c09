//! A directory whose users are also known by their addresses of before a move between tenants.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;
use mms_model::port::Directory;
use mms_model::{Address, Code, Identity, IdentityMap, PortError, User};

/// Finds users by a former address, too, and adds the former addresses to those that they have: their meetings still
/// name them by those.
pub struct FormerAddresses {
    directory: Arc<dyn Directory>,
    identities: Arc<IdentityMap>,
}

impl FormerAddresses {
    /// Wraps `directory`, which knows people by the targets of `identities`.
    pub fn new(directory: Arc<dyn Directory>, identities: Arc<IdentityMap>) -> Self {
        Self { directory, identities }
    }

    fn completed(&self, mut user: User) -> User {
        let mut known = user.addresses.clone();
        known.extend(
            [Some(&user.upn), user.sip.as_ref()].into_iter().flatten().map(|name| Address::new(name)),
        );
        if user.addresses.is_empty() {
            // The first address is the one that the user writes from.
            user.addresses.push(user.primary_address());
        }
        let mut owned: HashSet<Address> = user.addresses.iter().cloned().collect();
        for former in known.iter().flat_map(|address| self.identities.sources(address)) {
            if owned.insert(former.clone()) {
                user.addresses.push(former);
            }
        }
        user
    }

    /// What an identity that is an address is called now.
    fn present(&self, identity: &Identity) -> Option<Identity> {
        let (Identity::UserPrincipalName(address) | Identity::Sip(address)) = identity else { return None };
        let target = self.identities.target(&Address::new(address))?;
        Some(Identity::UserPrincipalName(target.to_string()))
    }
}

#[async_trait]
impl Directory for FormerAddresses {
    async fn resolve(&self, identity: &Identity) -> Result<User, PortError> {
        let user = match (self.directory.resolve(identity).await, self.present(identity)) {
            (Err(error), Some(present)) if error.code == Code::UserNotFound => {
                self.directory.resolve(&present).await?
            }
            (found, _) => found?,
        };
        Ok(self.completed(user))
    }

    async fn users(&self) -> Result<Vec<User>, PortError> {
        let users = self.directory.users().await?;
        Ok(users.into_iter().map(|user| self.completed(user)).collect())
    }

    async fn why_no_calendar(&self, user: &User) -> Option<String> {
        self.directory.why_no_calendar(user).await
    }
}

#[cfg(test)]
mod tests {
    use mms_model::IdentityMapRow;

    use super::*;
    use crate::directory::file::{FileDirectory, FileFormat};

    struct Outside;

    #[async_trait]
    impl Directory for Outside {
        async fn resolve(&self, _identity: &Identity) -> Result<User, PortError> {
            Err(PortError::permanent(Code::UserNotFound, "unknown"))
        }

        async fn users(&self) -> Result<Vec<User>, PortError> {
            Ok(Vec::new())
        }

        async fn why_no_calendar(&self, user: &User) -> Option<String> {
            Some(format!("{} is outside", user.upn))
        }
    }

    #[tokio::test]
    async fn why_somebody_has_no_calendar_is_what_the_directory_says() {
        let csv = b"upn\nanna@new.example\n";
        let anna = FileDirectory::parse("users.csv", FileFormat::Csv, csv, None).unwrap();
        let anna = anna.users().await.unwrap().remove(0);
        let directory = FormerAddresses::new(Arc::new(Outside), Arc::default());
        assert_eq!(directory.why_no_calendar(&anna).await.as_deref(), Some("anna@new.example is outside"));
    }

    #[tokio::test]
    async fn people_are_found_by_the_address_that_they_had() {
        let csv = b"upn,addresses\nanna@new.example,a@new.example\nbob@new.example,\n";
        let directory = FileDirectory::parse("users.csv", FileFormat::Csv, csv, None).unwrap();
        let row =
            |source: &str, target: &str| IdentityMapRow { source: source.into(), target: target.into() };
        let rows = [row("ann@old.example", "anna@new.example"), row("@old.example", "@new.example")];
        let identities = Arc::new(IdentityMap::new(&rows).unwrap());
        let directory = FormerAddresses::new(Arc::new(directory), identities);
        let resolve = async |text: &str| directory.resolve(&text.parse().unwrap()).await;

        let ann = resolve("ANN@old.example").await.unwrap();
        assert_eq!((ann.upn.as_str(), ann.primary_address().as_str()), ("anna@new.example", "a@new.example"));
        assert!(ann.owns(&Address::new("ann@old.example")) && ann.owns(&Address::new("a@old.example")));
        let bob = resolve("sip:bob@old.example").await.unwrap();
        assert_eq!(
            bob.primary_address().as_str(),
            "bob@new.example",
            "a former address is no place to write from"
        );
        assert!(bob.owns(&Address::new("bob@old.example")));
        assert_eq!(resolve("eve@old.example").await.unwrap_err().code, Code::UserNotFound);
        assert_eq!(resolve("eve@else.example").await.unwrap_err().code, Code::UserNotFound);
        let all = directory.users().await.unwrap();
        assert!(all.iter().all(|user| user.addresses.iter().any(|a| a.as_str().ends_with("@old.example"))));
    }
}
