//! What a Teams join URL tells of its meeting, and the properties that follow from it.

use mms_model::Address;
use url::Url;

use super::property::{NamedProperty, Properties};
use crate::recognise::percent_decode;

/// The parts of a long join URL.
#[derive(Debug, PartialEq, Eq)]
struct JoinUrl {
    host: String,
    /// `19:meeting_…@thread.v2`.
    thread: String,
    tenant: String,
    organizer: String,
}

/// The properties that Teams' own client sets on an item. From a short link or one of a channel, which
/// do not name thread, tenant and organizer, there follows the link alone.
pub(super) fn properties(join_url: &str, organizer: Option<&Address>) -> Properties {
    let mut properties = Properties::from([(NamedProperty::SkypeTeamsMeetingUrl, join_url.to_owned())]);
    let Some(url) = JoinUrl::parse(join_url) else { return properties };
    let JoinUrl { host, thread, tenant, organizer: oid } = &url;
    properties.insert(
        NamedProperty::SkypeTeamsProperties,
        format!(r#"{{"cid":"{thread}","private":true,"type":0,"mid":0,"rid":0,"uid":null}}"#),
    );
    let escaped = thread.replacen("19:", "19_", 1);
    // Which services the national clouds use for these is not documented.
    if host == "teams.microsoft.com" {
        properties.insert(
            NamedProperty::SchedulingServiceUpdateUrl,
            format!("https://api.scheduler.teams.microsoft.com/teams/{tenant}/{oid}/{escaped}/0"),
        );
    }
    if let Some(options) = url.options_url() {
        properties.insert(NamedProperty::SchedulingServiceMeetingOptionsUrl, options);
    }
    if let Some(organizer) = organizer {
        let plain = |guid: &str| guid.replace('-', "");
        properties.insert(
            NamedProperty::OnlineMeetingConfLink,
            format!(
                "conf:sip:{organizer};gruu;opaque=app:conf:focus:id:teams:2:0!{}!{}!{}",
                thread.replace('@', "-"),
                plain(oid),
                plain(tenant)
            ),
        );
    }
    properties
}

/// The page on which the organizer of a Teams meeting sets its options, by the form that Teams' own client writes into
/// `SchedulingServiceMeetingOptionsUrl`; none for links that do not name thread, tenant and organizer.
pub fn meeting_options_url(join_url: &str) -> Option<String> {
    JoinUrl::parse(join_url)?.options_url()
}

impl JoinUrl {
    /// Which services the national clouds use for it is not documented.
    fn options_url(&self) -> Option<String> {
        let Self { host, thread, tenant, organizer } = self;
        let thread = thread.replacen("19:", "19_", 1);
        (host == "teams.microsoft.com").then(|| {
            format!(
                "https://{host}/meetingOptions/?organizerId={organizer}&tenantId={tenant}&threadId={thread}&messageId=0"
            )
        })
    }

    fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let mut segments = url.path_segments()?;
        let (l, join, thread, message) =
            (segments.next()?, segments.next()?, segments.next()?, segments.next().unwrap_or("0"));
        let thread = percent_decode(thread);
        let meeting = thread.strip_prefix("19:meeting_")?.strip_suffix("@thread.v2")?;
        let plain = |text: &str| {
            !text.is_empty()
                && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'='))
        };
        if l != "l" || join != "meetup-join" || message != "0" || !plain(meeting) {
            return None;
        }
        let context = url.query_pairs().find(|(name, _)| name == "context")?.1;
        let context: serde_json::Value = serde_json::from_str(&context).ok()?;
        let guid = |name: &str| {
            let guid = context.get(name)?.as_str()?;
            (guid.len() == 36 && plain(guid)).then(|| guid.to_owned())
        };
        Some(Self { host: url.host_str()?.to_owned(), tenant: guid("Tid")?, organizer: guid("Oid")?, thread })
    }
}
