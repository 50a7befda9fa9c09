//! `mms doctor`

use mms_connectors::diagnosis::{DiagnosticOutcome, DiagnosticStep};
use mms_model::Identity;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value};
use crate::wiring::diagnosis;

/// Arguments of `mms doctor`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The user whose calendar is tried [default: of each calendar the first user].
    #[arg(value_name = "IDENTITY")]
    pub identity: Option<Identity>,
}

/// Checks step by step.
///
/// # Errors
/// Some step failed.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let config = context.config()?;
    let steps = diagnosis::diagnose(&config, arguments.identity.as_ref()).await?;
    let mut rows = Rows::new(&["Check", "Step", "Result", "Detail", "Advice"]);
    for (check, step) in &steps {
        rows.push(row(check, step));
    }
    context.output.print(&rows, Format::List, "there is nothing to check")?;
    match steps.iter().filter(|(_, step)| step.is_failure()).count() {
        0 => Ok(()),
        failed => Err(Failure::failed(format!(
            "{failed} of {} steps failed: mend what the advice says, then run this again",
            steps.len()
        ))),
    }
}

fn row(check: &str, step: &DiagnosticStep) -> Vec<Value> {
    let (result, detail) = match &step.outcome {
        DiagnosticOutcome::Passed(detail) => ("Passed", detail),
        DiagnosticOutcome::Warning(detail) => ("Warning", detail),
        DiagnosticOutcome::Failed(detail) => ("Failed", detail),
        DiagnosticOutcome::Skipped(detail) => ("Skipped", detail),
    };
    vec![
        Value::text(check),
        Value::text(step.name.clone()),
        Value::text(result),
        Value::text(detail.clone()),
        Value::optional(step.advice.clone()),
    ]
}
