//! A user out of Graph's `user` resource. Everything in it may be absent.

use mms_model::{Address, CalendarLocation, User};
use serde_json::Value;
use uuid::Uuid;

use super::GraphDirectorySettings;

/// What is read of a user.
pub(super) const FIELDS: &str = "id,userPrincipalName,displayName,mail,proxyAddresses,imAddresses,assignedPlans,\
    onPremisesSamAccountName,onPremisesDomainName,onPremisesDistinguishedName";

/// The user; none without an object id or a user principal name.
pub(super) fn read(json: &Value, settings: &GraphDirectorySettings, only: Option<&str>) -> Option<User> {
    let text = |name: &str| json[name].as_str().map(str::trim).filter(|text| !text.is_empty());
    let upn = text("userPrincipalName")?.to_owned();
    // The domain's DNS name; an administrator may write it or the NetBIOS name, which Graph does not tell.
    let logon = text("onPremisesSamAccountName").map(|name| match text("onPremisesDomainName") {
        Some(domain) => format!("{domain}\\{name}"),
        None => name.to_owned(),
    });
    Some(User {
        skype: None,
        id: Uuid::try_parse(text("id")?).ok()?,
        sip: sip(json),
        logon,
        display_name: text("displayName").map(str::to_owned),
        distinguished_name: text("onPremisesDistinguishedName").map(str::to_owned),
        addresses: addresses(json, &upn),
        calendar: calendar(json, settings, only).ok(),
        upn,
    })
}

fn texts<'j>(json: &'j Value, name: &str) -> impl Iterator<Item = &'j str> {
    json[name].as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn after<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    (start.eq_ignore_ascii_case(scheme) && !rest.is_empty()).then_some(rest)
}

fn sip(json: &Value) -> Option<String> {
    let by_proxy = texts(json, "proxyAddresses").find_map(|proxy| after(proxy, "sip:"));
    let sip = by_proxy.or_else(|| texts(json, "imAddresses").next())?;
    Some(after(sip, "sip:").unwrap_or(sip).to_owned())
}

/// Every mail address, the primary one first.
fn addresses(json: &Value, upn: &str) -> Vec<Address> {
    let primary = texts(json, "proxyAddresses").filter_map(|proxy| proxy.strip_prefix("SMTP:"));
    let others =
        texts(json, "proxyAddresses").filter(|p| !p.starts_with("SMTP:")).filter_map(|p| after(p, "smtp:"));
    let mut addresses: Vec<Address> = Vec::new();
    for address in primary.chain(json["mail"].as_str()).chain(others).map(Address::new) {
        if !address.as_str().is_empty() && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        addresses.push(Address::new(upn));
    }
    addresses
}

/// The calendar of a user.
///
/// # Errors
/// There is none, and this is why, as the end of a sentence about the user.
pub(super) fn calendar(
    json: &Value,
    settings: &GraphDirectorySettings,
    only: Option<&str>,
) -> Result<CalendarLocation, String> {
    let is_online = has_exchange_plan(json);
    let of_mailbox = settings.calendar_online.as_deref().filter(|_| is_online);
    // Where an administrator told mailboxes apart, the only calendar is that of Exchange Online.
    let default = settings.calendar.as_deref().or(only.filter(|_| settings.calendar_online.is_none()));
    let connector = of_mailbox.or(default).ok_or_else(|| {
        if is_online {
            "the mailbox is in Exchange Online: name its calendar in [directory] calendar_online".to_owned()
        } else {
            "no licence of theirs has an enabled plan of Exchange Online: name the calendar of such users in [directory] \
             calendar"
                .to_owned()
        }
    })?;
    Ok(CalendarLocation { connector: connector.to_owned(), place: String::new() })
}

/// Whether a plan of the service `exchange` is enabled (Graph, resource type assignedPlan). In an organisation that
/// also has servers of its own such a user's mailbox may still be there, which Graph's `user` does not tell; a calendar
/// of Exchange Online then answers `MailboxNotEnabledForRESTAPI`.
fn has_exchange_plan(json: &Value) -> bool {
    json["assignedPlans"].as_array().into_iter().flatten().any(|plan| {
        let is =
            |name: &str, wanted: &str| plan[name].as_str().is_some_and(|is| is.eq_ignore_ascii_case(wanted));
        is("service", "exchange") && is("capabilityStatus", "Enabled")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn settings(more: &str) -> GraphDirectorySettings {
        toml::from_str(&format!("tenant = 't'\nclient_id = 'c'\nsecret = 's'\n{more}")).unwrap()
    }

    #[test]
    fn identities_and_the_place_of_the_mailbox_are_read() {
        let json = json!({
            "id": "27c6ee67-c71d-4386-bf84-ebfdc7c3a171", "userPrincipalName": "ken@x.test", "displayName": "Ken",
            "mail": "Ken.Myer@x.test", "imAddresses": ["ken.sip@x.test"],
            "proxyAddresses": ["smtp:old@x.test", "SMTP:ken.myer@x.test", "SIP:ken.sip@x.test"],
            "onPremisesSamAccountName": "kenmyer", "onPremisesDomainName": "x.test",
            "assignedPlans": [{"service": "exchange", "capabilityStatus": "Enabled"}],
        });
        let both = settings("calendar_online = 'cloud'\ncalendar = 'office'");
        let user = read(&json, &both, None).unwrap();
        assert_eq!(
            (user.sip.as_deref(), user.logon.as_deref()),
            (Some("ken.sip@x.test"), Some("x.test\\kenmyer"))
        );
        assert_eq!(user.addresses, [Address::new("ken.myer@x.test"), Address::new("old@x.test")]);
        assert_eq!(user.calendar.unwrap().connector, "cloud");
        let mut elsewhere = json.clone();
        elsewhere["assignedPlans"] = json!([]);
        assert_eq!(read(&elsewhere, &both, None).unwrap().calendar.unwrap().connector, "office");
        assert_eq!(
            read(&elsewhere, &settings(""), Some("only")).unwrap().calendar.unwrap().connector,
            "only"
        );
        assert_eq!(read(&elsewhere, &settings(""), None).unwrap().calendar, None);
    }

    #[test]
    fn a_user_without_a_calendar_says_why() {
        let plan = json!({"assignedPlans": [{"service": "Exchange", "capabilityStatus": "Enabled"}]});
        assert!(calendar(&plan, &settings(""), None).unwrap_err().contains("calendar_online"));
        let ended = json!({"assignedPlans": [{"service": "exchange", "capabilityStatus": "Suspended"}]});
        let cloud = settings("calendar_online = 'cloud'");
        for json in [ended, json!({}), json!({"assignedPlans": 7})] {
            let told = calendar(&json, &cloud, Some("cloud")).unwrap_err();
            assert!(told.contains("no licence of theirs"), "{told}");
        }
    }

    #[test]
    fn hostile_answers_are_no_users() {
        for json in [json!(null), json!([]), json!({"id": 7}), json!({"id": "x", "userPrincipalName": "a@b"})]
        {
            assert!(read(&json, &settings(""), None).is_none(), "{json}");
        }
    }
}
