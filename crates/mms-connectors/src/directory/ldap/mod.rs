//! Users in an LDAP directory: Active Directory, with the attributes of Exchange and of Skype for Business.
//!
//! Everything is asked when it is needed; nothing is kept but the connection and the NetBIOS names of the domains.
//! Referrals to other domains are not followed: a global catalog (port 3269) knows the users of a whole forest.

mod connection;
mod diagnosis;
mod entry;
mod mailbox;
mod query;
mod settings;

use async_trait::async_trait;
use ldap3::{Scope, SearchEntry};
use mms_model::port::Directory;
use mms_model::{Identity, PortError, User};
use tokio::sync::OnceCell;

pub use diagnosis::diagnose;
pub use settings::LdapDirectorySettings;

use connection::Connection;
use entry::{ATTRIBUTES, Domain};
use query::{Place, Query, queries};

/// Users of an LDAP directory.
pub struct LdapDirectory {
    connection: Connection,
    settings: LdapDirectorySettings,
    /// The only calendar that is configured, for users whose entry tells of none.
    only_calendar: Option<String>,
    domains: OnceCell<Vec<Domain>>,
}

impl LdapDirectory {
    /// Prepares the way to the server; nothing is sent yet.
    ///
    /// # Errors
    /// `DirectoryError` with the setting that cannot work.
    pub fn new(settings: LdapDirectorySettings, only_calendar: Option<String>) -> Result<Self, PortError> {
        let connection = Connection::new(&settings)?;
        Ok(Self { connection, settings, only_calendar, domains: OnceCell::new() })
    }

    fn attributes(&self) -> Vec<&str> {
        let place = self.settings.place_attribute.as_deref();
        ATTRIBUTES.into_iter().chain(mailbox::ATTRIBUTES).chain(place).collect()
    }

    /// The domains of the forest with their NetBIOS names; none where the server is no Active Directory.
    async fn domains(&self) -> Result<&[Domain], PortError> {
        let domains = self.domains.get_or_try_init(|| async {
            let root =
                self.connection.search("", Scope::Base, "(objectClass=*)", &["configurationNamingContext"]);
            let root = root.await?;
            let named = |entry: &SearchEntry, name: &str| {
                let mut attributes = entry.attrs.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
                attributes.find_map(|(_, values)| values.first().cloned())
            };
            let Some(configuration) = root.first().and_then(|root| named(root, "configurationNamingContext"))
            else {
                return Ok(Vec::new());
            };
            let partitions = format!("CN=Partitions,{configuration}");
            let filter = "(&(objectClass=crossRef)(nETBIOSName=*))";
            let found =
                self.connection.search(&partitions, Scope::OneLevel, filter, &["nCName", "nETBIOSName"]);
            let domain = |entry: &SearchEntry| {
                Some(Domain { context: named(entry, "nCName")?, netbios: named(entry, "nETBIOSName")? })
            };
            Ok::<_, PortError>(found.await?.iter().filter_map(domain).collect())
        });
        domains.await.map(Vec::as_slice)
    }

    async fn find(&self, query: &Query) -> Result<Vec<User>, PortError> {
        let entries = self.entries(query).await?;
        self.users_of(&entries).await
    }

    async fn entries(&self, query: &Query) -> Result<Vec<SearchEntry>, PortError> {
        let filter = format!("(&{}{})", self.settings.filter, query.filter);
        let (base, scope) = match &query.place {
            Place::Base => (self.settings.base.clone(), Scope::Subtree),
            Place::Entry(name) => (name.clone(), Scope::Base),
            Place::Domain(netbios) => {
                let domains = self.domains().await?;
                match domains.iter().find(|domain| domain.netbios.eq_ignore_ascii_case(netbios)) {
                    Some(domain) => (domain.context.clone(), Scope::Subtree),
                    None => return Ok(Vec::new()),
                }
            }
        };
        self.connection.search(&base, scope, &filter, &self.attributes()).await
    }

    async fn users_of(&self, entries: &[SearchEntry]) -> Result<Vec<User>, PortError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let domains = self.domains().await?;
        let only = self.only_calendar.as_deref();
        Ok(entries.iter().filter_map(|entry| entry::user(entry, domains, &self.settings, only)).collect())
    }
}

#[async_trait]
impl Directory for LdapDirectory {
    async fn resolve(&self, identity: &Identity) -> Result<User, PortError> {
        for query in queries(identity) {
            let found = self.find(&query).await?;
            if !found.is_empty() {
                return super::only(identity, &found.iter().collect::<Vec<_>>()).cloned();
            }
        }
        super::only(identity, &[]).cloned()
    }

    async fn users(&self) -> Result<Vec<User>, PortError> {
        let base = &self.settings.base;
        let entries =
            self.connection.search(base, Scope::Subtree, &self.settings.filter, &self.attributes()).await?;
        let mut users = self.users_of(&entries).await?;
        users.sort_by_cached_key(|user| user.upn.to_lowercase());
        Ok(users)
    }

    async fn why_no_calendar(&self, user: &User) -> Option<String> {
        // Whoever has no object id has one that is made of the name.
        let identity = Identity::DistinguishedName(user.distinguished_name.clone()?);
        let entries = self.entries(queries(&identity).first()?).await.ok()?;
        mailbox::calendar(entries.first()?, &self.settings, self.only_calendar.as_deref()).err()
    }
}
