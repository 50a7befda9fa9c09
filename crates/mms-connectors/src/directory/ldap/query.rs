//! What is asked for each form of identity, in the attributes of Active Directory and of Skype for Business.

use ldap3::ldap_escape;
use mms_model::Identity;
use uuid::Uuid;

/// One search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Query {
    pub place: Place,
    /// RFC 4515; everything that came from outside is escaped in it.
    pub filter: String,
}

/// Where to search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Below the configured base.
    Base,
    /// The entry with this name alone.
    Entry(String),
    /// Below the naming context of the domain with this NetBIOS name.
    Domain(String),
}

/// The searches that may find `identity`, in the order in which they count: the first one that finds somebody tells.
pub(super) fn queries(identity: &Identity) -> Vec<Query> {
    let below = |filter: String| Query { place: Place::Base, filter };
    let sip = |address: &str| {
        let address = ldap_escape(address);
        below(format!("(|(msRTCSIP-PrimaryUserAddress=sip:{address})(proxyAddresses=sip:{address}))"))
    };
    match identity {
        Identity::DistinguishedName(name) => {
            vec![Query { place: Place::Entry(name.clone()), filter: "(objectClass=*)".to_owned() }]
        }
        Identity::ObjectId(id) => vec![below(format!("(objectGUID={})", guid(*id)))],
        Identity::Sip(address) => vec![sip(address)],
        Identity::Logon(logon) => {
            let (domain, name) = logon.split_once('\\').unwrap_or(("", logon));
            let filter = format!("(sAMAccountName={})", ldap_escape(name));
            vec![Query { place: Place::Domain(domain.to_owned()), filter }]
        }
        Identity::UserPrincipalName(name) => {
            let escaped = ldap_escape(name.as_str());
            vec![
                below(format!("(userPrincipalName={escaped})")),
                sip(name),
                below(format!("(|(mail={escaped})(proxyAddresses=smtp:{escaped}))")),
            ]
        }
        // The one form in which the original takes an asterisk for any letters.
        Identity::DisplayName(name) => {
            let mut pattern = String::new();
            for part in name.split_inclusive('*') {
                let text = part.trim_end_matches('*');
                // Two in a row are no pattern (RFC 4515 section 3).
                let star = text.len() < part.len() && !(text.is_empty() && pattern.ends_with('*'));
                pattern.push_str(&ldap_escape(text));
                pattern.push_str(if star { "*" } else { "" });
            }
            vec![below(format!("(displayName={pattern})"))]
        }
    }
}

/// An object id as a filter has it: the first three fields with the lowest byte first, as Active Directory stores
/// them (MS-DTYP section 2.3.4.2).
fn guid(id: Uuid) -> String {
    id.to_bytes_le().iter().map(|byte| format!("\\{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filters(identity: &str) -> Vec<String> {
        queries(&identity.parse().unwrap()).into_iter().map(|query| query.filter).collect()
    }

    #[test]
    fn every_form_asks_for_its_attributes() {
        assert_eq!(
            filters("sip:ken@x.test"),
            ["(|(msRTCSIP-PrimaryUserAddress=sip:ken@x.test)(proxyAddresses=sip:ken@x.test))"]
        );
        assert_eq!(filters("ken@x.test")[0], "(userPrincipalName=ken@x.test)");
        assert_eq!(filters("ken@x.test")[2], "(|(mail=ken@x.test)(proxyAddresses=smtp:ken@x.test))");
        assert_eq!(
            filters("27c6ee67-c71d-4386-bf84-ebfdc7c3a171"),
            [r"(objectGUID=\67\ee\c6\27\1d\c7\86\43\bf\84\eb\fd\c7\c3\a1\71)"]
        );
        assert_eq!(filters("Ken My*"), ["(displayName=Ken My*)"]);
        assert_eq!(filters("**K*(n"), [r"(displayName=*K*\28n)"]);
        let logon = queries(&"LITWAREINC\\kenmyer".parse().unwrap());
        assert_eq!(logon[0].place, Place::Domain("LITWAREINC".to_owned()));
        assert_eq!(logon[0].filter, "(sAMAccountName=kenmyer)");
        let name = queries(&"CN=Ken,DC=x,DC=test".parse().unwrap());
        assert_eq!(name[0].place, Place::Entry("CN=Ken,DC=x,DC=test".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn nothing_breaks_out_of_a_filter(text in "\\PC{1,20}") {
            let Ok(identity) = text.parse::<Identity>() else { return Ok(()) };
            for query in queries(&identity) {
                proptest::prop_assert!(ldap3::parse_filter(&query.filter).is_ok(), "{}", query.filter);
                let brackets = query.filter.matches(['(', ')']).count();
                proptest::prop_assert!(brackets == 2 || brackets == 6, "{}", query.filter);
            }
        }
    }
}
