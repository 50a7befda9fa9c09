//! Users, by object id, UPN or filter.

use serde_json::{Map, Value, json};

use super::{Asked, Reply, bad, refusal};
use crate::organisation::Organisation;
use crate::state::Shared;

/// The properties that a user has without `$select`.
const DEFAULT: &[&str] = &[
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
    "id",
];
/// Those that it has if they are asked for.
const SELECTED: &[&str] = &[
    "accountEnabled",
    "assignedPlans",
    "imAddresses",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesImmutableId",
    "onPremisesSamAccountName",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "otherMails",
    "proxyAddresses",
    "userType",
];

/// The user that a path names, by object id or UPN.
pub(super) fn find(shared: &Shared, name: &str) -> Option<usize> {
    let organisation = &shared.organisation;
    organisation.find(name).or_else(|| organisation.find_object(name))
}

pub(super) fn one(shared: &Shared, asked: &Asked, name: &str) -> Reply {
    if asked.method != "GET" {
        return refusal(
            405,
            "Request_BadRequest",
            "Specified HTTP method is not allowed for the request target.",
        );
    }
    match find(shared, name) {
        Some(user) => match shown(&shared.organisation, user, asked) {
            Ok(user) => Reply::ok(user),
            Err(reply) => reply,
        },
        None => refusal(
            404,
            "Request_ResourceNotFound",
            &format!(
                "Resource '{name}' does not exist or one of its queried reference-property objects are not present."
            ),
        ),
    }
}

pub(super) fn list(shared: &Shared, asked: &Asked) -> Reply {
    let organisation = &shared.organisation;
    let (skip, top) = match asked.page(100, 999) {
        Ok(page) => page,
        Err(reply) => return reply,
    };
    let all: Vec<usize> = match asked.option("$filter").map(|filter| matching(organisation, filter, asked)) {
        None => (0..organisation.users()).collect(),
        Some(Ok(all)) => all,
        Some(Err(reply)) => return reply,
    };
    let page: Result<Vec<Value>, Reply> =
        all.iter().skip(skip).take(top).map(|user| shown(organisation, *user, asked)).collect();
    match page {
        Ok(page) => {
            let mut body = json!({"value": page});
            if asked.option("$count") == Some("true") {
                body["@odata.count"] = json!(all.len());
            }
            if skip + top < all.len() {
                body["@odata.nextLink"] = json!(asked.next_link(skip + top));
            }
            Reply::ok(body)
        }
        Err(reply) => reply,
    }
}

fn shown(organisation: &Organisation, user: usize, asked: &Asked) -> Result<Value, Reply> {
    let all = properties(organisation, user);
    let selected: Vec<&str> = match asked.option("$select") {
        None => DEFAULT.to_vec(),
        Some(select) => select.split(',').map(str::trim).collect(),
    };
    let mut shown = Map::new();
    for name in selected {
        if !DEFAULT.contains(&name) && !SELECTED.contains(&name) {
            return Err(bad(&format!(
                "Could not find a property named '{name}' on type 'microsoft.graph.user'."
            )));
        }
        shown.insert(name.to_owned(), all[name].clone());
    }
    Ok(Value::Object(shown))
}

fn properties(organisation: &Organisation, user: usize) -> Value {
    let (address, name) = (organisation.address(user), organisation.name(user));
    let (given, surname) = name.split_once(' ').unwrap_or((&name, ""));
    let logon = address.split('@').next().unwrap_or_default();
    json!({
        "id": organisation.object_id(user), "displayName": name, "givenName": given, "surname": surname,
        "mail": address, "userPrincipalName": address, "businessPhones": [],
        // Nobody signs in as a room.
        "accountEnabled": !organisation.is_room(user),
        "userType": "Member", "otherMails": [], "assignedPlans": [{"service": "exchange", "capabilityStatus": "Enabled", "servicePlanId": "efb87545-963c-4e0d-99df-69c6916d9eb0"}],
        "proxyAddresses": [format!("SMTP:{address}"), format!("smtp:{logon}@mail.{}", crate::organisation::DOMAIN)],
        "imAddresses": [address], "onPremisesSamAccountName": logon, "onPremisesDomainName": crate::organisation::DOMAIN,
        "onPremisesDistinguishedName": crate::ldap::distinguished_name(organisation, user),
        "onPremisesUserPrincipalName": address, "onPremisesSyncEnabled": true,
    })
}

/// The users for which a filter holds: `PROPERTY eq 'VALUE'`, or `PROPERTY/any(p:p eq 'VALUE')`.
fn matching(organisation: &Organisation, filter: &str, asked: &Asked) -> Result<Vec<usize>, Reply> {
    let quoted = |text: &str| {
        let inside = text.trim().strip_prefix('\'')?.strip_suffix('\'')?;
        Some(inside.replace("''", "'"))
    };
    if let Some(start) =
        filter.strip_prefix("startsWith(displayName,").and_then(|rest| rest.strip_suffix(')'))
    {
        let start = quoted(start).unwrap_or_default().to_lowercase();
        let begins = |user: &usize| organisation.name(*user).to_lowercase().starts_with(&start);
        return Ok((0..organisation.users()).filter(begins).collect());
    }
    let parsed = match filter.split_once("/any(p:p eq ") {
        Some((name, rest)) => rest.strip_suffix(')').and_then(quoted).map(|value| (name, value)),
        None => filter.split_once(" eq ").and_then(|(name, value)| Some((name, quoted(value)?))),
    };
    let Some((name, value)) = parsed else {
        return Err(refusal(400, "Request_UnsupportedQuery", "Unsupported or invalid query filter clause."));
    };
    let is_advanced = matches!(name, "onPremisesSamAccountName" | "onPremisesDistinguishedName");
    let is_eventual =
        asked.header("ConsistencyLevel").is_some_and(|level| level.eq_ignore_ascii_case("eventual"));
    if is_advanced && !(is_eventual && asked.option("$count") == Some("true")) {
        let text =
            format!("Unsupported Query. Property '{name}' needs ConsistencyLevel: eventual and $count=true.");
        return Err(refusal(400, "Request_UnsupportedQuery", &text));
    }
    let same = |text: &Value| text.as_str().is_some_and(|text| text.eq_ignore_ascii_case(&value));
    let holds = |user: &usize| match &properties(organisation, *user)[name] {
        Value::Array(all) => all.iter().any(same),
        one => same(one),
    };
    Ok((0..organisation.users()).filter(holds).collect())
}
