//! Workers: claim what is due, run it, finish it.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use mms_model::RequestId;
use tokio::sync::watch;

use crate::engine::{Progress, worker_name};
use crate::pipeline::Extent;
use crate::rollback::RollbackSelection;
use crate::{Engine, EngineError};

/// Longest pause between looks at the store. Polling is the guarantee that nothing is missed, also when the wall
/// clock is set.
const POLL: Duration = Duration::from_secs(1);
/// Pause after a failure of the store.
const STORE_FAILED: Duration = Duration::from_secs(10);

impl Engine {
    /// Runs workers until `stop` turns true; then each hands its request back after the page it is at.
    pub async fn work(&self, stop: watch::Receiver<bool>, progress: &(dyn Fn(Progress) + Send + Sync)) {
        let workers = (0..self.settings.workers.max(1)).map(|n| self.worker(n, stop.clone(), progress));
        futures_util::future::join(
            futures_util::future::join_all(workers),
            self.resume_rollbacks(stop.clone()),
        )
        .await;
    }

    /// Runs every request that is due now, one after another; returns how many attempts were made.
    ///
    /// # Errors
    /// The store's.
    pub async fn run_due(&self, progress: &(dyn Fn(Progress) + Send + Sync)) -> Result<u32, EngineError> {
        let mut attempts = 0;
        let name = worker_name("command");
        while let Some((request, lease)) =
            self.store.claim(&name, self.clock.now(), self.settings.lease).await?
        {
            self.run_claimed(&request, &lease, Extent::Whole, &|| false, progress).await?;
            attempts += 1;
        }
        Ok(attempts)
    }

    async fn worker(
        &self,
        number: usize,
        mut stop: watch::Receiver<bool>,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) {
        let name = worker_name(&format!("worker {number}"));
        let stopping = AtomicBool::new(false);
        let watched = stop.clone();
        let should_stop = || stopping.load(Ordering::Relaxed) || *watched.borrow();
        while !should_stop() {
            let pause = match self.store.claim(&name, self.clock.now(), self.settings.lease).await {
                Ok(Some((request, lease))) => {
                    match self.run_claimed(&request, &lease, Extent::Whole, &should_stop, progress).await {
                        Ok(()) => continue,
                        // The lease runs out and the request is taken up again from the journal.
                        Err(error) => {
                            tracing::error!(request = %request.id, %error, "an attempt broke off");
                            STORE_FAILED
                        }
                    }
                }
                Ok(None) => POLL.mul_f64(0.9 + 0.2 * self.ids.fraction()),
                Err(error) => {
                    tracing::error!(%error, "the store cannot be asked for work");
                    STORE_FAILED
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = stop.changed() => if changed.is_err() {
                    // Whoever could stop us is gone.
                    stopping.store(true, Ordering::Relaxed);
                }
            }
        }
    }

    /// Brings rollbacks that a crash interrupted to their end.
    async fn resume_rollbacks(&self, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            match self.store.interrupted_rollbacks(self.clock.now()).await {
                Ok(requests) => {
                    for request in requests.into_iter().collect::<HashSet<RequestId>>() {
                        let none = RollbackSelection::Events(Vec::new());
                        if let Err(error) = self.rollback(request, &none, "mms").await {
                            tracing::warn!(%request, %error, "an interrupted rollback could not go on");
                        }
                    }
                }
                Err(error) => tracing::error!(%error, "the store cannot be asked for interrupted rollbacks"),
            }
            tokio::select! {
                () = tokio::time::sleep(Duration::from_secs(60)) => {}
                changed = stop.changed() => if changed.is_err() { return }
            }
        }
    }
}
