//! The steps by which a connector checks a configuration against the real world, for `mms doctor`.

use serde::Serialize;

/// How one step went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "result", content = "detail", rename_all = "lowercase")]
pub enum DiagnosticOutcome {
    /// It works; says what was found.
    Passed(String),
    /// It works, but an administrator should know of something.
    Warning(String),
    /// It does not work; says what is wrong.
    Failed(String),
    /// Not tried, because an earlier step failed or the configuration does not ask for it.
    Skipped(String),
}

/// One step of a diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiagnosticStep {
    /// What was checked, as a short noun phrase ("TLS", "sign-in", "calendars").
    pub name: String,
    /// How it went.
    pub outcome: DiagnosticOutcome,
    /// What to do about a warning or failure; none where nothing is to be done.
    pub advice: Option<String>,
}

impl DiagnosticStep {
    /// A step that passed; `detail` says what was found.
    pub fn passed(name: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: DiagnosticOutcome::Passed(detail.into()), advice: None }
    }

    /// A step that passed with a reservation, and what to do about it.
    pub fn warning(name: impl Into<String>, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: DiagnosticOutcome::Warning(detail.into()),
            advice: Some(advice.into()),
        }
    }

    /// A step that failed, and what to do about it.
    pub fn failed(name: impl Into<String>, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            outcome: DiagnosticOutcome::Failed(detail.into()),
            advice: Some(advice.into()),
        }
    }

    /// A step that was not tried, and why.
    pub fn skipped(name: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { name: name.into(), outcome: DiagnosticOutcome::Skipped(reason.into()), advice: None }
    }

    /// Whether the configuration does not work because of this step.
    pub fn is_failure(&self) -> bool {
        matches!(self.outcome, DiagnosticOutcome::Failed(_))
    }
}
