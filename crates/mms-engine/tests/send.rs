//! Whatever the engine does can be spawned onto another thread.

use mms_engine::{Engine, RollbackSelection};
use mms_model::{MigrationType, RequestId, User};

fn sendable<T: Send>(_: T) {}

#[allow(dead_code)]
fn futures_are_send(engine: &Engine, user: &User, migration: &MigrationType, id: RequestId) {
    sendable(engine.run_now(id, &|_| {}));
    sendable(engine.run_due(&|_| {}));
    sendable(engine.rollback(id, &RollbackSelection::All, "x"));
    let mut sink = |_| {};
    sendable(engine.preview(user, migration, &mut sink));
    let (_sender, stop) = tokio::sync::watch::channel(false);
    sendable(engine.work(stop, &|_| {}));
}
