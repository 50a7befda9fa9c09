//! What is asked for each form of identity, in the properties of Graph's `user`.

use mms_model::Identity;

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Query {
    /// `/users/{key}`: an object id or a user principal name.
    Key(String),
    /// `/users?$filter=…`.
    Filter(String),
}

/// The questions that may find `identity`, in the order in which they count: the first one that finds somebody tells.
pub(super) fn queries(identity: &Identity) -> Vec<Query> {
    let equal = |property: &str, value: &str| Query::Filter(format!("{property} eq '{}'", quoted(value)));
    let any =
        |property: &str, value: &str| Query::Filter(format!("{property}/any(p:p eq '{}')", quoted(value)));
    match identity {
        Identity::ObjectId(id) => vec![Query::Key(id.to_string())],
        Identity::UserPrincipalName(name) => vec![
            Query::Key(name.clone()),
            any("imAddresses", name),
            equal("mail", name),
            any("proxyAddresses", &format!("smtp:{name}")),
        ],
        Identity::Sip(address) => {
            vec![any("imAddresses", address), any("proxyAddresses", &format!("SIP:{address}"))]
        }
        Identity::Logon(logon) => {
            let name = logon.split_once('\\').map_or(logon.as_str(), |(_, name)| name);
            vec![equal("onPremisesSamAccountName", name)]
        }
        Identity::DistinguishedName(name) => vec![equal("onPremisesDistinguishedName", name)],
        // The one form in which the original takes an asterisk; Graph knows it at the end alone.
        Identity::DisplayName(name) => match name.strip_suffix('*') {
            Some(start) if !start.contains('*') => {
                vec![Query::Filter(format!("startsWith(displayName,'{}')", quoted(start)))]
            }
            _ => vec![equal("displayName", name)],
        },
    }
}

/// Text inside single quotes (OData ABNF, SQUOTE-in-string).
fn quoted(text: &str) -> String {
    text.replace('\'', "''")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_asks_for_its_properties() {
        let of = |identity: &str| queries(&identity.parse().unwrap());
        let filter = |text: &str| Query::Filter(text.to_owned());
        assert_eq!(of("ken@x.test")[0], Query::Key("ken@x.test".to_owned()));
        assert_eq!(of("ken@x.test")[3], filter("proxyAddresses/any(p:p eq 'smtp:ken@x.test')"));
        assert_eq!(of("sip:ken@x.test")[0], filter("imAddresses/any(p:p eq 'ken@x.test')"));
        assert_eq!(of("LITWARE\\kenmyer"), [filter("onPremisesSamAccountName eq 'kenmyer'")]);
        assert_eq!(of("Ken O'Neil"), [filter("displayName eq 'Ken O''Neil'")]);
        assert_eq!(of("Ken*"), [filter("startsWith(displayName,'Ken')")]);
        assert_eq!(
            of("CN=Ken,DC=x,DC=test"),
            [filter("onPremisesDistinguishedName eq 'CN=Ken,DC=x,DC=test'")]
        );
    }
}
