//! Microsoft Graph, as far as every connector to it needs it: sign-in, national clouds, `$batch`, errors,
//! throttling. A [`GraphClient`] belongs to one application in one tenant.

mod batch;
mod client;
mod diagnosis;
mod failure;
mod pace;
mod settings;

pub use batch::{SubReply, SubRequest};
pub use client::{GraphClient, GraphClients, Mailbox, path, query};
pub use diagnosis::sign_in;
pub use failure::{Fault, GraphError, Side};
pub(crate) use settings::{
    AccessKeys, access_settings, default_concurrency, default_connect_timeout, default_timeout,
};
pub use settings::{Cloud, GraphAccess, SigningAlgorithm};
