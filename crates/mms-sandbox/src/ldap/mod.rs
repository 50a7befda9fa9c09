//! The organisation's Active Directory by LDAP: users as Exchange and Skype for Business note them, to be read alone.
//!
//! It answers as a domain controller does: signing in is by user principal name, `DOMAIN\logon` or distinguished name;
//! without that only the description of the server is shown; one answer holds a thousand entries at most. What is no
//! LDAP ends the connection.

mod ber;
mod entry;
mod filter;
mod index;
mod message;
mod name;
mod schema;
mod search;
mod tree;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::Listener;
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, BufWriter};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

use ber::Malformed;
use message::{Bind, Code, Control, Operation, Outcome, Request, Search};
use name::Name;
use search::Plan;
use tree::{Owner, Tree};

use crate::organisation::{DOMAIN, Organisation, PASSWORD};
use crate::state::Shared;
use crate::tls::TlsListener;
pub(crate) use tree::distinguished_name;

/// The most bytes of a request.
const LARGEST: usize = 256 * 1024;
/// Entries that are looked at before others get their turn.
const AT_ONCE: usize = 256;

/// A directory that is served until it is dropped.
pub(crate) struct Directory {
    address: SocketAddr,
    /// PEM.
    certificate: Option<String>,
    serving: JoinHandle<()>,
}

impl Directory {
    /// Serves the organisation's users at `address`.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub(crate) async fn start(address: SocketAddr, tls: bool, shared: Arc<Shared>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let (serving, certificate) = if tls {
            let (listener, shown) = TlsListener::new(listener)?;
            (tokio::spawn(accept(listener, shared)), Some(shown.pem))
        } else {
            (tokio::spawn(accept(listener, shared)), None)
        };
        Ok(Self { address, certificate, serving })
    }

    /// Where it is, and who may read it.
    pub(crate) fn describe(&self) -> Value {
        let scheme = if self.certificate.is_some() { "ldaps" } else { "ldap" };
        json!({
            "url": format!("{scheme}://{}", self.address),
            "base": tree::BASE,
            "user": format!("{}@{DOMAIN}", tree::LOGON),
            "password": PASSWORD,
        })
    }

    /// The certificate that it serves with.
    pub(crate) fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Serves connections; when it is aborted, they end with it.
async fn accept<L: Listener>(mut listener: L, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await;
        // A client that goes away in the middle of something needs no answer.
        let stream = BufWriter::new(stream);
        let connection = Connection { stream, shared: Arc::clone(&shared), signed_in: false };
        connections.spawn(connection.serve());
        while connections.try_join_next().is_some() {}
    }
}

struct Connection<S> {
    stream: BufWriter<S>,
    shared: Arc<Shared>,
    signed_in: bool,
}

/// Whether the connection goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Request,
    Close,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    async fn serve(mut self) -> io::Result<()> {
        let mut came = Vec::new();
        loop {
            let mut read = 0;
            while let Ok(Some(request)) = whole(&came, read) {
                read += request.len();
                match Request::read(request) {
                    Ok(request) if self.answer(&request).await? == Next::Request => {}
                    Ok(_) => return self.stream.shutdown().await,
                    Err(Malformed) => return self.give_up().await,
                }
            }
            if whole(&came, read).is_err() {
                return self.give_up().await;
            }
            came.drain(..read);
            self.stream.flush().await?;
            if self.stream.read_buf(&mut came).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Says that what came in is no LDAP, and ends the connection.
    async fn give_up(mut self) -> io::Result<()> {
        self.shared.count_refusal("ldap protocolError");
        self.stream.write_all(&message::disconnection("this is not a message of LDAP")).await?;
        self.stream.shutdown().await
    }

    async fn answer(&mut self, request: &Request<'_>) -> io::Result<Next> {
        let id = request.id;
        match &request.operation {
            Operation::Unbind => return Ok(Next::Close),
            // Requests are answered one after the other: what could be abandoned has been answered.
            Operation::Abandon => {}
            Operation::Bind(bind) => {
                self.shared.count_request("ldap bind");
                let outcome = self.bind(bind);
                self.send(outcome.code, message::bound(id, &outcome)).await?;
            }
            Operation::Search(search) => {
                self.shared.count_request("ldap search");
                self.search(id, search, &request.controls).await?;
            }
            Operation::Extended(kind) => {
                let outcome = Outcome::new(Code::ProtocolError, format!("{kind} is not supported"));
                self.send(outcome.code, message::extended(id, &outcome)).await?;
            }
            Operation::Other(tag) => {
                let outcome = Outcome::new(Code::UnwillingToPerform, "this directory can only be searched");
                self.send(outcome.code, message::answered(id, *tag, &outcome)).await?;
            }
        }
        Ok(Next::Request)
    }

    async fn send(&mut self, code: Code, message: Vec<u8>) -> io::Result<()> {
        if code != Code::Success {
            self.shared.count_refusal(&format!("ldap {code:?}"));
        }
        self.stream.write_all(&message).await
    }

    fn bind(&mut self, bind: &Bind<'_>) -> Outcome {
        self.signed_in = false;
        if bind.version != 3 {
            return Outcome::new(Code::ProtocolError, "only version 3 of LDAP is spoken");
        }
        match bind.password {
            None => Outcome::new(Code::AuthMethodNotSupported, "only simple binds are taken"),
            // Without a password nobody is signed in, whatever the name (RFC 4513 section 5.1.2).
            Some(b"") => Outcome::success(),
            Some(password) if signs_in(&self.shared.organisation, bind.name, password) => {
                self.signed_in = true;
                Outcome::success()
            }
            Some(_) => Outcome::new(
                Code::InvalidCredentials,
                "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data 52e, v4563",
            ),
        }
    }

    async fn search(&mut self, id: i64, search: &Search<'_>, controls: &[Control<'_>]) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let tree = Tree(&shared.organisation);
        let plan = match Plan::new(search, controls, self.signed_in, &tree) {
            Ok(plan) => plan,
            Err(outcome) => return self.send(outcome.code, message::done(id, &outcome, None)).await,
        };
        let mut next = None;
        if let Some(root) = plan.root(&tree) {
            self.found(id, search, &root).await?;
        } else if !plan.is_over() {
            next = self.entries(id, &plan, &tree).await?;
            if let (None, Some(url)) = (next, plan.elsewhere()) {
                self.stream.write_all(&message::reference(id, &url)).await?;
            }
        }
        let (outcome, cookie) = plan.end(next);
        self.send(outcome.code, message::done(id, &outcome, cookie.as_deref())).await
    }

    /// Sends what the search finds; returns the number of the first entry that was not looked at because the answer was
    /// full.
    async fn entries(&mut self, id: i64, plan: &Plan<'_>, tree: &Tree<'_>) -> io::Result<Option<usize>> {
        let mut sent = 0;
        for number in plan.numbers(tree) {
            if number % AT_ONCE == 0 {
                tokio::task::yield_now().await;
            }
            let Some(entry) = plan.find(tree, number) else { continue };
            if sent == plan.most {
                return Ok(Some(number));
            }
            self.found(id, plan.search, &entry).await?;
            sent += 1;
        }
        Ok(None)
    }

    async fn found(&mut self, id: i64, search: &Search<'_>, entry: &entry::Entry) -> io::Result<()> {
        let attributes = entry.selected(&search.attributes, search.types_only);
        self.stream.write_all(&message::found(id, &entry.name, attributes)).await
    }
}

/// The request at `start` of what came, if it has come whole.
fn whole(came: &[u8], start: usize) -> Result<Option<&[u8]>, Malformed> {
    let rest = came.get(start..).unwrap_or_default();
    if rest.first().is_some_and(|tag| *tag != ber::SEQUENCE) {
        return Err(Malformed);
    }
    match ber::size(rest)? {
        Some(size) if size > LARGEST => Err(Malformed),
        size => Ok(size.and_then(|size| rest.get(..size))),
    }
}

/// Whether a name, in any of the forms that a domain controller takes, and a password are the service account's or a
/// user's. Nobody signs in as a room.
fn signs_in(organisation: &Organisation, name: &str, password: &[u8]) -> bool {
    let tree = Tree(organisation);
    let number = if name.contains('=') {
        Name::parse(name).and_then(|name| tree.find(&name))
    } else {
        match name.split_once('\\') {
            Some((domain, logon)) if domain.eq_ignore_ascii_case(tree::NETBIOS) => tree.with_logon(logon),
            Some(_) => None,
            None => {
                name.to_ascii_lowercase().strip_suffix(&format!("@{DOMAIN}")).and_then(|l| tree.with_logon(l))
            }
        }
    };
    match number.map(|number| tree.owner(number)) {
        Some(Owner::Account) => password == PASSWORD.as_bytes(),
        Some(Owner::User(user)) => {
            !organisation.is_room(user) && password == organisation.own_password(user).as_bytes()
        }
        Some(Owner::Nobody) | None => false,
    }
}

#[cfg(test)]
mod tests;
