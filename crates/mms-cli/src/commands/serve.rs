//! `mms serve`

use std::time::Duration;

use mms_engine::Engine;
use mms_server::{Api, Socket, SocketError};
use tokio::sync::watch;

use crate::context::Context;
use crate::failure::Failure;
use crate::logging::LogForm;
use crate::wiring;

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
    let (stop, stopped) = watch::channel(false);
    let api = Api { engine: installation.engine.clone(), directory: installation.directory.clone() };
    let pruning = tokio::spawn(prune(installation.engine.clone(), stopped.clone()));
    let server = tokio::spawn(mms_server::serve(socket, api, until(stopped.clone())));
    tracing::info!(admin.socket = %path.display(), "the daemon runs");
    let engine = installation.engine.clone();
    let workers = tokio::spawn(async move { engine.work(stopped, &log_progress).await });
    signalled().await;
    tracing::info!("stopping: what is in progress is handed back");
    let _ = stop.send(true);
    let (worked, served, _) = tokio::join!(workers, server, pruning);
    worked.map_err(|error| Failure::failed(format!("the workers broke off: {error}")))?;
    if let Ok(Err(error)) = served {
        return Err(Failure::failed(format!("the admin API broke off: {error}")));
    }
    tracing::info!("the daemon has stopped");
    Ok(())
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

/// Until SIGTERM or SIGINT.
async fn signalled() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut terminate), Ok(mut interrupt)) =
        (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        // Without handlers the signals end the process at once; the journal covers that too.
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}
