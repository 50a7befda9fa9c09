//! `mms audit`

use mms_model::record_date;

use crate::context::Context;
use crate::failure::Failure;
use crate::output::{Format, Rows, Value};
use crate::wiring;

/// Arguments of `mms audit`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// How many entries, the newest first.
    #[arg(long, default_value_t = 100, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    pub limit: u32,
    /// Only what was done before the entry of this number.
    #[arg(long, value_name = "NUMBER")]
    pub before: Option<i64>,
}

/// Shows who did what.
///
/// # Errors
/// The store cannot be read.
pub async fn run(context: &Context, arguments: &Arguments) -> Result<(), Failure> {
    let store = wiring::store(&context.config()?).await?;
    let trail = store.audit_trail(arguments.before, arguments.limit).await.map_err(wiring::store_failure)?;
    let mut rows = Rows::new(&["Number", "Date", "Actor", "Action", "Target", "Detail"]);
    for (number, entry) in trail {
        rows.push(vec![
            Value::Number(number.unsigned_abs()),
            Value::text(record_date(entry.at)),
            Value::text(entry.actor),
            Value::text(entry.action),
            Value::text(entry.target),
            Value::text(entry.detail),
        ]);
    }
    context.output.print(&rows, Format::Table, "nothing is in this part of the trail")
}
