//! The steps of `mms doctor` that every connector to Graph begins with.

use super::{GraphClient, Side};
use crate::diagnosis::DiagnosticStep;
use crate::transport::roles;

/// Signs in, and looks whether the token names the permissions that are needed. The last step is a failure where there
/// is no token.
pub async fn sign_in(client: &GraphClient, side: Side, needed: &[&str]) -> Vec<DiagnosticStep> {
    match client.token().await {
        Ok(token) => {
            let signed_in = DiagnosticStep::passed("sign-in", format!("a token for {}", client.base()));
            vec![signed_in, permissions(roles(&token), needed)]
        }
        Err(error) => {
            let error = error.into_port(side, "signing in");
            let advice = "correct tenant, client_id, cloud and the secret or certificate (docs/graph.md)";
            vec![DiagnosticStep::failed("sign-in", error.message, advice)]
        }
    }
}

/// With RBAC for Applications the right is Exchange's to know, and the token does not name it.
fn permissions(roles: Option<Vec<String>>, needed: &[&str]) -> DiagnosticStep {
    let Some(roles) = roles else { return DiagnosticStep::skipped("permissions", "the token does not say") };
    let missing: Vec<&str> =
        needed.iter().copied().filter(|needed| roles.iter().all(|role| role != needed)).collect();
    if missing.is_empty() {
        return DiagnosticStep::passed("permissions", needed.join(", "));
    }
    DiagnosticStep::warning(
        "permissions",
        format!("the token does not name {}", missing.join(", ")),
        "grant it as an application permission and consent to it, unless the application gets it by RBAC for \
         Applications in Exchange Online",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::DiagnosticOutcome;

    #[test]
    fn a_permission_that_the_token_does_not_name_is_a_warning() {
        let of = |roles: &[&str]| {
            let roles = roles.iter().map(|role| (*role).to_owned()).collect();
            permissions(Some(roles), &["A", "B"]).outcome
        };
        assert_eq!(of(&["B", "A", "C"]), DiagnosticOutcome::Passed("A, B".to_owned()));
        assert!(matches!(of(&["A"]), DiagnosticOutcome::Warning(text) if text.ends_with("name B")));
        assert!(matches!(permissions(None, &["A"]).outcome, DiagnosticOutcome::Skipped(_)));
    }
}
