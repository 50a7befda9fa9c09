//! The cmdlet lines: `mms Get-CsMeetingMigrationStatus -SummaryOnly`, from any shell.
//!
//! [`table`] says what cmdlets and parameters there are; [`parse`] reads a line by it, [`help`]
//! explains it, and [`run`] turns the line into the native command of the same meaning, so that both
//! go one way.

pub mod help;
pub mod parse;
pub mod run;

pub mod table;
