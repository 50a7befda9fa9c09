//! LDAP messages (RFC 4511): what clients ask and what they are answered.

use super::ber::{self, Malformed, OCTETS, Reader, SEQUENCE, SET};
use super::filter::Filter;

/// Result codes (RFC 4511 section 4.1.9).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Code {
    Success = 0,
    OperationsError = 1,
    ProtocolError = 2,
    SizeLimitExceeded = 4,
    AuthMethodNotSupported = 7,
    UnavailableCriticalExtension = 12,
    NoSuchObject = 32,
    InvalidDnSyntax = 34,
    InvalidCredentials = 49,
    UnwillingToPerform = 53,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Outcome {
    pub(super) code: Code,
    /// The nearest entry above one that does not exist.
    pub(super) matched: String,
    pub(super) message: String,
}

impl Outcome {
    pub(super) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, matched: String::new(), message: message.into() }
    }

    pub(super) fn success() -> Self {
        Self::new(Code::Success, "")
    }

    /// The parts of an `LDAPResult`.
    fn parts(&self) -> Vec<u8> {
        let code = ber::enumerated(self.code as i64);
        [code, ber::octets(&self.matched), ber::octets(&self.message)].concat()
    }
}

/// What a client asks.
#[derive(Debug)]
pub(super) struct Request<'b> {
    pub(super) id: i64,
    pub(super) operation: Operation<'b>,
    pub(super) controls: Vec<Control<'b>>,
}

#[derive(Debug)]
pub(super) enum Operation<'b> {
    Bind(Bind<'b>),
    Unbind,
    Search(Search<'b>),
    Abandon,
    /// Its object identifier.
    Extended(&'b str),
    /// Writing and comparing, with the tag of the answer.
    Other(u8),
}

#[derive(Debug)]
pub(super) struct Bind<'b> {
    pub(super) version: i64,
    pub(super) name: &'b str,
    /// None for SASL.
    pub(super) password: Option<&'b [u8]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    Base,
    One,
    Subtree,
}

#[derive(Debug)]
pub(super) struct Search<'b> {
    pub(super) base: &'b str,
    pub(super) scope: Scope,
    /// The most entries that the client wants; 0 for no limit.
    pub(super) size_limit: usize,
    pub(super) types_only: bool,
    pub(super) filter: Filter<'b>,
    /// The request as it came, to tell one from another.
    pub(super) whole: &'b [u8],
    pub(super) attributes: Vec<&'b str>,
}

#[derive(Debug)]
pub(super) struct Control<'b> {
    pub(super) kind: &'b str,
    pub(super) is_critical: bool,
    pub(super) value: Option<&'b [u8]>,
}

const BIND: u8 = 0x60;
const BIND_ANSWER: u8 = 0x61;
const UNBIND: u8 = 0x42;
const SEARCH: u8 = 0x63;
const ENTRY: u8 = 0x64;
const SEARCH_DONE: u8 = 0x65;
const REFERENCE: u8 = 0x73;
const ABANDON: u8 = 0x50;
const EXTENDED: u8 = 0x77;
const EXTENDED_ANSWER: u8 = 0x78;
const CONTROLS: u8 = 0xa0;
/// Modify, add, delete, rename and compare, with their answers.
const OTHERS: [(u8, u8); 5] = [(0x66, 0x67), (0x68, 0x69), (0x4a, 0x6b), (0x6c, 0x6d), (0x6e, 0x6f)];

/// The most controls of a request.
const MOST_CONTROLS: usize = 32;
/// The most attributes that a search asks for.
const MOST_ATTRIBUTES: usize = 1000;

impl<'b> Request<'b> {
    pub(super) fn read(bytes: &'b [u8]) -> Result<Self, Malformed> {
        let mut message = Reader::new(bytes).sequence()?;
        let id = message.integer().and_then(in_range)?;
        let (tag, body) = message.element()?;
        let mut inside = Reader::new(body);
        let operation = match tag {
            BIND => Operation::Bind(bind(&mut inside)?),
            UNBIND => Operation::Unbind,
            SEARCH => Operation::Search(search(inside, body)?),
            ABANDON => Operation::Abandon,
            EXTENDED => Operation::Extended(ber::text(inside.expect(0x80)?)?),
            other => {
                let known = OTHERS.iter().find(|(request, _)| *request == other);
                Operation::Other(known.ok_or(Malformed)?.1)
            }
        };
        let controls = message.optional(CONTROLS)?.map_or(Ok(Vec::new()), controls)?;
        message.end()?;
        // 0 is for what a server says unasked.
        if id == 0 { Err(Malformed) } else { Ok(Self { id, operation, controls }) }
    }
}

/// 0 to `maxInt`.
fn in_range(number: i64) -> Result<i64, Malformed> {
    if (0..=i64::from(i32::MAX)).contains(&number) { Ok(number) } else { Err(Malformed) }
}

fn bind<'b>(inside: &mut Reader<'b>) -> Result<Bind<'b>, Malformed> {
    let (version, name) = (inside.integer()?, inside.text()?);
    let password = match inside.element()? {
        (0x80, password) => Some(password),
        (0xa3, _) => None,
        _ => return Err(Malformed),
    };
    inside.end()?;
    Ok(Bind { version, name, password })
}

fn search<'b>(mut inside: Reader<'b>, whole: &'b [u8]) -> Result<Search<'b>, Malformed> {
    let base = inside.text()?;
    let scope = match inside.enumerated()? {
        0 => Scope::Base,
        1 => Scope::One,
        2 => Scope::Subtree,
        _ => return Err(Malformed),
    };
    // How aliases are followed: there are none.
    inside.enumerated()?;
    let size_limit = usize::try_from(inside.integer().and_then(in_range)?).map_err(|_| Malformed)?;
    // The time limit: no answer takes as long as a second.
    inside.integer().and_then(in_range)?;
    let types_only = inside.boolean()?;
    let (tag, body) = inside.element()?;
    let filter = Filter::read(tag, body)?;
    let (mut names, mut attributes) = (inside.sequence()?, Vec::new());
    while !names.is_empty() && attributes.len() < MOST_ATTRIBUTES {
        attributes.push(names.text()?);
    }
    names.end()?;
    inside.end()?;
    Ok(Search { base, scope, size_limit, types_only, filter, whole, attributes })
}

fn controls(body: &[u8]) -> Result<Vec<Control<'_>>, Malformed> {
    let (mut inside, mut controls) = (Reader::new(body), Vec::new());
    while !inside.is_empty() && controls.len() < MOST_CONTROLS {
        let mut control = inside.sequence()?;
        let (kind, is_critical) = (control.text()?, control.flag()?);
        let value = control.optional(OCTETS)?;
        control.end()?;
        controls.push(Control { kind, is_critical, value });
    }
    inside.end()?;
    Ok(controls)
}

fn message(id: i64, operation: &[u8], controls: &[u8]) -> Vec<u8> {
    ber::element(SEQUENCE, &[&ber::integer(id), operation, controls])
}

/// The answer to a bind.
pub(super) fn bound(id: i64, outcome: &Outcome) -> Vec<u8> {
    message(id, &ber::element(BIND_ANSWER, &[&outcome.parts()]), &[])
}

/// The answer to an operation by the tag of its answer.
pub(super) fn answered(id: i64, tag: u8, outcome: &Outcome) -> Vec<u8> {
    message(id, &ber::element(tag, &[&outcome.parts()]), &[])
}

/// The answer to an extended operation.
pub(super) fn extended(id: i64, outcome: &Outcome) -> Vec<u8> {
    answered(id, EXTENDED_ANSWER, outcome)
}

/// One found entry: its name, and its attributes with their values.
pub(super) fn found<'a>(
    id: i64,
    name: &str,
    attributes: impl Iterator<Item = (&'a str, &'a [Vec<u8>])>,
) -> Vec<u8> {
    let mut list = Vec::new();
    for (attribute, values) in attributes {
        let values: Vec<u8> = values.iter().flat_map(ber::octets).collect();
        list.extend(ber::element(SEQUENCE, &[&ber::octets(attribute), &ber::element(SET, &[&values])]));
    }
    let entry = ber::element(ENTRY, &[&ber::octets(name), &ber::element(SEQUENCE, &[&list])]);
    message(id, &entry, &[])
}

/// Where a search goes on elsewhere.
pub(super) fn reference(id: i64, url: &str) -> Vec<u8> {
    message(id, &ber::element(REFERENCE, &[&ber::octets(url)]), &[])
}

/// The end of a search; with paged results, the cookie of the next page.
pub(super) fn done(id: i64, outcome: &Outcome, cookie: Option<&[u8]>) -> Vec<u8> {
    let operation = ber::element(SEARCH_DONE, &[&outcome.parts()]);
    let controls = cookie.map(|cookie| {
        let value = ber::element(SEQUENCE, &[&ber::integer(0), &ber::octets(cookie)]);
        let control = ber::element(SEQUENCE, &[&ber::octets(PAGED_RESULTS), &ber::octets(value)]);
        ber::element(CONTROLS, &[&control])
    });
    message(id, &operation, &controls.unwrap_or_default())
}

/// RFC 2696.
pub(super) const PAGED_RESULTS: &str = "1.2.840.113556.1.4.319";

/// The size and the cookie of a control for paged results.
pub(super) fn page(value: &[u8]) -> Result<(usize, &[u8]), Malformed> {
    let mut inside = Reader::new(value).sequence()?;
    let size = usize::try_from(inside.integer().and_then(in_range)?).map_err(|_| Malformed)?;
    let cookie = inside.octets()?;
    inside.end()?;
    Ok((size, cookie))
}

/// What is said before a connection is closed because of what came in (RFC 4511 section 4.4.1).
pub(super) fn disconnection(why: &str) -> Vec<u8> {
    let outcome = Outcome::new(Code::ProtocolError, why).parts();
    let name = ber::element(0x8a, &[b"1.3.6.1.4.1.1466.20036"]);
    message(0, &ber::element(EXTENDED_ANSWER, &[&outcome, &name]), &[])
}
