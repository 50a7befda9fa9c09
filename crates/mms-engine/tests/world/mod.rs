//! A world in memory: calendars, platforms, mail and faults. An event's content is plain text, one component a
//! line (`MASTER zoom:1 tail` or `EXC1 zoom:1 tail`), so that a lost edit shows.

#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use mms_engine::{Connectors, Engine, EngineSettings, Progress, Start};
use mms_model::port::*;
use mms_model::*;
use mms_store::{Access, SqliteStore};
use uuid::Uuid;

/// A future that gives up the thread once, so that a crash may fall there.
async fn step() {
    tokio::task::yield_now().await;
}

#[derive(Debug, Clone)]
pub struct Event {
    pub content: String,
    pub version: u64,
    pub attendees: Vec<Attendee>,
    pub organizer: Option<Address>,
    pub writes: Vec<String>,
    /// When its last occurrence ends.
    pub last_end: Option<Timestamp>,
}

/// Faults to come: taken from the front by each call of their kind; 0 is none.
#[derive(Debug, Default, Clone)]
pub struct Faults {
    pub update: Vec<u8>,
    pub get: Vec<u8>,
    pub list: Vec<u8>,
    pub prepare: Vec<u8>,
    pub commit: Vec<u8>,
    pub provision: Vec<u8>,
}

fn take(faults: &mut Vec<u8>) -> u8 {
    if faults.is_empty() { 0 } else { faults.remove(0) }
}

#[derive(Default)]
pub struct State {
    pub events: BTreeMap<String, Event>,
    pub faults: Faults,
    /// Mails that left, by Message-ID and recipient.
    pub mails: Vec<(String, String, String)>,
    /// Whether a write is read back by the calendar itself.
    pub reads_back: bool,
    /// Whether the sender can tell after a crash which mails left.
    pub knows_ended_mails: bool,
    pub provisioned: HashMap<String, u32>,
    pub next_version: u64,
    /// A user's edit that falls right before the write number N.
    pub edit_before_update: Vec<(usize, String)>,
    pub updates: usize,
    pub max_page: usize,
}

#[derive(Clone)]
pub struct World {
    pub state: Arc<Mutex<State>>,
    pub server_sends: bool,
    pub clock: Arc<ManualClock>,
}

pub fn user(n: u128) -> User {
    User {
        skype: None,
        id: Uuid::from_u128(n),
        upn: format!("user{n}@corp.test"),
        sip: None,
        logon: None,
        display_name: Some(format!("User {n}")),
        distinguished_name: None,
        addresses: vec![Address::new(&format!("user{n}@corp.test"))],
        calendar: Some(CalendarLocation { connector: "fake".into(), place: String::new() }),
    }
}

pub fn migration(text: &str) -> MigrationType {
    text.parse().unwrap()
}

impl World {
    pub fn new() -> Self {
        Self {
            state: Arc::default(),
            server_sends: false,
            clock: Arc::new(ManualClock::at("2026-03-01T08:00:00Z".parse().unwrap())),
        }
    }

    pub fn add(&self, id: &str, content: &str, attendees: &[&str]) {
        let attendees = attendees
            .iter()
            .map(|a| Attendee {
                address: Address::new(a),
                name: None,
                participation: Participation::Accepted,
            })
            .collect();
        let organizer = Some(Address::new("user1@corp.test"));
        let event = Event {
            content: content.into(),
            version: 1,
            attendees,
            organizer,
            writes: vec![],
            last_end: None,
        };
        self.state.lock().unwrap().events.insert(id.into(), event);
    }

    pub fn content(&self, id: &str) -> String {
        self.state.lock().unwrap().events[id].content.clone()
    }

    pub fn edit(&self, id: &str, content: &str) {
        let mut state = self.state.lock().unwrap();
        let event = state.events.get_mut(id).unwrap();
        event.content = content.into();
        event.version += 1;
    }

    pub fn mails_to(&self, to: &str) -> usize {
        self.state.lock().unwrap().mails.iter().filter(|(_, a, _)| a == to).count()
    }

    pub fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap())
    }

    pub async fn store(&self, folder: &Path) -> Arc<SqliteStore> {
        Arc::new(SqliteStore::open(&folder.join("mms.db"), Access::Command).await.unwrap())
    }

    pub fn engine(&self, store: Arc<dyn RequestStore>, settings: EngineSettings) -> Engine {
        let calendars: HashMap<String, Arc<dyn Calendar>> =
            HashMap::from([("fake".to_owned(), Arc::new(self.clone()) as Arc<dyn Calendar>)]);
        let connectors = Connectors {
            calendars,
            platforms: vec![Arc::new(self.clone())],
            directory: Arc::new(self.clone()),
            sender: Some(Arc::new(self.clone())),
        };
        Engine::new(store, connectors, settings, self.clock.clone(), Arc::new(RandomIds))
    }

    fn meeting(&self, id: &str, event: &Event) -> Meeting {
        Meeting {
            id: EventId(id.into()),
            version: Version(event.version.to_string()),
            uid: format!("uid-{id}"),
            subject: format!("Subject {id}"),
            organizer: event.organizer.clone(),
            organised_by_owner: event
                .organizer
                .as_ref()
                .is_none_or(|o| *o == Address::new("user1@corp.test")),
            attendees: event.attendees.clone(),
            last_end: event.last_end,
            instances: event.content.lines().map(instance).collect(),
            content: event.content.clone().into_bytes(),
        }
    }
}

fn instance(line: &str) -> Instance {
    let mut words = line.split(' ');
    let id = match words.next().unwrap() {
        "MASTER" => InstanceId::Master,
        other => InstanceId::Exception(other.to_owned()),
    };
    let links: Vec<OnlineMeeting> = line
        .split(' ')
        .filter_map(|word| {
            let (platform, key) = word.split_once(':')?;
            Some(OnlineMeeting {
                platform: platform.parse().ok()?,
                join_url: Some(word.to_owned()),
                meeting_id: None,
                passcode: None,
                has_dial_in: false,
                language: Some("de".into()),
                key: key.to_owned(),
            })
        })
        .collect();
    Instance {
        id,
        upcoming: !line.contains("PAST"),
        cancelled: line.contains("CANCELLED"),
        start: None,
        recognition: match links.len() {
            0 => Recognition::None,
            1 => Recognition::One(links.into_iter().next().unwrap()),
            _ => Recognition::Ambiguous(links),
        },
    }
}

fn fault(kind: u8, code: Code) -> Option<PortError> {
    Some(match kind {
        0 => return None,
        1 => PortError::retry(code, "broken for now"),
        2 => PortError::new(ErrorKind::RetryAfter(std::time::Duration::from_secs(120)), code, "slow down"),
        _ => PortError::permanent(code, "never"),
    })
}

#[async_trait]
impl Calendar for World {
    async fn open(&self, _: &User) -> Result<Box<dyn UserCalendar>, PortError> {
        step().await;
        Ok(Box::new(self.clone()))
    }
}

struct Pages(World, Option<String>);

#[async_trait]
impl MeetingPages for Pages {
    async fn next(&mut self) -> Result<Option<Vec<Result<Meeting, (EventId, PortError)>>>, PortError> {
        step().await;
        let mut state = self.0.state.lock().unwrap();
        if let Some(error) = fault(take(&mut state.faults.list), Code::CalendarUnreachable) {
            return Err(error);
        }
        let from = self.1.clone().unwrap_or_default();
        let page: Vec<_> = state
            .events
            .range::<String, _>((std::ops::Bound::Excluded(from), std::ops::Bound::Unbounded))
            .take(3)
            .map(|(id, event)| Ok(self.0.meeting(id, event)))
            .collect();
        let Some(Ok(last)) = page.last() else { return Ok(None) };
        self.1 = Some(last.id.0.clone());
        Ok(Some(page))
    }
}

#[async_trait]
impl UserCalendar for World {
    fn scheduling(&self) -> Scheduling {
        if self.server_sends { Scheduling::Server } else { Scheduling::Client }
    }

    fn meetings(&self, _: Timestamp) -> Box<dyn MeetingPages + '_> {
        Box::new(Pages(self.clone(), None))
    }

    async fn get(&self, id: &EventId, _: Timestamp) -> Result<Option<Meeting>, PortError> {
        step().await;
        let mut state = self.state.lock().unwrap();
        if let Some(error) = fault(take(&mut state.faults.get), Code::CalendarServerError) {
            return Err(error);
        }
        Ok(state.events.get(&id.0).map(|event| self.meeting(&id.0, event)))
    }

    fn rewrite(&self, meeting: &Meeting, rewrite: &Rewrite) -> Result<Rewritten, PortError> {
        let text = String::from_utf8(meeting.content.clone()).unwrap();
        let mut changes = vec![];
        let lines: Vec<String> = text
            .lines()
            .map(|line| {
                let found = instance(line);
                let Some(r) = rewrite.replacements.iter().find(|r| r.instance == found.id) else {
                    return line.to_owned();
                };
                let Recognition::One(old) = found.recognition else { return line.to_owned() };
                assert_eq!(old.key, r.key);
                let after = line.replace(&old.join_url.unwrap(), &r.target.join_url);
                if after != line {
                    changes.push(PartChange {
                        instance: found.id,
                        part: "DESCRIPTION".into(),
                        before: line.into(),
                        after: after.clone(),
                    });
                }
                after
            })
            .collect();
        Ok(Rewritten { content: lines.join("\n").into_bytes(), changes })
    }

    fn undo(
        &self,
        original: &[u8],
        written: &[u8],
        current: &Meeting,
        _: Timestamp,
    ) -> Result<Rewritten, PortError> {
        let [original, written, current] =
            [original, written, &current.content].map(|b| String::from_utf8(b.to_vec()).unwrap());
        let link = |line: &str| line.split(' ').find(|w| w.contains(':')).unwrap_or("-").to_owned();
        let mut lines = vec![];
        for ((o, w), c) in original.lines().zip(written.lines()).zip(current.lines()) {
            if o == w {
                lines.push(c.to_owned());
            } else if c.contains(&link(w)) {
                lines.push(c.replace(&link(w), &link(o)));
            } else if c.contains(&link(o)) {
                lines.push(c.to_owned());
            } else {
                return Err(PortError::permanent(Code::EditedSinceMigration, "edited"));
            }
        }
        Ok(Rewritten { content: lines.join("\n").into_bytes(), changes: vec![] })
    }

    fn joined(&self, first: (&[u8], &[u8]), second: (&[u8], &[u8])) -> (Vec<u8>, Vec<u8>) {
        let [first_was, first_became, was, became] = [first.0, first.1, second.0, second.1]
            .map(|content| String::from_utf8(content.to_vec()).unwrap());
        let (mut original, mut written) = (vec![], vec![]);
        for (((fw, fb), w), b) in
            first_was.lines().zip(first_became.lines()).zip(was.lines()).zip(became.lines())
        {
            let (w, b) = if w == b && fw != fb { (fw, fb) } else { (w, b) };
            original.push(w);
            written.push(b);
        }
        (original.join("\n").into_bytes(), written.join("\n").into_bytes())
    }

    fn invitation(&self, content: &[u8]) -> Result<Vec<u8>, PortError> {
        Ok(content.to_vec())
    }

    async fn update(&self, updates: Vec<Update>) -> Vec<Result<Updated, PortError>> {
        let mut results = vec![];
        self.with(|s| s.max_page = s.max_page.max(updates.len()));
        for update in updates {
            step().await;
            let result = self.with(|state| {
                state.updates += 1;
                let now = state.updates;
                let edits: Vec<String> = state
                    .edit_before_update
                    .iter()
                    .filter(|(at, _)| *at == now)
                    .map(|(_, e)| e.clone())
                    .collect();
                for id in edits {
                    let event = state.events.get_mut(&id).unwrap();
                    event.content.push_str(" EDIT");
                    event.version += 1;
                }
                let kind = take(&mut state.faults.update);
                // 1: fails before the write; 4: the write happens but its answer is lost; 5 to 7: the first line is
                // written, and the rest refused for good, put off, or found to be edited.
                if kind != 0 && kind < 4 {
                    return Err(fault(kind, Code::CalendarServerError).unwrap());
                }
                let Some(event) = state.events.get_mut(&update.id.0) else {
                    return Err(PortError::new(ErrorKind::Gone, Code::EventGone, "gone"));
                };
                if event.version.to_string() != update.version.0 {
                    return Err(PortError::new(ErrorKind::Conflict, Code::EventConflict, "changed"));
                }
                event.version += 1;
                let content = String::from_utf8(update.content).unwrap();
                event.content = if kind < 5 {
                    content
                } else {
                    content
                        .lines()
                        .take(1)
                        .chain(event.content.lines().skip(1))
                        .collect::<Vec<_>>()
                        .join("\n")
                };
                event.writes.push(event.content.clone());
                if kind == 4 {
                    return Err(PortError::retry(Code::CalendarUnreachable, "answer lost"));
                }
                match kind {
                    5 => return Err(PortError::permanent(Code::CalendarServerError, "refused")),
                    6 => return Err(PortError::retry(Code::CalendarThrottled, "later")),
                    7 => {
                        event.content.push_str(" EDIT");
                        event.version += 1;
                        return Err(PortError::new(ErrorKind::Conflict, Code::EventConflict, "changed"));
                    }
                    _ => {}
                }
                Ok(Updated {
                    version: Version(event.version.to_string()),
                    attendees_told: if self.server_sends { event.attendees.len() as u32 } else { 0 },
                    remarks: vec![],
                    read_back: if state.reads_back { ReadBack::AsWritten } else { ReadBack::Unread },
                })
            });
            // The write happened, its answer has not arrived: a crash may fall here.
            step().await;
            results.push(result);
        }
        results
    }
}

#[async_trait]
impl MeetingPlatform for World {
    fn platform(&self) -> Platform {
        Platform::JITSI
    }

    fn holds(&self, meeting: &OnlineMeeting) -> bool {
        meeting.platform == Platform::JITSI
    }

    async fn provision(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        step().await;
        let error = self.with(|s| {
            *s.provisioned.entry(request.external_id.clone()).or_default() += 1;
            fault(take(&mut s.faults.provision), Code::PlatformError)
        });
        error.map_or(Ok(()), Err)?;
        self.preview(request).await
    }

    async fn preview(&self, request: &ProvisionRequest) -> Result<JoinInformation, PortError> {
        let join_url = format!("jitsi:{}", &request.external_id[..8]);
        Ok(JoinInformation::new(Platform::JITSI, "Jitsi Meet", join_url))
    }

    async fn refresh(&self, meeting: &OnlineMeeting) -> Result<JoinInformation, PortError> {
        let mut same = self
            .preview(&ProvisionRequest {
                external_id: "00000000".into(),
                old: meeting.clone(),
                subject: String::new(),
                organizer: Address::new("x"),
                start: None,
                last_end: None,
                language: "de".into(),
            })
            .await?;
        same.join_url = meeting.join_url.clone().unwrap();
        Ok(same)
    }

    async fn release(&self, _: &str) -> Result<(), PortError> {
        Ok(())
    }
}

#[async_trait]
impl Directory for World {
    async fn resolve(&self, identity: &Identity) -> Result<User, PortError> {
        match identity {
            Identity::ObjectId(id) => Ok(user(id.as_u128())),
            _ => Err(PortError::permanent(Code::UserNotFound, "unknown")),
        }
    }

    async fn users(&self) -> Result<Vec<User>, PortError> {
        Ok(vec![user(1)])
    }

    async fn why_no_calendar(&self, user: &User) -> Option<String> {
        (user.id.as_u128() == 8).then(|| "the mailbox is on the moon".to_owned())
    }
}

struct Mail(World, Invitation);

#[async_trait]
impl Outbound for Mail {
    async fn commit(self: Box<Self>) -> Result<(), PortError> {
        let kind = self.0.with(|s| take(&mut s.faults.commit));
        if kind != 0 && kind != 4 {
            step().await;
            return Err(fault(kind, Code::MailRejected).unwrap());
        }
        let itip = String::from_utf8(self.1.itip.clone()).unwrap();
        self.0.with(|s| s.mails.push((self.1.message_id.clone(), self.1.to.to_string(), itip)));
        step().await;
        if kind == 4 { Err(PortError::retry(Code::MailUnreachable, "answer lost")) } else { Ok(()) }
    }
}

#[async_trait]
impl InvitationSender for World {
    async fn prepare(&self, invitation: &Invitation) -> Result<Box<dyn Outbound>, PortError> {
        step().await;
        let error = self.with(|s| fault(take(&mut s.faults.prepare), Code::MailUnreachable));
        error.map_or(Ok(()), Err)?;
        Ok(Box::new(Mail(self.clone(), invitation.clone())))
    }

    async fn was_ending(&self, message_id: &str) -> Option<bool> {
        self.with(|s| s.knows_ended_mails.then(|| s.mails.iter().any(|(id, ..)| id == message_id)))
    }
}

/// Starts a migration of user 1 without the grace period.
pub async fn start(engine: &Engine, kind: &str) -> RequestId {
    let start = Start::manual(user(1), migration(kind), "admin").at_once();
    engine.start(start).await.unwrap().unwrap().request().id
}

/// Runs attempts, the clock moved to each retry, until the request has ended.
pub async fn run_to_the_end(world: &World, engine: &Engine, id: RequestId) -> MigrationRequest {
    for _ in 0..60 {
        let request = engine.request(id).await.unwrap();
        if request.state.is_final() {
            return request;
        }
        world.clock.set(world.clock.now().max(request.due) + SignedDuration::from_millis(1));
        engine.run_due(&|_: Progress| {}).await.unwrap();
    }
    panic!("the request does not end: {:?}", engine.request(id).await);
}

/// Every record of a request.
pub async fn records(engine: &Engine, id: RequestId) -> Vec<MeetingRecord> {
    engine.records(id, None, 1000).await.unwrap()
}
