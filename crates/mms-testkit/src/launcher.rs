//! The Python launcher as a child process.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

use serde::de::DeserializeOwned;

/// A started `serve.py`. Dropping it closes the launcher's stdin, upon which it ends its server and
/// removes its files, and waits for that.
pub(crate) struct Launcher {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Launcher {
    /// Starts `serve.py` with `arguments`, and returns it with the line that it printed when the server
    /// was ready.
    pub(crate) fn start<T: DeserializeOwned>(arguments: &[&str]) -> (Self, T) {
        let root = workspace_root();
        let mut child = Command::new(python(&root))
            .arg(root.join("tests/servers/serve.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the Python of the tests starts");
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("stdout is piped");
        let launcher = Self { child, stdin };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("the launcher's answer is text");
        assert!(
            !line.is_empty(),
            "`serve.py {}` did not start its server: see its error above",
            arguments.join(" ")
        );
        let ready = serde_json::from_str(&line).expect("the launcher prints one line of JSON");
        (launcher, ready)
    }
}

impl Drop for Launcher {
    fn drop(&mut self) {
        drop(self.stdin.take());
        // It ends by itself; an error here would only hide the test's own.
        drop(self.child.wait());
    }
}

fn workspace_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("the crate lies two folders below the workspace root")
        .to_path_buf()
}

fn python(root: &Path) -> PathBuf {
    let python = match std::env::var_os("MMS_TEST_PYTHON") {
        Some(path) => PathBuf::from(path),
        None => root.join(".test-venv/bin/python"),
    };
    assert!(
        python.exists(),
        "{} does not exist: run ./test, which installs what the tests need",
        python.display()
    );
    python
}
