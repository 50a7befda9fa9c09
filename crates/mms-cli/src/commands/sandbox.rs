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
    /// Where to listen for LDAP, by which the users are found as in Active Directory. Port 0 takes a free one.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:0")]
    pub ldap: SocketAddr,
    /// How many users the organisation has.
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub users: usize,
    /// How many rooms that organise meetings as users do; they are listed behind the users.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub rooms: usize,
    /// How many meetings to come each user organises, beside a few that are to stay as they are.
    #[arg(long, value_name = "M", default_value_t = 12)]
    pub meetings: usize,
    /// Give every eighth user, from the second one on, a meeting with two links, one for 260 people, and one whose block
    /// went through another program.
    #[arg(long)]
    pub unusual: bool,
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
    let &Arguments { listen, ldap, users, rooms, meetings, unusual, seed, tls } = arguments;
    let failed = |error| {
        Failure::failed(format!(
            "{listen} or {ldap} cannot be served: {error}; name others with --listen and --ldap"
        ))
    };
    let sandbox = Sandbox::start(&Settings { listen, ldap, users, rooms, meetings, unusual, seed, tls })
        .await
        .map_err(failed)?;
    print_text(&format!("{}\n", sandbox.description()))?;
    sandbox.ended().await.map_err(failed)
}
