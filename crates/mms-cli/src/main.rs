//! `mms`
#![allow(dead_code)]
mod cmdlet;
mod config;
mod dates;
mod failure;
mod nearest;
mod output;
fn main() {}
