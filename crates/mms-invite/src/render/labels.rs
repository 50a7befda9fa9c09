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
    pub local_numbers: &'static str,
    pub video: &'static str,
    pub video_id: &'static str,
    pub options: &'static str,
    pub help: &'static str,
}

impl Labels {
    /// The labels by the names that templates use.
    pub(super) fn pairs(&self) -> [(&'static str, &'static str); 11] {
        [
            ("title", self.title),
            ("join", self.join),
            ("meeting_id", self.meeting_id),
            ("passcode", self.passcode),
            ("dial_in", self.dial_in),
            ("conference_id", self.conference_id),
            ("local_numbers", self.local_numbers),
            ("video", self.video),
            ("video_id", self.video_id),
            ("options", self.options),
            ("help", self.help),
        ]
    }
}

macro_rules! labels {
    ($($language:literal: $title:literal, $join:literal, $id:literal, $passcode:literal, $dial_in:literal, $conference:literal,
       $numbers:literal, $video:literal, $video_id:literal, $options:literal, $help:literal;)*) => {
        pub(super) const ALL: &[Labels] = &[$(Labels {
            language: $language,
            title: $title,
            join: $join,
            meeting_id: $id,
            passcode: $passcode,
            dial_in: $dial_in,
            conference_id: $conference,
            local_numbers: $numbers,
            video: $video,
            video_id: $video_id,
            options: $options,
            help: $help,
        }),*];
    };
}

labels! {
    "en": "online meeting", "Join the meeting", "Meeting ID", "Passcode", "Join by phone", "Phone conference ID",
        "Find a local number", "Join on a video conferencing device", "Video ID", "Meeting options", "Help";
    "de": "Online-Besprechung", "An der Besprechung teilnehmen", "Besprechungs-ID", "Kenncode", "Per Telefon teilnehmen", "Telefonkonferenz-ID",
        "Lokale Nummer suchen", "Mit einem Videokonferenzgerät teilnehmen", "Video-ID", "Besprechungsoptionen", "Hilfe";
    "fr": "réunion en ligne", "Rejoindre la réunion", "ID de réunion", "Code secret", "Participer par téléphone", "ID de conférence téléphonique",
        "Rechercher un numéro local", "Participer à partir d'un appareil de vidéoconférence", "ID de vidéoconférence", "Options de réunion", "Aide";
    "es": "reunión en línea", "Unirse a la reunión", "ID de la reunión", "Código de acceso", "Unirse por teléfono", "ID de conferencia telefónica",
        "Buscar un número local", "Unirse con un dispositivo de videoconferencia", "Id. de vídeo", "Opciones de reunión", "Ayuda";
    "it": "riunione online", "Partecipa alla riunione", "ID riunione", "Passcode", "Partecipa per telefono", "ID conferenza telefonica",
        "Trova un numero locale", "Partecipa da un dispositivo di videoconferenza", "ID video", "Opzioni riunione", "Guida";
    "pt": "reunião online", "Entrar na reunião", "ID da reunião", "Código de acesso", "Participar por telefone", "ID da conferência por telefone",
        "Localizar um número local", "Entrar com um dispositivo de videoconferência", "ID de vídeo", "Opções de reunião", "Ajuda";
    "nl": "onlinevergadering", "Deelnemen aan de vergadering", "Vergaderings-id", "Toegangscode", "Telefonisch deelnemen", "Id voor telefonische vergadering",
        "Een lokaal nummer zoeken", "Deelnemen met een videovergaderapparaat", "Video-id", "Opties voor vergadering", "Hulp";
    "pl": "spotkanie online", "Dołącz do spotkania", "Identyfikator spotkania", "Kod dostępu", "Dołącz przez telefon", "Identyfikator konferencji telefonicznej",
        "Znajdź numer lokalny", "Dołącz za pomocą urządzenia do wideokonferencji", "Identyfikator wideo", "Opcje spotkania", "Pomoc";
    "ja": "オンライン会議", "会議に参加", "会議 ID", "パスコード", "電話で参加", "電話会議 ID",
        "市内番号を検索", "ビデオ会議デバイスで参加", "ビデオ ID", "会議のオプション", "ヘルプ";
    "zh": "在线会议", "加入会议", "会议 ID", "密码", "通过电话加入", "电话会议 ID",
        "查找本地号码", "通过视频会议设备加入", "视频 ID", "会议选项", "帮助";
    "sv": "onlinemöte", "Anslut till mötet", "Mötes-ID", "Lösenkod", "Anslut via telefon", "Telefonkonferens-ID",
        "Hitta ett lokalt nummer", "Anslut med en videokonferensenhet", "Video-ID", "Mötesalternativ", "Hjälp";
    "fi": "verkkokokous", "Liity kokoukseen", "Kokouksen tunnus", "Tunnuskoodi", "Liity puhelimitse", "Puhelinneuvottelun tunnus",
        "Etsi paikallinen numero", "Liity videoneuvottelulaitteella", "Videotunnus", "Kokousasetukset", "Ohje";
    "da": "onlinemøde", "Deltag i mødet", "Møde-id", "Adgangskode", "Deltag via telefon", "Telefonkonference-id",
        "Find et lokalt nummer", "Deltag fra en videokonferenceenhed", "Video-id", "Mødeindstillinger", "Hjælp";
    "nb": "nettmøte", "Bli med i møtet", "Møte-ID", "Tilgangskode", "Bli med via telefon", "Telefonkonferanse-ID",
        "Finn et lokalt nummer", "Bli med fra en videokonferanseenhet", "Video-ID", "Møtealternativer", "Hjelp";
    "cs": "online schůzka", "Připojit se ke schůzce", "ID schůzky", "Přístupový kód", "Připojit se telefonicky", "ID telefonické konference",
        "Najít místní číslo", "Připojit se z videokonferenčního zařízení", "ID videa", "Možnosti schůzky", "Nápověda";
}

/// The labels of a BCP 47 language tag by its primary subtag; English where there are none.
pub(super) fn of(language: &str) -> &'static Labels {
    let primary = language.split(['-', '_']).next().unwrap_or_default();
    let primary =
        if primary.eq_ignore_ascii_case("no") || primary.eq_ignore_ascii_case("nn") { "nb" } else { primary };
    ALL.iter().find(|l| l.language.eq_ignore_ascii_case(primary)).unwrap_or(&ALL[0])
}
