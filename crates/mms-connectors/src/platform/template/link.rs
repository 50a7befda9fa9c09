//! Join links with places for an id and a passcode.

use url::Url;

/// What stands in a link between its literal parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Id,
    Passcode,
}

/// A join link in pieces.
#[derive(Debug, Clone)]
pub(super) struct LinkTemplate {
    /// Each literal with the place that follows it.
    pieces: Vec<(String, Place)>,
    end: String,
}

impl LinkTemplate {
    /// Parses `https://host/…{id}…`.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((literal, from_brace)) = rest.split_once('{') {
            let (name, after) =
                from_brace.split_once('}').ok_or_else(|| format!("\"{text}\" has a {{ without }}"))?;
            let place = match name {
                "id" | "room" => Place::Id,
                "passcode" => Place::Passcode,
                other => {
                    return Err(format!(
                        "\"{text}\" holds {{{}}}; known are {{id}}, {{room}} and {{passcode}}",
                        other.escape_debug()
                    ));
                }
            };
            pieces.push((literal.to_owned(), place));
            rest = after;
        }
        let template = Self { pieces, end: rest.to_owned() };
        let count = |wanted| template.pieces.iter().filter(|(_, place)| *place == wanted).count();
        if count(Place::Id) != 1 || count(Place::Passcode) > 1 {
            return Err(format!(
                "\"{text}\" must hold {{id}} (or {{room}}) once, and {{passcode}} at most once"
            ));
        }
        template.check(text)?;
        Ok(template)
    }

    fn check(&self, text: &str) -> Result<(), String> {
        let filled = self.fill("a", "a");
        let url = Url::parse(&filled).map_err(|error| format!("\"{text}\" is no link: {error}"))?;
        if url.scheme() != "https" {
            return Err(format!("\"{text}\" must begin with https://"));
        }
        if filled
            .contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '\\'))
            || !filled.is_ascii()
        {
            return Err(format!("\"{}\" holds characters that a link cannot hold", text.escape_debug()));
        }
        let host = format!("https://{}/", url.host_str().unwrap_or_default());
        let origin = self.pieces.first().map_or("", |(literal, _)| literal);
        let before_path = origin.get("https://".len()..).unwrap_or_default();
        if !before_path.contains('/') || host.contains('@') || !url.username().is_empty() {
            return Err(format!(
                "\"{text}\" must name the host first, then {{id}} in its path, query or fragment"
            ));
        }
        Ok(())
    }

    pub(super) fn has_passcode(&self) -> bool {
        self.pieces.iter().any(|(_, place)| *place == Place::Passcode)
    }

    /// The link of a meeting.
    pub(super) fn fill(&self, id: &str, passcode: &str) -> String {
        let mut link = String::new();
        for (literal, place) in &self.pieces {
            link.push_str(literal);
            link.push_str(match place {
                Place::Id => id,
                Place::Passcode => passcode,
            });
        }
        link.push_str(&self.end);
        link
    }

    /// A regular expression for links like this one, whoever made the id. Scheme and host match
    /// without case.
    pub(super) fn pattern(&self) -> String {
        let mut pattern = String::new();
        for (position, (literal, place)) in self.pieces.iter().enumerate() {
            if position == 0 {
                let path = literal.match_indices('/').nth(2).map_or(literal.len(), |(slash, _)| slash);
                let (origin, path) = literal.split_at(path);
                pattern.push_str(&format!("(?i:{}){}", regex::escape(origin), regex::escape(path)));
            } else {
                pattern.push_str(&regex::escape(literal));
            }
            pattern.push_str(match place {
                Place::Id => r#"(?P<id>[^/?#&;\s"<>]{1,200})"#,
                Place::Passcode => r#"(?P<passcode>[^/?#&;\s"<>]{0,200})"#,
            });
        }
        pattern.push_str(&regex::escape(&self.end));
        pattern
    }
}
