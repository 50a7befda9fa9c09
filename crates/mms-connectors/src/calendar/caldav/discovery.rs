//! From a URL to a user's calendars (RFC 6764, RFC 4791 section 7.1, RFC 6638 section 2).

use std::collections::HashSet;

use mms_model::{Address, Code, ErrorKind, PortError, User};
use percent_encoding::percent_decode_str;
use url::Url;

use super::dav::{self, Propfind};
use super::failure::no_answer;
use super::location::Location;
use super::multistatus::{Item, Properties};
use crate::transport::{Session, place};

/// A user's calendars and what scheduling needs to know of the user.
#[derive(Debug, Clone, Default)]
pub(super) struct Discovered {
    /// The user's principal by every address that the server gives it; none where it was not found.
    pub principals: Vec<Url>,
    /// Calendars to migrate, in the server's order.
    pub calendars: Vec<FoundCalendar>,
    /// Calendars that are passed over, each with the reason.
    pub passed_over: Vec<(Url, &'static str)>,
    /// The user's mail addresses as the server knows them.
    pub addresses: Vec<Address>,
    /// Whether the principal has a scheduling outbox.
    pub has_outbox: bool,
}

/// A calendar that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct FoundCalendar {
    /// Its URL, with a slash at its end.
    pub url: Url,
    /// The name that people see.
    pub name: Option<String>,
}

/// Finds the calendars of `user`.
///
/// # Errors
/// `CalendarNotFound` where the URL leads to no calendars, or to those of somebody else;
/// `CalendarAccessDenied`, `CalendarUnreachable` …
pub(super) async fn discover(
    session: &Session,
    location: &Location,
    user: &User,
) -> Result<Discovered, PortError> {
    let start = match at(session, location.url.clone()).await? {
        Ok(resource) => Ok(resource),
        // Servers may keep the root to themselves and answer at the well-known address only.
        Err(error) if !location.own && error.kind != ErrorKind::Unauthorised => Err(error),
        Err(error) if error.code == Code::CalendarAccessDenied && !location.own => {
            return Err(error);
        }
        Err(error) => return Err(as_missing(error, location, user)),
    };

    if let Ok((url, properties)) = &start {
        if properties.resource_type.calendar {
            return single_calendar(session, url, location, user).await;
        }
        if !properties.calendar_homes.is_empty() {
            return from_principal(session, url, properties, location, user).await;
        }
        if location.own {
            return from_home(session, url, properties, location, user).await;
        }
        if let Some(found) = follow_current_user(session, url, properties, location, user).await? {
            return Ok(found);
        }
    }
    if let Some((url, properties)) = well_known(session).await?
        && let Some(found) = follow_current_user(session, &url, &properties, location, user).await?
    {
        return Ok(found);
    }
    match start {
        Ok((url, properties)) => from_home(session, &url, &properties, location, user).await,
        // A server in trouble is not a wrong address.
        Err(error) if error.kind == ErrorKind::Retry => Err(error),
        Err(_) => Err(not_found(location, user)),
    }
}

fn not_found(location: &Location, user: &User) -> PortError {
    PortError::permanent(
        Code::CalendarNotFound,
        format!(
            "{} leads to no calendars of {}: check url and the user's place in the directory",
            place(&location.url),
            user.upn
        ),
    )
}

/// A missing home is a wrong configuration, not an event that vanished.
fn as_missing(error: PortError, location: &Location, user: &User) -> PortError {
    if error.kind == ErrorKind::Gone { not_found(location, user) } else { error }
}

type Resource = (Url, Properties);

/// Looks at one resource. The inner error is the server's refusal.
async fn at(session: &Session, url: Url) -> Result<Result<Resource, PortError>, PortError> {
    match dav::propfind(session, url, 0, dav::PRINCIPAL).await? {
        Propfind::Refused(error, reply) => {
            // Waiting or signing in is not a matter of trying another address.
            if matches!(error.kind, ErrorKind::RetryAfter(_)) || reply.status.as_u16() == 401 {
                Err(error)
            } else {
                Ok(Err(error))
            }
        }
        Propfind::Found { at, items } => {
            let properties = items.into_iter().next().map(|item| item.properties).unwrap_or_default();
            Ok(Ok((at, properties)))
        }
    }
}

/// Tries the well-known address (RFC 6764 section 5), which redirects.
async fn well_known(session: &Session) -> Result<Option<Resource>, PortError> {
    let url = session.resolve(session.base(), "/.well-known/caldav").map_err(no_answer)?;
    Ok(at(session, url).await?.ok())
}

async fn follow_current_user(
    session: &Session,
    url: &Url,
    properties: &Properties,
    location: &Location,
    user: &User,
) -> Result<Option<Discovered>, PortError> {
    let Some(reference) = properties.current_user_principal.as_deref() else { return Ok(None) };
    let principal = session.resolve(url, reference).map_err(no_answer)?;
    let (url, properties) = at(session, principal).await??;
    if properties.calendar_homes.is_empty() {
        return Ok(None);
    }
    from_principal(session, &url, &properties, location, user).await.map(Some)
}

async fn from_principal(
    session: &Session,
    principal: &Url,
    properties: &Properties,
    location: &Location,
    user: &User,
) -> Result<Discovered, PortError> {
    let mut found = Discovered::default();
    found.know_principal(principal, properties, location, user)?;
    let mut seen = HashSet::new();
    for reference in &properties.calendar_homes {
        let home = session.resolve(principal, reference).map_err(no_answer)?;
        if seen.insert(identity(&home)) {
            found.add_home(session, home).await.map_err(|e| as_missing(e, location, user))?;
        }
    }
    found.require_calendars(location, user)
}

/// A calendar home without a principal that says so: the owner is looked up for its addresses.
async fn from_home(
    session: &Session,
    home: &Url,
    properties: &Properties,
    location: &Location,
    user: &User,
) -> Result<Discovered, PortError> {
    let mut found = Discovered::default();
    found.know_owner(session, home, properties, location, user).await?;
    found.add_home(session, home.clone()).await.map_err(|e| as_missing(e, location, user))?;
    found.require_calendars(location, user)
}

async fn single_calendar(
    session: &Session,
    calendar: &Url,
    location: &Location,
    user: &User,
) -> Result<Discovered, PortError> {
    let Propfind::Found { at: url, items } =
        dav::propfind(session, calendar.clone(), 0, dav::CALENDAR).await?
    else {
        return Err(not_found(location, user));
    };
    let mut found = Discovered::default();
    let Some(item) = items.into_iter().next() else { return Err(not_found(location, user)) };
    found.know_owner(session, &url, &item.properties, location, user).await?;
    found.consider(with_slash(url), item);
    found.require_calendars(location, user)
}

impl Discovered {
    fn know_principal(
        &mut self,
        principal: &Url,
        properties: &Properties,
        location: &Location,
        user: &User,
    ) -> Result<(), PortError> {
        self.principals.push(principal.clone());
        // DAViCal answers at its root with the properties of the principal that it names there.
        let current = properties.current_user_principal.as_deref().filter(|_| !location.by_admin);
        for reference in properties.principal_url.as_deref().into_iter().chain(current) {
            self.principals.extend(principal.join(reference).ok());
        }
        self.has_outbox = properties.schedule_outbox.is_some();
        self.addresses = properties
            .addresses
            .iter()
            .filter(|a| a.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("mailto:")))
            .map(|a| Address::new(a))
            .collect();
        // Whoever signed in owns what was found. Where that was not asked for by name, it had better be
        // the user: what stands without an organizer in somebody else's calendar is not the user's.
        if !location.own && !self.addresses.is_empty() && !self.addresses.iter().any(|a| user.owns(a)) {
            return Err(PortError::permanent(
                Code::CalendarNotFound,
                format!(
                    "signing in as {} leads to the calendars of {}, not to those of {}: give each user credentials of \
                     their own, a placeholder in url, or the right addresses in the directory",
                    location.credentials.who(),
                    self.addresses.first().map_or("somebody else", Address::as_str),
                    user.upn
                ),
            ));
        }
        Ok(())
    }

    async fn know_owner(
        &mut self,
        session: &Session,
        url: &Url,
        properties: &Properties,
        location: &Location,
        user: &User,
    ) -> Result<(), PortError> {
        let owner = properties.owner.as_deref().or(properties.principal_url.as_deref());
        let owner = match owner {
            Some(reference) => Some(session.resolve(url, reference).map_err(no_answer)?),
            // The account that signs in is the user's own, and so is its principal.
            None if !location.by_admin => match properties.current_user_principal.as_deref() {
                Some(reference) => Some(session.resolve(url, reference).map_err(no_answer)?),
                None => None,
            },
            None => None,
        };
        if let Some(owner) = owner
            && let Ok((url, properties)) = at(session, owner).await?
        {
            self.know_principal(&url, &properties, location, user)?;
        }
        Ok(())
    }

    async fn add_home(&mut self, session: &Session, home: Url) -> Result<(), PortError> {
        let (at, items) = match dav::propfind(session, with_slash(home), 1, dav::CALENDAR).await? {
            Propfind::Found { at, items } => (at, items),
            Propfind::Refused(error, _) => return Err(error),
        };
        for item in items {
            // A member on another server is none of this home; its href is hostile or mistaken.
            let Ok(url) = session.resolve(&at, &item.href) else { continue };
            self.consider(with_slash(url), item);
        }
        Ok(())
    }

    /// Takes a collection in, or notes why not.
    fn consider(&mut self, url: Url, item: Item) {
        let properties = item.properties;
        let kind = properties.resource_type;
        if !kind.calendar {
            return;
        }
        let reason =
            if kind.inbox {
                Some("a scheduling inbox")
            } else if kind.foreign {
                Some("a subscription or another person's share")
            } else if properties.components.as_ref().is_some_and(|names| {
                !names.is_empty() && !names.iter().any(|n| n.eq_ignore_ascii_case("VEVENT"))
            }) {
                Some("it holds no events")
            } else if self.is_foreign(&url, properties.owner.as_deref()) {
                Some("it belongs to somebody else")
            } else if properties.privileges.as_deref().is_some_and(|names| !may_write(names)) {
                Some("it is read-only")
            } else {
                None
            };
        match reason {
            Some(reason) => self.passed_over.push((url, reason)),
            None if self.calendars.iter().any(|c| identity(&c.url) == identity(&url)) => {}
            None => self.calendars.push(FoundCalendar { url, name: properties.display_name }),
        }
    }

    fn is_foreign(&self, calendar: &Url, owner: Option<&str>) -> bool {
        let Some(owner) = owner.and_then(|owner| calendar.join(owner).ok()) else { return false };
        !self.principals.is_empty() && !self.principals.iter().any(|p| identity(p) == identity(&owner))
    }

    fn require_calendars(self, location: &Location, user: &User) -> Result<Self, PortError> {
        if !self.calendars.is_empty() {
            return Ok(self);
        }
        match self.passed_over.iter().find(|(_, reason)| *reason == "it is read-only") {
            Some((url, _)) => Err(PortError::new(
                ErrorKind::Unauthorised,
                Code::CalendarAccessDenied,
                format!(
                    "{} may not write to {}: grant it the right to change events",
                    location.credentials.who(),
                    place(url)
                ),
            )),
            None => Err(not_found(location, user)),
        }
    }
}

/// Whether privileges (RFC 3744 section 3) allow changing events.
fn may_write(privileges: &[String]) -> bool {
    privileges.iter().any(|name| matches!(name.as_str(), "all" | "write" | "write-content"))
}

fn with_slash(mut url: Url) -> Url {
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    url
}

/// What two spellings of one address have in common: escapes and a slash at the end make no difference.
pub(super) fn identity(url: &Url) -> String {
    let path = percent_decode_str(url.path()).decode_utf8_lossy();
    path.trim_end_matches('/').to_owned()
}
