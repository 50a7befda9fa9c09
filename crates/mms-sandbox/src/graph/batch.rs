//! `$batch`: up to twenty requests in one, each with an answer of its own.

use futures_util::StreamExt as _;
use serde_json::{Map, Value, json};

use super::{Asked, Reply, answer, refusal};
use crate::state::Shared;

const MOST: usize = 20;
/// Of the requests of a batch, those to Outlook run four at a time.
const AT_A_TIME: usize = 4;

async fn answer_all(shared: &Shared, requests: &[Value], base: &str) -> Vec<Value> {
    let one = |request: &Value| {
        let text = |name: &str| request[name].as_str().unwrap_or_default().to_owned();
        let headers = request["headers"].as_object().into_iter().flatten();
        let headers =
            headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect();
        let url = text("url");
        let url = url.strip_prefix("/v1.0").unwrap_or(&url);
        let asked = Asked::new(&text("method"), url, headers, request["body"].clone(), base);
        let (id, needs_type) = (request["id"].clone(), !request["body"].is_null());
        async move {
            let reply = if needs_type && asked.header("Content-Type").is_none() {
                refusal(400, "BadRequest", "Write request is missing its Content-Type header.")
            } else {
                answer(shared, &asked).await
            };
            shared.count_batched(&asked.method);
            let headers: Map<String, Value> =
                reply.headers.into_iter().map(|(name, value)| (name.to_owned(), json!(value))).collect();
            json!({"id": id, "status": reply.status, "headers": headers, "body": reply.body})
        }
    };
    futures_util::stream::iter(requests.iter().map(one)).buffer_unordered(AT_A_TIME).collect().await
}

pub(super) async fn answer_batch(shared: &Shared, body: &Value, base: &str) -> Reply {
    let Some(requests) = body["requests"].as_array().filter(|all| !all.is_empty()) else {
        return refusal(400, "BadRequest", "Invalid batch payload format.");
    };
    if requests.len() > MOST {
        return refusal(400, "BadRequest", "Number of batch request steps exceeds the maximum value of 20.");
    }
    let mut ids: Vec<&str> = requests.iter().filter_map(|request| request["id"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    if ids.len() != requests.len() {
        return refusal(400, "BadRequest", "Each request of a batch needs an id of its own.");
    }
    Reply::ok(json!({"responses": answer_all(shared, requests, base).await}))
}
