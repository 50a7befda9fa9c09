//! A small installation in a temporary folder: a configuration, a directory of users and calendars.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

/// The users of the installation.
pub const USERS: &str = "upn,display_name,addresses,calendar,place\n\
    alice@example.test,Alice Adams,alice@example.test,office,alice\n\
    bob@example.test,Bob Brown,bob@example.test,office,bob\n\
    sam1@example.test,Sam Same,sam1@example.test,office,sam1\n\
    sam2@example.test,Sam Same,sam2@example.test,office,sam2\n";

/// The configuration.
pub const CONFIGURATION: &str = "[organisation]\ndomains = [\"example.test\"]\n\
    [directory]\nfile = \"users.csv\"\n\
    [calendar.office]\nkind = \"ics\"\nroot = \"calendars\"\n\
    [platform.Jitsi]\nkind = \"jitsi\"\nurl = \"https://meet.example.test\"\n\
    [engine]\nnotify = \"none\"\n\
    [store]\npath = \"state/mms.db\"\n";

/// The text around the block of [`invite`].
pub const AGENDA: &str = "Agenda: numbers\\, risks\\; and more";

/// An installation that goes away with the value.
pub struct Installation {
    folder: TempDir,
}

impl Installation {
    /// With users whose calendars are empty.
    pub fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let it = Self { folder };
        fs::write(it.path("mms.toml"), CONFIGURATION).unwrap();
        fs::write(it.path("users.csv"), USERS).unwrap();
        for user in ["alice", "bob", "sam1", "sam2"] {
            fs::create_dir_all(it.path("calendars").join(user)).unwrap();
        }
        it
    }

    /// A path in it.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Puts an invite into a user's calendar and returns its path.
    pub fn invite(&self, user: &str, name: &str, text: &str) -> PathBuf {
        let path = self.path("calendars").join(user).join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// Runs `mms` in it.
    pub fn mms(&self, arguments: &[&str]) -> Run {
        let output = command(self.folder.path()).args(arguments).output().unwrap();
        Run::of(&output)
    }
}

/// `mms` in a folder, with nothing of the surrounding configuration.
pub fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mms"));
    command
        .current_dir(folder)
        .env_remove("MMS_CONFIG")
        .env("XDG_STATE_HOME", folder.join("xdg"))
        .env("USER", "tester");
    command
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Run {
    /// Exit code.
    pub code: i32,
    /// stdout.
    pub out: String,
    /// stderr.
    pub err: String,
}

impl Run {
    /// From what the operating system says.
    pub fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }

    /// stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e}: {}", self.out))
    }
}

/// A Zoom meeting of `organizer` far in the future, CRLF, with text on both sides of the block.
pub fn invite(uid: &str, organizer: &str, subject: &str) -> String {
    let lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//test//EN",
        "BEGIN:VEVENT",
        &format!("UID:{uid}"),
        "DTSTAMP:20250101T000000Z",
        "DTSTART:20990601T090000Z",
        "DTEND:20990601T100000Z",
        &format!("SUMMARY:{subject}"),
        &format!("ORGANIZER;CN=Org:mailto:{organizer}"),
        "ATTENDEE;PARTSTAT=ACCEPTED:mailto:guest@fabrikam.test",
        &format!("X-KEEP;X-ODD=\"a;b\":{AGENDA}"),
        &format!("DESCRIPTION:{AGENDA}\\n\\nJoin Zoom Meeting\\n"),
        " https://example.zoom.us/j/81234567890?pwd=abcDEF123\\n\\nMeeting ID: 812 3456 78",
        " 90\\nPasscode: 123456\\n",
        "LOCATION:https://example.zoom.us/j/81234567890?pwd=abcDEF123",
        "SEQUENCE:3",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ];
    lines.join("\r\n")
}
