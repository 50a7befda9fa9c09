//! Users of a tenant, by Microsoft Graph. Everything is asked when it is needed; nothing is kept.

mod diagnosis;
mod query;
mod settings;
mod user;

use async_trait::async_trait;
use mms_model::port::Directory;
use mms_model::{Code, Identity, PortError, User};
use reqwest::header::HeaderName;
use serde_json::Value;

pub use diagnosis::diagnose;
pub use settings::GraphDirectorySettings;

use crate::graph::{GraphClient, GraphError, Side, path, query as with_query};
use query::{Query, queries};

/// The most pages of one listing, against links that lead nowhere new.
const MOST_PAGES: usize = 10_000;
/// Filters by on-premises properties need it (Graph, advanced query capabilities); others take it.
const EVENTUAL: (HeaderName, &str) = (HeaderName::from_static("consistencylevel"), "eventual");

/// The users of a tenant.
pub struct GraphDirectory {
    client: GraphClient,
    settings: GraphDirectorySettings,
    /// The only calendar that is configured, for users of whom nothing else is said.
    only_calendar: Option<String>,
}

impl GraphDirectory {
    /// Prepares the way to the tenant; nothing is sent yet.
    ///
    /// # Errors
    /// `DirectoryError` with the setting that cannot work.
    pub fn new(settings: GraphDirectorySettings, only_calendar: Option<String>) -> Result<Self, PortError> {
        let wrong = |problem: String| PortError::permanent(Code::DirectoryError, problem);
        let access =
            settings.access().map_err(|(key, problem)| wrong(format!("[directory] {key}: {problem}")))?;
        let client = GraphClient::new(&access).map_err(|error| wrong(format!("[directory] {error}")))?;
        Ok(Self { client, settings, only_calendar })
    }

    fn read(&self, json: &Value) -> Option<User> {
        user::read(json, &self.settings, self.only_calendar.as_deref())
    }

    async fn find(&self, query: &Query) -> Result<Vec<User>, PortError> {
        Ok(self.answers(query).await?.iter().filter_map(|json| self.read(json)).collect())
    }

    async fn answers(&self, query: &Query) -> Result<Vec<Value>, PortError> {
        let failed = |error: GraphError| error.into_port(Side::Directory, "looking for a user in the tenant");
        match query {
            Query::Key(key) => {
                let one = with_query(&path(["users", key]), [("$select", user::FIELDS)]);
                match self.client.get(&one, &[], None).await {
                    Ok(json) => Ok(vec![json]),
                    Err(error) if matches!(error.status(), Some(400 | 404)) => Ok(Vec::new()),
                    Err(error) => Err(failed(error)),
                }
            }
            Query::Filter(filter) => {
                let options = [("$filter", filter.as_str()), ("$select", user::FIELDS), ("$count", "true")];
                let found = self.client.get(&with_query("/users", options), &[EVENTUAL], None).await;
                let mut found = found.map_err(failed)?;
                Ok(match found["value"].take() {
                    Value::Array(found) => found,
                    _ => Vec::new(),
                })
            }
        }
    }
}

#[async_trait]
impl Directory for GraphDirectory {
    async fn resolve(&self, identity: &Identity) -> Result<User, PortError> {
        for query in queries(identity) {
            let mut found = self.find(&query).await?;
            // The domain may be written by its DNS or its NetBIOS name; the former tells forests apart.
            if let (Identity::Logon(logon), [_, _, ..]) = (identity, found.as_slice()) {
                found.retain(|user| {
                    user.logon.as_ref().is_some_and(|known| known.eq_ignore_ascii_case(logon))
                });
            }
            if !found.is_empty() {
                return super::only(identity, &found.iter().collect::<Vec<_>>()).cloned();
            }
        }
        super::only(identity, &[]).cloned()
    }

    async fn users(&self) -> Result<Vec<User>, PortError> {
        let top = self.settings.page_size.clamp(1, 999).to_string();
        let mut options = vec![("$select", user::FIELDS), ("$top", top.as_str())];
        if let Some(filter) = &self.settings.filter {
            options.extend([("$filter", filter.as_str()), ("$count", "true")]);
        }
        let mut next = Some(with_query("/users", options));
        let mut users = Vec::new();
        for _ in 0..MOST_PAGES {
            let Some(page) = next else { break };
            let page = self.client.get(&page, &[EVENTUAL], None).await;
            let page =
                page.map_err(|error| error.into_port(Side::Directory, "listing the tenant's users"))?;
            users.extend(page["value"].as_array().into_iter().flatten().filter_map(|json| self.read(json)));
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
        }
        users.sort_by_cached_key(|user| user.upn.to_lowercase());
        Ok(users)
    }

    async fn why_no_calendar(&self, user: &User) -> Option<String> {
        let answers = self.answers(&Query::Key(user.id.to_string())).await.ok()?;
        user::calendar(answers.first()?, &self.settings, self.only_calendar.as_deref()).err()
    }
}
