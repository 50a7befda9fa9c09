//! The HTTP transport of the connectors: TLS with private certificate authorities, credentials
//! that never leave their server, `Retry-After`, another try on a closed keep-alive connection, a
//! cap on concurrent requests, on body sizes and on time.
//!
//! A [`Transport`] belongs to one configured server; a [`Session`] adds the credentials of one user. [`Lanes`] are for servers
//! that sign connections in.

mod body;
mod credentials;
mod failure;
mod lanes;
mod patience;
mod retry_after;
mod session;
mod settings;
pub(crate) mod tls;
mod token;

pub use body::BodyReader;
pub use credentials::{Credentials, SecretText, read_secret_file};
pub use failure::TransportError;
pub(crate) use failure::place;
pub use lanes::{Lanes, Principal, PrincipalKey, SignInError, WindowsAccount};
pub(crate) use patience::Patience;
pub use retry_after::retry_after;
pub use session::{Exchange, Reply, Session, Transport};
pub use settings::TransportSettings;
pub use token::{ClientProof, TokenError, TokenSource, roles};
