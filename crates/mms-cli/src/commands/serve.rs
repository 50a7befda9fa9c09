//! `mms serve`

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mms_engine::Engine;
use mms_model::{Clock as _, Role, SystemClock};
use mms_server::{Api, Bearers, Socket, SocketError};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::commands::token;
use crate::context::Context;
use crate::failure::Failure;
use crate::logging::LogForm;
use crate::output::print_text;
use crate::wiring::{self, Installation};

/// Arguments of `mms serve`.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The form of the logs on stderr.
    #[arg(long, value_enum, ignore_case = true, default_value_t = LogForm::Text, value_name = "FORM")]
    pub log: LogForm,
}

/// Runs the daemon until SIGTERM or SIGINT: workers, retention and the admin API. What is in progress
/// then is handed back and goes on after the next start.
///
/// # Errors
/// Another daemon has the store or the socket, or the configuration cannot work.
pub async fn run(context: &Context, _arguments: &Arguments) -> Result<(), Failure> {
    let config = context.config()?;
    let path = config.socket_path();
    let installation = wiring::open_for_daemon(config).await?;
    let socket = Socket::open(&path).await.map_err(|error| match error {
        SocketError::InUse(_) => Failure::not_allowed(error.to_string()),
        SocketError::Io { .. } => Failure::failed(error.to_string()),
    })?;
    let asked_to_stop = signalled();
    let (stop, stopped) = watch::channel(false);
    let api = Api { engine: installation.engine.clone(), directory: installation.directory.clone() };
    let network = match installation.config.admin.listen {
        Some(address) => Some(listen(&installation, address).await?),
        None => None,
    };
    let network = network.map(|(listener, bearers)| {
        tokio::spawn(mms_server::serve_network(listener, api.clone(), bearers, until(stopped.clone())))
    });
    let pruning = tokio::spawn(prune(installation.engine.clone(), stopped.clone()));
    let server = tokio::spawn(mms_server::serve(socket, api, until(stopped.clone())));
    tracing::info!(admin.socket = %path.display(), "the daemon runs");
    let engine = installation.engine.clone();
    let workers = tokio::spawn(async move { engine.work(stopped, &log_progress).await });
    asked_to_stop.await;
    tracing::info!("stopping: what is in progress is handed back");
    let _ = stop.send(true);
    // A caller who sends half a request must not hold the daemon up, and who signals again wants it to end now.
    let late = async {
        tokio::select! {
            () = tokio::time::sleep(LAST_ANSWERS) => {}
            () = signalled() => {}
        }
    };
    tokio::pin!(late);
    let (mut served, mut is_late) = (Vec::new(), false);
    for mut server in std::iter::once(server).chain(network) {
        if !is_late {
            tokio::select! {
                done = &mut server => served.push(done),
                () = &mut late => is_late = true,
            }
        }
        server.abort();
    }
    let (worked, _) = tokio::join!(workers, pruning);
    worked.map_err(|error| Failure::failed(format!("the workers broke off: {error}")))?;
    for served in served {
        if let Ok(Err(error)) = served {
            return Err(Failure::failed(format!("the API broke off: {error}")));
        }
    }
    tracing::info!("the daemon has stopped");
    Ok(())
}

/// How long requests on their way have for their answers once the daemon stops.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// The name of the token that a first start makes.
const FIRST_TOKEN_NAME: &str = "first start";
/// How long it holds.
const FIRST_TOKEN: Duration = Duration::from_secs(24 * 3600);

/// Opens the API to bearers of tokens. Where no token was made yet, one is, and printed: nothing has a default password.
async fn listen(installation: &Installation, address: SocketAddr) -> Result<(TcpListener, Bearers), Failure> {
    let listener = TcpListener::bind(address).await.map_err(|error| {
        Failure::failed(format!(
            "[admin] listen: {address} cannot be opened: {error}; is another program there?"
        ))
    })?;
    let (store, tokens) = (&installation.store, &installation.tokens);
    let known = tokens.tokens().await.map_err(wiring::store_failure)?;
    if known.iter().all(|token| token.name == FIRST_TOKEN_NAME && !token.holds(SystemClock.now()))
        && let Some(secret) =
            token::issue(&**store, &**tokens, FIRST_TOKEN_NAME, Role::Admin, FIRST_TOKEN, "mms serve").await?
    {
        let printed = print_text(&format!(
            "No token of the API was made so far. This one is an administrator's, holds for 24 hours and is not shown again:\n{}\n",
            secret.expose()
        ));
        if let Err(failure) = printed {
            // Nobody has it: the next start makes another.
            tokens.revoke_token(FIRST_TOKEN_NAME, SystemClock.now()).await.map_err(wiring::store_failure)?;
            return Err(failure);
        }
    }
    let bearers = Bearers { tokens: Arc::clone(tokens), clock: Arc::new(SystemClock) };
    tracing::info!(%address, "the API listens");
    Ok((listener, bearers))
}

fn log_progress(now: mms_engine::Progress) {
    tracing::debug!(
        request.id = %now.request,
        events.seen = now.seen,
        meetings.succeeded = now.counts.succeeded,
        meetings.failed = now.counts.failed,
        "a page of meetings is done"
    );
}

/// Forgets what is past retention, at the start and then each hour.
async fn prune(engine: Engine, stopped: watch::Receiver<bool>) {
    loop {
        match engine.prune().await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "what is past retention is forgotten"),
            Err(error) => tracing::error!(%error, "what is past retention could not be forgotten"),
        }
        tokio::select! {
            () = tokio::time::sleep(PRUNE_EVERY) => {}
            () = until(stopped.clone()) => return,
        }
    }
}

const PRUNE_EVERY: Duration = Duration::from_secs(3600);

async fn until(mut stopped: watch::Receiver<bool>) {
    // An error means that the sender is gone, which is an end as well.
    let _ = stopped.wait_for(|stop| *stop).await;
}

/// Until SIGTERM or SIGINT, from the call on: what comes before it is awaited counts, too.
fn signalled() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let signals = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async {
        let (Ok(mut terminate), Ok(mut interrupt)) = signals else {
            // Without handlers the signals end the process at once; the journal covers that too.
            return std::future::pending().await;
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
