//! The real binary on folders of .ics files.

#![allow(clippy::unwrap_used)]

mod cmdlets;
mod configuration;
mod daemon;
mod demo;
mod inspect;
mod installation;
mod migration;
mod pipes;
mod reference;
