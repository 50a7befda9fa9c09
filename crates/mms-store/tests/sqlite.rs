//! The conformance suite on a SQLite file, and what only a file can do.

use std::path::PathBuf;
use std::sync::Arc;

use mms_model::port::{RequestStore, StoreError};
use mms_store::{Access, SqliteStore, conformance};

#[tokio::test]
async fn conforms() {
    conformance::run(|| async {
        let folder = Box::leak(Box::new(tempfile::tempdir().unwrap()));
        let path: PathBuf = folder.path().join("mms.db");
        let open = move || {
            let path = path.clone();
            Box::pin(async move {
                let store: Arc<dyn RequestStore> =
                    Arc::new(SqliteStore::open(&path, Access::Command).await.unwrap());
                store
            }) as std::pin::Pin<Box<dyn Future<Output = _> + Send>>
        };
        let store = open().await;
        (store, Box::new(open) as Box<conformance::Reopen<'static>>)
    })
    .await;
}

#[tokio::test]
async fn tokens_conform() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&folder.path().join("mms.db"), Access::Command).await.unwrap();
    conformance::tokens(&store).await;
}

#[tokio::test]
async fn a_backup_holds_what_was_answered_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let backup = folder.path().join("backup's.db");
    let store = SqliteStore::open(&folder.path().join("mms.db"), Access::Daemon).await.unwrap();
    store.set_setting("x", "before").await.unwrap();
    let reader = SqliteStore::open(&folder.path().join("mms.db"), Access::ReadOnly).await.unwrap();
    reader.back_up(&backup).await.unwrap();
    store.set_setting("x", "after").await.unwrap();
    let restored = SqliteStore::open(&backup, Access::Command).await.unwrap();
    assert_eq!(restored.setting("x").await.unwrap().as_deref(), Some("before"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&backup).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = reader.back_up(&backup).await.unwrap_err().to_string();
    assert!(again.contains("backup's.db") && again.contains("not there yet"), "{again}");
    assert!(reader.back_up(&folder.path().join("no/x.db")).await.is_err());
}

#[tokio::test]
async fn a_second_daemon_is_refused_and_commands_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mms.db");
    let missing = SqliteStore::open(&path, Access::ReadOnly).await.unwrap_err();
    assert!(missing.to_string().contains("no store"), "{missing}");
    let daemon = SqliteStore::open(&path, Access::Daemon).await.unwrap();
    let second = SqliteStore::open(&path, Access::Daemon).await.unwrap_err();
    assert!(matches!(second, StoreError::InUse(_)), "{second}");
    SqliteStore::open(&path, Access::Command).await.unwrap();
    let reader = SqliteStore::open(&path, Access::ReadOnly).await.unwrap();
    assert_eq!(reader.summary().await.unwrap().pending, 0);
    assert!(reader.set_setting("x", "y").await.unwrap_err().to_string().contains("read-only"));
    daemon.close().await;
    SqliteStore::open(&path, Access::Daemon).await.unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_file_that_is_no_store_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mms.db");
    std::fs::write(&path, "not a database, but long enough to look at: ".repeat(100)).unwrap();
    let error = SqliteStore::open(&path, Access::Command).await.unwrap_err().to_string();
    assert!(error.contains("mms.db") && error.contains("damaged or no SQLite file"), "{error}");
    let nowhere = folder.path().join("missing/mms.db");
    let error = SqliteStore::open(&nowhere, Access::Daemon).await.unwrap_err().to_string();
    assert!(error.contains("missing/mms.db"), "{error}");
}
