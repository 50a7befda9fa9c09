//! Who calls: the service account, or a user for themselves.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::organisation::Organisation;

/// Who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// The account that may act for every user.
    Service,
    /// A user, who reaches nobody's mailbox but their own.
    User(usize),
}

impl Caller {
    /// The user who signs in by Basic with this request, if one does.
    pub(super) fn user(organisation: &Organisation, headers: &HeaderMap) -> Option<Self> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = given.split_once(' ')?;
        let pair = String::from_utf8(STANDARD.decode(token.trim()).ok()?).ok()?;
        let (name, password) = pair.split_once(':').filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
        let user = organisation.find(name).filter(|user| !organisation.is_room(*user))?;
        (organisation.own_password(user) == password).then_some(Self::User(user))
    }

    /// Whether the role ApplicationImpersonation is the caller's.
    pub(super) fn may_impersonate(self) -> bool {
        self == Self::Service
    }

    /// The mailbox of the caller; the first user's stands for the account's.
    pub(super) fn mailbox(self) -> usize {
        match self {
            Self::Service => 0,
            Self::User(user) => user,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Settings;
    use crate::organisation::{ACCOUNT, PASSWORD};

    fn signed_in(name: &str, password: &str) -> Option<Caller> {
        let organisation = Organisation::new(&Settings { users: 2, rooms: 1, ..Settings::default() });
        let mut headers = HeaderMap::new();
        let pair = STANDARD.encode(format!("{name}:{password}"));
        headers.insert(header::AUTHORIZATION, format!("basic {pair}").parse().unwrap());
        Caller::user(&organisation, &headers)
    }

    #[test]
    fn each_user_signs_in_with_a_password_of_their_own() {
        let organisation = Organisation::new(&Settings { users: 2, rooms: 1, ..Settings::default() });
        let passwords: Vec<String> = (0..3).map(|user| organisation.own_password(user)).collect();
        assert_eq!(signed_in("User00001@contoso.example", &passwords[0]), Some(Caller::User(0)));
        assert_eq!(signed_in("user00002@contoso.example", &passwords[1]), Some(Caller::User(1)));
        for (name, password) in [
            ("user00001@contoso.example", passwords[1].as_str()),
            ("user00001@contoso.example", ""),
            ("user00001@contoso.example", PASSWORD),
            ("user00003@contoso.example", &passwords[2]),
            ("user00009@contoso.example", &passwords[0]),
            (ACCOUNT, &passwords[0]),
            (ACCOUNT, PASSWORD),
        ] {
            assert_eq!(signed_in(name, password), None, "{name}:{password}");
        }
    }
}
