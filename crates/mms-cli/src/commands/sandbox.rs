//! `mms sandbox`

use std::net::SocketAddr;

use mms_sandbox::{Sandbox, Settings};

use crate::failure::Failure;
use crate::output::print_text;

/// Arguments of `mms sandbox`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// Where to listen. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,
    /// How many users the organisation has.
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub users: usize,
    /// How many meetings to come each user organises, beside a few that are to stay as they are.
    #[arg(long, value_name = "M", default_value_t = 12)]
    pub meetings: usize,
    /// The same seed makes the same organisation.
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Serve with TLS, under a certificate of its own making, which the first line holds.
    #[arg(long)]
    pub tls: bool,
}

/// Serves the organisation until the command is stopped. The first line says where, and as whom one signs in.
///
/// # Errors
/// The address cannot be listened on.
pub async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let &Arguments { listen, users, meetings, seed, tls } = arguments;
    let failed =
        |error| Failure::failed(format!("{listen} cannot be served: {error}; name another with --listen"));
    let sandbox = Sandbox::start(&Settings { listen, users, meetings, seed, tls }).await.map_err(failed)?;
    print_text(&format!("{}\n", sandbox.description()))?;
    sandbox.ended().await.map_err(failed)
}
