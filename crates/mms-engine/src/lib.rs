//! The engine: find, plan, provision, rewrite, publish, verify, record. It knows calendars, platforms, mail and
//! the store by their ports alone.
//!
//! [`Engine`] is what the command line and the server call. `plan` and `ladder` are pure. A preview, a run and a
//! rollback share one way: preview stops before the journal, and a rollback's plan comes from the journal.

mod audit;
mod batch;
mod engine;
mod error;
mod event;
mod ladder;
mod mail;
mod pipeline;
mod plan;
mod prepare;
mod preview;
mod rollback;
mod settings;
mod switch;
mod tally;
mod trigger;
mod worker;

pub use audit::audit;
pub use batch::{Batch, Pace, QuietHours};
pub use engine::{Connectors, Engine, Progress};
pub use error::EngineError;
pub use event::{Effect, Event, EventDetails, Happened, UpgradeMode, effect};
pub use ladder::{MAX_RETRIES, delay};
pub use plan::{Decision, Move, Rules, SkipReason, plan};
pub use prepare::external_id;
pub use preview::Previewed;
pub use rollback::{Rollback, RollbackSelection, RolledBack};
pub use settings::EngineSettings;
pub use switch::Switch;
pub use trigger::{Start, Trigger, UnknownType};
