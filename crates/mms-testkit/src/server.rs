//! Calendar servers.

use serde::Deserialize;

use crate::launcher::Launcher;

/// A running calendar server with its users.
pub struct Server {
    /// Its name, as given to [`Server::start`].
    pub name: String,
    /// Where discovery starts, with a slash at the end.
    pub url: String,
    /// Whether it delivers invitations and updates itself (RFC 6638).
    pub scheduling: bool,
    /// In the order in which they were asked for.
    pub users: Vec<TestUser>,
    _launcher: Launcher,
}

/// A user of a [`Server`].
#[derive(Clone, Debug, Deserialize)]
pub struct TestUser {
    /// The login name.
    pub name: String,
    /// The password for Basic authentication.
    pub password: String,
    /// The mail address, `name@example.test`.
    pub address: String,
    /// The URL of the user's calendar, with a slash at the end.
    pub calendar: String,
}

#[derive(Deserialize)]
struct Ready {
    name: String,
    url: String,
    scheduling: bool,
    users: Vec<TestUser>,
}

impl Server {
    /// Starts `radicale`, `xandikos`, `cyrus`, `davical` or `sogo` with users of these names.
    pub fn start(name: &str, users: &[&str]) -> Self {
        let (launcher, ready): (_, Ready) = Launcher::start(&[name, "--users", &users.join(",")]);
        Self {
            name: ready.name,
            url: ready.url,
            scheduling: ready.scheduling,
            users: ready.users,
            _launcher: launcher,
        }
    }

    /// The user of this name.
    pub fn user(&self, name: &str) -> &TestUser {
        self.users
            .iter()
            .find(|user| user.name == name)
            .unwrap_or_else(|| panic!("{} was started without a user {name}", self.name))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
    };

    use super::*;

    fn connect(url: &str) -> std::io::Result<TcpStream> {
        TcpStream::connect(url.trim_start_matches("http://").trim_end_matches('/'))
    }

    #[test]
    fn radicale_answers_until_it_is_dropped() {
        let server = Server::start("radicale", &["alice", "bob"]);
        assert_eq!(server.user("bob").address, "bob@example.test");
        assert!(!server.scheduling);

        let mut connection = connect(&server.url).expect("it listens");
        connection
            .write_all(b"GET /alice/calendar/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .expect("it reads");
        let mut answer = String::new();
        connection.read_to_string(&mut answer).expect("it answers");
        assert!(answer.starts_with("HTTP/1.1 401 ") || answer.starts_with("HTTP/1.0 401 "), "{answer}");

        let url = server.url.clone();
        drop(server);
        assert!(connect(&url).is_err(), "it still listens");
    }
}
