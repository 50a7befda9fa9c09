//! What the CalDAV tests share: a reader of events that knows no more than the tests need, users, and
//! a bare WebDAV client that stands for other programs.

// Each test binary uses its own part of this; a broken set-up is to fail loudly.
#![allow(dead_code, clippy::unwrap_used)]

use std::sync::Arc;

use jiff::Timestamp;
use mms_connectors::calendar::{
    Invites,
    caldav::{CalDav, CalDavSettings},
};
use mms_model::port::{Calendar as _, UserCalendar};
use mms_model::{
    Address, Attendee, CalendarLocation, EventId, Instance, InstanceId, Meeting, OnlineMeeting,
    Participation, Platform, PortError, Recognition, Rewrite, Rewritten, User, Version,
};
use reqwest::Method;

/// Reads one meeting from a text; a link in DESCRIPTION is its online meeting.
pub struct PlainInvites;

impl Invites for PlainInvites {
    fn meetings(&self, content: &[u8], owner: &User, from: Timestamp) -> Result<Vec<Meeting>, String> {
        let text = String::from_utf8(content.to_vec()).map_err(|e| e.to_string())?;
        let text = text.replace("\r\n ", "").replace("\n ", "");
        if !text.trim_end().ends_with("END:VCALENDAR") {
            return Err("it is cut off".to_owned());
        }
        let value = |block: &str, name: &str| {
            block
                .lines()
                .find(|l| l.split([':', ';']).next() == Some(name))
                .and_then(|l| l.split_once(':').map(|(_, v)| v.to_owned()))
        };
        let blocks: Vec<&str> =
            text.split("BEGIN:VEVENT").skip(1).filter_map(|b| b.split("END:VEVENT").next()).collect();
        let Some(master) = blocks.first() else { return Ok(Vec::new()) };
        let organizer = value(master, "ORGANIZER").map(|v| Address::new(&v));
        let instances = blocks
            .iter()
            .map(|block| Instance {
                id: value(block, "RECURRENCE-ID").map_or(InstanceId::Master, InstanceId::Exception),
                upcoming: block.contains("RRULE")
                    || value(block, "DTSTART")
                        .is_some_and(|start| start > from.strftime("%Y%m%d").to_string()),
                cancelled: false,
                start: None,
                recognition: value(block, "DESCRIPTION").map_or(Recognition::None, |d| {
                    Recognition::One(OnlineMeeting {
                        platform: Platform::JITSI,
                        join_url: Some(d.clone()),
                        meeting_id: None,
                        passcode: None,
                        has_dial_in: false,
                        language: None,
                        key: d,
                    })
                }),
            })
            .collect();
        Ok(vec![Meeting {
            id: EventId(String::new()),
            version: Version(String::new()),
            uid: value(master, "UID").ok_or("it has no UID")?,
            subject: value(master, "SUMMARY").unwrap_or_default(),
            organised_by_owner: organizer.as_ref().is_none_or(|o| owner.owns(o)),
            organizer,
            attendees: master
                .lines()
                .filter(|l| l.starts_with("ATTENDEE"))
                .filter_map(|l| l.split_once(":mailto:"))
                .map(|(_, a)| Attendee {
                    address: Address::new(a),
                    name: None,
                    participation: Participation::Other,
                })
                .collect(),
            instances,
            content: content.to_vec(),
        }])
    }

    fn rewrite(&self, _: &Meeting, _: &Rewrite) -> Result<Rewritten, PortError> {
        unreachable!("these tests write their own text")
    }

    fn undo(&self, _: &[u8], _: &[u8], _: &Meeting, _: Timestamp) -> Result<Rewritten, PortError> {
        unreachable!("these tests write their own text")
    }

    fn invitation(&self, _: &[u8]) -> Result<Vec<u8>, PortError> {
        unreachable!("these tests send no mail")
    }
}

/// A user with the UPN and address `name@example.test`.
pub fn user(name: &str, place: &str) -> User {
    let address = format!("{name}@example.test");
    User {
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
    CalDav::new(settings, Arc::new(PlainInvites)).unwrap().open(user).await
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
