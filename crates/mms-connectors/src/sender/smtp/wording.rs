//! What the readable parts of an invitation say, in the languages of the meeting blocks.
//!
//! The subject is the meeting's with a prefix, as Outlook and Google do; the calendar part has the
//! meeting's own subject, so that nothing in the calendar is renamed.

/// The words of one language.
#[derive(Debug)]
pub(super) struct Wording {
    /// BCP 47 primary tag.
    pub(super) language: &'static str,
    updated: &'static str,
    changed: &'static str,
    join: &'static str,
    nothing_else: &'static str,
}

const ENGLISH: Wording = Wording {
    language: "en",
    updated: "Updated",
    changed: "The online location of this meeting has changed.",
    join: "Join here",
    nothing_else: "Date, time and everything else stay as they are; you need not do anything.",
};

const OTHERS: &[Wording] = &[
    Wording {
        language: "de",
        updated: "Aktualisiert",
        changed: "Der Online-Ort dieser Besprechung hat sich geändert.",
        join: "Hier teilnehmen",
        nothing_else: "Termin und alles andere bleiben, wie sie sind; Sie müssen nichts weiter tun.",
    },
    Wording {
        language: "fr",
        updated: "Mise à jour",
        changed: "Le lieu en ligne de cette réunion a changé.",
        join: "Participer ici",
        nothing_else: "La date, l’heure et tout le reste ne changent pas ; vous n’avez rien à faire.",
    },
    Wording {
        language: "es",
        updated: "Actualizado",
        changed: "El lugar en línea de esta reunión ha cambiado.",
        join: "Unirse aquí",
        nothing_else: "La fecha, la hora y todo lo demás siguen igual; no tiene que hacer nada más.",
    },
    Wording {
        language: "it",
        updated: "Aggiornamento",
        changed: "Il luogo online di questa riunione è cambiato.",
        join: "Partecipa qui",
        nothing_else: "Data, ora e tutto il resto non cambiano; non è necessario fare altro.",
    },
    Wording {
        language: "pt",
        updated: "Atualizado",
        changed: "O local online desta reunião mudou.",
        join: "Entrar aqui",
        nothing_else: "A data, a hora e tudo o mais continuam iguais; não precisa de fazer mais nada.",
    },
    Wording {
        language: "nl",
        updated: "Bijgewerkt",
        changed: "De onlinelocatie van deze vergadering is gewijzigd.",
        join: "Hier deelnemen",
        nothing_else: "Datum, tijd en al het andere blijven hetzelfde; u hoeft verder niets te doen.",
    },
    Wording {
        language: "pl",
        updated: "Zaktualizowano",
        changed: "Zmieniło się miejsce tego spotkania online.",
        join: "Dołącz tutaj",
        nothing_else: "Data, godzina i wszystko inne pozostają bez zmian; nie trzeba nic więcej robić.",
    },
    Wording {
        language: "ja",
        updated: "更新",
        changed: "この会議のオンライン開催場所が変更されました。",
        join: "参加はこちら",
        nothing_else: "日時やその他の内容に変更はありません。ほかに必要な操作はありません。",
    },
    Wording {
        language: "zh",
        updated: "已更新",
        changed: "此会议的在线地点已更改。",
        join: "点击此处加入",
        nothing_else: "日期、时间和其他内容均保持不变，您无需进行其他操作。",
    },
];

/// The words of a language (BCP 47 tag, of which the first part counts); English where there are none.
pub(super) fn of(language: &str) -> &'static Wording {
    let primary = language.split(['-', '_']).next().unwrap_or_default();
    OTHERS.iter().find(|w| w.language.eq_ignore_ascii_case(primary)).unwrap_or(&ENGLISH)
}

impl Wording {
    /// The subject of the mail.
    pub(super) fn subject(&self, meeting: &str) -> String {
        format!("{}: {meeting}", self.updated).trim_end().to_owned()
    }

    /// The plain text; `meeting` is its subject and start, a line each.
    pub(super) fn text(&self, meeting: &[String], join_url: &str) -> String {
        let url = one_word(join_url);
        let meeting = meeting.join("\r\n");
        format!(
            "{}\r\n\r\n{meeting}\r\n\r\n{}:\r\n{url}\r\n\r\n{}\r\n",
            self.changed, self.join, self.nothing_else
        )
    }

    /// The same as HTML.
    pub(super) fn html(&self, meeting: &[String], join_url: &str) -> String {
        let url = escape(&one_word(join_url));
        let meeting: Vec<String> = meeting.iter().map(|line| escape(line)).collect();
        format!(
            "<!DOCTYPE html>\r\n<html lang=\"{}\"><head><meta charset=\"utf-8\"></head><body>\r\n<p>{}</p>\r\n\
             <p>{}</p>\r\n<p>{}:<br><a href=\"{url}\">{url}</a></p>\r\n<p>{}</p>\r\n</body></html>\r\n",
            self.language,
            self.changed,
            meeting.join("<br>"),
            self.join,
            self.nothing_else
        )
    }
}

fn one_word(url: &str) -> String {
    url.chars().filter(|c| !c.is_control() && !c.is_whitespace()).collect()
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_languages_are_spoken_and_others_get_english() {
        for language in ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "ja", "zh"] {
            assert_eq!(of(language).language, language);
        }
        assert_eq!(of("pt-BR").language, "pt");
        assert_eq!(of("DE_de").language, "de");
        assert_eq!((of("tlh").language, of("").language), ("en", "en"));
    }

    #[test]
    fn html_is_escaped() {
        let html = of("en").html(&["<b>Budget".to_owned()], "https://x.test/?a=1&b=\"><script>\n");
        assert!(html.contains("?a=1&amp;b=&quot;&gt;&lt;script&gt;") && !html.contains("<script>"));
        assert!(html.contains("<p>&lt;b&gt;Budget</p>"));
    }
}
