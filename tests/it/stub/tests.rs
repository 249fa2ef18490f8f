//! The stubs' own tests: that they say what the vendors' documents say.

mod casepeer;
mod highlevel;
mod official;

use reqwest::Method;
use serde_json::Value;

const LOCATION: &str = "ve9EPM428h8vShlRW1KT";
const TOKEN: &str = "pit-stub";

/// A request as a well-behaved client of either vendor makes it.
async fn call(
    url: &str,
    method: Method,
    path: &str,
    token: &str,
    body: Value,
    extra: &[(&str, &str)],
) -> (u16, Value) {
    let mut request = reqwest::Client::new()
        .request(method, format!("{url}{path}"))
        .bearer_auth(token)
        .header("Version", "2021-07-28")
        .header("Accept", "application/json")
        .header("User-Agent", "stub-tests")
        .header("X-Request-Id", "r-1");
    for (name, value) in extra {
        request = request.header(*name, *value);
    }
    if !body.is_null() {
        request = request.json(&body);
    }
    let response = request.send().await.expect("an answer");
    (response.status().as_u16(), response.json().await.expect("JSON"))
}
