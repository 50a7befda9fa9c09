//! Checking a CalDAV configuration step by step, for `mms doctor`. Nothing is changed on the server.

use std::sync::Arc;
use std::time::Duration;

use mms_model::port::Scheduling;
use mms_model::{Code, PortError, User};
use tokio::net::{TcpStream, lookup_host};
use url::Url;

use super::credentials_file::CredentialsFile;
use super::dav::{self, Filter, ListError, Propfind};
use super::discovery::{Discovered, discover};
use super::failure::no_answer;
use super::location::{Location, locate};
use super::settings::{CalDavSettings, SchedulingChoice};
use super::{ask_server, object, scheduling};
use crate::diagnosis::DiagnosticStep;
use crate::transport::{Exchange, Session, Transport, place};

const CONFIGURATION: &str = "configuration";
const CONNECTION: &str = "connection";
const TLS: &str = "TLS";
const SIGN_IN: &str = "sign-in";
const DISCOVERY: &str = "discovery";
const CALENDARS: &str = "calendars";
const SCHEDULING: &str = "scheduling";
const READING: &str = "reading";
const WRITING: &str = "writing";
/// In the order in which they are checked.
const STEPS: [&str; 9] =
    [CONFIGURATION, CONNECTION, TLS, SIGN_IN, DISCOVERY, CALENDARS, SCHEDULING, READING, WRITING];

/// Checks the configuration for one user. Every step is in the result, those behind a failure as skipped.
pub async fn diagnose(settings: &CalDavSettings, user: &User) -> Vec<DiagnosticStep> {
    let mut diagnosis = Diagnosis { settings, user, steps: Vec::new() };
    // A failure is in the steps by then.
    let _ = diagnosis.run().await;
    let mut steps = diagnosis.steps;
    let why = steps.iter().find(|s| s.is_failure()).map(|s| format!("because {} failed", s.name));
    for name in STEPS.iter().skip(steps.len()) {
        steps.push(DiagnosticStep::skipped(*name, why.as_deref().unwrap_or("nothing to check")));
    }
    steps
}

/// A step failed; it is noted already.
struct Stopped;

struct Diagnosis<'a> {
    settings: &'a CalDavSettings,
    user: &'a User,
    steps: Vec<DiagnosticStep>,
}

impl Diagnosis<'_> {
    async fn run(&mut self) -> Result<(), Stopped> {
        let (location, session) = self.configuration()?;
        self.connection(&location.url).await?;
        self.tls_and_sign_in(&session, &location.url).await?;
        let found = self.discovery(&session, &location).await?;
        self.calendars(&found);
        self.scheduling(&session, &found).await?;
        self.reading(&session, &found).await?;
        self.writing(&session, &found).await;
        Ok(())
    }

    fn fail(&mut self, name: &str, error: &PortError) -> Stopped {
        let advice = match error.code {
            Code::CalendarAccessDenied => {
                "check the credentials, and that the account may read and write the calendar"
            }
            Code::CalendarNotFound => "check url and the user's place in the directory",
            Code::CalendarUnreachable => "check the URL, the network, and ca_file",
            Code::CalendarThrottled => "wait, and lower concurrency",
            _ => "look into the server's log",
        };
        self.steps.push(DiagnosticStep::failed(name, error.message.clone(), advice));
        Stopped
    }

    fn configuration(&mut self) -> Result<(Location, Session), Stopped> {
        let prepared = locate(self.settings, &CredentialsFile::default(), self.user).and_then(|location| {
            let transport = Transport::new(self.settings.transport()).map_err(no_answer)?;
            let session =
                Session::new(Arc::new(transport), location.url.clone(), location.credentials.clone())
                    .map_err(no_answer)?;
            Ok((location, session))
        });
        match prepared {
            Ok((location, session)) => {
                let detail = format!("{} as {}", place(&location.url), location.credentials.who());
                self.steps.push(DiagnosticStep::passed(CONFIGURATION, detail));
                Ok((location, session))
            }
            Err(error) => Err(self.fail(CONFIGURATION, &error)),
        }
    }

    async fn connection(&mut self, url: &Url) -> Result<(), Stopped> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let wait = Duration::from_secs(self.settings.connect_timeout.max(1));
        let failed = |detail: String, advice: &str| DiagnosticStep::failed(CONNECTION, detail, advice);
        let step = match tokio::time::timeout(wait, lookup_host((host.as_str(), port))).await {
            Err(_) => failed(format!("the DNS does not answer for {host}"), "check the name server"),
            Ok(Err(e)) => failed(format!("{host} cannot be resolved: {e}"), "check the host name in url"),
            Ok(Ok(addresses)) => {
                let addresses: Vec<_> = addresses.collect();
                match tokio::time::timeout(wait, TcpStream::connect(addresses.as_slice())).await {
                    Ok(Ok(stream)) => {
                        let peer = stream.peer_addr().map_or_else(|_| host.clone(), |a| a.to_string());
                        DiagnosticStep::passed(CONNECTION, format!("connected to {peer}"))
                    }
                    Ok(Err(e)) => failed(
                        format!("{host} port {port} takes no connection: {e}"),
                        "check the port in url, the firewall, and that the server runs",
                    ),
                    Err(_) => failed(
                        format!("{host} port {port} does not answer within {} seconds", wait.as_secs()),
                        "check the firewall between this machine and the server",
                    ),
                }
            }
        };
        let stop = step.is_failure();
        self.steps.push(step);
        if stop { Err(Stopped) } else { Ok(()) }
    }

    /// One request tells both: without TLS there is no answer, without the right password a 401.
    async fn tls_and_sign_in(&mut self, session: &Session, url: &Url) -> Result<(), Stopped> {
        let request = Exchange::read(reqwest::Method::OPTIONS, url.clone());
        if let Err(error) = session.exchange(&request).await
            && url.scheme() == "https"
        {
            let step = DiagnosticStep::failed(
                TLS,
                error.to_string(),
                "check that the port speaks TLS; set ca_file to the PEM file of the authority that issued the server's certificate",
            );
            self.steps.push(step);
            return Err(Stopped);
        }
        self.steps.push(match (url.scheme(), &self.settings.ca_file) {
            ("https", Some(file)) => DiagnosticStep::passed(TLS, format!("trusted, with {}", file.display())),
            ("https", None) => DiagnosticStep::passed(TLS, "trusted by the system's authorities"),
            _ if self.settings.allow_plaintext => DiagnosticStep::warning(
                TLS,
                "plain HTTP: passwords and calendars travel readable",
                "use https and set allow_plaintext = false",
            ),
            _ => DiagnosticStep::passed(TLS, "plain HTTP on this machine only"),
        });
        match dav::propfind(session, url.clone(), 0, dav::PRINCIPAL).await {
            Err(error) => Err(self.fail(SIGN_IN, &error)),
            Ok(Propfind::Refused(error, _)) if error.code == Code::CalendarAccessDenied => {
                Err(self.fail(SIGN_IN, &error))
            }
            // Whether there are calendars is for discovery to say.
            Ok(Propfind::Refused(..)) => {
                self.steps
                    .push(DiagnosticStep::passed(SIGN_IN, "the server does not refuse the credentials"));
                Ok(())
            }
            Ok(Propfind::Found { items, .. }) => {
                let principal = items.first().and_then(|i| i.properties.current_user_principal.clone());
                self.steps.push(match principal {
                    Some(principal) => DiagnosticStep::passed(
                        SIGN_IN,
                        format!("signed in; the server knows you as {principal}"),
                    ),
                    None => DiagnosticStep::passed(SIGN_IN, "the server answers"),
                });
                Ok(())
            }
        }
    }

    async fn discovery(&mut self, session: &Session, location: &Location) -> Result<Discovered, Stopped> {
        let found = match discover(session, location, self.user).await {
            Ok(found) => found,
            Err(error) => return Err(self.fail(DISCOVERY, &error)),
        };
        let who = found.principals.first().map_or_else(|| "no principal named".to_owned(), place);
        let known = found.addresses.iter().any(|a| self.user.owns(a));
        self.steps.push(if found.addresses.is_empty() || known {
            DiagnosticStep::passed(DISCOVERY, who)
        } else {
            let addresses: Vec<_> = found.addresses.iter().map(ToString::to_string).collect();
            DiagnosticStep::warning(
                DISCOVERY,
                format!(
                    "{who} has the addresses {}, none of which the directory has for {}",
                    addresses.join(", "),
                    self.user.upn
                ),
                "check that these are the user's calendars, and add the address to the directory",
            )
        });
        Ok(found)
    }

    fn calendars(&mut self, found: &Discovered) {
        let names: Vec<_> = found
            .calendars
            .iter()
            .map(|c| c.name.clone().unwrap_or_else(|| c.url.path().to_owned()))
            .collect();
        let mut detail = format!("{} to migrate: {}", names.len(), names.join(", "));
        for (url, reason) in &found.passed_over {
            detail.push_str(&format!("; not {}: {reason}", url.path()));
        }
        self.steps.push(DiagnosticStep::passed(CALENDARS, detail));
    }

    async fn scheduling(&mut self, session: &Session, found: &Discovered) -> Result<(), Stopped> {
        let server = match ask_server(session, found).await {
            Ok(server) => server,
            Err(error) => return Err(self.fail(SCHEDULING, &error)),
        };
        let (who, reason) = scheduling::decide(self.settings.scheduling, &server.traits);
        let (believed, _) = scheduling::decide(SchedulingChoice::Auto, &server.traits);
        self.steps.push(match (who, believed) {
            (Scheduling::Client, Scheduling::Server) => DiagnosticStep::warning(
                SCHEDULING,
                "the server sends updates by itself, and MMS is told to send them too",
                "set scheduling = \"auto\", or attendees are told twice",
            ),
            (Scheduling::Server, Scheduling::Client) => DiagnosticStep::warning(
                SCHEDULING,
                "the settings say that the server sends updates, but it does not look so",
                "set scheduling = \"auto\", or nobody is told",
            ),
            (Scheduling::Server, _) => DiagnosticStep::passed(
                SCHEDULING,
                format!("the server sends updates, always to every attendee: {reason}"),
            ),
            (Scheduling::Client, _) => {
                DiagnosticStep::passed(SCHEDULING, format!("MMS sends updates by mail: {reason}"))
            }
        });
        Ok(())
    }

    async fn reading(&mut self, session: &Session, found: &Discovered) -> Result<(), Stopped> {
        let mut events = 0;
        let mut tagged = None;
        for calendar in &found.calendars {
            let names = match dav::list(session, &calendar.url, Filter::All).await {
                Ok(names) => names,
                Err(ListError::Filter(error) | ListError::Failed(error)) => {
                    return Err(self.fail(READING, &error));
                }
            };
            events += names.len();
            if let (None, Some(name)) = (tagged, names.first())
                && let Ok(url) = session.resolve(&calendar.url, name)
            {
                match object::get(session, &url).await {
                    Ok(Some(stored)) => tagged = Some(stored.tags.condition().is_some()),
                    Ok(None) => {}
                    Err(error) => return Err(self.fail(READING, &error)),
                }
            }
        }
        if tagged == Some(false) {
            let step = DiagnosticStep::failed(
                READING,
                "the server gives its events no ETag, so that edits made meanwhile could be lost",
                "nothing will be written; look whether a proxy removes the ETag header",
            );
            self.steps.push(step);
            return Err(Stopped);
        }
        self.steps.push(DiagnosticStep::passed(READING, format!("{events} events")));
        Ok(())
    }

    /// By the privileges that the server tells; a write is not tried.
    async fn writing(&mut self, session: &Session, found: &Discovered) {
        let mut silent = 0;
        for calendar in &found.calendars {
            if let Ok(Propfind::Found { items, .. }) =
                dav::propfind(session, calendar.url.clone(), 0, dav::CALENDAR).await
                && items.first().is_some_and(|i| i.properties.privileges.is_none())
            {
                silent += 1;
            }
        }
        self.steps.push(if silent == 0 {
            DiagnosticStep::passed(WRITING, "the account may change events in each of these calendars")
        } else {
            DiagnosticStep::warning(
                WRITING,
                format!("the server does not say whether the account may write to {silent} of the calendars"),
                "migrate one test meeting before everybody's",
            )
        });
    }
}
