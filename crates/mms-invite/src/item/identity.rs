//! The people of a calendar item, and their new addresses after a move between tenants.

use std::collections::HashSet;

use mms_model::{Address, Attendee, IdentityMap};
use serde::{Deserialize, Serialize};

use super::Component;

/// An attendee of an item.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitee {
    /// Who. The address is what Exchange knows the mailbox by, which for one that left it is no mail address.
    #[serde(flatten)]
    pub attendee: Attendee,
    /// What for.
    #[serde(default)]
    pub role: Role,
    /// `RoutingType` of EWS, where it is another than `SMTP`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing: Option<String>,
    /// Stands in a list that cannot be written without losing somebody, so the address stays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fixed: bool,
}

/// What an attendee is asked for (`RequiredAttendees`, `OptionalAttendees` and `Resources` of EWS; `type` of Graph).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Role {
    /// Must come.
    #[default]
    Required,
    /// May come.
    Optional,
    /// A room or equipment.
    Resource,
}

impl Component {
    /// Gives attendees the addresses that they have now. Who is then listed twice in one role is listed once.
    pub(super) fn rename(&mut self, identities: &IdentityMap) {
        let target = |invitee: &Invitee| {
            (invitee.routing.is_none() && !invitee.fixed)
                .then(|| identities.target(&invitee.attendee.address))
                .flatten()
        };
        if identities.is_empty() || !self.attendees.iter().any(|invitee| target(invitee).is_some()) {
            return;
        }
        let stay = self.attendees.iter().filter(|invitee| target(invitee).is_none());
        let mut listed: HashSet<(Role, Address)> =
            stay.map(|invitee| (invitee.role, invitee.attendee.address.clone())).collect();
        self.attendees.retain_mut(|invitee| match target(invitee) {
            None => true,
            Some(target) => {
                invitee.attendee.address = target.clone();
                listed.insert((invitee.role, target))
            }
        });
    }

    /// The addresses of attendees, in order.
    pub(super) fn invited(&self) -> Vec<&Address> {
        self.attendees.iter().map(|invitee| &invitee.attendee.address).collect()
    }
}

/// The attendees of `is`, which were `became` and before that `was`, with the addresses of `was`. Who was invited or
/// taken off since stays so.
pub(super) fn restored(was: &[Invitee], became: &[Invitee], is: &[Invitee]) -> Vec<Invitee> {
    let has = |all: &[Invitee], one: &Invitee| all.iter().any(|i| i.attendee.address == one.attendee.address);
    let mut new = became.iter().filter(|invitee| !has(was, invitee)).peekable();
    let mut restored = is.to_vec();
    for old in was.iter().filter(|old| !has(became, old)) {
        let renamed = new.next_if(|new| new.attendee.name == old.attendee.name && new.role == old.role);
        let place = renamed.and_then(|new| {
            restored.iter_mut().find(|invitee| invitee.attendee.address == new.attendee.address)
        });
        match (place, renamed) {
            (Some(invitee), _) => invitee.attendee.address = old.attendee.address.clone(),
            // Was listed twice under the new address.
            (None, None) if !has(is, old) => restored.push(old.clone()),
            (None, _) => {}
        }
    }
    restored
}

#[cfg(test)]
mod tests {
    use mms_model::{IdentityMapRow, InstanceId, Participation};

    use super::*;

    fn invitee(address: &str) -> Invitee {
        let name = address.split('@').next().map(str::to_owned);
        let (address, participation) = (Address::new(address), Participation::Accepted);
        Invitee {
            attendee: Attendee { address, name, participation },
            role: Role::Optional,
            routing: None,
            fixed: false,
        }
    }

    fn component(addresses: &[&str]) -> Component {
        let attendees = addresses.iter().map(|address| invitee(address)).collect();
        Component { attendees, ..Component::new(InstanceId::Master) }
    }

    fn renamed(addresses: &[&str]) -> Component {
        let row = IdentityMapRow { source: "@old.example".into(), target: "@new.example".into() };
        let mut component = component(addresses);
        component.rename(&IdentityMap::new(&[row]).unwrap());
        component
    }

    fn addresses(invitees: &[Invitee]) -> Vec<&str> {
        invitees.iter().map(|invitee| invitee.attendee.address.as_str()).collect()
    }

    #[test]
    fn addresses_change_and_the_rest_stays() {
        let now = renamed(&["ann@old.example", "x@other.example", "bob@old.example"]);
        assert_eq!(addresses(&now.attendees), ["ann@new.example", "x@other.example", "bob@new.example"]);
        assert_eq!(now.attendees[0].attendee.name.as_deref(), Some("ann"));
        assert_eq!(now.attendees[0].role, Role::Optional);
        let once = renamed(&["ann@old.example", "ann@new.example"]);
        assert_eq!(addresses(&once.attendees), ["ann@new.example"]);
    }

    #[test]
    fn a_mailbox_without_a_mail_address_stays() {
        let mut gone = component(&["/o=old/cn=ann@old.example"]);
        gone.attendees[0].routing = Some("EX".to_owned());
        let before = gone.clone();
        gone.rename(
            &IdentityMap::new(&[IdentityMapRow {
                source: "@old.example".into(),
                target: "@new.example".into(),
            }])
            .unwrap(),
        );
        assert_eq!(gone, before);
    }

    #[test]
    fn a_list_that_cannot_be_written_stays() {
        let mut kept = component(&["ann@old.example"]);
        kept.attendees[0].fixed = true;
        let before = kept.clone();
        let row = IdentityMapRow { source: "@old.example".into(), target: "@new.example".into() };
        kept.rename(&IdentityMap::new(&[row]).unwrap());
        assert_eq!(kept, before);
    }

    #[test]
    fn an_undo_keeps_who_came_and_went() {
        let all = ["ann@old.example", "bob@old.example", "cid@old.example", "cid@new.example"];
        let (was, became) = (component(&all), renamed(&all));
        assert_eq!(addresses(&became.attendees), ["ann@new.example", "bob@new.example", "cid@new.example"]);
        let undone = restored(&was.attendees, &became.attendees, &became.attendees);
        assert_eq!(
            addresses(&undone),
            ["ann@old.example", "bob@old.example", "cid@new.example", "cid@old.example"]
        );
        let mut is = became.attendees.clone();
        is.remove(1);
        is.push(invitee("eve@new.example"));
        let undone = restored(&was.attendees, &became.attendees, &is);
        assert_eq!(
            addresses(&undone),
            ["ann@old.example", "cid@new.example", "eve@new.example", "cid@old.example"]
        );
    }
}
