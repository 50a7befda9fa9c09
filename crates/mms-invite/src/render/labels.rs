//! The words of a block in each language.

/// The labels of one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Labels {
    pub language: &'static str,
    pub title: &'static str,
    pub join: &'static str,
    pub meeting_id: &'static str,
    pub passcode: &'static str,
    pub dial_in: &'static str,
    pub conference_id: &'static str,
    pub help: &'static str,
}

impl Labels {
    /// The labels by the names that templates use.
    pub(super) fn pairs(&self) -> [(&'static str, &'static str); 7] {
        [
            ("title", self.title),
            ("join", self.join),
            ("meeting_id", self.meeting_id),
            ("passcode", self.passcode),
            ("dial_in", self.dial_in),
            ("conference_id", self.conference_id),
            ("help", self.help),
        ]
    }
}

macro_rules! labels {
    ($($language:literal: $title:literal, $join:literal, $id:literal, $passcode:literal, $dial_in:literal, $conference:literal, $help:literal;)*) => {
        pub(super) const ALL: &[Labels] = &[$(Labels {
            language: $language,
            title: $title,
            join: $join,
            meeting_id: $id,
            passcode: $passcode,
            dial_in: $dial_in,
            conference_id: $conference,
            help: $help,
        }),*];
    };
}

labels! {
    "en": "online meeting", "Join the meeting", "Meeting ID", "Passcode", "Join by phone", "Phone conference ID", "Help";
    "de": "Online-Besprechung", "An der Besprechung teilnehmen", "Besprechungs-ID", "Kenncode", "Per Telefon teilnehmen", "Telefonkonferenz-ID", "Hilfe";
    "fr": "réunion en ligne", "Rejoindre la réunion", "ID de réunion", "Code secret", "Participer par téléphone", "ID de conférence téléphonique", "Aide";
    "es": "reunión en línea", "Unirse a la reunión", "ID de la reunión", "Código de acceso", "Unirse por teléfono", "ID de conferencia telefónica", "Ayuda";
    "it": "riunione online", "Partecipa alla riunione", "ID riunione", "Passcode", "Partecipa per telefono", "ID conferenza telefonica", "Guida";
    "pt": "reunião online", "Entrar na reunião", "ID da reunião", "Código de acesso", "Participar por telefone", "ID da conferência por telefone", "Ajuda";
    "nl": "onlinevergadering", "Deelnemen aan de vergadering", "Vergaderings-id", "Toegangscode", "Telefonisch deelnemen", "Id voor telefonische vergadering", "Hulp";
    "pl": "spotkanie online", "Dołącz do spotkania", "Identyfikator spotkania", "Kod dostępu", "Dołącz przez telefon", "Identyfikator konferencji telefonicznej", "Pomoc";
    "ja": "オンライン会議", "会議に参加", "会議 ID", "パスコード", "電話で参加", "電話会議 ID", "ヘルプ";
    "zh": "在线会议", "加入会议", "会议 ID", "密码", "通过电话加入", "电话会议 ID", "帮助";
    "sv": "onlinemöte", "Anslut till mötet", "Mötes-ID", "Lösenkod", "Anslut via telefon", "Telefonkonferens-ID", "Hjälp";
    "fi": "verkkokokous", "Liity kokoukseen", "Kokouksen tunnus", "Tunnuskoodi", "Liity puhelimitse", "Puhelinneuvottelun tunnus", "Ohje";
    "da": "onlinemøde", "Deltag i mødet", "Møde-id", "Adgangskode", "Deltag via telefon", "Telefonkonference-id", "Hjælp";
    "nb": "nettmøte", "Bli med i møtet", "Møte-ID", "Tilgangskode", "Bli med via telefon", "Telefonkonferanse-ID", "Hjelp";
    "cs": "online schůzka", "Připojit se ke schůzce", "ID schůzky", "Přístupový kód", "Připojit se telefonicky", "ID telefonické konference", "Nápověda";
}

/// The labels of a BCP 47 language tag by its primary subtag; English where there are none.
pub(super) fn of(language: &str) -> &'static Labels {
    let primary = language.split(['-', '_']).next().unwrap_or_default();
    let primary =
        if primary.eq_ignore_ascii_case("no") || primary.eq_ignore_ascii_case("nn") { "nb" } else { primary };
    ALL.iter().find(|l| l.language.eq_ignore_ascii_case(primary)).unwrap_or(&ALL[0])
}
