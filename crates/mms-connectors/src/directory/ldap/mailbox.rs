//! Where a user's mailbox is, and which calendar follows from it. Each fact about Exchange's attributes has its own
//! function here.

use ldap3::SearchEntry;
use mms_model::CalendarLocation;

use super::entry::value;
use super::settings::LdapDirectorySettings;

/// What is read for it.
pub(super) const ATTRIBUTES: [&str; 4] =
    ["msExchRecipientTypeDetails", "msExchRemoteRecipientType", "homeMDB", "targetAddress"];

/// Where a mailbox is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Mailbox {
    /// On an Exchange server of the organisation's own.
    OnPremises,
    /// In Exchange Online.
    Online,
    /// The entry shows none.
    None,
    /// The entry has an `msExchRecipientTypeDetails` that is not known here, and nothing else that tells.
    Unknown(String),
}

/// The calendar of an entry.
///
/// # Errors
/// There is none, and this is why, as the end of a sentence about the user.
pub(super) fn calendar(
    entry: &SearchEntry,
    settings: &LdapDirectorySettings,
    only_calendar: Option<&str>,
) -> Result<CalendarLocation, String> {
    let mailbox = mailbox(entry);
    let of_mailbox = match mailbox {
        Mailbox::OnPremises => settings.calendar_on_premises.as_deref(),
        Mailbox::Online => settings.calendar_online.as_deref(),
        Mailbox::None | Mailbox::Unknown(_) => None,
    };
    // Where an administrator told mailboxes apart, the only calendar is that of one kind of them.
    let tells_apart = settings.calendar_on_premises.is_some() || settings.calendar_online.is_some();
    let default = settings.calendar.as_deref().or(only_calendar.filter(|_| !tells_apart));
    let connector = of_mailbox.or(default).ok_or_else(|| missing(&mailbox))?;
    let place = match &settings.place_attribute {
        Some(attribute) => value(entry, attribute).ok_or_else(|| {
            format!("the entry has no {attribute}, by which [directory] place_attribute finds calendars")
        })?,
        None => "",
    };
    Ok(CalendarLocation { connector: connector.to_owned(), place: place.to_owned() })
}

/// Why no calendar follows from `mailbox`, and what to do.
fn missing(mailbox: &Mailbox) -> String {
    match mailbox {
        Mailbox::OnPremises => {
            "the mailbox is on an Exchange server of the organisation's own: name its calendar in \
            [directory] calendar_on_premises"
                .to_owned()
        }
        Mailbox::Online => {
            "the mailbox is in Exchange Online: name its calendar in [directory] calendar_online".to_owned()
        }
        Mailbox::None => {
            "the directory shows no Exchange mailbox: name the calendar of such users in [directory] \
            calendar"
                .to_owned()
        }
        Mailbox::Unknown(kind) => format!(
            "msExchRecipientTypeDetails is {kind:?}, which is no mailbox known to MMS: name the calendar of such users \
             in [directory] calendar"
        ),
    }
}

/// The recipient type counts first, since Exchange itself goes by it; the others tell where it is missing.
fn mailbox(entry: &SearchEntry) -> Mailbox {
    let recipient_type = value(entry, "msExchRecipientTypeDetails");
    let kind = recipient_type.map_or(RecipientType::NoMailbox, of_recipient_type);
    let is_remote = value(entry, "msExchRemoteRecipientType").is_some_and(has_remote_mailbox);
    let is_routed = value(entry, "targetAddress").is_some_and(leads_to_exchange_online);
    match (kind, recipient_type) {
        (RecipientType::OnPremises, _) => Mailbox::OnPremises,
        (RecipientType::Online, _) => Mailbox::Online,
        _ if is_remote => Mailbox::Online,
        // The name of the mailbox database: only mailboxes of one's own servers are in one that the directory has.
        _ if value(entry, "homeMDB").is_some() => Mailbox::OnPremises,
        _ if is_routed => Mailbox::Online,
        (RecipientType::Unknown, Some(kind)) => Mailbox::Unknown(kind.chars().take(40).collect()),
        _ => Mailbox::None,
    }
}

/// What `msExchRecipientTypeDetails` says of a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum RecipientType {
    OnPremises,
    Online,
    NoMailbox,
    Unknown,
}

/// The names are those of the enumeration RecipientTypeDetails (learn.microsoft.com, Exchange Server API, ff344739);
/// their numbers are in the tables that administrators go by, as in the module S.DS.P of the PowerShell Gallery.
fn of_recipient_type(value: &str) -> RecipientType {
    match value.parse::<u64>() {
        // UserMailbox, LinkedMailbox, SharedMailbox, LegacyMailbox, RoomMailbox, EquipmentMailbox, TeamMailbox
        Ok(0x1 | 0x2 | 0x4 | 0x8 | 0x10 | 0x20 | 0x20_0000_0000) => RecipientType::OnPremises,
        // RemoteUserMailbox (2147483648), RemoteRoomMailbox, RemoteEquipmentMailbox, RemoteSharedMailbox,
        // RemoteTeamMailbox
        Ok(0x8000_0000 | 0x2_0000_0000 | 0x4_0000_0000 | 0x8_0000_0000 | 0x40_0000_0000) => {
            RecipientType::Online
        }
        // None, MailContact, MailUser, MailForestContact, User, Contact, DisabledUser, LinkedUser
        Ok(0 | 0x40 | 0x80 | 0x8000 | 0x1_0000 | 0x2_0000 | 0x20_0000 | 0x200_0000) => {
            RecipientType::NoMailbox
        }
        _ => RecipientType::Unknown,
    }
}

/// `msExchRemoteRecipientType`, bits of the enumeration RemoteRecipientType (learn.microsoft.com, Exchange Server API,
/// ff443320): the mailbox was made in Exchange Online (ProvisionMailbox, 1) or moved there (Migrated, 4), and it is not
/// to be taken away (DeprovisionMailbox, 8). The bits of archives say nothing of the mailbox.
fn has_remote_mailbox(value: &str) -> bool {
    value.parse::<u32>().is_ok_and(|bits| bits & 0b101 != 0 && bits & 0b1000 == 0)
}

/// `targetAddress` of a mailbox in Exchange Online is in the tenant's routing domain
/// (learn.microsoft.com, Enable-RemoteMailbox, RemoteRoutingAddress).
fn leads_to_exchange_online(value: &str) -> bool {
    value.to_ascii_lowercase().ends_with(".mail.onmicrosoft.com")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    const BOTH: &str = "calendar_on_premises = \"office\"\ncalendar_online = \"cloud\"\n";

    fn settings(more: &str) -> LdapDirectorySettings {
        toml::from_str(&format!("url = \"ldaps://dc\"\nbase = \"DC=x\"\nuser = \"u\"\n{more}")).unwrap()
    }

    fn entry(attributes: &[(&str, &str)]) -> SearchEntry {
        let attrs =
            attributes.iter().map(|(name, text)| ((*name).to_owned(), vec![(*text).to_owned()])).collect();
        SearchEntry { dn: "CN=a,DC=x".to_owned(), attrs, bin_attrs: HashMap::new() }
    }

    fn connector(attributes: &[(&str, &str)], more: &str, only: Option<&str>) -> Result<String, String> {
        calendar(&entry(attributes), &settings(more), only).map(|place| place.connector)
    }

    #[test]
    fn every_recipient_type_tells_where_its_mailbox_is() {
        for (types, wanted) in [
            (&["1", "2", "4", "8", "16", "32", "137438953472"][..], Mailbox::OnPremises),
            (&["2147483648", "8589934592", "17179869184", "34359738368", "274877906944"], Mailbox::Online),
            (&["0", "64", "128", "32768", "65536", "131072", "2097152", "33554432"], Mailbox::None),
        ] {
            for kind in types {
                assert_eq!(mailbox(&entry(&[("msExchRecipientTypeDetails", kind)])), wanted, "{kind}");
            }
        }
        for kind in ["3", "256", "-1", "many", "99999999999999999999"] {
            let found = mailbox(&entry(&[("msexchrecipienttypedetails", kind)]));
            assert_eq!(found, Mailbox::Unknown(kind.to_owned()));
        }
    }

    #[test]
    fn the_other_attributes_tell_where_the_recipient_type_does_not() {
        let (kind, remote) = ("msExchRecipientTypeDetails", "msExchRemoteRecipientType");
        let database = ("homeMDB", "CN=DB1,CN=Databases,CN=Configuration,DC=x");
        let routed = ("targetAddress", "SMTP:a@contoso.mail.onmicrosoft.com");
        let elsewhere = ("targetAddress", "SMTP:a@elsewhere.test");
        for (attributes, wanted) in [
            (&[(kind, "128"), (remote, "1")][..], Mailbox::Online),
            (&[(remote, "4")], Mailbox::Online),
            (&[(remote, "97")], Mailbox::Online),
            (&[(remote, "8")], Mailbox::None),
            (&[(remote, "12"), database], Mailbox::OnPremises),
            (&[(kind, "1"), (remote, "2"), database], Mailbox::OnPremises),
            (&[(kind, "2147483648"), database], Mailbox::Online),
            (&[database], Mailbox::OnPremises),
            (&[database, routed], Mailbox::OnPremises),
            (&[(kind, "128"), routed], Mailbox::Online),
            (&[(kind, "128"), elsewhere], Mailbox::None),
            (&[(remote, "many")], Mailbox::None),
            (&[], Mailbox::None),
        ] {
            assert_eq!(mailbox(&entry(attributes)), wanted, "{attributes:?}");
        }
    }

    #[test]
    fn the_mailbox_tells_the_calendar() {
        let (on_premises, online) =
            ([("msExchRecipientTypeDetails", "1")], [("msExchRecipientTypeDetails", "2147483648")]);
        assert_eq!(connector(&on_premises, BOTH, None).as_deref(), Ok("office"));
        assert_eq!(connector(&online, BOTH, None).as_deref(), Ok("cloud"));
        assert_eq!(connector(&[], &format!("{BOTH}calendar = \"dav\"\n"), None).as_deref(), Ok("dav"));
        for attributes in [&on_premises[..], &online, &[]] {
            assert_eq!(connector(attributes, "", Some("only")).as_deref(), Ok("only"), "{attributes:?}");
        }
    }

    #[test]
    fn a_user_without_a_calendar_says_why() {
        let kind = |kind| [("msExchRecipientTypeDetails", kind)];
        let online = "calendar_online = \"cloud\"\n";
        for (attributes, more, wanted) in [
            (&kind("1")[..], online, "server of the organisation's own"),
            (&kind("2147483648"), "calendar_on_premises = \"office\"\n", "is in Exchange Online"),
            (&[], BOTH, "shows no Exchange mailbox"),
            (&kind("256"), BOTH, "is \"256\", which is no mailbox known to MMS"),
            (&kind("1"), &format!("{BOTH}place_attribute = \"uid\"\n"), "has no uid"),
        ] {
            let told = connector(attributes, more, Some("cloud")).unwrap_err();
            assert!(told.contains(wanted), "{told}");
        }
    }
}
