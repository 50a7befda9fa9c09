//! What an Exchange server may answer beside what it should: each meeting has its own error, and the others go on.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use mms_connectors::calendar::ews::EwsCalendar;
use mms_invite::recognise::{Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_invite::rewrite::Editor;
use mms_model::port::{Calendar as _, UserCalendar};
use mms_model::{Address, Code, ErrorKind, EventId, Meeting, PortError, Recognition, User};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, Respond, ResponseTemplate};

/// A server with one calendar; `items` are what GetItem answers, and whose ids FindItem names.
struct Exchange {
    items: Vec<String>,
    namespace: &'static str,
}

impl Respond for Exchange {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let asked = String::from_utf8_lossy(&request.body);
        let message = |operation: &str, inside: &str| {
            format!(
                "<m:{operation}ResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode>{inside}\
                 </m:{operation}ResponseMessage>"
            )
        };
        let root = |inside: &str| {
            format!(
                "<m:RootFolder IndexedPagingOffset=\"1\" TotalItemsInView=\"1\" IncludesLastItemInRange=\"true\">{inside}</m:RootFolder>"
            )
        };
        let folder = "<m:Folders><t:CalendarFolder><t:FolderId Id=\"F\" ChangeKey=\"1\"/></t:CalendarFolder></m:Folders>";
        let (operation, messages) = if asked.contains("<m:GetFolder>") {
            ("GetFolder", message("GetFolder", folder))
        } else if asked.contains("<m:FindFolder") {
            ("FindFolder", message("FindFolder", &root("<t:Folders/>")))
        } else if asked.contains("<m:FindItem") {
            let slim: String = (0..self.items.len())
                .map(|n| {
                    format!("<t:CalendarItem><t:ItemId Id=\"{n:03}\" ChangeKey=\"K\"/></t:CalendarItem>")
                })
                .collect();
            ("FindItem", message("FindItem", &root(&format!("<t:Items>{slim}</t:Items>"))))
        } else {
            let is_asked = |n: &usize| asked.contains(&format!("ItemId Id=\"{n:03}\""));
            let found = (0..self.items.len()).filter(is_asked).filter_map(|n| self.items.get(n).cloned());
            ("GetItem", found.collect())
        };
        let xml = format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body \
             xmlns:m=\"{0}/messages\" xmlns:t=\"{0}/types\"><m:{operation}Response><m:ResponseMessages>{messages}\
             </m:ResponseMessages></m:{operation}Response></s:Body></s:Envelope>",
            self.namespace
        );
        let mut xml = xml.into_bytes();
        // Stands for what is no UTF-8.
        for byte in xml.iter_mut().filter(|byte| **byte == 0x1A) {
            *byte = 0xFF;
        }
        ResponseTemplate::new(200).set_body_raw(xml, "text/xml")
    }
}

const NAMESPACE: &str = "http://schemas.microsoft.com/exchange/services/2006";

fn found(item: &str) -> String {
    format!(
        "<m:GetItemResponseMessage ResponseClass=\"Success\"><m:ResponseCode>NoError</m:ResponseCode><m:Items>{item}</m:Items>\
         </m:GetItemResponseMessage>"
    )
}

fn item(number: usize, inside: &str) -> String {
    found(&format!(
        "<t:CalendarItem><t:ItemId Id=\"{number:03}\" ChangeKey=\"K\"/><t:Subject>Meeting {number}</t:Subject>{inside}</t:CalendarItem>"
    ))
}

fn good(number: usize) -> String {
    item(
        number,
        "<t:Body BodyType=\"HTML\">&lt;p&gt;Join Zoom Meeting&lt;br&gt;https://zoom.us/j/123456789&lt;/p&gt;</t:Body>\
         <t:UID>U</t:UID><t:Start>2030-01-07T09:00:00Z</t:Start><t:End>2030-01-07T10:00:00Z</t:End>\
         <t:CalendarItemType>Single</t:CalendarItemType><t:MyResponseType>Organizer</t:MyResponseType>",
    )
}

type Read = Vec<Result<Meeting, (EventId, PortError)>>;

async fn read(items: Vec<String>) -> Result<Read, PortError> {
    read_from(Exchange { items, namespace: NAMESPACE }).await
}

async fn read_from(exchange: impl Respond + 'static) -> Result<Read, PortError> {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(exchange).mount(&server).await;
    let calendar = open(&server).await;
    let mut pages = calendar.meetings("2026-11-23T10:00:00Z".parse::<Timestamp>().unwrap());
    let mut all = Vec::new();
    while let Some(page) = pages.next().await? {
        all.extend(page);
    }
    Ok(all)
}

async fn open(server: &MockServer) -> Box<dyn UserCalendar> {
    let settings = format!(
        "url = '{}/EWS/Exchange.asmx'\nauth = {{ type = 'basic', user = 'u', password = 'p' }}\ntimeout = 5",
        server.uri()
    );
    let editor = Editor::new(
        Arc::new(Recogniser::new(&RecogniserOptions::default()).unwrap()),
        Arc::new(Templates::builtin()),
    );
    let calendar = EwsCalendar::new(&toml::from_str(&settings).unwrap(), Arc::new(editor)).unwrap();
    let user = User {
        skype: None,
        id: uuid::Uuid::nil(),
        upn: "a@contoso.example".to_owned(),
        sip: None,
        logon: None,
        display_name: None,
        distinguished_name: None,
        addresses: vec![Address::new("a@contoso.example")],
        calendar: None,
    };
    calendar.open(&user).await.unwrap()
}

fn is_online(meeting: &Meeting) -> bool {
    meeting.instances.iter().any(|i| matches!(i.recognition, Recognition::One(_)))
}

#[tokio::test]
async fn an_item_that_cannot_be_read_is_an_error_of_its_own_and_the_others_go_on() {
    let corrupt = "<m:GetItemResponseMessage ResponseClass=\"Error\"><m:MessageText>Corrupt data.</m:MessageText>\
                   <m:ResponseCode>ErrorCorruptData</m:ResponseCode></m:GetItemResponseMessage>";
    let read = read(vec![good(0), corrupt.to_owned(), good(2)]).await.unwrap();
    assert_eq!(read.iter().filter(|meeting| meeting.as_ref().is_ok_and(is_online)).count(), 2);
    let errors: Vec<_> = read.iter().filter_map(|meeting| meeting.as_ref().err()).collect();
    let [(id, error)] = errors.as_slice() else { panic!("{read:?}") };
    assert_eq!(id.0, "001");
    assert!(error.message.contains("ErrorCorruptData") && error.message.contains("Corrupt data."), "{error}");
}

#[tokio::test]
async fn an_answer_that_one_item_makes_unreadable_is_asked_for_without_it() {
    // Bytes that are no UTF-8, markup that does not end, and no answer at all.
    for poison in [item(7, "<t:Location>\u{1A}\u{1A}</t:Location>"), item(7, "<t:Location>"), String::new()] {
        let mut items: Vec<String> = (0..20).map(good).collect();
        items[7] = poison.clone();
        let read = read(items).await.unwrap();
        assert_eq!(
            read.iter().filter(|meeting| meeting.as_ref().is_ok_and(is_online)).count(),
            19,
            "{read:?}"
        );
        let errors: Vec<_> = read.iter().filter_map(|meeting| meeting.as_ref().err()).collect();
        let [(id, error)] = errors.as_slice() else { panic!("{read:?}") };
        assert_eq!(
            (id.0.as_str(), error.kind, error.code),
            ("007", ErrorKind::Permanent, Code::UnreadableEvent)
        );
        // Where it is the only item of its page, too.
        let read = self::read(vec![poison.replace("007", "000")]).await.unwrap();
        let [Err((_, error))] = read.as_slice() else { panic!("{read:?}") };
        assert_eq!((error.kind, error.code), (ErrorKind::Permanent, Code::UnreadableEvent), "{error}");
    }
}

#[tokio::test]
async fn an_answer_about_another_item_is_none_for_the_one_that_was_asked_for() {
    let read = read(vec![good(1), good(0), good(2)]).await.unwrap();
    let subjects: Vec<_> = read.iter().flatten().map(|meeting| meeting.subject.as_str()).collect();
    assert_eq!(subjects, ["Meeting 2"]);
    let errors: Vec<_> = read.iter().filter_map(|meeting| meeting.as_ref().err()).collect();
    let ids: Vec<_> = errors.iter().map(|(id, error)| (id.0.as_str(), error.kind, error.code)).collect();
    let unreadable = |id| (id, ErrorKind::Permanent, Code::UnreadableEvent);
    assert_eq!(ids, [unreadable("000"), unreadable("001")]);
}

/// Answers what it should until it is to read items, and then nonsense to everything.
struct Breaking(Exchange, AtomicBool);

impl Respond for Breaking {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        if String::from_utf8_lossy(&request.body).contains("<m:GetItem>") {
            self.1.store(true, Ordering::Relaxed);
        }
        if self.1.load(Ordering::Relaxed) {
            return ResponseTemplate::new(200).set_body_raw("<html>Sign in</html>", "text/html");
        }
        self.0.respond(request)
    }
}

#[tokio::test]
async fn a_server_that_answers_nothing_any_more_stops_the_mailbox() {
    let exchange = Exchange { items: (0..20).map(good).collect(), namespace: NAMESPACE };
    let error = read_from(Breaking(exchange, AtomicBool::new(false))).await.unwrap_err();
    assert_eq!((error.kind, error.code), (ErrorKind::Retry, Code::CalendarServerError), "{error}");
}

#[tokio::test]
async fn enumerations_of_tomorrow_and_events_without_organizer_are_read_with_care() {
    let odd = item(
        1,
        "<t:Sensitivity>Cosmic</t:Sensitivity><t:Body BodyType=\"Markdown\">https://zoom.us/j/123456789</t:Body>\
         <t:Start>2030-01-07T09:00:00Z</t:Start><t:End>2030-01-07T10:00:00Z</t:End>\
         <t:CalendarItemType>Holographic</t:CalendarItemType><t:LegacyFreeBusyStatus>Everywhere</t:LegacyFreeBusyStatus>",
    );
    let nonsense =
        item(2, "<t:Start>soon</t:Start><t:End>later</t:End><t:IsCancelled>perhaps</t:IsCancelled>");
    let read = read(vec![good(0), odd, nonsense]).await.unwrap();
    assert!(
        read.iter().any(|meeting| meeting.as_ref().is_ok_and(|m| m.subject == "Meeting 0" && is_online(m)))
    );
    assert!(read.iter().all(|meeting| meeting.is_ok()), "{read:?}");
}

#[tokio::test]
async fn a_body_of_five_megabytes_is_read_whole() {
    let long = "x &amp;lt; y ".repeat(400_000);
    let body = format!(
        "<t:Body BodyType=\"HTML\">&lt;p&gt;{long}&lt;/p&gt;&lt;p&gt;Join Zoom Meeting&lt;br&gt;https://zoom.us/j/123456789&lt;/p&gt;</t:Body>\
         <t:Start>2030-01-07T09:00:00Z</t:Start><t:End>2030-01-07T10:00:00Z</t:End>\
         <t:CalendarItemType>Single</t:CalendarItemType><t:MyResponseType>Organizer</t:MyResponseType>"
    );
    let read = read(vec![item(0, &body)]).await.unwrap();
    assert!(read[0].as_ref().is_ok_and(is_online));
}

#[tokio::test]
async fn namespaces_as_the_documents_misprint_them_are_read() {
    let namespace = "https://schemas.microsoft.com/exchange/services/2006";
    let read = read_from(Exchange { items: vec![good(0)], namespace }).await.unwrap();
    assert!(read[0].as_ref().is_ok_and(is_online));
}

#[tokio::test]
async fn what_is_no_answer_of_exchange_is_an_error_that_names_the_mailbox() {
    let hostile = [
        (200, "<html><body>Sign in</body></html>"),
        (200, "<?xml version=\"1.0\"?><!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"),
        (200, "<s:Envelope><s:Body><m:GetFolderResponse>"),
        (200, ""),
        (200, "\u{0}\u{1}"),
        (502, "Bad gateway"),
    ];
    for (status, body) in hostile {
        let answer = ResponseTemplate::new(status).set_body_raw(body, "text/xml");
        let error = read_from(answer).await.unwrap_err();
        assert_eq!(
            (error.kind, error.code),
            (ErrorKind::Retry, Code::CalendarServerError),
            "{body}: {error}"
        );
        assert!(error.message.contains("a@contoso.example"), "{error}");
    }
}

#[tokio::test]
async fn a_busy_server_that_asks_for_next_to_no_pause_is_not_asked_without_one() {
    for (milliseconds, most) in [(0, 1), (1, 3)] {
        let server = MockServer::start().await;
        let fault = format!(
            "<s:Envelope><s:Body><s:Fault><faultstring>busy</faultstring><detail><e:ResponseCode>ErrorServerBusy</e:ResponseCode>\
             <t:MessageXml><t:Value Name=\"BackOffMilliseconds\">{milliseconds}</t:Value></t:MessageXml></detail></s:Fault>\
             </s:Body></s:Envelope>"
        );
        let answer = ResponseTemplate::new(500).set_body_raw(fault, "text/xml");
        Mock::given(any()).respond_with(answer).mount(&server).await;
        let calendar = open(&server).await;
        let mut pages = calendar.meetings("2026-11-23T10:00:00Z".parse::<Timestamp>().unwrap());
        let listed = tokio::time::timeout(Duration::from_secs(2), pages.next()).await;
        if let Ok(listed) = listed {
            let error = listed.unwrap_err();
            assert_eq!(error.kind, ErrorKind::RetryAfter(Duration::from_secs(60)), "{error}");
        }
        let asked = server.received_requests().await.unwrap().len();
        assert!((1..=most).contains(&asked), "{milliseconds} ms: {asked} requests in two seconds");
    }
}
