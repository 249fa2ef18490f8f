//! Where requests may go.
//!
//! What the configuration names is reached as it is written, loopback included. An address that is learned while the
//! program runs, such as a hook's target, must be public: otherwise whoever may register a hook could make the bridge
//! call what only this machine or its network can reach. The addresses a name resolves to are examined in the very
//! look-up that the connection is made with, so that a name cannot be one address when it is examined and another when
//! it is called.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why a request was not sent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not an address that can be called.
    #[error("not an http or https address: nothing was sent")]
    NotAnAddress,
    /// A vendor's request to a host that nobody configured.
    #[error("{0} is not a host that the configuration names: nothing was sent")]
    NotNamed(String),
    /// An address given at run time that anybody on the way could read and change.
    #[error("{0} is not called by https: nothing was sent")]
    NotEncrypted(String),
    /// An address given at run time that leads inside.
    #[error("{host} leads to {address}, which is not a public address: nothing was sent")]
    NotPublic {
        /// The host as it was given.
        host: String,
        /// Where it leads.
        address: IpAddr,
    },
    /// A name without an address.
    #[error("{0} has no address: nothing was sent")]
    Unresolved(String),
}

/// How an address given at run time is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// As it is written: the configuration names the host.
    Named,
    /// By public addresses only.
    Public,
}

/// The hosts, with their ports, that the configuration names.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    named: BTreeSet<(String, u16)>,
}

impl Guard {
    /// Lets requests go to the hosts of these addresses.
    pub fn new(urls: impl IntoIterator<Item = impl AsRef<str>>) -> Self {
        let named = urls.into_iter().filter_map(|url| endpoint(&Url::parse(url.as_ref()).ok()?)).collect();
        Self { named }
    }

    /// Whether a vendor's request may go there.
    pub(super) fn check(&self, url: &Url) -> Result<(), Refused> {
        let endpoint = endpoint(url).ok_or(Refused::NotAnAddress)?;
        if self.named.contains(&endpoint) { Ok(()) } else { Err(Refused::NotNamed(shown(&endpoint))) }
    }

    /// How a request to an address given at run time goes there, if it may. A name is examined when it is resolved.
    pub(super) fn way_to(&self, url: &Url) -> Result<Way, Refused> {
        let endpoint = endpoint(url).ok_or(Refused::NotAnAddress)?;
        if self.named.contains(&endpoint) {
            return Ok(Way::Named);
        }
        if url.scheme() != "https" {
            return Err(Refused::NotEncrypted(shown(&endpoint)));
        }
        // An address in the place of a name is never resolved.
        match endpoint.0.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if !is_public(address) => Err(Refused::NotPublic { host: endpoint.0, address }),
            _ => Ok(Way::Public),
        }
    }
}

impl super::HttpClient {
    /// Whether an address that is learned while the program runs may be posted to, as far as it shows; a name is examined
    /// when it is resolved.
    ///
    /// # Errors
    /// Why not.
    pub fn may_deliver(&self, url: &str) -> Result<(), Refused> {
        let url = Url::parse(url).map_err(|_| Refused::NotAnAddress)?;
        self.guard.way_to(&url).map(drop)
    }
}

/// The host, as `url` writes it in one of its many forms, and the port; none if it is not an address of HTTP.
fn endpoint(url: &Url) -> Option<(String, u16)> {
    let is_http = matches!(url.scheme(), "http" | "https");
    Some((url.host_str().filter(|_| is_http)?.to_owned(), url.port_or_known_default()?))
}

fn shown((host, port): &(String, u16)) -> String {
    format!("{host}:{port}")
}

/// What is said of an answer that sends us elsewhere: no redirect is followed.
pub(super) fn redirected(status: u16, from: &Url, location: Option<&str>) -> String {
    let to = location.and_then(|location| from.join(location).ok());
    let Some(to) = to.as_ref().and_then(endpoint) else {
        return format!("answered {status}, a redirect to nowhere");
    };
    if Some(&to) == endpoint(from).as_ref() {
        return format!("answered {status}, a redirect, which is not followed: name the address it leads to");
    }
    format!(
        "answered {status}, a redirect to another host, {}, which is refused: no credential is sent there",
        shown(&to)
    )
}

/// Whether an address is one of the public internet (IANA's special-purpose registries of IPv4 and IPv6 addresses; what
/// stands there as reserved, or carries another address inside, is not).
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// Blocks of IPv4 that are not public: the first address and the length of the prefix.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    // Shared by providers behind NAT.
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    // Link-local: cloud machines find their credentials here.
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    // Documentation, here and below.
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    // 6to4 relays.
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    // Measurements between networks.
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    // Multicast.
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    // Reserved, and broadcast.
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in =
        |(first, length): &(Ipv4Addr, u32)| (address.to_bits() ^ first.to_bits()).leading_zeros() >= *length;
    !NOT_PUBLIC_V4.iter().any(is_in)
}

/// The only block of IPv6 that is public, and the blocks in it that are not.
const GLOBAL_V6: (Ipv6Addr, u32) = (Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    // Protocol assignments, with Teredo, which carries IPv4.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    // Documentation, twice.
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    // 6to4, which carries IPv4.
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
];

/// Loopback, link-local, unique local and multicast addresses and those that map or translate IPv4 (`::ffff:0:0/96`,
/// `64:ff9b::/96`) lie outside the one public block.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let is_in =
        |(first, length): &(Ipv6Addr, u32)| (address.to_bits() ^ first.to_bits()).leading_zeros() >= *length;
    is_in(&GLOBAL_V6) && !NOT_PUBLIC_V6.iter().any(is_in)
}

/// Finds the addresses of a name.
#[async_trait]
pub trait Resolver: Send + Sync + 'static {
    /// All of them.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The operating system's.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(tokio::net::lookup_host((host, 0)).await?.map(|found| found.ip()).collect())
    }
}

/// Resolves names to public addresses only; one that is not refuses the name, whatever its others are.
pub(super) struct PublicOnly(pub(super) Arc<dyn Resolver>);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let resolver = Arc::clone(&self.0);
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found = resolver.resolve(&host).await.unwrap_or_default();
            if found.is_empty() {
                return Err(Refused::Unresolved(host).into());
            }
            if let Some(address) = found.iter().copied().find(|address| !is_public(*address)) {
                return Err(Refused::NotPublic { host, address }.into());
            }
            // The port is the address's own.
            Ok(Box::new(found.into_iter().map(|ip| SocketAddr::new(ip, 0))) as Addrs)
        })
    }
}

/// The refusal that an error of the HTTP library carries, if it is one.
pub(super) fn refusal_in(error: &reqwest::Error) -> Option<Refused> {
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        if let Some(refused) = cause.downcast_ref::<Refused>() {
            return Some(refused.clone());
        }
        source = cause.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_are_public() {
        let public = ["1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"];
        let not_public = [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:8.8.8.8",
            "::ffff:127.0.0.1",
            "::8.8.8.8",
            "64:ff9b::7f00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ];
        for (addresses, expected) in [(&public[..], true), (&not_public[..], false)] {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
    }

    fn way(url: &str) -> Result<Way, Refused> {
        let guard = Guard::new(["http://127.0.0.1:9000/base", "https://Hooks.Example"]);
        guard.way_to(&Url::parse(url).unwrap())
    }

    #[test]
    fn a_target_is_named_or_public_and_encrypted() {
        assert_eq!(way("http://127.0.0.1:9000/hook"), Ok(Way::Named));
        assert_eq!(way("https://hooks.example:443/x"), Ok(Way::Named));
        assert_eq!(way("https://zaps.example/x"), Ok(Way::Public));
        assert_eq!(way("https://1.1.1.1/x"), Ok(Way::Public));
        for (url, expected) in [
            ("http://zaps.example/x", "zaps.example:80 is not called by https: nothing was sent"),
            ("ftp://zaps.example/x", "not an http or https address: nothing was sent"),
            (
                "https://127.0.0.1/x",
                "127.0.0.1 leads to 127.0.0.1, which is not a public address: nothing was sent",
            ),
            ("https://127.0.0.1:9001/x", "not a public address"),
            ("https://0x7f.1/x", "127.0.0.1 leads to 127.0.0.1"),
            ("https://2130706433/x", "127.0.0.1 leads to 127.0.0.1"),
            ("https://[::1]/x", "[::1] leads to ::1, which is not a public address"),
            ("https://[::ffff:10.0.0.1]/x", "not a public address"),
        ] {
            let refused = way(url).unwrap_err().to_string();
            assert!(refused.contains(expected), "{url}: {refused}");
        }
    }
}
