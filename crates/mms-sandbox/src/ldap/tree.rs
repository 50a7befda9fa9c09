//! The entries of the organisation's forest, one domain, numbered from 0: some that stand, and behind them the users.
//! An entry is made when it is asked for.

use uuid::Uuid;

use super::entry::Entry;
use super::message::{PAGED_RESULTS, Scope};
use super::name::Name;
use crate::organisation::{DOMAIN, NAMES, Organisation};

/// The domain.
pub(super) const BASE: &str = "DC=contoso,DC=example";
/// The naming context beside the domain.
const CONFIGURATION: &str = "CN=Configuration,DC=contoso,DC=example";
/// Where users are.
const STAFF: &str = "OU=Staff,DC=contoso,DC=example";
/// The name of the service account's entry.
pub(super) const ACCOUNT: &str = "CN=mms,CN=Users,DC=contoso,DC=example";
/// Its logon.
pub(super) const LOGON: &str = "mms";
/// The domain before the backslash of a logon.
pub(super) const NETBIOS: &str = "CONTOSO";

/// Entries that stand before the users.
pub(super) const STANDING: usize = 8;

/// `userAccountControl` (MS-ADTS section 2.2.16): an account that is in use, and one that nobody may sign in with.
const NORMAL: &str = "512";
const DISABLED: &str = "514";

/// The number of the service account's entry.
const STANDING_ACCOUNT: usize = 3;

/// Who may sign in as an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    /// The service account.
    Account,
    /// A user by number, rooms included.
    User(usize),
    Nobody,
}

pub(super) struct Tree<'o>(pub(super) &'o Organisation);

impl Tree<'_> {
    /// The entry without a name, which describes the server (RFC 4512 section 5.1).
    pub(super) fn root(&self) -> Entry {
        let mut root = Entry::new("");
        root.add("namingContexts", [BASE, CONFIGURATION])
            .set("defaultNamingContext", BASE)
            .set("rootDomainNamingContext", BASE)
            .set("configurationNamingContext", CONFIGURATION)
            .set("schemaNamingContext", format!("CN=Schema,{CONFIGURATION}"))
            .set("dnsHostName", format!("dc1.{DOMAIN}"))
            .set("supportedControl", PAGED_RESULTS)
            .set("supportedLDAPVersion", "3");
        root
    }

    pub(super) fn len(&self) -> usize {
        STANDING + self.0.users()
    }

    pub(super) fn entry(&self, number: usize) -> Entry {
        match number.checked_sub(STANDING) {
            Some(user) => self.user(user),
            None => standing(number),
        }
    }

    fn name(&self, number: usize) -> String {
        match number.checked_sub(STANDING) {
            Some(user) => distinguished_name(self.0, user),
            None => standing(number).name,
        }
    }

    /// The number of the entry of this name.
    pub(super) fn find(&self, name: &Name) -> Option<usize> {
        let is_named = |number: &usize| Name::parse(&self.name(*number)).is_some_and(|known| known == *name);
        let is_user = name_of(STAFF).is_some_and(|staff| name.is_child_of(&staff));
        let users = if is_user { STANDING..self.len() } else { 0..0 };
        (0..STANDING).chain(users).find(is_named)
    }

    /// The number of the entry of whoever signs in with this logon.
    pub(super) fn with_logon(&self, logon: &str) -> Option<usize> {
        if logon.eq_ignore_ascii_case(LOGON) {
            return Some(STANDING_ACCOUNT);
        }
        self.0.find(&format!("{logon}@{DOMAIN}")).map(|user| STANDING + user)
    }

    /// Whose entry it is.
    pub(super) fn owner(&self, number: usize) -> Owner {
        match number.checked_sub(STANDING) {
            Some(user) => Owner::User(user),
            None if number == STANDING_ACCOUNT => Owner::Account,
            None => Owner::Nobody,
        }
    }

    /// The name of the nearest entry above one that does not exist.
    pub(super) fn nearest(&self, name: &Name) -> String {
        let names = (0..STANDING).map(|number| standing(number).name);
        let above = names.filter(|known| name_of(known).is_some_and(|known| name.is_within(&known)));
        above.max_by_key(String::len).unwrap_or_default()
    }

    /// Whether an entry is one that a search below `base` looks at. A search in the domain does not go on into the
    /// configuration, which is a naming context of its own.
    pub(super) fn is_in_scope(&self, number: usize, base: &Name, scope: Scope) -> bool {
        let Some(name) = Name::parse(&self.name(number)) else { return false };
        let same_context = || is_configuration(&name) == is_configuration(base);
        match scope {
            Scope::Base => name == *base,
            Scope::One => name.is_child_of(base) && same_context(),
            Scope::Subtree => name.is_within(base) && same_context(),
        }
    }

    fn user(&self, user: usize) -> Entry {
        let organisation = self.0;
        let (address, display_name) = (organisation.address(user), organisation.name(user));
        let name = distinguished_name(organisation, user);
        let logon = address.split('@').next().unwrap_or_default();
        let is_room = organisation.is_room(user);
        let (given, surname) = display_name.split_once(' ').unwrap_or((&display_name, ""));
        let mut entry = person(&name);
        entry
            .set("givenName", given)
            .set("sn", surname)
            .set("displayName", &display_name)
            .set("objectGUID", guid(&organisation.object_id(user)))
            .set("sAMAccountName", logon)
            .set("userPrincipalName", &address)
            .set("userAccountControl", if is_room { DISABLED } else { NORMAL })
            .set("mail", &address)
            .add("proxyAddresses", [format!("SMTP:{address}"), format!("smtp:{logon}@mail.{DOMAIN}")]);
        mailbox(&mut entry, logon, user % 2 == 1, is_room);
        if !is_room {
            skype_for_business(&mut entry, &address);
        }
        entry
    }
}

/// What Exchange notes: `is_online` of a mailbox that moved to Exchange Online, else of one on a server.
fn mailbox(entry: &mut Entry, logon: &str, is_online: bool, is_room: bool) {
    if is_online {
        // RemoteUserMailbox or RemoteRoomMailbox; Migrated
        entry
            .set("msExchRecipientTypeDetails", if is_room { "8589934592" } else { "2147483648" })
            .set("msExchRemoteRecipientType", "4")
            .set("targetAddress", format!("SMTP:{logon}@contoso.mail.onmicrosoft.com"));
    } else {
        // UserMailbox or RoomMailbox
        entry
            .set("msExchRecipientTypeDetails", if is_room { "16" } else { "1" })
            .set("homeMDB", format!("CN=DB1,CN=Databases,CN=Services,{CONFIGURATION}"));
    }
}

/// What Skype for Business Server notes of a user whom it homes.
fn skype_for_business(entry: &mut Entry, address: &str) {
    entry
        .set("msRTCSIP-PrimaryUserAddress", format!("sip:{address}"))
        .set("msRTCSIP-UserEnabled", "TRUE")
        .set("msRTCSIP-DeploymentLocator", "SRV:")
        .set(
            "msRTCSIP-PrimaryHomeServer",
            format!("CN=Lc Services,CN=Microsoft,CN=1:1,CN=Pools,CN=RTC Service,CN=Services,{CONFIGURATION}"),
        );
}

/// The name of a user's entry. Names of people come again; those of entries do not.
pub(crate) fn distinguished_name(organisation: &Organisation, user: usize) -> String {
    let name = organisation.name(user);
    if user < NAMES || organisation.is_room(user) {
        format!("CN={name},{STAFF}")
    } else {
        format!("CN={name} {:05},{STAFF}", user + 1)
    }
}

fn name_of(text: &str) -> Option<Name> {
    Name::parse(text)
}

fn is_configuration(name: &Name) -> bool {
    name_of(CONFIGURATION).is_some_and(|configuration| name.is_within(&configuration))
}

/// What an entry's own part of its name says.
fn common_name(name: &str) -> &str {
    let own = name.split(',').next().unwrap_or_default();
    own.split_once('=').map_or(own, |(_, value)| value)
}

fn object(name: &str, classes: &[&str], category: &str) -> Entry {
    let mut entry = Entry::new(name);
    entry
        .add("objectClass", ["top"].iter().chain(classes))
        .set("distinguishedName", name)
        .set("name", common_name(name))
        .set("objectCategory", format!("CN={category},CN=Schema,{CONFIGURATION}"));
    entry
}

fn person(name: &str) -> Entry {
    let mut entry = object(name, &["person", "organizationalPerson", "user"], "Person");
    entry.set("cn", common_name(name));
    entry
}

/// An object id as Active Directory stores it: the first three fields with the lowest byte first (MS-DTYP section
/// 2.3.4.2).
fn guid(id: &str) -> [u8; 16] {
    Uuid::parse_str(id).unwrap_or_default().to_bytes_le()
}

/// The entries before the users.
fn standing(number: usize) -> Entry {
    let container = |name: &str| {
        let mut entry = object(name, &["container"], "Container");
        entry.set("cn", common_name(name));
        entry
    };
    let mut entry = match number {
        0 => {
            let mut domain = object(BASE, &["domain", "domainDNS"], "Domain-DNS");
            domain.set("dc", common_name(BASE));
            domain
        }
        1 => {
            let mut unit = object(STAFF, &["organizationalUnit"], "Organizational-Unit");
            unit.set("ou", common_name(STAFF));
            unit
        }
        2 => container(&format!("CN=Users,{BASE}")),
        STANDING_ACCOUNT => {
            let mut account = person(ACCOUNT);
            account
                .set("sAMAccountName", LOGON)
                .set("userPrincipalName", format!("{LOGON}@{DOMAIN}"))
                .set("userAccountControl", NORMAL);
            account
        }
        4 => container(CONFIGURATION),
        5 => container(&format!("CN=Partitions,{CONFIGURATION}")),
        6 => {
            let name = format!("CN={NETBIOS},CN=Partitions,{CONFIGURATION}");
            let mut domain = object(&name, &["crossRef"], "Cross-Ref");
            domain.set("cn", NETBIOS).set("nCName", BASE).set("nETBIOSName", NETBIOS).set("dnsRoot", DOMAIN);
            domain
        }
        // The other contexts have no NetBIOS name.
        _ => {
            let name = format!("CN=Enterprise Configuration,CN=Partitions,{CONFIGURATION}");
            let mut context = object(&name, &["crossRef"], "Cross-Ref");
            context.set("cn", common_name(&name)).set("nCName", CONFIGURATION).set("dnsRoot", DOMAIN);
            context
        }
    };
    entry.set("objectGUID", guid(&format!("{number:08x}-0000-4000-8000-00000000000d")));
    entry
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::Settings;

    fn organisation(users: usize, rooms: usize) -> Organisation {
        Organisation::new(&Settings { users, rooms, meetings: 0, ..Settings::default() })
    }

    fn text(entry: &Entry, attribute: &str) -> String {
        entry
            .values(attribute)
            .first()
            .map(|value| String::from_utf8_lossy(value).into_owned())
            .unwrap_or_default()
    }

    #[test]
    fn every_entry_has_a_name_and_an_id_of_its_own() {
        let organisation = organisation(600, 2);
        let tree = Tree(&organisation);
        let (mut names, mut ids) = (HashSet::new(), HashSet::new());
        for number in 0..tree.len() {
            let entry = tree.entry(number);
            assert_eq!(entry.name, tree.name(number));
            assert_eq!(text(&entry, "distinguishedName"), entry.name);
            assert!(
                entry.name.starts_with("DC=")
                    || entry.name.starts_with("OU=")
                    || !text(&entry, "cn").is_empty()
            );
            assert_eq!(tree.find(&Name::parse(&entry.name).unwrap()), Some(number), "{}", entry.name);
            assert!(ids.insert(entry.values("objectGUID").to_vec()), "{}", entry.name);
            assert!(names.insert(entry.name));
        }
    }

    #[test]
    fn mailboxes_are_on_both_sides() {
        let organisation = organisation(4, 2);
        let tree = Tree(&organisation);
        let kinds: Vec<String> =
            (0..6).map(|user| text(&tree.user(user), "msExchRecipientTypeDetails")).collect();
        assert_eq!(kinds, ["1", "2147483648", "1", "2147483648", "16", "8589934592"]);
        assert_eq!(text(&tree.user(4), "userAccountControl"), "514");
        assert_eq!(text(&tree.user(4), "msRTCSIP-UserEnabled"), "");
        assert_eq!(text(&tree.user(1), "targetAddress"), "SMTP:user00002@contoso.mail.onmicrosoft.com");
    }

    #[test]
    fn scopes_end_where_another_context_begins() {
        let organisation = organisation(3, 0);
        let tree = Tree(&organisation);
        let count = |base: &str, scope| {
            let base = Name::parse(base).unwrap();
            (0..tree.len()).filter(|number| tree.is_in_scope(*number, &base, scope)).count()
        };
        assert_eq!(count(BASE, Scope::Subtree), 4 + 3);
        assert_eq!(count(BASE, Scope::One), 2);
        assert_eq!(count(BASE, Scope::Base), 1);
        assert_eq!(count(STAFF, Scope::One), 3);
        assert_eq!(count(CONFIGURATION, Scope::Subtree), 4);
        assert_eq!(count("CN=Nobody,OU=Staff,DC=contoso,DC=example", Scope::Subtree), 0);
        assert_eq!(tree.nearest(&Name::parse("CN=No,OU=Staff,DC=contoso,DC=example").unwrap()), STAFF);
        assert_eq!(tree.nearest(&Name::parse("DC=elsewhere").unwrap()), "");
    }
}
