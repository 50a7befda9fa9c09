//! The way to one Exchange organisation: requests with impersonation, answers taken apart, pauses minded.

use std::sync::Arc;

use hyper::body::Bytes;
use mms_model::PortError;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, WWW_AUTHENTICATE};
use url::Url;

use super::failure::EwsError;
use super::request;
use super::settings::{EwsSettings, SignIn};
use super::xml::Element;
use crate::transport::{Credentials, Exchange, Lanes, Patience, Reply, Session, TokenSource, Transport};

/// Routes a request to the server that holds the mailbox.
const ANCHOR: HeaderName = HeaderName::from_static("x-anchormailbox");

pub(super) struct EwsClient {
    transport: Arc<Transport>,
    url: Url,
    sign_in: Way,
    version: String,
    impersonation: bool,
}

enum Way {
    Basic(Credentials),
    OAuth(Box<TokenSource>),
    Windows(Box<Lanes>),
}

/// Whether a request may be sent again after a broken connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
}

impl EwsClient {
    /// # Errors
    /// A setting that cannot work: its key and what is wrong.
    pub(super) fn new(settings: &EwsSettings) -> Result<Self, (&'static str, String)> {
        let url = settings.endpoint()?;
        let transport =
            Arc::new(Transport::new(settings.transport()).map_err(|error| ("ca_file", error.to_string()))?);
        transport.settings().check(&url).map_err(|error| ("url", error.to_string()))?;
        let sign_in = match settings.sign_in()? {
            SignIn::Basic { user, password } => Way::Basic(Credentials::Basic { user, password }),
            SignIn::OAuth { token_url, client_id, scope, proof } => {
                let tokens = TokenSource::new(Arc::clone(&transport), token_url, client_id, scope, proof);
                Way::OAuth(Box::new(tokens))
            }
            SignIn::Windows(account) => {
                let lanes = Lanes::new(settings.transport(), url.clone(), account);
                Way::Windows(Box::new(lanes.map_err(|error| ("url", error.to_string()))?))
            }
        };
        let (version, impersonation) = (settings.server_version.clone(), settings.impersonation);
        Ok(Self { transport, url, sign_in, version, impersonation })
    }

    /// Sends one operation about a mailbox; returns its response messages, in the order of what was asked.
    ///
    /// # Errors
    /// What hits the request as a whole; what hits one item is in its message.
    pub(super) async fn call(
        &self,
        mailbox: &str,
        kind: Kind,
        operation: &str,
    ) -> Result<Vec<Result<Element, EwsError>>, EwsError> {
        let act_for = self.impersonation.then_some(mailbox);
        let body = Bytes::from(request::envelope(&self.version, act_for, operation));
        let mut patience = Patience::new();
        let mut renewed = false;
        loop {
            match self.once(mailbox, kind, &body).await {
                Err(EwsError::Status { status: 401, .. }) if !renewed && self.renew().await => renewed = true,
                Err(error) => match error.busy() {
                    Some(wait) if patience.wait(Some(wait)).await => {}
                    _ => return Err(error),
                },
                answered => return answered,
            }
        }
    }

    /// Whether another token may be tried.
    async fn renew(&self) -> bool {
        let Way::OAuth(tokens) = &self.sign_in else { return false };
        let Ok(token) = tokens.token().await else { return false };
        tokens.refused(&token).await;
        true
    }

    async fn once(
        &self,
        mailbox: &str,
        kind: Kind,
        body: &Bytes,
    ) -> Result<Vec<Result<Element, EwsError>>, EwsError> {
        let mut exchange = Exchange::read(Method::POST, self.url.clone())
            .header(CONTENT_TYPE, "text/xml; charset=utf-8")
            .header(ANCHOR, mailbox)
            .body(body.clone());
        exchange.repeatable = kind == Kind::Read;
        let credentials = match &self.sign_in {
            Way::Basic(credentials) => credentials.clone(),
            Way::OAuth(tokens) => Credentials::Bearer(tokens.token().await?),
            Way::Windows(lanes) => return messages(&lanes.exchange(&exchange).await?),
        };
        let session = Session::new(Arc::clone(&self.transport), self.url.clone(), credentials)?;
        messages(&session.exchange(&exchange).await?)
    }
}

/// The response messages of an answer.
fn messages(reply: &Reply) -> Result<Vec<Result<Element, EwsError>>, EwsError> {
    let mut root = match Element::parse(&reply.body) {
        Ok(root) => root,
        Err(error) if reply.status.is_success() => return Err(error.into()),
        Err(_) => return Err(refused(reply)),
    };
    let Some(mut body) = root.take("Body") else {
        return Err(if reply.status.is_success() {
            EwsError::Malformed(format!(
                "it is no SOAP but <{}>",
                root.name.chars().take(60).collect::<String>()
            ))
        } else {
            refused(reply)
        });
    };
    if let Some(fault) = body.child("Fault") {
        return Err(EwsError::refused(fault));
    }
    let messages = body.children.iter_mut().find_map(|response| response.take("ResponseMessages"));
    let messages = messages.ok_or_else(|| EwsError::Malformed("it holds no ResponseMessages".to_owned()))?;
    Ok(messages
        .children
        .into_iter()
        .map(|message| match message.attribute("ResponseClass") {
            Some("Error") => Err(EwsError::refused(&message)),
            _ => Ok(message),
        })
        .collect())
}

/// An answer that is no SOAP, with what an administrator can do about it.
fn refused(reply: &Reply) -> EwsError {
    let status = reply.status.as_u16();
    let detail = match status {
        401 => {
            let offered = offered(&reply.headers);
            format!(
                ": check user and password or the token's application, and auth: the server offers {}. The EWS virtual \
                 directory decides on it (Set-WebServicesVirtualDirectory -BasicAuthentication, -WindowsAuthentication, \
                 -OAuthAuthentication)",
                if offered.is_empty() { "nothing" } else { &offered }
            )
        }
        403 => ": the account may not use EWS (Get-CASMailbox, EwsEnabled)".to_owned(),
        404 => ": is url the address of Exchange.asmx?".to_owned(),
        _ => String::new(),
    };
    EwsError::Status { status, detail }
}

/// The names of the schemes in `WWW-Authenticate` (RFC 9110 section 11.6.1), as Exchange sends them: one in each header.
fn offered(headers: &HeaderMap) -> String {
    let values = headers.get_all(WWW_AUTHENTICATE).into_iter().filter_map(|value| value.to_str().ok());
    let names = values.filter_map(|value| value.split([' ', ',']).next()).filter(|name| {
        let is_token = |c: char| c.is_ascii_alphanumeric() || c == '-';
        !name.is_empty() && name.len() <= 20 && name.chars().all(is_token)
    });
    let mut names: Vec<&str> = names.take(8).collect();
    names.dedup();
    names.join(", ")
}

/// The mailbox in messages.
pub(super) fn failure(error: EwsError, what: &str, mailbox: &str) -> PortError {
    error.into_port(&format!("{what} in the mailbox {mailbox}"))
}
