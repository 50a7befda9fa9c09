//! Who may do what, and who did it.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a caller of the API may do; each role may do what those before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Read statuses, outcomes and settings.
    Viewer,
    /// Start and cancel migrations.
    Operator,
    /// Change settings, and read who did what.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// `viewer`, `operator` or `admin`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let role = Self::ALL.into_iter().find(|role| role.name().eq_ignore_ascii_case(text.trim()));
        role.ok_or_else(|| format!("\"{text}\" is no role: it is viewer, operator or admin"))
    }
}

/// A token of the API, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// Names it for ever.
    pub id: Uuid,
    /// What people call it; of the tokens that are not revoked, one has the name.
    pub name: String,
    /// What its bearer may do.
    pub role: Role,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it does not hold any more; none for never.
    pub expires: Option<Timestamp>,
    /// When it was revoked.
    pub revoked: Option<Timestamp>,
}

impl ApiToken {
    /// Whether it holds at `now`.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// When.
    pub at: Timestamp,
    /// Who: a login name, or the name of a token.
    pub actor: String,
    /// What, as in `StartMigration`.
    pub action: String,
    /// To whom or what: a user principal name, a setting, the name of a token.
    pub target: String,
    /// The rest: a migration type, a new value, a CorrelationId.
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_may_what_those_before_it_may() {
        assert!(Role::Admin > Role::Operator && Role::Operator > Role::Viewer);
        for role in Role::ALL {
            assert_eq!(role.name().to_uppercase().parse(), Ok(role));
        }
        assert!("root".parse::<Role>().unwrap_err().contains("viewer, operator or admin"));
    }

    #[test]
    fn a_token_holds_until_it_expires_or_is_revoked() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let token = ApiToken {
            id: Uuid::nil(),
            name: "ci".to_owned(),
            role: Role::Viewer,
            created: at(0),
            expires: Some(at(10)),
            revoked: None,
        };
        assert!(token.holds(at(9)) && !token.holds(at(10)));
        assert!(!ApiToken { revoked: Some(at(3)), ..token.clone() }.holds(at(9)));
        assert!(ApiToken { expires: None, ..token }.holds(at(1_000_000_000)));
    }
}
