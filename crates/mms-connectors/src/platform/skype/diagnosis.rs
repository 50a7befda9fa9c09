//! The steps of `mms doctor`: discovery, a sign-in, an application, and what it says of telephones.

use std::path::Path;

use mms_model::Address;

use super::account::Account;
use super::client::SignedIn;
use super::{Skype, UcwaError};
use crate::diagnosis::DiagnosticStep;
use crate::transport::place;

impl Skype {
    /// Tries discovery, and a sign-in in the name of `organizer`, or of the first who can, for `mms doctor`. It makes an
    /// application and deletes it again, and makes no meeting.
    pub async fn diagnose(&self, organizer: Option<&Address>) -> Vec<DiagnosticStep> {
        let mut steps = Vec::new();
        for domain in self.accounts.sip_domains() {
            steps.push(self.discovery(domain).await);
        }
        let account = match self.accounts.all() {
            Err(problem) => {
                let advice = "mend credentials_file; docs/skype.md describes it";
                steps.push(DiagnosticStep::failed("credentials", problem, advice));
                None
            }
            Ok(all) => {
                steps.push(credentials(&all));
                steps.extend(self.accounts.file().and_then(readable_by_others));
                all.into_iter().next()
            }
        };
        let account = match organizer.map(|organizer| self.accounts.of(organizer.as_str())) {
            None => account,
            Some(Ok(own)) => Some(own),
            Some(Err(error)) => {
                let advice = "docs/skype.md says who signs in";
                steps.push(DiagnosticStep::failed("credentials", error.message, advice));
                None
            }
        };
        let Some(account) = account.filter(|_| !steps.iter().any(DiagnosticStep::is_failure)) else {
            let reason = "discovery does not work yet, or nobody can sign in";
            steps.push(DiagnosticStep::skipped("sign-in", reason));
            return steps;
        };
        let mut state = SignedIn::default();
        steps.extend(self.sign_in(&account, &mut state).await);
        self.client.end(&mut state, &account).await;
        steps
    }

    async fn discovery(&self, domain: &str) -> DiagnosticStep {
        let name = format!("discovery of {domain}");
        match self.client.root(domain).await {
            Ok(root) => DiagnosticStep::passed(name, place(&root.url)),
            Err(error) => {
                let advice = "check the DNS records lyncdiscoverinternal and lyncdiscover, or set discover_url and ca_file";
                DiagnosticStep::failed(name, error.to_string(), advice)
            }
        }
    }

    async fn sign_in(&self, account: &Account, state: &mut SignedIn) -> Vec<DiagnosticStep> {
        let home = match self.client.home(state, account).await {
            Ok(home) => home,
            Err(error) => return vec![failed("sign-in", &error)],
        };
        let signed_in = format!("{} is at {}", account.user, place(&home));
        let mut steps = vec![DiagnosticStep::passed("sign-in", signed_in)];
        if let Err(error) = self.client.application(state, account).await {
            steps.push(failed("online meetings", &error));
            return steps;
        }
        steps.push(DiagnosticStep::passed("online meetings", "they can be made"));
        steps.push(match self.client.telephone(state, account).await {
            Err(error) => failed("dial-in", &error),
            Ok(telephone) if telephone.numbers.is_empty() => {
                let advice = "see Get-CsDialInConferencingAccessNumber and the EnableDialInConferencing of \
                              Get-CsConferencingPolicy, if meetings are to be joined by telephone";
                DiagnosticStep::warning("dial-in", format!("no numbers for {}", account.user), advice)
            }
            Ok(telephone) => {
                let numbers: Vec<String> =
                    telephone.numbers.into_iter().map(|number| number.number).collect();
                DiagnosticStep::passed("dial-in", numbers.join(", "))
            }
        });
        steps
    }
}

fn failed(name: &str, error: &UcwaError) -> DiagnosticStep {
    DiagnosticStep::failed(name, error.to_string(), "docs/skype.md says what the server needs")
}

/// A warning where accounts other than that of MMS may read the file with everybody's passwords.
fn readable_by_others(file: &Path) -> Option<DiagnosticStep> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(file).ok()?.permissions().mode();
        (mode & 0o077 != 0).then(|| {
            let detail = format!("{} may be read by other accounts of this machine", file.display());
            DiagnosticStep::warning("credentials", detail, format!("chmod 600 {}", file.display()))
        })
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

fn credentials(all: &[Account]) -> DiagnosticStep {
    let own = all.iter().filter(|account| !account.is_delegate).count();
    let delegate = all.iter().find(|account| account.is_delegate);
    match (own, delegate) {
        (0, None) => DiagnosticStep::failed(
            "credentials",
            "nobody can sign in",
            "set credentials_file to a CSV file with address,username,password, or set delegate",
        ),
        (own, None) => DiagnosticStep::passed("credentials", format!("organizers with a password: {own}")),
        (own, Some(delegate)) => DiagnosticStep::passed(
            "credentials",
            format!("organizers with a password: {own}; {} makes meetings for all others", delegate.user),
        ),
    }
}
