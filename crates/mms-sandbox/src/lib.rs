//! A simulated organisation that speaks Exchange Web Services, Microsoft Graph, the UCWA of Skype for Business Server and the
//! LDAP of Active Directory, to try MMS without a server and to test it.
//!
//! It is honest: where Exchange would refuse (a stale change key, a property that cannot be written, a missing
//! permission), it refuses with the same response code. It depends on no other crate of MMS, so that it cannot share a
//! mistake with what it tests. An event takes some bytes until somebody changes it: what it says follows from the seed.

mod ews;
mod faults;
mod graph;
mod item;
mod ldap;
mod mailbox;
mod ntlm;
mod organisation;
mod state;
mod tls;
mod ucwa;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::routing::{any, get, post};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub use faults::Faults;
use ntlm::Connection;
use organisation::Organisation;
use state::Shared;
use tls::TlsListener;

/// What the organisation is like.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where to listen; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where to listen for LDAP; port 0 takes a free one.
    pub ldap: SocketAddr,
    /// How many users.
    pub users: usize,
    /// How many rooms that organise meetings, too; they are numbered behind the users.
    pub rooms: usize,
    /// How many meetings to come each user organises online; beside them there are some that are to stay as they are.
    pub meetings: usize,
    /// Whether every eighth user, from the second one on, has three more meetings: one with two links, one for 260
    /// people, and one whose block went through another program.
    pub unusual: bool,
    /// The same seed makes the same organisation.
    pub seed: u64,
    /// Whether to serve with TLS, under a certificate of the sandbox's own making.
    pub tls: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            ldap: SocketAddr::from(([127, 0, 0, 1], 0)),
            users: 25,
            rooms: 0,
            meetings: 12,
            unusual: false,
            seed: 1,
            tls: false,
        }
    }
}

/// A sandbox that serves until it is dropped.
pub struct Sandbox {
    address: SocketAddr,
    /// PEM.
    certificate: Option<String>,
    shared: Arc<Shared>,
    serving: JoinHandle<std::io::Result<()>>,
    directory: ldap::Directory,
}

enum Listening {
    Plain(TcpListener),
    Tls(TlsListener),
}

impl Sandbox {
    /// Makes the organisation and serves it.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub async fn start(settings: &Settings) -> std::io::Result<Self> {
        let listener = TcpListener::bind(settings.listen).await?;
        let address = listener.local_addr()?;
        let (listener, certificate, end_point) = if settings.tls {
            let (listener, shown) = TlsListener::new(listener)?;
            (Listening::Tls(listener), Some(shown.pem), Some(shown.end_point))
        } else {
            (Listening::Plain(listener), None, None)
        };
        let shared = Arc::new(Shared::new(Organisation::new(settings), end_point));
        let directory = ldap::Directory::start(settings.ldap, settings.tls, Arc::clone(&shared)).await?;
        let router = Router::new()
            .route(ews::PATH, post(ews::serve))
            .route("/{tenant}/oauth2/v2.0/token", post(graph::issue))
            .route("/v1.0/{*resource}", any(graph::serve))
            .route("/", any(ucwa::serve))
            .route("/autodiscover/{*resource}", any(ucwa::serve))
            // As it is spelled in challenges.
            .route("/WebTicket/oauthtoken", any(ucwa::serve))
            .route("/ucwa/{*resource}", any(ucwa::serve))
            .route("/sandbox/state", get(report))
            .route("/sandbox/faults", post(set_faults))
            // DavMail writes the path of EWS in small letters.
            .fallback(ews::serve_in_any_case)
            .with_state(Arc::clone(&shared));
        let service = router.into_make_service_with_connect_info::<Connection>();
        let serving = match listener {
            Listening::Plain(listener) => tokio::spawn(async move { axum::serve(listener, service).await }),
            Listening::Tls(listener) => tokio::spawn(async move { axum::serve(listener, service).await }),
        };
        Ok(Self { address, certificate, shared, serving, directory })
    }

    /// Where it is and who is in it: every URL, the account and its password, the certificates, the users.
    pub fn description(&self) -> Value {
        let base = format!("{}://{}", self.shared.scheme(), self.address);
        let organisation = &self.shared.organisation;
        let users: Vec<Value> = (0..organisation.users())
            .map(|user| {
                let (address, name) = (organisation.address(user), organisation.name(user));
                // A room's account is disabled.
                let password = (!organisation.is_room(user)).then(|| organisation.own_password(user));
                json!({
                    "address": address, "name": name, "id": organisation.object_id(user),
                    "room": organisation.is_room(user), "password": password,
                })
            })
            .collect();
        // LDAP, which may listen at another address, has one of its own.
        let certificates = self.certificate.as_deref().zip(self.directory.certificate());
        json!({
            "ews": format!("{base}{}", ews::PATH),
            "graph": format!("{base}/v1.0"),
            "token": format!("{base}/{}/oauth2/v2.0/token", organisation::TENANT),
            "authority": base,
            "tenant": organisation::TENANT,
            "client": {"id": graph::CLIENT, "secret": graph::SECRET},
            "state": format!("{base}/sandbox/state"),
            "faults": format!("{base}/sandbox/faults"),
            "account": {
                "user": organisation::ACCOUNT,
                "upn": organisation::ACCOUNT_UPN,
                "password": organisation::PASSWORD,
            },
            "domain": organisation::DOMAIN,
            "ldap": self.directory.describe(),
            "ucwa": ucwa::describe(&self.shared, &base),
            "certificate": certificates.map(|(http, ldap)| format!("{http}{ldap}")),
            "users": users,
        })
    }

    /// What was asked and who was told so far, as `/sandbox/state` shows it.
    pub fn state(&self) -> Value {
        self.shared.report()
    }

    /// What goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.set_faults(faults);
    }

    /// Somebody changes an event in Outlook: its subject gets a word more.
    pub fn edit(&self, user: usize, event: usize) {
        self.shared.organisation.mailbox(user).edit(event);
    }

    /// Waits until it ends, which it does only by failing.
    ///
    /// # Errors
    /// What ended it.
    pub async fn ended(mut self) -> std::io::Result<()> {
        (&mut self.serving).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }
}

impl Drop for Sandbox {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn report(State(shared): State<Arc<Shared>>) -> axum::Json<Value> {
    axum::Json(shared.report())
}

async fn set_faults(State(shared): State<Arc<Shared>>, axum::Json(faults): axum::Json<Faults>) {
    shared.set_faults(faults);
}
