//! The organisation: its users, and what is in their calendars before anybody changes it.

use jiff::{SignedDuration, Timestamp};

use crate::Settings;
use crate::mailbox::Mailbox;

/// The account that may act for every user.
pub(crate) const ACCOUNT: &str = "CONTOSO\\mms";
/// Its user principal name.
pub(crate) const ACCOUNT_UPN: &str = "mms@contoso.example";
/// Its password.
pub(crate) const PASSWORD: &str = "sandbox-pw";
/// The organisation's mail domain.
pub(crate) const DOMAIN: &str = "contoso.example";

const FIRST: [&str; 16] = [
    "Anna", "Bernd", "Chloé", "Dmitri", "Elif", "Farid", "Grace", "Hiro", "Ines", "Jonas", "Keiko", "Luca",
    "Marta", "Nils", "Olga", "Priya",
];
const LAST: [&str; 16] = [
    "Adler",
    "Brandt",
    "Costa",
    "Dubois",
    "Evans",
    "Fischer",
    "Garcia",
    "Hansen",
    "Ivanov",
    "Jansen",
    "Kowalski",
    "Lopez",
    "Moreau",
    "Novak",
    "Okafor",
    "Papadakis",
];
/// How many names of people there are; after so many users they come again.
pub(crate) const NAMES: usize = FIRST.len() * LAST.len();
const SUBJECTS: [&str; 8] = [
    "Budget review",
    "Wochenplanung",
    "Design sync",
    "1:1",
    "Customer call – next steps",
    "Sprint planning",
    "Réunion d'équipe",
    "定例会議",
];

/// All mailboxes.
pub(crate) struct Organisation {
    mailboxes: Vec<Mailbox>,
    rooms: usize,
    unusual: bool,
    seed: u64,
}

/// What kind of event it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Skype,
    Teams,
    OtherTenant,
    Zoom,
    /// A weekly Skype series with a changed occurrence.
    Series,
    /// Confidential, in a calendar other than the default one.
    SecondCalendar,
    /// Of Skype, its block pasted back from a mail program that made its own markup of it.
    Reformatted,
    /// Names two meetings.
    Ambiguous,
    /// Has 260 people from elsewhere.
    TownHall,
    /// Over.
    Past,
    /// Somebody else organises it.
    Attending,
    /// No online meeting, nobody invited.
    Plain,
}

/// What the meetings of a user are, over and over.
const MEETINGS: [Kind; 7] = [
    Kind::Skype,
    Kind::Teams,
    Kind::Series,
    Kind::Skype,
    Kind::OtherTenant,
    Kind::Zoom,
    Kind::SecondCalendar,
];
/// Events that are to stay, from the last one backwards.
const STAYING: [Kind; 3] = [Kind::Plain, Kind::Attending, Kind::Past];
/// Meetings before them, in organisations that have unusual ones.
const UNUSUAL: [Kind; 3] = [Kind::TownHall, Kind::Ambiguous, Kind::Reformatted];

fn is_unusual(user: usize) -> bool {
    user % 8 == 1
}

/// An event as it was before anybody changed it.
pub(crate) struct Blueprint {
    pub(crate) kind: Kind,
    pub(crate) uid: String,
    pub(crate) subject: String,
    pub(crate) body: String,
    pub(crate) location: String,
    pub(crate) start: Timestamp,
    pub(crate) end: Timestamp,
    /// Named properties of PublicStrings.
    pub(crate) properties: Vec<(&'static str, String)>,
    /// Users by number, and answers.
    pub(crate) attendees: Vec<(usize, &'static str)>,
    pub(crate) confidential: bool,
}

impl Organisation {
    pub(crate) fn new(settings: &Settings) -> Self {
        let users = settings.users.max(2) + settings.rooms;
        let unusual = |user| if settings.unusual && is_unusual(user) { UNUSUAL.len() } else { 0 };
        let mailbox = |user| Mailbox::new(settings.meetings + unusual(user) + STAYING.len());
        Self {
            mailboxes: (0..users).map(mailbox).collect(),
            rooms: settings.rooms,
            unusual: settings.unusual,
            seed: settings.seed,
        }
    }

    /// Whether this mailbox is a room's.
    pub(crate) fn is_room(&self, user: usize) -> bool {
        user < self.users() && user + self.rooms >= self.users()
    }

    pub(crate) fn users(&self) -> usize {
        self.mailboxes.len()
    }

    pub(crate) fn mailbox(&self, user: usize) -> &Mailbox {
        &self.mailboxes[user % self.mailboxes.len()]
    }

    /// A user's address; numbers behind the last one are people from elsewhere.
    pub(crate) fn address(&self, user: usize) -> String {
        match user.checked_sub(self.users()) {
            None => format!("user{:05}@{DOMAIN}", user + 1),
            Some(guest) => format!("guest{guest:03}@fabrikam.example"),
        }
    }

    pub(crate) fn name(&self, user: usize) -> String {
        if self.is_room(user) {
            return format!("Room {}", user + 1);
        }
        format!("{} {}", FIRST[user % FIRST.len()], LAST[user / FIRST.len() % LAST.len()])
    }

    /// The password that a user signs in with himself; every organisation of a seed has the same.
    pub(crate) fn own_password(&self, user: usize) -> String {
        let mut random = fastrand::Rng::with_seed(self.seed ^ 0x5c1a_5500 ^ (user as u64) << 32);
        format!("pw+{:016x}", random.u64(..))
    }

    /// The user with this address, in any case.
    pub(crate) fn find(&self, address: &str) -> Option<usize> {
        let local = address.to_ascii_lowercase();
        let number = local.strip_prefix("user")?.strip_suffix(DOMAIN)?.strip_suffix('@')?;
        let user = number.parse::<usize>().ok()?.checked_sub(1)?;
        (user < self.users() && self.address(user) == local).then_some(user)
    }

    pub(crate) fn object_id(&self, user: usize) -> String {
        format!("{user:08x}-0000-4000-8000-000000000000")
    }

    /// The user with this object id.
    pub(crate) fn find_object(&self, id: &str) -> Option<usize> {
        let user = usize::from_str_radix(id.get(..8)?, 16).ok()?;
        (user < self.users() && self.object_id(user).eq_ignore_ascii_case(id)).then_some(user)
    }

    /// What kind of event `number` of a user is.
    pub(crate) fn kind(&self, user: usize, number: usize) -> Kind {
        let behind = self.mailbox(user).len().saturating_sub(number + 1);
        let unusual = UNUSUAL.iter().filter(|_| self.unusual && is_unusual(user));
        match STAYING.iter().chain(unusual).nth(behind) {
            Some(kind) => *kind,
            None => MEETINGS[number % MEETINGS.len()],
        }
    }

    /// What the event `number` of a user was when the organisation was made.
    pub(crate) fn blueprint(&self, user: usize, number: usize) -> Blueprint {
        let mut random = fastrand::Rng::with_seed(self.seed ^ (user as u64) << 24 ^ number as u64);
        let kind = self.kind(user, number);
        let first: Timestamp = "2030-01-07T08:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH);
        let hours = i64::try_from(number).unwrap_or(0) * 25 + random.i64(0..8);
        let back = if kind == Kind::Past { -24 * 365 * 15 } else { 0 };
        let start = first.checked_add(SignedDuration::from_hours(hours + back)).unwrap_or(first);
        let end = start.checked_add(SignedDuration::from_mins(30 * random.i64(1..4))).unwrap_or(start);
        let code: String = (0..8)
            .map(|_| char::from(random.choice(*b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789").unwrap_or(b'A')))
            .collect();
        let attendees = self.invited(user, kind, &mut random);
        let (body, location, properties) = content(kind, user, &code);
        Blueprint {
            kind,
            uid: format!("040000008200E00074C5B7101A82E008{:016X}{number:08X}", self.seed ^ user as u64),
            subject: format!("{} {}", SUBJECTS[random.usize(0..SUBJECTS.len())], number + 1),
            body,
            location,
            start,
            end,
            properties,
            attendees,
            confidential: kind == Kind::SecondCalendar,
        }
    }
}

const ANSWERS: [&str; 4] = ["Unknown", "Accept", "Tentative", "Decline"];

impl Organisation {
    /// Whom an event of `user` invites at first.
    fn invited(&self, user: usize, kind: Kind, random: &mut fastrand::Rng) -> Vec<(usize, &'static str)> {
        let others = match kind {
            Kind::Plain => 0,
            Kind::TownHall => {
                return (0..260).map(|guest| (self.users() + guest, ANSWERS[guest % 4])).collect();
            }
            _ => random.usize(1..4).min(self.users() - 1),
        };
        let mut answer = || ANSWERS[random.usize(0..ANSWERS.len())];
        (1..=others).map(|step| ((user + step) % self.users(), answer())).collect()
    }
}

/// Body, location and named properties of an event.
fn content(kind: Kind, user: usize, code: &str) -> (String, String, Vec<(&'static str, String)>) {
    let before = "<p>Agenda: numbers &amp; next steps.<br>Please read the notes before.</p>";
    let after = "<p>See you there &ndash; notes: https://wiki.contoso.example/minutes</p>";
    let whole = |block: &str| {
        format!(
            "<html>\r\n<head>\r\n<meta http-equiv=\"Content-Type\" content=\"text/html; charset=utf-8\">\r\n</head>\r\n<body>\r\n{before}\r\n{block}\r\n{after}\r\n</body>\r\n</html>\r\n"
        )
    };
    match kind {
        Kind::Skype
        | Kind::Series
        | Kind::SecondCalendar
        | Kind::Past
        | Kind::Attending
        | Kind::TownHall
        | Kind::Reformatted => {
            let url = format!("https://meet.contoso.example/user{user}/{code}");
            let block = if kind == Kind::Reformatted { reformatted_block(&url) } else { skype_block(&url) };
            let properties = vec![
                ("OnlineMeetingExternalLink", url.clone()),
                (
                    "OnlineMeetingConfLink",
                    format!("conf:sip:user{user}@contoso.example;gruu;opaque=app:conf:focus:id:{code}"),
                ),
                ("UCOpenedConferenceID", format!("{:032x}", user)),
                ("UCMeetingSetting", "<UCMeetingSetting><Version>1</Version></UCMeetingSetting>".to_owned()),
            ];
            (whole(&block), "Skype Meeting; Room 7".to_owned(), properties)
        }
        Kind::Teams | Kind::OtherTenant => {
            let tenant = if kind == Kind::Teams { TENANT } else { OTHER_TENANT };
            let url = teams_url(code, tenant, user);
            let properties = vec![
                ("SkypeTeamsMeetingUrl", url.clone()),
                (
                    "SkypeTeamsProperties",
                    format!("{{\"cid\":\"19:meeting_{code}@thread.v2\",\"private\":true,\"type\":0}}"),
                ),
            ];
            (whole(&teams_block(&url)), "Microsoft Teams Meeting".to_owned(), properties)
        }
        Kind::Zoom => {
            let number: u64 = code.bytes().fold(800_0000_0000, |sum, b| sum + u64::from(b) * 9_973);
            let url = format!("https://contoso.zoom.us/j/{number}?pwd={code}");
            let block = format!(
                "<p>Join Zoom Meeting<br><a href=\"{url}\">{url}</a></p><p>Meeting ID: {number}<br>Passcode: {code}</p>"
            );
            (whole(&block), url, Vec::new())
        }
        Kind::Ambiguous => {
            let other: String = code.chars().rev().collect();
            let url = |code: &str| format!("https://meet.contoso.example/user{user}/{code}");
            let blocks = format!("{}\r\n{}", skype_block(&url(code)), skype_block(&url(&other)));
            (whole(&blocks), String::new(), Vec::new())
        }
        Kind::Plain => (whole("<p>Nothing but work.</p>"), "Desk".to_owned(), Vec::new()),
    }
}

pub(crate) const TENANT: &str = "5b8f0ed4-0a4f-4a8c-9d32-1f8a0f9f0a01";
const OTHER_TENANT: &str = "9c1d7c52-6f4e-4a56-8b0d-77c2a1b3c402";

pub(crate) fn teams_url(code: &str, tenant: &str, user: usize) -> String {
    format!(
        "https://teams.microsoft.com/l/meetup-join/19%3ameeting_{code}%40thread.v2/0?context=%7b%22Tid%22%3a%22{tenant}%22%2c%22Oid%22%3a%22{user:08x}-0000-4000-8000-000000000000%22%7d"
    )
}

fn skype_block(url: &str) -> String {
    let dots = ".".repeat(137);
    format!(
        "<div><p><span style=\"font-size:8.0pt; color:#404040\">{dots}</span></p>\r\n\
         <p><a name=\"OutJoinLink\"></a><span style=\"font-size:20.0pt\"><a href=\"{url}\">Join Skype Meeting</a></span></p>\r\n\
         <p>Trouble Joining? <a href=\"{url}?sl=1\">Try Skype Web App</a></p>\r\n\
         <p>Join by phone<br>+1 425 555 0142,,27999194# (Redmond) &nbsp; English (United States)<br>\
         <a href=\"https://dialin.contoso.example?id=27999194\">Find a local number</a></p>\r\n\
         <p>Conference ID: 27999194</p>\r\n\
         <p><a href=\"https://o15.officeredir.microsoft.com/r/rlidLync15?clid=1033&amp;p1=5&amp;p2=2009\">Help</a></p>\r\n\
         <p><sub><span style=\"font-size:1.0pt; color:white\">[!OC([1033])!]</span></sub></p>\r\n\
         <p><span style=\"font-size:8.0pt; color:#404040\">{dots}</span></p></div>"
    )
}

/// The block of Skype as a mail program leaves it that knows none of its classes: no frame, no anchors, other elements.
fn reformatted_block(url: &str) -> String {
    format!(
        "<blockquote type=\"cite\"><div dir=\"ltr\"><font face=\"Helvetica\" size=\"5\"><a href=\"{url}\" target=\"_blank\"><b>Join Skype\r\n Meeting</b></a></font></div>\r\n\
         <div dir=\"ltr\">Trouble Joining? <a href=\"{url}?sl=1\">Try Skype Web App</a></div>\r\n\
         <div dir=\"ltr\"><u>Join by phone</u></div><div dir=\"ltr\">+1 425 555 0142,,27999194# (Redmond)</div>\r\n\
         <div dir=\"ltr\">Conference ID: <b>27999194</b></div></blockquote>"
    )
}

pub(crate) fn teams_block(url: &str) -> String {
    let rule = "_".repeat(80);
    let url = url.replace('&', "&amp;");
    format!(
        "<div class=\"me-email-text\" style=\"max-width:1024px\"><div aria-hidden=\"true\">{rule}</div>\r\n\
         <div><span class=\"me-email-text\" style=\"font-weight:700\">Microsoft Teams</span> \
         <a id=\"meet_invite_block.action.help\" href=\"https://aka.ms/JoinTeamsMeeting?omkt=en-US\">Need help?</a></div>\r\n\
         <div><a id=\"meet_invite_block.action.join_link\" title=\"Meeting join link\" class=\"me-email-headline\" href=\"{url}\">Join\r\n the meeting now</a></div>\r\n\
         <div>Meeting ID: 393 410 478 838</div><div>Passcode: pA7xk2</div>\r\n\
         <div>For organizers: <a id=\"meet_invite_block.action.organizer_meet_options\" href=\"https://teams.microsoft.com/meetingOptions/?organizerId=1\">Meeting options</a></div>\r\n\
         <div aria-hidden=\"true\">{rule}</div></div>"
    )
}
