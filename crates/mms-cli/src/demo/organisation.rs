//! The organisation of `mms demo`: people, their calendars as folders of .ics files, and meetings of
//! every kind that a migration meets. Written the way calendar clients write, by its own writer, so
//! that the demo does not read back through the code that made it.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use uuid::Uuid;

/// A person of the organisation.
#[derive(Debug, Clone)]
pub struct Person {
    /// User principal name and mail address.
    pub upn: String,
    /// Display name.
    pub name: String,
    /// Folder with the calendar.
    pub folder: PathBuf,
}

/// What [`seed`] made.
#[derive(Debug, Clone)]
pub struct Organisation {
    /// Everybody, in the order of the directory file.
    pub people: Vec<Person>,
    /// Number of events written.
    pub meetings: usize,
    /// An invite worth showing before and after: an HTML body, a room, agenda around the block.
    pub showcase: PathBuf,
}

const DOMAIN: &str = "contoso.example";
const TENANT: &str = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";

const NAMES: [&str; 25] = [
    "Anna Schwarz",
    "Bruno Keller",
    "Chloé Martin",
    "Dmitri Ivanov",
    "Elena Rossi",
    "Farid Haddad",
    "Greta Lindqvist",
    "Hiro Tanaka",
    "Inês Carvalho",
    "Jonas Weber",
    "Katarzyna Nowak",
    "Liam O'Brien",
    "Mei Chen",
    "Noor de Vries",
    "Oscar Fernández",
    "Paula Schmidt",
    "Quentin Dubois",
    "Rosa Jiménez",
    "Sven Johansson",
    "Tomasz Zieliński",
    "Ulla Virtanen",
    "Victor Almeida",
    "Wiebke Petersen",
    "Xavier Leroy",
    "Yuki Sato",
];

const SUBJECTS: [&str; 12] = [
    "Weekly sync",
    "Projektbesprechung",
    "Budget review",
    "Point d'équipe",
    "Design critique",
    "Customer call: Fabrikam",
    "Vorstellungsgespräch",
    "Retrospective",
    "Möte om införandet",
    "Quarterly planning",
    "1:1",
    "会議：リリース計画",
];

const AGENDAS: [&str; 5] = [
    "Agenda:\n1. Numbers\n2. Risks; who, what, when\n3. Anything else\n",
    "Bitte die Unterlagen vorher lesen, danke!\nGrüße\n",
    "Bonjour à tous,\nvoici l’ordre du jour : démo, décisions, dates.\n",
    "Notes live at https://wiki.contoso.example/notes?page=7&x=1,2;3 (no link to a meeting).\n",
    "",
];

const ROOMS: [&str; 4] = ["Room Aachen (2nd floor)", "Haus B, Raum 3.14", "Salle Curie; 1er étage", ""];

struct Block {
    platform: &'static str,
    label: &'static str,
    html: bool,
    body: &'static str,
}

macro_rules! block {
    ($platform:literal, $label:literal, $file:literal) => {
        Block {
            platform: $platform,
            label: $label,
            html: matches!($file.as_bytes(), [.., b'h', b't', b'm', b'l']),
            body: include_str!(concat!("../../../../fixtures/demo/", $file)),
        }
    };
}

const BLOCKS: [Block; 11] = [
    block!("SfB", "Skype Meeting", "skype.en.txt"),
    block!("SfB", "Skype-möte", "skype.sv.txt"),
    block!("SfB", "Skype Meeting", "skype.en.html"),
    block!("Teams", "Microsoft Teams-Besprechung", "teams-2022.de.txt"),
    block!("Teams", "Réunion Microsoft Teams", "teams-2022.fr.txt"),
    block!("Teams", "Microsoft Teams Meeting", "teams-2024.en.txt"),
    block!("Teams", "Microsoft Teams Meeting", "teams-2024.en.html"),
    block!("Zoom", "", "zoom.en.txt"),
    block!("Webex", "", "webex.en.txt"),
    block!("GoogleMeet", "", "google-meet.en.txt"),
    block!("GoTo", "", "goto.en.txt"),
];

/// Writes the organisation below `dir`: `directory.csv` and `calendars/UPN/*.ics`. The same seed
/// gives the same meetings, dated relative to `now`.
///
/// # Errors
/// Where a folder or file cannot be written.
pub fn seed(
    dir: &Path,
    now: Timestamp,
    people: u32,
    meetings_each: u32,
    seed: u64,
) -> io::Result<Organisation> {
    let calendars = dir.join("calendars");
    let people: Vec<Person> = (0..people).map(|n| person(n, &calendars)).collect();
    let today = now.to_zoned(TimeZone::UTC).datetime().date().at(9, 0, 0, 0);
    let mut random = Random(seed);
    let mut meetings = 0;
    let mut showcase = None;
    for (index, owner) in people.iter().enumerate() {
        fs::create_dir_all(&owner.folder)?;
        let mut before: Option<Meeting> = None;
        for n in 0..meetings_each {
            let kind = Kind::of(index, n);
            let meeting = Meeting::draw(kind, owner, &people, today, &mut random, before.as_ref());
            let file = owner.folder.join(format!("{:03}-{}.ics", n, meeting.uid.simple()));
            fs::write(&file, meeting.render())?;
            if kind == Kind::Single && showcase.is_none() && meeting.block.html && !meeting.room.is_empty() {
                showcase = Some(file);
            }
            meetings += 1;
            before = Some(meeting);
        }
    }
    fs::write(dir.join("directory.csv"), directory(&people))?;
    let showcase = showcase.unwrap_or_else(|| calendars.clone());
    Ok(Organisation { people, meetings, showcase })
}

fn person(n: u32, calendars: &Path) -> Person {
    let name = NAMES[n as usize % NAMES.len()];
    let mut local: String = name
        .to_lowercase()
        .chars()
        .filter_map(|c| if c == ' ' { Some('.') } else { plain_letter(c) })
        .collect();
    if n as usize >= NAMES.len() {
        let _ = write!(local, "{}", n as usize / NAMES.len() + 1);
    }
    let upn = format!("{local}@{DOMAIN}");
    Person { folder: calendars.join(&upn), upn, name: name.to_owned() }
}

/// The letter without its accent, for a mail address.
fn plain_letter(c: char) -> Option<char> {
    match c {
        'a'..='z' => Some(c),
        'é' | 'ê' | 'è' => Some('e'),
        'á' | 'ä' => Some('a'),
        'ń' => Some('n'),
        'ó' | 'ö' => Some('o'),
        _ => None,
    }
}

fn directory(people: &[Person]) -> String {
    let mut csv = "upn,display_name,sip,logon,addresses,calendar,place\n".to_owned();
    for person in people {
        let local = person.upn.split('@').next().unwrap_or_default();
        let _ = writeln!(
            csv,
            "{upn},{name},{upn},CONTOSO\\{local},{upn};{local}@alias.{DOMAIN},files,{upn}",
            upn = person.upn,
            name = person.name,
        );
    }
    csv
}

/// What a meeting is there to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Single,
    Series,
    SeriesWithExceptions,
    LocationOnly,
    Copy,
    Past,
    EndedSeries,
    OrganisedByOther,
    Cancelled,
    NoMeeting,
    Ambiguous,
    TooManyAttendees,
}

impl Kind {
    fn of(person: usize, n: u32) -> Self {
        match (person, n) {
            (3, 5) => Self::Ambiguous,
            (7, 4) => Self::TooManyAttendees,
            _ => [
                Self::Single,
                Self::Series,
                Self::SeriesWithExceptions,
                Self::Single,
                Self::NoMeeting,
                Self::Copy,
                Self::OrganisedByOther,
                Self::Past,
                Self::Single,
                Self::LocationOnly,
                Self::EndedSeries,
                Self::Cancelled,
                Self::Single,
                Self::Series,
            ][n as usize % 14],
        }
    }
}

struct Meeting {
    kind: Kind,
    uid: Uuid,
    subject: &'static str,
    agenda: &'static str,
    room: &'static str,
    block: &'static Block,
    body: String,
    link: String,
    exception_body: String,
    second_body: String,
    start: DateTime,
    organizer: Person,
    attendees: Vec<(String, String, &'static str)>,
}

impl Meeting {
    fn draw(
        kind: Kind,
        owner: &Person,
        people: &[Person],
        today: DateTime,
        random: &mut Random,
        before: Option<&Self>,
    ) -> Self {
        let block = match kind {
            // Copies keep what they were copied from; a bare link needs a platform that uses one.
            Kind::Copy => before.map_or(&BLOCKS[0], |b| b.block),
            Kind::LocationOnly => &BLOCKS[7],
            _ => &BLOCKS[random.below(BLOCKS.len() as u64) as usize],
        };
        let organizer = match kind {
            Kind::OrganisedByOther => {
                people.iter().find(|p| p.upn != owner.upn).cloned().unwrap_or_else(|| owner.clone())
            }
            _ => owner.clone(),
        };
        let body = match (kind, before) {
            (Kind::Copy, Some(original)) => original.body.clone(),
            _ => fill(block.body, &organizer, random),
        };
        let days = match kind {
            Kind::Past => -(random.below(200) as i64) - 2,
            Kind::EndedSeries => -120,
            Kind::Series | Kind::SeriesWithExceptions => -30,
            _ => random.below(90) as i64 + 1,
        };
        let start = today.saturating_add(Span::new().days(days).hours(random.below(8) as i64));
        Self {
            kind,
            uid: Uuid::from_u128((u128::from(random.next()) << 64) | u128::from(random.next())),
            subject: random.pick(&SUBJECTS),
            agenda: random.pick(&AGENDAS),
            room: random.pick(&ROOMS),
            block,
            link: first_link(&body),
            exception_body: fill(block.body, &organizer, random),
            second_body: fill(BLOCKS[8].body, &organizer, random),
            body,
            start,
            attendees: attendees(kind, &organizer, people, random),
            organizer,
        }
    }

    fn render(&self) -> String {
        let mut ics = Ics::default();
        for line in
            ["BEGIN:VCALENDAR", "PRODID:-//Contoso//Calendar 16.0//EN", "VERSION:2.0", "CALSCALE:GREGORIAN"]
        {
            ics.line(line);
        }
        ics.0.push_str(VTIMEZONE);
        self.event(&mut ics, None, self.start, &self.body);
        if self.kind == Kind::SeriesWithExceptions {
            // One exception lies in the past and keeps its link, one is ahead and has a link of its own.
            for (weeks, body) in [(1, &self.body), (6, &self.exception_body)] {
                let occurrence = self.start.saturating_add(Span::new().weeks(weeks));
                self.event(&mut ics, Some(occurrence), occurrence.saturating_add(Span::new().hours(1)), body);
            }
        }
        ics.line("END:VCALENDAR");
        ics.0
    }

    fn event(&self, ics: &mut Ics, recurrence_id: Option<DateTime>, start: DateTime, body: &str) {
        ics.line("BEGIN:VEVENT");
        ics.line(&format!("UID:{}", self.uid));
        if let Some(id) = recurrence_id {
            ics.line(&format!("RECURRENCE-ID;TZID=Europe/Berlin:{}", stamp(id)));
        }
        ics.line(&format!("ORGANIZER;CN={}:mailto:{}", self.organizer.name, self.organizer.upn));
        for (name, address, answer) in &self.attendees {
            ics.line(&format!(
                "ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT={answer};RSVP=TRUE;CN={name}:mailto:{address}"
            ));
        }
        ics.line(&format!("SUMMARY:{}", escape(self.subject)));
        ics.line(&format!("DTSTART;TZID=Europe/Berlin:{}", stamp(start)));
        ics.line(&format!(
            "DTEND;TZID=Europe/Berlin:{}",
            stamp(start.saturating_add(Span::new().minutes(45)))
        ));
        if recurrence_id.is_none() {
            match self.kind {
                Kind::Series => ics.line("RRULE:FREQ=WEEKLY;COUNT=30"),
                Kind::SeriesWithExceptions => ics.line("RRULE:FREQ=WEEKLY"),
                Kind::EndedSeries => ics.line("RRULE:FREQ=WEEKLY;COUNT=6"),
                _ => {}
            }
        }
        self.content(ics, body);
        ics.line("SEQUENCE:2");
        ics.line(if self.kind == Kind::Cancelled { "STATUS:CANCELLED" } else { "STATUS:CONFIRMED" });
        ics.line("DTSTAMP:20260901T080000Z");
        ics.line("LAST-MODIFIED:20260901T080000Z");
        ics.line("X-MICROSOFT-CDO-BUSYSTATUS:BUSY");
        for line in ["BEGIN:VALARM", "ACTION:DISPLAY", "DESCRIPTION:REMINDER", "TRIGGER:-PT15M", "END:VALARM"]
        {
            ics.line(line);
        }
        ics.line("END:VEVENT");
    }

    fn content(&self, ics: &mut Ics, body: &str) {
        let link = first_link(body);
        match self.kind {
            Kind::NoMeeting => {
                ics.line(&format!("DESCRIPTION:{}", escape(self.agenda)));
                ics.line(&format!("LOCATION:{}", escape(self.room)));
            }
            Kind::LocationOnly => {
                ics.line(&format!("DESCRIPTION:{}", escape(self.agenda)));
                ics.line(&format!("LOCATION:{}", escape(&self.link)));
            }
            _ if self.block.html => {
                let agenda = self.agenda.replace('&', "&amp;").replace('\n', "<br>\n");
                let html = format!(
                    "<html><body>\n<p>{agenda}</p>\n{body}<p>— {}</p>\n</body></html>",
                    self.organizer.name
                );
                ics.line(&format!("DESCRIPTION:{}", escape(self.agenda)));
                ics.line(&format!("X-ALT-DESC;FMTTYPE=text/html:{}", escape(&html)));
                self.location(ics);
            }
            _ => {
                let second = if self.kind == Kind::Ambiguous { self.second_body.as_str() } else { "" };
                ics.line(&format!("DESCRIPTION:{}", escape(&format!("{}\n{body}\n{second}", self.agenda))));
                self.location(ics);
            }
        }
        if self.kind != Kind::NoMeeting && self.block.platform == "Teams" {
            ics.line(&format!("X-MICROSOFT-SKYPETEAMSMEETINGURL:{}", escape(&link)));
        }
        if self.kind != Kind::NoMeeting && self.block.platform == "SfB" {
            ics.line(&format!("X-MICROSOFT-ONLINEMEETINGEXTERNALLINK:{}", escape(&link)));
        }
    }

    fn location(&self, ics: &mut Ics) {
        let parts: Vec<&str> = [self.room, self.block.label].into_iter().filter(|s| !s.is_empty()).collect();
        ics.line(&format!("LOCATION:{}", escape(&parts.join("; "))));
    }
}

fn attendees(
    kind: Kind,
    organizer: &Person,
    people: &[Person],
    random: &mut Random,
) -> Vec<(String, String, &'static str)> {
    const ANSWERS: [&str; 4] = ["ACCEPTED", "TENTATIVE", "NEEDS-ACTION", "ACCEPTED"];
    let count = if kind == Kind::TooManyAttendees { 260 } else { random.below(6) + 1 };
    (0..count)
        .map(|n| {
            let answer = random.pick(&ANSWERS);
            match people.get((random.below(40)) as usize).filter(|p| p.upn != organizer.upn && count < 100) {
                Some(colleague) => (colleague.name.clone(), colleague.upn.clone(), answer),
                None => (format!("Guest {n}"), format!("guest{n}@fabrikam.example"), answer),
            }
        })
        .fold(Vec::new(), |mut all, one| {
            if !all.iter().any(|(_, address, _): &(String, String, &str)| *address == one.1) {
                all.push(one);
            }
            all
        })
}

/// Fills a block's placeholders with coordinates drawn at random.
fn fill(block: &str, organizer: &Person, random: &mut Random) -> String {
    let plain = random.digits(11);
    let digits = format!("{} {} {}", &plain[..3], &plain[3..7], &plain[7..]);
    let local = organizer.upn.split('@').next().unwrap_or_default();
    let meet = format!("{}-{}-{}", random.letters(3), random.letters(4), random.letters(3));
    block
        .replace("{domain}", DOMAIN)
        .replace("{local}", local)
        .replace("{name}", &organizer.name)
        .replace("{tenant}", TENANT)
        .replace("{oid}", &Uuid::from_u128(u128::from(random.next())).to_string())
        .replace("{site}", "contoso")
        .replace("{id}", &random.letters(8).to_uppercase())
        .replace("{token}", &random.letters(44))
        .replace("{hex}", &format!("{:016x}{:016x}", random.next(), random.next()))
        .replace("{passcode}", &random.letters(6))
        .replace("{goto}", &random.digits(9))
        .replace("{phone}", &random.digits(9))
        .replace("{digits}", &digits)
        .replace("{plain}", &plain)
        .replace("{meet}", &meet)
}

/// The first link of a body, which in each of our blocks is the join link or stands before it only
/// where a help link does.
fn first_link(body: &str) -> String {
    let text = body.replace("&amp;", "&");
    text.match_indices("https://")
        .map(|(at, _)| text[at..].split(['>', '"', '\n', ' ']).next().unwrap_or_default())
        .find(|url| !url.contains("aka.ms"))
        .unwrap_or_default()
        .to_owned()
}

fn stamp(at: DateTime) -> String {
    at.strftime("%Y%m%dT%H%M%S").to_string()
}

fn escape(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace('\n', "\\n")
}

/// An .ics text that grows by folded content lines.
#[derive(Default)]
struct Ics(String);

impl Ics {
    fn line(&mut self, line: &str) {
        let mut width = 0;
        for c in line.chars() {
            if width + c.len_utf8() > 75 {
                self.0.push_str("\r\n ");
                width = 1;
            }
            self.0.push(c);
            width += c.len_utf8();
        }
        self.0.push_str("\r\n");
    }
}

const VTIMEZONE: &str = "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:DAYLIGHT\r\nTZOFFSETFROM:+0100\r\nTZOFFSETTO:+0200\r\n\
TZNAME:CEST\r\nDTSTART:19700329T020000\r\nRRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU\r\nEND:DAYLIGHT\r\nBEGIN:STANDARD\r\n\
TZOFFSETFROM:+0200\r\nTZOFFSETTO:+0100\r\nTZNAME:CET\r\nDTSTART:19701025T030000\r\nRRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU\r\n\
END:STANDARD\r\nEND:VTIMEZONE\r\n";

/// SplitMix64: small, and the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|n| char::from(b'0' + (self.below(9) + u64::from(n == 0)) as u8)).collect()
    }

    fn letters(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'a' + self.below(26) as u8)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_writes_the_same_files() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let read = |dir: &Path| {
            let made = seed(dir, now, 3, 14, 7).unwrap();
            let mut files: Vec<_> =
                made.people.iter().flat_map(|p| fs::read_dir(&p.folder).unwrap()).collect();
            files.sort_by_key(|f| f.as_ref().unwrap().file_name());
            files.into_iter().map(|f| fs::read_to_string(f.unwrap().path()).unwrap()).collect::<Vec<_>>()
        };
        let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let files = read(a.path());
        assert_eq!(files, read(b.path()));
        assert_eq!(files.len(), 42);
    }

    #[test]
    fn no_placeholder_is_left_and_lines_are_folded() {
        let now: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let made = seed(dir.path(), now, 25, 14, 1).unwrap();
        assert!(made.showcase.is_file());
        for person in &made.people {
            for file in fs::read_dir(&person.folder).unwrap() {
                let text = fs::read_to_string(file.unwrap().path()).unwrap();
                assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
                let unfolded = text.replace("\r\n ", "");
                for placeholder in
                    ["{id}", "{domain}", "{digits}", "{token}", "{meet}", "{plain}", "{phone}", "{oid}"]
                {
                    assert!(!unfolded.contains(placeholder), "{placeholder}: {unfolded}");
                }
            }
        }
    }
}
