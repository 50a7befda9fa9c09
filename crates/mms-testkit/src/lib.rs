//! Real servers for the tests: a CalDAV server with its users, an SMTP server that keeps what it
//! accepts, a directory, and a Kerberos realm. Each runs in a directory of its own on free loopback ports, and ends when it is dropped.
//!
//! The servers are started by `tests/servers/serve.py` under the Python of the tests: `$MMS_TEST_PYTHON`
//! or `.test-venv/bin/python` in the workspace root, which `./test` makes.
//!
//! Everything here panics when it fails: a test that cannot have its server has failed.
#![allow(clippy::expect_used, clippy::panic, reason = "development only; failing loudly is the purpose")]

mod directory;
mod kerberos;
mod launcher;
mod mail;
mod server;

pub use directory::{DirectoryServer, DirectoryUser};
pub use kerberos::KerberosRealm;
pub use mail::{Mail, SmtpSink};
pub use server::{Server, TestUser};
