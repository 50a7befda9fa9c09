//! What the CalDAV tests share: the reader of events, users, and a bare WebDAV client that stands for other
//! programs.

// Each test binary uses its own part of this; a broken set-up is to fail loudly.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;

use jiff::Timestamp;
use mms_connectors::calendar::{
    Invites,
    caldav::{CalDav, CalDavSettings},
};
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::port::{Calendar as _, UserCalendar};
use mms_model::{Address, CalendarLocation, EventId, Meeting, PortError, User};
use reqwest::Method;

/// Reads and rewrites events; the links of [`event`] are Jitsi meetings.
pub fn invites() -> Arc<dyn Invites> {
    let options =
        RecogniserOptions { jitsi_hosts: vec!["old".into(), "new".into()], ..RecogniserOptions::default() };
    let recogniser = Recogniser::new(&options).unwrap();
    Arc::new(Editor::new(Arc::new(recogniser), Arc::new(Templates::builtin())))
}

/// A user with the UPN and address `name@example.test`.
pub fn user(name: &str, place: &str) -> User {
    let address = format!("{name}@example.test");
    User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: address.clone(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new(&address)],
        calendar: Some(CalendarLocation { connector: "dav".into(), place: place.into() }),
    }
}

/// Settings of a server with one user's name and password.
pub fn settings(url: &str, name: &str, password: &str) -> CalDavSettings {
    toml::from_str(&format!(
        "url = '{url}'\nauth = {{ type = 'basic', user = '{name}', password = '{password}' }}\ntimeout = 20"
    ))
    .unwrap()
}

/// Opens the calendars of `user`.
pub async fn open(settings: CalDavSettings, user: &User) -> Result<Box<dyn UserCalendar>, PortError> {
    CalDav::new(settings, invites()).unwrap().open(user).await
}

/// An instant long before every test event.
pub fn epoch() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// Every meeting of a calendar, in the order of its pages, and the sizes of the pages.
pub async fn all(calendar: &dyn UserCalendar) -> (Vec<Meeting>, Vec<(EventId, PortError)>, Vec<usize>) {
    let mut pages = calendar.meetings(epoch());
    let (mut meetings, mut errors, mut sizes) = (Vec::new(), Vec::new(), Vec::new());
    while let Some(page) = pages.next().await.unwrap() {
        sizes.push(page.len());
        for read in page {
            match read {
                Ok(meeting) => meetings.push(meeting),
                Err(error) => errors.push(error),
            }
        }
    }
    (meetings, errors, sizes)
}

/// An event in a far future, weekly for a year; lines of `more` go into it.
pub fn event(uid: &str, description: &str, more: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//EN\r\nBEGIN:VEVENT\r\nUID:{uid}\r\n\
         DTSTAMP:20260101T000000Z\r\nSEQUENCE:0\r\nDTSTART:20300107T090000Z\r\nDTEND:20300107T100000Z\r\n\
         SUMMARY:Meeting {uid}\r\nDESCRIPTION:{description}\r\n{more}END:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

/// Another program, signed in as one user.
pub struct OtherClient {
    client: reqwest::Client,
    name: String,
    password: String,
}

impl OtherClient {
    pub fn new(name: &str, password: &str) -> Self {
        // SOGo closes kept connections without a word.
        let client = reqwest::Client::builder().pool_max_idle_per_host(0).build().unwrap();
        Self { client, name: name.into(), password: password.into() }
    }

    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: String,
    ) -> (u16, String) {
        let mut request = self
            .client
            .request(Method::from_bytes(method.as_bytes()).unwrap(), url)
            .basic_auth(&self.name, Some(&self.password))
            .body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    pub async fn put(&self, url: &str, body: &str) {
        let (status, text) =
            self.send("PUT", url, &[("content-type", "text/calendar")], body.to_owned()).await;
        assert!((200..300).contains(&status), "PUT {url}: {status} {text}");
    }

    pub async fn get(&self, url: &str) -> String {
        let (status, text) = self.send("GET", url, &[], String::new()).await;
        assert_eq!(status, 200, "GET {url}: {text}");
        // Unfolded, so that tests may look for long lines.
        text.replace("\r\n ", "").replace("\n ", "")
    }

    pub async fn make_calendar(&self, url: &str, component: &str) {
        let body = format!(
            r#"<?xml version="1.0"?><C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop><C:supported-calendar-component-set><C:comp name="{component}"/></C:supported-calendar-component-set></D:prop></D:set></C:mkcalendar>"#
        );
        let (status, text) = self.send("MKCALENDAR", url, &[("content-type", "application/xml")], body).await;
        assert_eq!(status, 201, "MKCALENDAR {url}: {text}");
    }

    /// Addresses of the events in a collection.
    pub async fn members(&self, url: &str) -> Vec<String> {
        let body =
            r#"<?xml version="1.0"?><D:propfind xmlns:D="DAV:"><D:prop><D:getetag/></D:prop></D:propfind>"#;
        let (status, text) = self
            .send("PROPFIND", url, &[("depth", "1"), ("content-type", "application/xml")], body.to_owned())
            .await;
        assert_eq!(status, 207, "{text}");
        let base = url::Url::parse(url).unwrap();
        text.split("href>")
            .filter_map(|part| part.split('<').next())
            .filter(|href| href.starts_with('/') && !href.ends_with('/'))
            .map(|href| base.join(href).unwrap().to_string())
            .collect()
    }
}
