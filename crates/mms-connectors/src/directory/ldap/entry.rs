//! A user out of a directory entry.

use ldap3::SearchEntry;
use mms_model::{Address, SkypeHome, User};
use uuid::Uuid;

use super::mailbox;
use super::settings::LdapDirectorySettings;

/// The attributes that are read, beside those that tell the calendar.
pub(super) const ATTRIBUTES: [&str; 10] = [
    "objectGUID",
    "userPrincipalName",
    "sAMAccountName",
    "displayName",
    "mail",
    "proxyAddresses",
    "msRTCSIP-PrimaryUserAddress",
    USER_ENABLED,
    DEPLOYMENT,
    HOME_SERVER,
];

/// Whether Skype for Business serves the user: `TRUE` or `FALSE`.
const USER_ENABLED: &str = "msRTCSIP-UserEnabled";
/// Which deployment of a split SIP domain homes the user: `SRV:` the one on premises, `sipfed.online.lync.com` the cloud
/// (learn.microsoft.com, "Troubleshoot user migration in Skype for Business Server").
const DEPLOYMENT: &str = "msRTCSIP-DeploymentLocator";
/// The distinguished name of the pool's service.
const HOME_SERVER: &str = "msRTCSIP-PrimaryHomeServer";

/// A domain of the directory: its naming context and its NetBIOS name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Domain {
    pub context: String,
    pub netbios: String,
}

/// The user of an entry. None where it has neither a user principal name nor a mail address.
pub(super) fn user(
    entry: &SearchEntry,
    domains: &[Domain],
    settings: &LdapDirectorySettings,
    only_calendar: Option<&str>,
) -> Option<User> {
    let addresses = addresses(entry);
    let upn = match value(entry, "userPrincipalName") {
        Some(upn) => upn.to_owned(),
        None => addresses.first()?.as_str().to_owned(),
    };
    let sip = value(entry, "msRTCSIP-PrimaryUserAddress").and_then(|sip| without_scheme(sip, "sip:"));
    let logon = value(entry, "sAMAccountName").and_then(|name| {
        let domain = domains.iter().filter(|domain| is_within(&entry.dn, &domain.context));
        // A child's context ends with its parent's: the longest one is the entry's own.
        domain.max_by_key(|domain| domain.context.len()).map(|domain| format!("{}\\{name}", domain.netbios))
    });
    Some(User {
        id: object_id(entry).unwrap_or_else(|| Uuid::new_v5(&Uuid::NAMESPACE_X500, entry.dn.as_bytes())),
        sip: sip.map(str::to_owned),
        logon,
        display_name: value(entry, "displayName").map(str::to_owned),
        distinguished_name: Some(entry.dn.clone()),
        calendar: mailbox::calendar(entry, settings, only_calendar).ok(),
        skype: skype_home(entry),
        addresses,
        upn,
    })
}

/// Where Skype for Business homes the user of an entry.
fn skype_home(entry: &SearchEntry) -> Option<SkypeHome> {
    value(entry, USER_ENABLED).filter(|enabled| enabled.eq_ignore_ascii_case("TRUE"))?;
    let pool = value(entry, HOME_SERVER).map(str::to_owned);
    match value(entry, DEPLOYMENT) {
        Some(deployment) if !deployment.eq_ignore_ascii_case("SRV:") => Some(SkypeHome::Online),
        Some(_) => Some(SkypeHome::OnPremises { pool }),
        // Where there is but one deployment, nothing needs to be located.
        None => pool.map(|pool| SkypeHome::OnPremises { pool: Some(pool) }),
    }
}

/// An attribute's first value; names compare without case.
pub(super) fn value<'e>(entry: &'e SearchEntry, name: &str) -> Option<&'e str> {
    values(entry, name).map(str::trim).find(|value| !value.is_empty())
}

fn values<'e>(entry: &'e SearchEntry, name: &str) -> impl Iterator<Item = &'e str> {
    let found = entry.attrs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    found.into_iter().flat_map(|(_, values)| values).map(String::as_str)
}

fn without_scheme<'t>(text: &'t str, scheme: &str) -> Option<&'t str> {
    let (start, rest) = text.split_at_checked(scheme.len())?;
    (start.eq_ignore_ascii_case(scheme) && !rest.is_empty()).then_some(rest)
}

/// The object id: 16 bytes, which may happen to be UTF-8.
fn object_id(entry: &SearchEntry) -> Option<Uuid> {
    let named = |known: &String| known.eq_ignore_ascii_case("objectGUID");
    let binary =
        entry.bin_attrs.iter().find(|(known, _)| named(known)).and_then(|(_, values)| values.first());
    let bytes = match binary {
        Some(bytes) => bytes.as_slice(),
        None => entry.attrs.iter().find(|(known, _)| named(known))?.1.first()?.as_bytes(),
    };
    Some(Uuid::from_bytes_le(bytes.try_into().ok()?))
}

/// Every mail address, the primary one first: `mail`, then `SMTP:` and then `smtp:` of `proxyAddresses`.
fn addresses(entry: &SearchEntry) -> Vec<Address> {
    let proxies: Vec<&str> = values(entry, "proxyAddresses").collect();
    let primary = proxies.iter().filter_map(|proxy| proxy.strip_prefix("SMTP:"));
    let others =
        proxies.iter().filter(|p| !p.starts_with("SMTP:")).filter_map(|p| without_scheme(p, "smtp:"));
    let mut addresses: Vec<Address> = Vec::new();
    for address in primary.chain(value(entry, "mail")).chain(others).map(Address::new) {
        if !address.as_str().is_empty() && !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    addresses
}

/// Whether the entry `name` lies below `context`, both distinguished names as the server writes them.
fn is_within(name: &str, context: &str) -> bool {
    let (name, context) = (name.to_ascii_lowercase(), context.to_ascii_lowercase());
    name.strip_suffix(&context).is_some_and(|rest| rest.is_empty() || rest.ends_with(','))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn settings() -> LdapDirectorySettings {
        toml::from_str("url = \"ldaps://dc\"\nbase = \"DC=x,DC=test\"\nuser = \"u\"\n").unwrap()
    }

    fn entry(attributes: &[(&str, &[&str])]) -> SearchEntry {
        let attrs = attributes
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.iter().map(|v| (*v).to_owned()).collect()))
            .collect();
        SearchEntry {
            dn: "CN=Ken Myer,OU=Staff,DC=corp,DC=x,DC=test".to_owned(),
            attrs,
            bin_attrs: HashMap::new(),
        }
    }

    fn read(attributes: &[(&str, &[&str])]) -> Option<User> {
        let domain =
            |context: &str, netbios: &str| Domain { context: context.into(), netbios: netbios.into() };
        let domains = [domain("DC=x,DC=test", "X"), domain("DC=corp,DC=x,DC=test", "CORP")];
        user(&entry(attributes), &domains, &settings(), None)
    }

    #[test]
    fn an_entry_becomes_a_user_with_every_form_of_identity() {
        let mut entry = entry(&[
            ("userprincipalname", &["ken@x.test"]),
            ("sAMAccountName", &["kenmyer"]),
            ("displayName", &["Ken Myer"]),
            ("mail", &["ken.myer@x.test"]),
            ("proxyAddresses", &["smtp:km@x.test", "SMTP:ken.myer@x.test", "sip:ken@sip.test", "X500:/o=x"]),
            ("msRTCSIP-PrimaryUserAddress", &["SIP:ken@sip.test"]),
        ]);
        let id: Uuid = "27c6ee67-c71d-4386-bf84-ebfdc7c3a171".parse().unwrap();
        entry.bin_attrs.insert("objectGUID".to_owned(), vec![id.to_bytes_le().to_vec()]);
        let domains = [Domain { context: "DC=corp,DC=x,DC=test".into(), netbios: "CORP".into() }];
        let user = user(&entry, &domains, &settings(), Some("only")).unwrap();
        assert_eq!(
            (user.id, user.upn.as_str(), user.logon.as_deref()),
            (id, "ken@x.test", Some("CORP\\kenmyer"))
        );
        assert_eq!(
            (user.sip.as_deref(), user.display_name.as_deref()),
            (Some("ken@sip.test"), Some("Ken Myer"))
        );
        assert_eq!(user.addresses, ["ken.myer@x.test", "km@x.test"].map(Address::new));
        assert_eq!(user.calendar.unwrap().connector, "only");
    }

    #[test]
    fn the_logon_is_of_the_nearest_domain() {
        let user = read(&[("mail", &["a@x.test"]), ("sAMAccountName", &["a"])]).unwrap();
        assert_eq!((user.logon.as_deref(), user.upn.as_str()), (Some("CORP\\a"), "a@x.test"));
        assert!(!is_within("CN=a,XDC=corp", "DC=corp"));
    }

    #[test]
    fn a_user_is_homed_where_the_deployment_says() {
        let home =
            |more: &[(&str, &[&str])]| read(&[&[("mail", &["a@x.test"][..])], more].concat()).unwrap().skype;
        let enabled = (USER_ENABLED, &["TRUE"][..]);
        let server = (HOME_SERVER, &["CN=Lc Services,CN=1:1,CN=Pools"][..]);
        let on_premises =
            || Some(SkypeHome::OnPremises { pool: Some("CN=Lc Services,CN=1:1,CN=Pools".to_owned()) });
        assert_eq!(home(&[enabled, (DEPLOYMENT, &["SRV:"]), server]), on_premises());
        assert_eq!(home(&[enabled, server]), on_premises());
        assert_eq!(home(&[enabled, (DEPLOYMENT, &["srv:"])]), Some(SkypeHome::OnPremises { pool: None }));
        assert_eq!(
            home(&[enabled, (DEPLOYMENT, &["sipfed.online.lync.com"]), server]),
            Some(SkypeHome::Online),
            "the server that was theirs may still stand there"
        );
        assert_eq!(home(&[(USER_ENABLED, &["FALSE"]), server]), None);
        assert_eq!(home(&[enabled]), None);
    }

    #[test]
    fn an_entry_that_nobody_could_name_is_none() {
        assert_eq!(read(&[("displayName", &["Printer"])]), None);
    }
}
