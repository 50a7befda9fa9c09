//! The MIME message of an invitation (RFC 6047):
//!
//! ```text
//! multipart/mixed
//!   multipart/alternative
//!     text/plain            what changed, for people
//!     text/html             the same
//!     text/calendar         the iTIP REQUEST, for calendars
//!   application/ics         the same as a file, for mail programs that know no text/calendar
//! ```

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{Timestamp, civil};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as MailAddress;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::date::Date;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use mms_invite::ical::Document;
use mms_model::port::Invitation;
use mms_model::{Address, Code, PortError};

use super::settings::{FromPolicy, SmtpSettings};
use super::wording;

/// A mail as it goes over the wire, without its end.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) envelope_from: String,
    pub(super) recipient: String,
    /// Dot-stuffed lines, each ended by CRLF.
    pub(super) data: Vec<u8>,
    /// Some address is not ASCII (RFC 6531).
    pub(super) needs_smtputf8: bool,
}

impl Mail {
    /// The mail of `invitation`, written at `now`.
    ///
    /// # Errors
    /// `MailRejected` where an address or the Message-ID could not stand in a mail.
    pub(super) fn of(
        invitation: &Invitation,
        settings: &SmtpSettings,
        now: Timestamp,
    ) -> Result<Self, PortError> {
        let organizer = sound_address(&invitation.from)?;
        let recipient = sound_address(&invitation.to)?;
        let sender = settings.sender.as_ref().map(sound_address).transpose()?;
        let envelope_from = settings.envelope_from.as_ref().map(sound_address).transpose()?;
        let envelope_from = envelope_from.or(sender).unwrap_or(organizer);
        let message_id = sound_message_id(&invitation.message_id)?;

        let name = invitation.from_name.as_deref().map(one_line).filter(|name| !name.is_empty());
        let from = match (settings.from, sender) {
            (FromPolicy::Sender, Some(sender)) => {
                let shown = name.clone().unwrap_or_else(|| organizer.to_owned());
                MailAddress::new_address(Some(shown), sender)
            }
            _ => MailAddress::new_address(name.clone(), organizer),
        };
        let words = wording::of(&invitation.language);
        let mut message = MessageBuilder::new()
            .from(from)
            .to(MailAddress::new_address(None::<&str>, recipient))
            .reply_to(MailAddress::new_address(name, organizer))
            .subject(words.subject(&one_line(&invitation.subject)))
            .date(Date::new(now.as_second()))
            .message_id(message_id)
            // RFC 3834: keeps vacation responders from answering the organizer.
            .header("Auto-Submitted", Raw::new("auto-generated"));
        // RFC 5322 §3.6.2: Sender stands where it is not the same as From.
        if let (Some(sender), FromPolicy::Organizer) = (sender.filter(|s| *s != organizer), settings.from) {
            message = message.sender(MailAddress::new_address(None::<&str>, sender));
        }
        let needs_smtputf8 = [Some(organizer), Some(recipient), sender, Some(envelope_from)]
            .into_iter()
            .flatten()
            .any(|a| !a.is_ascii());
        let bytes = message.body(body(invitation, words)).write_to_vec().map_err(|error| {
            PortError::permanent(
                Code::MailRejected,
                format!("the mail to {recipient} could not be written: {error}"),
            )
        })?;
        Ok(Self {
            envelope_from: envelope_from.to_owned(),
            recipient: recipient.to_owned(),
            data: dot_stuffed(&bytes),
            needs_smtputf8,
        })
    }
}

fn body<'x>(invitation: &'x Invitation, words: &wording::Wording) -> MimePart<'x> {
    let language = words.language;
    let mut meeting = vec![one_line(&invitation.subject)];
    meeting.extend(start(&invitation.itip));
    let alternative = vec![
        MimePart::new("text/plain", words.text(&meeting, &invitation.join_url)).language(language),
        MimePart::new("text/html", words.html(&meeting, &invitation.join_url)).language(language),
        calendar_part(
            ContentType::new("text/calendar").attribute("method", "REQUEST").attribute("charset", "UTF-8"),
            &invitation.itip,
        ),
    ];
    let file =
        calendar_part(ContentType::new("application/ics").attribute("name", "invite.ics"), &invitation.itip)
            .attachment("invite.ics");
    MimePart::new("multipart/mixed", vec![MimePart::new("multipart/alternative", alternative), file])
}

/// When the meeting begins, as its DTSTART says and in the zone it names: `2027-05-05 09:00 (Europe/Berlin)`. None
/// for a series, whose DTSTART is its first day and long over.
fn start(itip: &[u8]) -> Option<String> {
    let document = Document::parse(itip);
    let mut events = document.named("VEVENT");
    let event = events.next()?;
    if events.next().is_some() || document.property(event, "RRULE").is_some() {
        return None;
    }
    let line = document.property(event, "DTSTART")?;
    let value = line.value(itip);
    if value.len() == "20270505".len() {
        return value.parse::<civil::Date>().ok().map(|date| date.to_string());
    }
    let time: civil::DateTime = value.trim_end_matches('Z').parse().ok()?;
    let zone = if value.ends_with('Z') { Some("UTC".to_owned()) } else { line.parameter(itip, "TZID") };
    let zone = zone.map(|zone| format!(" ({})", one_line(&zone))).unwrap_or_default();
    Some(format!("{}{zone}", time.strftime("%Y-%m-%d %H:%M")))
}

/// A part with the iTIP message in base64, so that it arrives byte for byte.
fn calendar_part<'x>(content_type: ContentType<'x>, itip: &[u8]) -> MimePart<'x> {
    /// 76 characters a line (RFC 2045 §6.8).
    const BYTES_A_LINE: usize = 57;
    let mut lines = String::with_capacity(itip.len() / 3 * 4 + itip.len() / BYTES_A_LINE * 2 + 8);
    for line in itip.chunks(BYTES_A_LINE) {
        STANDARD.encode_string(line, &mut lines);
        lines.push_str("\r\n");
    }
    MimePart::new(content_type, lines.into_bytes()).transfer_encoding("base64")
}

/// An address that can stand in a header and in an SMTP command.
fn sound_address(address: &Address) -> Result<&str, PortError> {
    let text = address.as_str();
    let unsound =
        |c: char| c.is_control() || c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '(' | ')');
    let parts = text.rsplit_once('@').is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty());
    // RFC 5321 §4.5.3.1.3: a path has up to 256 octets.
    if !parts || text.contains(unsound) || text.len() > 254 {
        return Err(PortError::permanent(
            Code::MailRejected,
            format!("\"{}\" is no mail address; correct it in the event", text.escape_debug()),
        ));
    }
    Ok(text)
}

fn sound_message_id(id: &str) -> Result<&str, PortError> {
    let sound = id.contains('@')
        && id.len() <= 200
        && id.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '<' | '>'));
    sound.then_some(id).ok_or_else(|| {
        PortError::permanent(Code::MailRejected, format!("\"{}\" is no Message-ID", id.escape_debug()))
    })
}

/// Text for a header: control characters, line ends among them, become blanks. Long subjects are
/// cut where no mail program shows them any more.
fn one_line(text: &str) -> String {
    const SHOWN: usize = 400;
    let line: String = text
        .chars()
        .map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c })
        .take(SHOWN)
        .collect();
    line.trim().to_owned()
}

/// The data of a mail (RFC 5321 §4.5.2): every line ends with CRLF, lone CR and LF become line ends,
/// and a line that begins with a dot gets another. So nothing in a mail can end it early.
fn dot_stuffed(mail: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(mail.len() + mail.len() / 64 + 2);
    let mut line_start = true;
    let mut bytes = mail.iter().peekable();
    while let Some(&byte) = bytes.next() {
        match byte {
            b'\r' | b'\n' => {
                if byte == b'\r' {
                    bytes.next_if(|&&next| next == b'\n');
                }
                data.extend_from_slice(b"\r\n");
                line_start = true;
            }
            _ => {
                if line_start && byte == b'.' {
                    data.push(b'.');
                }
                data.push(byte);
                line_start = false;
            }
        }
    }
    if !line_start {
        data.extend_from_slice(b"\r\n");
    }
    data
}

#[cfg(test)]
mod tests;
