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

/// A server of TCP that does this with the one connection it takes.
async fn of_tcp<Done: Future<Output = ()> + Send>(
    with: impl FnOnce(tokio::net::TcpStream) -> Done + Send + 'static,
) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { with(listener.accept().await.unwrap().0).await });
    url
}

#[tokio::test]
async fn a_vendor_that_does_not_answer_as_it_should_is_told_of_in_words() {
    let silent = of_tcp(async |stream| {
        let _stream = stream;
        std::future::pending().await
    })
    .await;
    let brief = of_tcp(async |stream| drop(stream)).await;
    let endless = server(ResponseTemplate::new(200).set_body_bytes(vec![b' '; 8 * 1024 * 1024 + 1])).await;
    let nowhere = server(ResponseTemplate::new(302)).await;
    let too_long = "answered 200 with more than 8388608 bytes";
    for (url, class, words) in [
        (silent, CallClass::Timeout, "did not answer in time"),
        (brief, CallClass::Timeout, "broke off the connection"),
        (endless.uri(), CallClass::Timeout, too_long),
        (nowhere.uri(), CallClass::Rejected, "answered 302, a redirect to nowhere"),
        ("http://127.0.0.1:1".to_owned(), CallClass::Unreachable, "could not be reached"),
    ] {
        let http = client(&[&url], &[]);
        let mut request = highlevel::get_location("loc");
        request.timeout = Some(std::time::Duration::from_millis(500));
        let asked = http.send(&url, super::exchange::Credential::None, &request, None, &[]).await;
        let failure = asked.result.unwrap_err();
        assert_eq!((failure.class, failure.detail.as_str()), (class, words), "{url}");
    }
}
