//! A search: which entries, in which pages.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::entry::Entry;
use super::index;
use super::message::{self, Code, Control, Outcome, PAGED_RESULTS, Scope, Search};
use super::name::Name;
use super::tree::{BASE, STANDING, Tree};
use crate::organisation::DOMAIN;

/// The most entries of one answer (MaxPageSize of a domain controller's policy).
pub(super) const MOST_ENTRIES: usize = 1000;

/// What is to be done for a search, as far as it can be said before the entries are looked at.
#[derive(Debug)]
pub(super) struct Plan<'b> {
    pub(super) search: &'b Search<'b>,
    base: Name,
    /// The number of the first entry to look at.
    first: usize,
    /// The most entries of this answer.
    pub(super) most: usize,
    paged: Option<Paged>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Paged {
    /// Tells the request from others, so that a cookie is of use to it alone.
    request: u64,
    /// Whether the client wants no more of it.
    is_over: bool,
}

impl<'b> Plan<'b> {
    /// # Errors
    /// How the search ends without an entry.
    pub(super) fn new(
        search: &'b Search<'b>,
        controls: &[Control<'_>],
        signed_in: bool,
        tree: &Tree<'_>,
    ) -> Result<Self, Outcome> {
        let unknown = controls.iter().find(|control| control.is_critical && control.kind != PAGED_RESULTS);
        if let Some(control) = unknown {
            let message = format!("the control {} is not supported", control.kind);
            return Err(Outcome::new(Code::UnavailableCriticalExtension, message));
        }
        let Some(base) = Name::parse(search.base) else {
            return Err(Outcome::new(Code::InvalidDnSyntax, "0000208F: NameErr: the base is no name"));
        };
        if !(signed_in || base.is_root() && search.scope == Scope::Base) {
            let message = "000004DC: LdapErr: DSID-0C090A5C, comment: In order to perform this operation a successful \
                           bind must be completed on the connection., data 0, v4563";
            return Err(Outcome::new(Code::OperationsError, message));
        }
        let missing = if base.is_root() { search.scope != Scope::Base } else { tree.find(&base).is_none() };
        if missing {
            let message = "0000208D: NameErr: DSID-03100241, problem 2001 (NO_OBJECT), data 0";
            let outcome = Outcome::new(Code::NoSuchObject, message);
            return Err(Outcome { matched: tree.nearest(&base), ..outcome });
        }
        let mut plan = Self { search, base, first: 0, most: MOST_ENTRIES, paged: None };
        if let Some(control) = controls.iter().find(|control| control.kind == PAGED_RESULTS) {
            plan.take_page(control)?;
        }
        if search.size_limit != 0 {
            plan.most = plan.most.min(search.size_limit);
        }
        Ok(plan)
    }

    fn take_page(&mut self, control: &Control<'_>) -> Result<(), Outcome> {
        let malformed = |_| Outcome::new(Code::ProtocolError, "the control for pages is malformed");
        let (size, cookie) = message::page(control.value.unwrap_or_default()).map_err(malformed)?;
        let mut hasher = DefaultHasher::new();
        self.search.whole.hash(&mut hasher);
        let request = hasher.finish();
        self.paged = Some(Paged { request, is_over: size == 0 });
        self.most = self.most.min(size);
        if !cookie.is_empty() {
            let refused =
                || Outcome::new(Code::UnwillingToPerform, "the cookie is of no page of this search");
            self.first = read_cookie(cookie, request).ok_or_else(refused)?;
        }
        Ok(())
    }

    /// The numbers of the entries to look at, in their order.
    pub(super) fn numbers(&self, tree: &Tree<'_>) -> Box<dyn Iterator<Item = usize> + Send> {
        let first = self.first;
        match index::users(&self.search.filter, tree.0) {
            Some(users) => {
                let users = users.into_iter().map(|user| STANDING + user);
                Box::new((0..STANDING).chain(users).filter(move |number| *number >= first))
            }
            None => Box::new(first..tree.len()),
        }
    }

    /// The entry of this number, if the search finds it.
    pub(super) fn find(&self, tree: &Tree<'_>, number: usize) -> Option<Entry> {
        if !tree.is_in_scope(number, &self.base, self.search.scope) {
            return None;
        }
        Some(tree.entry(number)).filter(|entry| self.search.filter.fits(entry) == Some(true))
    }

    /// The description of the server, where the search asks for it.
    pub(super) fn root(&self, tree: &Tree<'_>) -> Option<Entry> {
        // Whatever the filter asks is true of it, as of a domain controller's.
        self.base.is_root().then(|| tree.root())
    }

    /// Whether the client only says that it wants no more pages.
    pub(super) fn is_over(&self) -> bool {
        self.paged.is_some_and(|paged| paged.is_over)
    }

    /// Where the rest of the tree is found that this search would have gone through.
    pub(super) fn elsewhere(&self) -> Option<String> {
        let scope = match self.search.scope {
            Scope::Base => return None,
            Scope::One => "??base",
            Scope::Subtree => "",
        };
        let is_domain = Name::parse(BASE).is_some_and(|domain| domain == self.base);
        is_domain.then(|| format!("ldap://{DOMAIN}/CN=Configuration,{BASE}{scope}"))
    }

    /// How the search ends, and the cookie of the next page, where entries from the number `next` on were not looked at
    /// because the answer was full.
    pub(super) fn end(&self, next: Option<usize>) -> (Outcome, Option<Vec<u8>>) {
        let limited = self.search.size_limit != 0 && self.most == self.search.size_limit;
        match (self.paged, next) {
            (None, Some(_)) => (Outcome::new(Code::SizeLimitExceeded, ""), None),
            (Some(_), Some(_)) if limited => (Outcome::new(Code::SizeLimitExceeded, ""), Some(Vec::new())),
            (Some(paged), Some(next)) => (Outcome::success(), Some(cookie(next, paged.request))),
            (Some(_), None) => (Outcome::success(), Some(Vec::new())),
            (None, None) => (Outcome::success(), None),
        }
    }
}

fn cookie(next: usize, request: u64) -> Vec<u8> {
    [(next as u64).to_be_bytes(), request.to_be_bytes()].concat()
}

fn read_cookie(cookie: &[u8], request: u64) -> Option<usize> {
    let (next, of) = cookie.split_first_chunk::<8>()?;
    (of == request.to_be_bytes()).then(|| usize::try_from(u64::from_be_bytes(*next)).ok()).flatten()
}
