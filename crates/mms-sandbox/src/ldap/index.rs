//! Which users a filter can fit at all, by the attributes whose values tell the user. Without it every look-up of one
//! user would make the entries of all.

use uuid::Uuid;

use super::filter::{Comparison, Filter};
use super::schema::Value;
use crate::organisation::{DOMAIN, Organisation};

/// The users that may fit, in their order; none where it may be any of them.
pub(super) fn users(filter: &Filter<'_>, organisation: &Organisation) -> Option<Vec<usize>> {
    match filter {
        Filter::And(parts) => parts.iter().find_map(|part| users(part, organisation)),
        Filter::Or(parts) => {
            let each: Option<Vec<Vec<usize>>> = parts.iter().map(|part| users(part, organisation)).collect();
            let mut all = each?.concat();
            all.sort_unstable();
            all.dedup();
            Some(all)
        }
        Filter::Compared(Some((name, _)), Comparison::Equal, value) => {
            user(&name.to_ascii_lowercase(), value, organisation).map(Vec::from_iter)
        }
        _ => None,
    }
}

/// The user of whom alone an attribute can have this value, if there is one; none where the attribute tells no user.
fn user(attribute: &str, value: &Value<'_>, organisation: &Organisation) -> Option<Option<usize>> {
    let text = value.lower().unwrap_or_default();
    let of_logon = |logon: &str| organisation.find(&format!("{logon}@{DOMAIN}"));
    match attribute {
        "objectguid" => {
            let id = Uuid::from_slice_le(value.raw()).ok();
            Some(id.and_then(|id| organisation.find_object(&id.to_string())))
        }
        "userprincipalname" | "mail" => Some(organisation.find(text)),
        "samaccountname" => Some(of_logon(text)),
        "msrtcsip-primaryuseraddress" => Some(organisation.find(text.strip_prefix("sip:")?)),
        "proxyaddresses" => {
            let address = text.strip_prefix("smtp:")?;
            let alias = address.strip_suffix(DOMAIN).and_then(|local| local.strip_suffix("@mail."));
            Some(alias.map_or_else(|| organisation.find(address), of_logon))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::ber;
    use super::*;
    use crate::Settings;

    fn equal(name: &str, value: impl AsRef<[u8]>) -> Vec<u8> {
        ber::element(0xa3, &[&ber::octets(name), &ber::octets(value)])
    }

    #[test]
    fn what_tells_a_user_is_looked_up_and_nothing_else_is() {
        let organisation = Organisation::new(&Settings { users: 9, meetings: 0, ..Settings::default() });
        let of = |filter: &[u8]| {
            let (tag, body) = ber::Reader::new(filter).element().unwrap();
            users(&Filter::read(tag, body).unwrap(), &organisation)
        };
        let guid = Uuid::parse_str(&organisation.object_id(4)).unwrap().to_bytes_le();
        let (upn, other) = (equal("USERprincipalName", "USER00005@contoso.example"), equal("cn", "x"));
        assert_eq!(of(&equal("objectGUID", guid)), Some(vec![4]));
        assert_eq!(of(&equal("objectGUID", "short")), Some(vec![]));
        assert_eq!(of(&upn), Some(vec![4]));
        assert_eq!(of(&equal("mail", "nobody@contoso.example")), Some(vec![]));
        assert_eq!(of(&equal("sAMAccountName", "user00002")), Some(vec![1]));
        assert_eq!(of(&equal("msRTCSIP-PrimaryUserAddress", "SIP:user00005@contoso.example")), Some(vec![4]));
        assert_eq!(of(&equal("proxyAddresses", "smtp:user00005@mail.contoso.example")), Some(vec![4]));
        assert_eq!(of(&equal("proxyAddresses", "smtp:user00005@contoso.example")), Some(vec![4]));
        assert_eq!(of(&other), None);
        assert_eq!(of(&ber::element(0xa0, &[&other, &upn])), Some(vec![4]));
        assert_eq!(of(&ber::element(0xa1, &[&other, &upn])), None);
        let two = equal("mail", "user00002@contoso.example");
        assert_eq!(of(&ber::element(0xa1, &[&upn, &two, &upn])), Some(vec![1, 4]));
        assert_eq!(of(&ber::element(0xa2, &[&upn])), None);
    }

    #[test]
    fn every_value_of_an_entry_leads_to_it() {
        let organisation =
            Organisation::new(&Settings { users: 3, rooms: 1, meetings: 0, ..Settings::default() });
        let tree = super::super::tree::Tree(&organisation);
        for number in super::super::tree::STANDING..tree.len() {
            let entry = tree.entry(number);
            for name in [
                "objectGUID",
                "userPrincipalName",
                "mail",
                "sAMAccountName",
                "proxyAddresses",
                "msRTCSIP-PrimaryUserAddress",
            ] {
                for value in entry.values(name) {
                    let filter = Filter::Compared(
                        super::super::schema::syntax(name).map(|s| (name, s)),
                        Comparison::Equal,
                        Value::new(value),
                    );
                    assert_eq!(
                        users(&filter, &organisation),
                        Some(vec![number - super::super::tree::STANDING]),
                        "{name}"
                    );
                }
            }
        }
    }
}
