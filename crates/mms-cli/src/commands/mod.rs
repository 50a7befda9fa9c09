//! The commands: in each file its arguments and what it does.

pub mod audit;
pub mod backup;
pub mod cancel;
pub mod completions;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod event;
pub mod history;
pub mod inspect;
pub mod man;
pub mod migrate;
pub mod preview;
mod reason;
pub mod rollback;
pub mod sandbox;
pub mod serve;
pub mod start;
pub mod status;
pub mod token;
