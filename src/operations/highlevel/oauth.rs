//! Authorisation between an agency and its locations, and the way back from lost tokens: `oauth.json`, and for
//! `/oauth/reconnect`, which that file does not list, help.gohighlevel.com article 155000003717.

use serde_json::Value;

use super::{Effect, Method, Operation, Request, scopes};
use crate::operations::{Response, Unexpected, text};

const LOCATION_TOKEN: Operation = Operation::new(
    "oauth.get-location-access-token",
    Method::Post,
    "/oauth/locationToken",
    // A location may have any number of them.
    Effect::Idempotent,
    scopes::AGENCY_WRITE,
);
const INSTALLED: Operation = Operation::new(
    "oauth.get-installed-location",
    Method::Get,
    "/oauth/installedLocations",
    Effect::Read,
    scopes::AGENCY_READ,
);

/// How many locations a page has.
const PAGE: usize = 100;

/// Make a location's token from its agency's. The body is a form: [`location_form`].
pub fn location_token() -> Request {
    LOCATION_TOKEN.request(&[])
}

/// The form of [`location_token`].
pub fn location_form<'a>(company: &'a str, location: &'a str) -> [(&'static str, &'a str); 2] {
    [("companyId", company), ("locationId", location)]
}

/// Read a page of the locations an agency has the app installed in. Counted from 0.
pub fn installed_locations(company: &str, app: &str, page: usize) -> Request {
    let request = INSTALLED.request(&[]).query("companyId", company).query("appId", app);
    request
        .query("isInstalled", "true")
        .query("limit", PAGE.to_string())
        .query("skip", (page * PAGE).to_string())
}

/// A location of an agency: its id and its name.
pub type InstalledLocation = (String, Option<String>);

/// The locations in an answer to [`installed_locations`], and whether there may be more.
pub fn read_installed_locations(answer: &Response) -> (Vec<InstalledLocation>, bool) {
    let items = answer.body.get("locations").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let is_installed = |item: &&Value| item.get("isInstalled").and_then(Value::as_bool) != Some(false);
    let locations = items
        .iter()
        .filter(is_installed)
        .filter_map(|item| Some((text(item, "_id").or_else(|| text(item, "id"))?, text(item, "name"))));
    (locations.collect(), items.len() >= PAGE)
}

/// The path that gives a fresh code for an installed app whose tokens were lost.
pub const RECONNECT_PATH: &str = "/oauth/reconnect";
/// The path that gives tokens for codes and refresh tokens.
pub const TOKEN_PATH: &str = "/oauth/token";

/// The code in an answer to `/oauth/reconnect`.
pub fn read_reconnect_code(body: &Value) -> Result<String, Unexpected> {
    text(body, "authorizationCode")
        .or_else(|| text(body, "authorization_code"))
        .ok_or(Unexpected { operation: "oauth.reconnect", missing: "authorizationCode" })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_request_for_a_location_is_as_the_official_file_has_it() {
        let request = location_token();
        assert_eq!((request.method, request.path.as_str()), (Method::Post, "/oauth/locationToken"));
        assert_eq!(request.headers, [("Version".into(), "2021-07-28".to_owned())]);
        assert_eq!(location_form("c", "l"), [("companyId", "c"), ("locationId", "l")]);
    }

    #[test]
    fn locations_where_it_is_not_installed_are_left_out() {
        let body = json!({"locations": [{"_id": "a", "name": "A", "address": "", "isInstalled": true},
            {"_id": "b", "name": "B", "address": "", "isInstalled": false}, {"_id": "c", "name": "", "address": ""}]});
        let answer = Response { status: 200, etag: None, link: None, body };
        let expected = vec![("a".to_owned(), Some("A".to_owned())), ("c".to_owned(), None)];
        assert_eq!(read_installed_locations(&answer), (expected, false));
    }

    #[test]
    fn a_code_is_found_or_missed_by_name() {
        assert_eq!(read_reconnect_code(&json!({"authorizationCode": "x"})), Ok("x".to_owned()));
        let missed = read_reconnect_code(&json!({"code": "x"})).unwrap_err();
        assert_eq!(missed.to_string(), "the answer to oauth.reconnect has no usable authorizationCode");
    }
}
