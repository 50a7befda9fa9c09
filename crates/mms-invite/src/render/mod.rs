//! Meeting blocks as text and as HTML, from templates and a table of labels for each language.
//!
//! An administrator's template overrides ours by its name: `jitsi.de.html` (a platform and a
//! language), `jitsi.html` (a platform), `block.de.html` (a language), `block.html`; `.txt` likewise.
//! The first that exists in this order is taken.

mod labels;

use std::borrow::Cow;
use std::fmt::Write as _;

use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, ErrorKind, Output, State, UndefinedBehavior, context};
use mms_model::{JoinInformation, Platform};

use crate::recognise::BodyFormat;

/// The first and the last line of a block, in text and (as visible text) in HTML.
pub const FRAME: &str = "============================================================";

const TEXT: &str = include_str!("templates/block.txt");
const HTML: &str = include_str!("templates/block.html");

/// A template cannot be loaded or rendered; names the template and line.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("template {template}{}: {problem}", line.map(|l| format!(", line {l}")).unwrap_or_default())]
pub struct TemplateError {
    /// File name of the template.
    pub template: String,
    /// Line, where known.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub problem: String,
}

/// The templates of meeting blocks.
pub struct Templates {
    environment: Environment<'static>,
}

impl std::fmt::Debug for Templates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.environment.templates().map(|(name, _)| name)).finish()
    }
}

impl Templates {
    /// The languages that blocks are written in without an administrator's template.
    pub fn languages() -> impl Iterator<Item = &'static str> {
        labels::ALL.iter().map(|l| l.language)
    }

    /// Our own templates.
    pub fn builtin() -> Self {
        Self::with_overrides([]).unwrap_or_else(|error| unreachable!("{error}"))
    }

    /// Our own templates, overridden by `(file name, source)`.
    ///
    /// # Errors
    /// Where a name is none of the forms above, or a template does not parse, does not render, or
    /// leaves out the join URL.
    pub fn with_overrides(
        overrides: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, TemplateError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        environment.set_fuel(Some(100_000));
        environment.set_formatter(write_value);
        let mut templates = Self { environment };
        templates.add("block.txt".to_owned(), TEXT.to_owned())?;
        templates.add("block.html".to_owned(), HTML.to_owned())?;
        for (name, source) in overrides {
            let name = name.to_ascii_lowercase();
            check_name(&name)?;
            templates.add(name.clone(), source)?;
            templates.check(&name)?;
        }
        Ok(templates)
    }

    fn add(&mut self, name: String, source: String) -> Result<(), TemplateError> {
        self.environment.add_template_owned(name.clone(), source).map_err(|e| problem(&name, &e))
    }

    fn check(&self, name: &str) -> Result<(), TemplateError> {
        let sample = sample();
        let rendered = self.render_template(name, &sample, "en")?;
        if rendered.contains(&sample.join_url) {
            return Ok(());
        }
        Err(TemplateError {
            template: name.to_owned(),
            line: None,
            problem: "the join link is missing: print {{ join_url }}".to_owned(),
        })
    }

    /// The block for a meeting, with `\n` between lines and none at the end.
    ///
    /// # Errors
    /// Where an administrator's template fails on these values.
    pub fn render(
        &self,
        format: BodyFormat,
        join: &JoinInformation,
        language: &str,
    ) -> Result<String, TemplateError> {
        let extension = match format {
            BodyFormat::Text => "txt",
            BodyFormat::Html => "html",
        };
        let platform = join.platform.name().to_ascii_lowercase();
        let language = labels::of(language).language;
        let candidates = [
            format!("{platform}.{language}.{extension}"),
            format!("{platform}.{extension}"),
            format!("block.{language}.{extension}"),
            format!("block.{extension}"),
        ];
        let name = candidates
            .iter()
            .find(|name| self.environment.get_template(name).is_ok())
            .map_or("block.txt", String::as_str);
        self.render_template(name, join, language)
    }

    fn render_template(
        &self,
        name: &str,
        join: &JoinInformation,
        language: &str,
    ) -> Result<String, TemplateError> {
        let template = self.environment.get_template(name).map_err(|e| problem(name, &e))?;
        let rendered = template.render(variables(join, language)).map_err(|e| problem(name, &e))?;
        Ok(rendered.replace("\r\n", "\n").trim_end_matches('\n').to_owned())
    }
}

/// What a template can print. Every value is one line.
fn variables(join: &JoinInformation, language: &str) -> Value {
    let dial_in: Vec<Value> = join
        .dial_in
        .iter()
        .map(|d| context! { number => one_line(&d.number), label => one_line(&d.label) })
        .collect();
    context! {
        frame => FRAME,
        labels => Value::from_pairs(labels::of(language).pairs()),
        language,
        platform => join.platform.name(),
        display_name => one_line(&join.display_name),
        join_url => one_line(&join.join_url),
        meeting_id => join.meeting_id.as_deref().map(one_line),
        passcode => join.passcode.as_deref().map(one_line),
        dial_in,
        conference_id => join.conference_id.as_deref().map(one_line),
        numbers_url => join.numbers_url.as_deref().map(one_line),
        video => join.video.as_ref().map(|video| context! { address => one_line(&video.address), id => one_line(&video.id) }),
        options_url => join.options_url.as_deref().map(one_line),
        help_url => join.help_url.as_deref().map(one_line),
    }
}

/// Control characters would break the frame, or a content line.
fn one_line(text: &str) -> Cow<'_, str> {
    if text.contains(char::is_control) {
        Cow::Owned(text.split(char::is_control).filter(|s| !s.is_empty()).collect::<Vec<_>>().join(" "))
    } else {
        Cow::Borrowed(text)
    }
}

/// Escapes for HTML without touching `/`, so that a link in the source of the mail reads as a link.
fn write_value(
    out: &mut Output<'_>,
    state: &mut State<'_, '_>,
    value: &Value,
) -> Result<(), minijinja::Error> {
    if value.is_none() {
        return Ok(());
    }
    let text = value.to_string();
    if !matches!(state.auto_escape(), AutoEscape::Html) || value.is_safe() {
        return out.write_str(&text).map_err(Into::into);
    }
    for c in text.chars() {
        match c {
            '&' => out.write_str("&amp;"),
            '<' => out.write_str("&lt;"),
            '>' => out.write_str("&gt;"),
            '"' => out.write_str("&quot;"),
            '\'' => out.write_str("&#39;"),
            c => out.write_char(c),
        }?;
    }
    Ok(())
}

fn check_name(name: &str) -> Result<(), TemplateError> {
    let parts: Vec<&str> = name.split('.').collect();
    let valid = match parts.as_slice() {
        [platform, "txt" | "html"] => known_platform(platform),
        [platform, language, "txt" | "html"] => {
            known_platform(platform) && labels::of(language).language == *language
        }
        _ => false,
    };
    if valid {
        return Ok(());
    }
    Err(TemplateError {
        template: name.to_owned(),
        line: None,
        problem: format!(
            "the name is not PLATFORM.LANGUAGE.html, PLATFORM.html or the same with .txt, where PLATFORM is a platform's name or \"block\" and LANGUAGE one of {}",
            Templates::languages().collect::<Vec<_>>().join(", ")
        ),
    })
}

fn known_platform(name: &str) -> bool {
    name == "block" || name.parse::<Platform>().is_ok()
}

fn sample() -> JoinInformation {
    JoinInformation {
        platform: Platform::JITSI,
        display_name: "Jitsi Meet".to_owned(),
        join_url: "https://meet.example.org/SampleRoom".to_owned(),
        meeting_id: Some("123 456".to_owned()),
        passcode: Some("secret".to_owned()),
        dial_in: vec![mms_model::DialIn { number: "+49 30 123456".to_owned(), label: "Berlin".to_owned() }],
        conference_id: Some("4711".to_owned()),
        numbers_url: Some("https://example.org/numbers".to_owned()),
        video: Some(mms_model::VideoDevice {
            address: "example@video.example.org".to_owned(),
            id: "123 456 789 0".to_owned(),
        }),
        options_url: Some("https://example.org/options".to_owned()),
        help_url: Some("https://example.org/help".to_owned()),
    }
}

fn problem(name: &str, error: &minijinja::Error) -> TemplateError {
    let hint = match error.kind() {
        ErrorKind::UndefinedError => {
            " (known: frame, labels, language, platform, display_name, join_url, meeting_id, passcode, dial_in, conference_id, numbers_url, video, options_url, help_url)"
        }
        ErrorKind::OutOfFuel => " (the template loops too long)",
        _ => "",
    };
    TemplateError {
        template: name.to_owned(),
        line: error.line(),
        problem: format!("{}{hint}", error.detail().map_or_else(|| error.kind().to_string(), str::to_owned)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_block_is_framed_and_complete() {
        let block = Templates::builtin().render(BodyFormat::Text, &sample(), "de-AT").unwrap();
        assert_eq!(
            block,
            format!(
                "{FRAME}\nJitsi Meet: Online-Besprechung\nAn der Besprechung teilnehmen: https://meet.example.org/SampleRoom\n\
                 Besprechungs-ID: 123 456\nKenncode: secret\n\nPer Telefon teilnehmen:\n+49 30 123456 (Berlin)\n\
                 Telefonkonferenz-ID: 4711\nLokale Nummer suchen: https://example.org/numbers\n\n\
                 Mit einem Videokonferenzgerät teilnehmen: example@video.example.org\nVideo-ID: 123 456 789 0\n\n\
                 Besprechungsoptionen: https://example.org/options\nHilfe: https://example.org/help\n{FRAME}"
            )
        );
    }

    #[test]
    fn what_is_not_there_leaves_no_trace() {
        let JoinInformation { platform, display_name, join_url, .. } = sample();
        let bare = JoinInformation {
            conference_id: Some("1".to_owned()),
            numbers_url: Some("https://example.org/numbers".to_owned()),
            ..JoinInformation::new(platform, display_name, join_url)
        };
        let block = Templates::builtin().render(BodyFormat::Text, &bare, "xx").unwrap();
        assert_eq!(
            block,
            format!(
                "{FRAME}\nJitsi Meet: online meeting\nJoin the meeting: https://meet.example.org/SampleRoom\n{FRAME}"
            )
        );
    }

    #[test]
    fn values_cannot_break_out_of_html_or_of_their_line() {
        let hostile = JoinInformation {
            display_name: "<script>alert('x')</script>\r\nEND:VEVENT".to_owned(),
            join_url: "https://meet.example.org/a?b=1&c=\"2\"".to_owned(),
            ..sample()
        };
        let html = Templates::builtin().render(BodyFormat::Html, &hostile, "en").unwrap();
        assert!(html.contains("href=\"https://meet.example.org/a?b=1&amp;c=&quot;2&quot;\""), "{html}");
        assert!(!html.contains("<script>"), "{html}");
        let text = Templates::builtin().render(BodyFormat::Text, &hostile, "en").unwrap();
        assert!(!text.lines().any(|l| l.starts_with("END:")), "{text}");
    }

    #[test]
    fn every_language_has_every_label() {
        for labels in labels::ALL {
            for (name, label) in labels.pairs() {
                assert!(!label.is_empty(), "{} {name}", labels.language);
            }
        }
        assert!(Templates::languages().count() >= 10);
    }

    #[test]
    fn an_override_wins_by_platform_and_language() {
        let templates = Templates::with_overrides([
            ("block.txt".to_owned(), "general {{ join_url }}".to_owned()),
            ("Jitsi.de.txt".to_owned(), "eigen {{ join_url }}".to_owned()),
        ])
        .unwrap();
        let render = |language| templates.render(BodyFormat::Text, &sample(), language).unwrap();
        assert_eq!(render("de"), "eigen https://meet.example.org/SampleRoom");
        assert_eq!(render("fr"), "general https://meet.example.org/SampleRoom");
    }

    #[test]
    fn a_broken_override_names_file_and_line() {
        let error = |name: &str, source: &str| {
            Templates::with_overrides([(name.to_owned(), source.to_owned())]).unwrap_err().to_string()
        };
        assert!(error("jitsi.html", "a\n{{ join_ur }}").starts_with("template jitsi.html, line 2: "));
        assert!(error("jitsi.html", "a\n{% if %}").starts_with("template jitsi.html, line 2: "));
        assert!(error("jitsi.html", "no link").contains("print {{ join_url }}"));
        assert!(error("jitsi.xx.html", "{{ join_url }}").contains("LANGUAGE one of en, de"));
        let endless = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
        assert!(error("block.txt", endless).contains("loops too long"));
    }
}
