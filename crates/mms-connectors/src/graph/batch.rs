//! JSON batching (learn.microsoft.com/graph/json-batching): up to 20 requests in one, each with a status of its
//! own.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::failure::header_map;

/// The most requests in a batch.
pub(super) const MOST: usize = 20;
/// The most bytes of bodies in a batch of several. Graph is told to take 4 MB in a request; a single event that is
/// larger is tried all the same.
const MOST_BYTES: usize = 3 << 20;

/// A request within a batch.
#[derive(Debug, Clone)]
pub struct SubRequest {
    /// Verb.
    pub method: Method,
    /// Relative to the service's root, with a leading `/`: `/users/a/events/b?$select=id`.
    pub url: String,
    /// Headers.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Option<Value>,
}

impl SubRequest {
    /// A read.
    pub fn get(url: impl Into<String>) -> Self {
        Self { method: Method::GET, url: url.into(), headers: Vec::new(), body: None }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// Whether it may be sent twice.
    pub(super) fn is_read(&self) -> bool {
        self.method == Method::GET
    }

    fn size(&self) -> usize {
        fn of(value: &Value) -> usize {
            match value {
                Value::String(text) => text.len(),
                Value::Object(map) => map.values().map(of).sum(),
                Value::Array(all) => all.iter().map(of).sum(),
                _ => 8,
            }
        }
        self.url.len() + self.body.as_ref().map_or(0, of)
    }
}

/// The answer to a request within a batch.
#[derive(Debug)]
pub struct SubReply {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: HeaderMap,
    /// Body; null where there is none.
    pub body: Value,
}

/// How many of `requests` go into the next batch.
pub(super) fn next_chunk(requests: &[(usize, SubRequest)]) -> usize {
    let mut bytes = 0;
    let fitting = requests.iter().take(MOST).take_while(|(_, request)| {
        bytes += request.size();
        bytes <= MOST_BYTES
    });
    fitting.count().max(1).min(requests.len())
}

/// The body of a batch.
pub(super) fn write(requests: &[(usize, SubRequest)]) -> Vec<u8> {
    let all: Vec<Value> = requests
        .iter()
        .enumerate()
        .map(|(id, (_, request))| {
            let mut one = Map::new();
            one.insert("id".to_owned(), json!(id.to_string()));
            one.insert("method".to_owned(), json!(request.method.as_str()));
            one.insert("url".to_owned(), json!(request.url));
            let mut headers: Map<String, Value> =
                request.headers.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
            if let Some(body) = &request.body {
                headers.insert("Content-Type".to_owned(), json!("application/json"));
                one.insert("body".to_owned(), body.clone());
            }
            if !headers.is_empty() {
                one.insert("headers".to_owned(), Value::Object(headers));
            }
            Value::Object(one)
        })
        .collect();
    serde_json::to_vec(&json!({ "requests": all })).unwrap_or_default()
}

#[derive(Deserialize)]
struct Answers {
    responses: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    id: Value,
    #[serde(default)]
    status: Value,
    #[serde(default)]
    headers: Value,
    #[serde(default)]
    body: Value,
}

/// The answers by the place of their request; none for one that was not answered. They come in any order.
///
/// # Errors
/// What is wrong with the text as a whole.
pub(super) fn read(body: &[u8], count: usize) -> Result<Vec<Option<SubReply>>, String> {
    let answers: Answers = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let mut replies: Vec<Option<SubReply>> = (0..count).map(|_| None).collect();
    for Answer { id, status, headers, body } in answers.responses {
        let number = |value: &Value| value.as_u64().or_else(|| value.as_str()?.parse().ok());
        let place = number(&id).and_then(|id| usize::try_from(id).ok()).and_then(|id| replies.get_mut(id));
        let status = number(&status).and_then(|s| u16::try_from(s).ok());
        // An answer to what was not asked, or a second one, is none.
        if let (Some(place @ None), Some(status)) = (place, status) {
            *place = Some(SubReply { status, headers: header_map(Some(&headers)), body });
        }
    }
    Ok(replies)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn patch(bytes: usize) -> (usize, SubRequest) {
        let body = Some(json!({"body": {"content": "x".repeat(bytes)}}));
        (0, SubRequest { method: Method::PATCH, body, ..SubRequest::get("/x") })
    }

    #[test]
    fn a_batch_holds_twenty_or_what_its_bytes_allow() {
        assert_eq!(next_chunk(&vec![patch(10); 45]), 20);
        assert_eq!(next_chunk(&vec![patch(1 << 20); 20]), 2);
        assert_eq!(next_chunk(&[patch(9 << 20), patch(1)]), 1);
        assert_eq!(next_chunk(&[]), 0);
    }

    #[test]
    fn answers_find_their_requests_and_strangers_do_not() {
        let body = json!({"responses": [
            {"id": "1", "status": 429, "headers": {"Retry-After": 3}},
            {"id": 0, "status": "200", "body": {"id": "a"}},
            {"id": "1", "status": 200},
            {"id": "77", "status": 200},
            {"id": "2", "status": "weird"},
            {},
        ]});
        let replies = read(&serde_json::to_vec(&body).unwrap(), 3).unwrap();
        let status: Vec<_> = replies.iter().map(|r| r.as_ref().map(|r| r.status)).collect();
        assert_eq!(status, [Some(200), Some(429), None]);
        assert!(read(b"{\"responses\": [", 3).is_err());
        assert!(read(b"{}", 3).is_err());
    }

    proptest! {
        #[test]
        fn hostile_answers_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200), count in 0_usize..4) {
            if let Ok(replies) = read(&bytes, count) {
                prop_assert_eq!(replies.len(), count);
            }
        }
    }
}
