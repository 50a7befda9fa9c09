//! Who calls: the service account, or a user for themselves.

use axum::http::{HeaderMap, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::organisation::{ACCOUNT, Organisation, PASSWORD};

/// Who signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Caller {
    /// The account that may act for every user.
    Service,
    /// A user, who reaches nobody's mailbox but their own.
    User(usize),
}

impl Caller {
    /// Who signed in with these headers.
    pub(super) fn signed_in(organisation: &Organisation, headers: &HeaderMap) -> Option<Self> {
        let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = given.split_once(' ')?;
        let pair = String::from_utf8(STANDARD.decode(token.trim()).ok()?).ok()?;
        let (name, password) = pair.split_once(':').filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
        if name.eq_ignore_ascii_case(ACCOUNT) && password == PASSWORD {
            return Some(Self::Service);
        }
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
