//! What leaves this program, and what does not.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, ResponseTemplate};

use super::{Failure, Guard, HttpClient, Resolver};
use crate::clock::{SharedClock, SystemClock};
use crate::domain::CallClass;
use crate::operations::{Effect, highlevel};

/// Resolves every name to these.
struct Always(&'static [&'static str]);

#[async_trait]
impl Resolver for Always {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(self.0.iter().map(|address| address.parse().unwrap()).collect())
    }
}

fn client(named: &[&str], addresses: &'static [&'static str]) -> HttpClient {
    let clock: SharedClock = Arc::new(SystemClock);
    HttpClient::with_resolver(clock, Guard::new(named.iter().copied()), Arc::new(Always(addresses)))
}

async fn server(answer: ResponseTemplate) -> MockServer {
    let server = MockServer::start().await;
    Mock::given(any()).respond_with(answer).mount(&server).await;
    server
}

async fn requests(server: &MockServer) -> usize {
    server.received_requests().await.unwrap().len()
}

async fn call(http: &HttpClient, base_url: &str) -> Result<u16, Failure> {
    let request = highlevel::get_location("loc");
    http.send(base_url, super::exchange::Credential::Bearer("secret-bearer"), &request, None, &[])
        .await
        .result
        .map(|answer| answer.status)
}

async fn deliver(http: &HttpClient, url: &str) -> Result<u16, Failure> {
    http.deliver(url, &[], b"{}".to_vec(), Effect::Idempotent).await.map(|answer| answer.status)
}

#[tokio::test]
async fn a_vendor_is_called_only_where_the_configuration_names_it() {
    let named = server(ResponseTemplate::new(200)).await;
    let other = server(ResponseTemplate::new(200)).await;
    let http = client(&[&named.uri()], &[]);
    assert_eq!(call(&http, &named.uri()).await.unwrap(), 200);
    let refused = call(&http, &other.uri()).await.unwrap_err();
    let expected =
        format!("{} is not a host that the configuration names: nothing was sent", other.address());
    assert_eq!((refused.class, refused.detail), (CallClass::Rejected, expected));
    assert_eq!(requests(&other).await, 0);
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused_and_carries_nothing_there() {
    let other = server(ResponseTemplate::new(200)).await;
    for status in [301, 302, 303, 307, 308] {
        let to = format!("{}/collect", other.uri());
        let vendor = server(ResponseTemplate::new(status).insert_header("Location", to.as_str())).await;
        // Even where the other host is one that the configuration names.
        let http = client(&[&vendor.uri(), &other.uri()], &[]);
        for failure in
            [call(&http, &vendor.uri()).await.unwrap_err(), deliver(&http, &vendor.uri()).await.unwrap_err()]
        {
            let expected = format!(
                "answered {status}, a redirect to another host, {}, which is refused: no credential is sent there",
                other.address()
            );
            assert_eq!((failure.class, failure.detail), (CallClass::Rejected, expected));
        }
    }
    assert_eq!(requests(&other).await, 0);
}

#[tokio::test]
async fn a_redirect_to_the_same_host_is_not_followed_and_says_so() {
    let vendor = server(ResponseTemplate::new(308).insert_header("Location", "/elsewhere?name=Ada")).await;
    let failure = call(&client(&[&vendor.uri()], &[]), &vendor.uri()).await.unwrap_err();
    let expected = "answered 308, a redirect, which is not followed: name the address it leads to";
    assert_eq!(failure.detail, expected);
    assert_eq!(requests(&vendor).await, 1);
}

#[tokio::test]
async fn a_hook_whose_name_leads_inside_is_refused() {
    let inside = server(ResponseTemplate::new(200)).await;
    let port = inside.address().port();
    for (addresses, shown) in [
        (&["127.0.0.1"][..], "127.0.0.1"),
        (&["::1"], "::1"),
        (&["10.0.0.5"], "10.0.0.5"),
        (&["169.254.169.254"], "169.254.169.254"),
        (&["::ffff:127.0.0.1"], "::ffff:127.0.0.1"),
        (&["64:ff9b::7f00:1"], "64:ff9b::7f00:1"),
        // One good address does not excuse another.
        (&["93.184.216.34", "192.168.0.1"], "192.168.0.1"),
    ] {
        let failure = deliver(&client(&[], addresses), &format!("https://hooks.example:{port}/x")).await;
        let failure = failure.unwrap_err();
        let expected =
            format!("hooks.example leads to {shown}, which is not a public address: nothing was sent");
        assert_eq!((failure.class, failure.detail), (CallClass::Rejected, expected));
    }
    assert_eq!(requests(&inside).await, 0);
}

#[tokio::test]
async fn a_hook_that_cannot_be_called_safely_says_why() {
    let http = client(&[], &[]);
    for (url, class, expected) in [
        ("http://hooks.example/x", CallClass::Rejected, "hooks.example:80 is not called by https"),
        ("https://127.0.0.1/x", CallClass::Rejected, "not a public address"),
        ("file:///etc/passwd", CallClass::Rejected, "not an http or https address"),
        ("not a url", CallClass::Rejected, "not an http or https address"),
        ("https://nowhere.example/x", CallClass::Unreachable, "nowhere.example has no address"),
    ] {
        let failure = deliver(&http, url).await.unwrap_err();
        assert!(failure.class == class && failure.detail.contains(expected), "{url}: {failure:?}");
    }
}

#[tokio::test]
async fn a_hook_the_configuration_names_is_called_as_it_is_written() {
    let named = server(ResponseTemplate::new(204)).await;
    let http = client(&[&named.uri()], &["127.0.0.1"]);
    assert_eq!(deliver(&http, &format!("{}/hook", named.uri())).await.unwrap(), 204);
}
