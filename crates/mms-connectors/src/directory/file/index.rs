//! Hash indexes from every form of identity to users.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use mms_model::{Identity, User};
use uuid::Uuid;

use super::row::without_sip_scheme;
use super::{ImportError, ImportErrors};

/// A form of identity that one user has alone: the user's position by the folded name.
type Unique = HashMap<String, u32>;

/// A form that several users may share.
type Shared = HashMap<String, Vec<u32>>;

#[derive(Debug, Default)]
pub(super) struct Index {
    ids: HashMap<Uuid, u32>,
    upns: Unique,
    sips: Unique,
    logons: Unique,
    distinguished_names: Unique,
    display_names: Shared,
    addresses: Shared,
}

impl Index {
    /// Indexes `users`, which stand on `lines`; identities that two users have and only one may
    /// have are errors.
    pub(super) fn of(users: &[User], lines: &[u64], errors: &mut ImportErrors) -> Self {
        let mut index = Self::default();
        for (position, (user, &line)) in (0..).zip(users.iter().zip(lines)) {
            let mut duplicate = |form: &str, value: &str, first: u32| {
                let first = lines.get(first as usize).copied().unwrap_or_default();
                errors.push(ImportError::at(
                    line,
                    format!(
                        "{form} \"{}\" belongs to the user on line {first} already",
                        value.escape_debug()
                    ),
                ));
            };
            match index.ids.entry(user.id) {
                Entry::Vacant(free) => {
                    free.insert(position);
                }
                // Two rows of one UPN without an id have one id too; the UPN is the better message.
                Entry::Occupied(taken) if !index.upns.contains_key(&fold(&user.upn)) => {
                    duplicate("id", &user.id.to_string(), *taken.get());
                }
                Entry::Occupied(_) => {}
            }
            let own = [
                ("upn", &mut index.upns, Some(user.upn.as_str()), fold as fn(&str) -> String),
                ("sip", &mut index.sips, user.sip.as_deref(), fold),
                ("logon", &mut index.logons, user.logon.as_deref(), fold),
                (
                    "distinguished_name",
                    &mut index.distinguished_names,
                    user.distinguished_name.as_deref(),
                    fold_distinguished_name,
                ),
            ];
            for (form, names, value, fold) in own {
                let Some(value) = value else { continue };
                match names.entry(fold(value)) {
                    Entry::Vacant(free) => {
                        free.insert(position);
                    }
                    Entry::Occupied(taken) => duplicate(form, value, *taken.get()),
                }
            }
            if let Some(name) = &user.display_name {
                share(&mut index.display_names, fold(name), position);
            }
            for address in &user.addresses {
                share(&mut index.addresses, fold(address.as_str()), position);
            }
        }
        index
    }

    /// The positions of the users whom `identity` names.
    pub(super) fn find(&self, identity: &Identity) -> &[u32] {
        match identity {
            Identity::ObjectId(id) => self.ids.get(id).map_or(&[], std::slice::from_ref),
            Identity::Sip(sip) => one(&self.sips, &fold(without_sip_scheme(sip))),
            Identity::Logon(logon) => one(&self.logons, &fold(logon)),
            Identity::DistinguishedName(name) => {
                one(&self.distinguished_names, &fold_distinguished_name(name))
            }
            Identity::UserPrincipalName(name) => {
                let key = fold(name);
                [one(&self.upns, &key), one(&self.sips, &key), several(&self.addresses, &key)]
                    .into_iter()
                    .find(|found| !found.is_empty())
                    .unwrap_or_default()
            }
            // A distinguished name without DC= reads as a display name.
            Identity::DisplayName(name) => match several(&self.display_names, &fold(name)) {
                [] => one(&self.distinguished_names, &fold_distinguished_name(name)),
                found => found,
            },
        }
    }
}

fn one<'a>(names: &'a Unique, key: &str) -> &'a [u32] {
    names.get(key).map_or(&[], std::slice::from_ref)
}

fn several<'a>(names: &'a Shared, key: &str) -> &'a [u32] {
    names.get(key).map_or(&[], Vec::as_slice)
}

fn share(names: &mut Shared, key: String, position: u32) {
    let positions = names.entry(key).or_default();
    // An address that a user has twice is one.
    if positions.last() != Some(&position) {
        positions.push(position);
    }
}

/// Names compare without case and without surrounding blanks.
fn fold(name: &str) -> String {
    name.trim().to_lowercase()
}

/// Besides case, blanks around separators do not count in a distinguished name (RFC 4514 has none
/// there, RFC 2253 allowed them).
fn fold_distinguished_name(name: &str) -> String {
    let mut folded = String::with_capacity(name.len());
    let mut escaped = false;
    let mut after_separator = true;
    for c in name.trim().chars() {
        if after_separator && c == ' ' && !escaped {
            continue;
        }
        let separator = !escaped && matches!(c, ',' | '+' | '=' | ';');
        if separator {
            let kept = folded.trim_end_matches(' ').len();
            // A blank that is escaped belongs to the value.
            if !folded[..kept].ends_with('\\') {
                folded.truncate(kept);
            }
        }
        folded.extend(c.to_lowercase());
        escaped = c == '\\' && !escaped;
        after_separator = separator;
    }
    folded
}
