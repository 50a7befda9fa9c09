//! Every block that we render is recognised as the meeting that it was rendered for.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use mms_invite::recognise::{BodyFormat, BodyPart, CustomPlatform, EventText, Recogniser, RecogniserOptions};
use mms_invite::render::Templates;
use mms_model::{DialIn, JoinInformation, Platform, Recognition, VideoDevice};

fn target(platform: Platform, url: &str, full: bool) -> JoinInformation {
    JoinInformation {
        display_name: format!("{platform} service"),
        platform,
        join_url: url.to_owned(),
        meeting_id: full.then(|| "123 456 789".to_owned()),
        passcode: full.then(|| "s3cr3t".to_owned()),
        dial_in: if full {
            vec![DialIn { number: "+49 30 901820".to_owned(), label: "Berlin".to_owned() }]
        } else {
            Vec::new()
        },
        conference_id: full.then(|| "4711".to_owned()),
        numbers_url: full.then(|| "https://dialin.teams.microsoft.com/x?id=4711".to_owned()),
        video: full.then(|| VideoDevice {
            address: "contoso@m.webex.com".to_owned(),
            id: "126 085 103 8".to_owned(),
        }),
        options_url: full
            .then(|| "https://teams.microsoft.com/meetingOptions/?organizerId=1&tenantId=2".to_owned()),
        help_url: full.then(|| "https://help.example.org/join?a=1&b=2".to_owned()),
    }
}

#[test]
fn in_every_language_and_format() {
    let custom: Platform = "Conference".parse().unwrap();
    let recogniser = Recogniser::new(&RecogniserOptions {
        jitsi_hosts: vec!["meet.example.org".to_owned()],
        custom: vec![CustomPlatform {
            platform: custom.clone(),
            join_url: r"https://conf\.example\.org/r/(?<id>[a-z0-9-]+)".to_owned(),
        }],
        ..RecogniserOptions::default()
    })
    .unwrap();
    let templates = Templates::builtin();
    let targets = [
        (Platform::JITSI, "https://meet.example.org/QuietOtter7421"),
        (Platform::BIG_BLUE_BUTTON, "https://bbb.example.org/b/ann-abc-def-ghi"),
        (Platform::TEAMS, "https://teams.microsoft.com/meet/496119491249482?p=Dqox30LtKOEIJCrNdL"),
        (custom, "https://conf.example.org/r/abc-123"),
    ];
    let mut wrong = Vec::new();
    for language in Templates::languages() {
        for format in [BodyFormat::Text, BodyFormat::Html] {
            for ((platform, url), full) in targets.iter().flat_map(|t| [(t, false), (t, true)]) {
                let target = target(platform.clone(), url, full);
                let block = templates.render(format, &target, language).unwrap();
                let body = match format {
                    BodyFormat::Text => format!("Agenda\n\n{block}\n\nRegards"),
                    BodyFormat::Html => {
                        format!("<html><body><p>Agenda</p>{block}<p>Regards</p></body></html>")
                    }
                };
                let findings = recogniser.event(&EventText {
                    bodies: vec![BodyPart { format, text: &body }],
                    location: None,
                    properties: Vec::new(),
                    scheduled: true,
                });
                let found = match &findings.recognition {
                    Recognition::One(m) => m.platform == *platform && m.join_url.as_deref() == Some(*url),
                    _ => false,
                };
                let exact =
                    findings.blocks.len() == 1 && body[findings.blocks[0].range.clone()].trim() == block;
                if !found || !exact {
                    wrong.push(format!(
                        "{language} {format:?} {platform} full={full}: {:?}\nblock {:?}",
                        findings.recognition,
                        findings.blocks.iter().map(|b| &body[b.range.clone()]).collect::<Vec<_>>()
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of them, first: {}", wrong.len(), wrong[0]);
}
