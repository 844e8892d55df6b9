//! Where a webhook may go: outside development only https and only public addresses, checked on the very address
//! that is connected to.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};
use url::{Host, Url};

/// Which receivers are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// https, public addresses.
    Public,
    /// Development: also http, also loopback.
    Loopback,
}

/// Why a URL cannot be a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Not an absolute URL with a host.
    #[error("is not an absolute URL with a host")]
    NotAUrl,
    /// Not a scheme that may be used here.
    #[error("must be an https URL")]
    Scheme,
    /// User and password do not belong there.
    #[error("must not carry a user or a password")]
    Credentials,
    /// An address inside someone's network.
    #[error("is not a public address")]
    NotPublic,
}

/// Reads a receiver's URL; what is behind its name is checked again whenever it is connected to.
pub fn receiver(text: &str, reach: Reach) -> Result<Url, AddressError> {
    let url = Url::parse(text).map_err(|_| AddressError::NotAUrl)?;
    let host = url.host().ok_or(AddressError::NotAUrl)?;
    match url.scheme() {
        "https" => {}
        "http" if reach == Reach::Loopback => {}
        _ => return Err(AddressError::Scheme),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(AddressError::Credentials);
    }
    let allowed = match host {
        Host::Ipv4(ip) => is_allowed(ip.into(), reach),
        Host::Ipv6(ip) => is_allowed(ip.into(), reach),
        Host::Domain(name) => {
            let name = name.trim_end_matches('.');
            let local = name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost");
            reach == Reach::Loopback || !local
        }
    };
    if allowed { Ok(url) } else { Err(AddressError::NotPublic) }
}

/// Whether an address may be connected to.
pub fn is_allowed(ip: IpAddr, reach: Reach) -> bool {
    let ip = match ip {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(ip, IpAddr::V4),
        IpAddr::V4(_) => ip,
    };
    (reach == Reach::Loopback && ip.is_loopback())
        || match ip {
            IpAddr::V4(v4) => is_public_v4(v4),
            IpAddr::V6(v6) => is_public_v6(v6),
        }
}

/// Not one of IANA's special-purpose blocks.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    !(a == 0
        || a == 10
        || a == 127
        || (a == 100 && b & 0xc0 == 64) // shared by carriers
        || (a == 169 && b == 254) // link-local, where clouds keep their credentials
        || (a == 172 && b & 0xf0 == 16)
        || (a == 192 && b == 168)
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && b & 0xfe == 18)
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113)
        || a >= 224)
}

/// Global unicast without its special-purpose blocks, and without what only wraps an IPv4 address.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let s = ip.segments();
    s[0] & 0xe000 == 0x2000
        && !(s[0] == 0x2001 && s[1] < 0x0200) // protocol assignments, Teredo
        && !(s[0] == 0x2001 && s[1] == 0x0db8)
        && s[0] != 0x2002 // 6to4
        && !(s[0] == 0x3fff && s[1] < 0x1000)
}

/// Resolves names to allowed addresses only; reqwest connects to what this returns and resolves nothing itself.
#[derive(Debug, Clone, Copy)]
pub(super) struct Resolver(pub Reach);

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            if found.is_empty() || !found.iter().all(|address| is_allowed(address.ip(), reach)) {
                return Err(io::Error::new(io::ErrorKind::PermissionDenied, AddressError::NotPublic).into());
            }
            Ok(Box::new(found.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_public_addresses_over_https() {
        for good in ["https://example.com/hook?x=1", "https://8.8.8.8:8443/", "https://[2606:4700::1111]/"] {
            assert!(receiver(good, Reach::Public).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("hook", AddressError::NotAUrl),
            ("https://", AddressError::NotAUrl),
            ("http://example.com/", AddressError::Scheme),
            ("file:///etc/passwd", AddressError::NotAUrl),
            ("ftp://example.com/", AddressError::Scheme),
            ("https://u:p@example.com/", AddressError::Credentials),
            ("https://localhost/", AddressError::NotPublic),
            ("https://a.localhost./", AddressError::NotPublic),
            ("https://127.1/", AddressError::NotPublic),
            ("https://2130706433/", AddressError::NotPublic),
            ("https://0x7f.0.0.1/", AddressError::NotPublic),
            ("https://10.1.2.3/", AddressError::NotPublic),
            ("https://172.31.0.1/", AddressError::NotPublic),
            ("https://192.168.0.1/", AddressError::NotPublic),
            ("https://169.254.169.254/latest/meta-data", AddressError::NotPublic),
            ("https://100.64.0.1/", AddressError::NotPublic),
            ("https://0.0.0.0/", AddressError::NotPublic),
            ("https://255.255.255.255/", AddressError::NotPublic),
            ("https://[::1]/", AddressError::NotPublic),
            ("https://[::]/", AddressError::NotPublic),
            ("https://[::ffff:127.0.0.1]/", AddressError::NotPublic),
            ("https://[::ffff:10.0.0.1]/", AddressError::NotPublic),
            ("https://[64:ff9b::7f00:1]/", AddressError::NotPublic),
            ("https://[2002:7f00:1::]/", AddressError::NotPublic),
            ("https://[fd00::1]/", AddressError::NotPublic),
            ("https://[fe80::1]/", AddressError::NotPublic),
            ("https://[2001:db8::1]/", AddressError::NotPublic),
        ] {
            assert_eq!(receiver(bad, Reach::Public), Err(why), "{bad}");
        }
    }

    #[test]
    fn development_adds_http_and_loopback_and_nothing_else() {
        for good in ["http://127.0.0.1:9000/", "http://localhost/", "http://[::1]/", "https://example.com/"] {
            assert!(receiver(good, Reach::Loopback).is_ok(), "{good}");
        }
        for bad in ["http://10.0.0.1/", "http://169.254.169.254/", "http://0.0.0.0/", "ftp://localhost/"] {
            assert!(receiver(bad, Reach::Loopback).is_err(), "{bad}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_inside_is_not_resolved() {
        use reqwest::dns::Resolve;
        let name = || "localhost".parse().unwrap();
        assert!(Resolver(Reach::Public).resolve(name()).await.is_err());
        assert!(Resolver(Reach::Loopback).resolve(name()).await.is_ok());
    }
}
