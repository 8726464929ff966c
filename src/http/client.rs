//! Who is on the other end of a request.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use actix_web::dev::Payload;
use actix_web::http::header::{HeaderMap, USER_AGENT};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use ipnet::IpNet;

use crate::app::App;
use crate::sessions::Client;

/// Characters of a user agent that are kept.
const USER_AGENT_CHARACTERS: usize = 512;

impl FromRequest for Client {
    type Error = Infallible;
    type Future = Ready<Result<Self, Infallible>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let app = request.app_data::<Data<App>>().expect("the server was made with it");
        let user_agent =
            request.headers().get(USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
        ready(Ok(Client {
            ip: address_of(request, app),
            user_agent: user_agent.map(|text| text.chars().take(USER_AGENT_CHARACTERS).collect()),
            id: None,
        }))
    }
}

/// Where a request comes from, behind the proxies that are trusted.
pub(super) fn address_of(request: &HttpRequest, app: &App) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    Some(address(peer, request.headers(), &app.config.trusted_proxies))
}

/// The address behind the proxies that are trusted. `x-forwarded-for` is read from the right, where our own proxies
/// write: each hop is believed only if the one that told of it is trusted, so what a client wrote there itself never
/// counts. Bytes that are no text are a hop of their own, and hide no other: where a hop is nobody's address, nobody is known
/// behind the proxy that told of it.
fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[IpNet]) -> IpAddr {
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(&ip));
    let mut address = peer.to_canonical();
    let told: Vec<_> = headers.get_all("x-forwarded-for").map(|value| value.as_bytes()).collect();
    let hops = told.iter().rev().flat_map(|value| value.rsplit(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    // A list may have empty elements (RFC 9110 section 5.6.1).
    for hop in hops.filter(|hop| !hop.is_empty()) {
        if !is_trusted(address) {
            break;
        }
        match hop_address(hop) {
            Some(hop) => address = hop.to_canonical(),
            None => break,
        }
    }
    address
}

/// An address as proxies write it: some with the port, and then one of IPv6 in brackets.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(hop).ok()?;
    if let Some(bare) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return bare.parse().map(Ipv6Addr::into).ok();
    }
    text.parse().ok().or_else(|| text.parse().ok().map(|with_port: SocketAddr| with_port.ip()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        for (peer, forwarded, expected) in [
            ("192.0.2.1", &[][..], "192.0.2.1"),
            ("192.0.2.1", &["198.51.100.9"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.9"], "198.51.100.9"),
            ("10.0.0.1", &["1.1.1.1", "198.51.100.9, 10.0.0.2"], "198.51.100.9"),
            ("10.0.0.1", &["1.1.1.1, nonsense, 10.0.0.2"], "10.0.0.2"),
            ("::ffff:10.0.0.1", &["::ffff:198.51.100.9"], "198.51.100.9"),
            ("fd00::1", &["2001:db8::7"], "2001:db8::7"),
            // With the port, or the brackets alone.
            ("10.0.0.1", &["1.1.1.1, 198.51.100.9:61234"], "198.51.100.9"),
            ("10.0.0.1", &["198.51.100.9, [fd00::2]:443"], "198.51.100.9"),
            ("10.0.0.1", &["1.1.1.1, [2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["[::ffff:198.51.100.9]:80"], "198.51.100.9"),
            ("10.0.0.1", &["1.1.1.1, [198.51.100.9]"], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1, 198.51.100.9:99999"], "10.0.0.1"),
            ("10.0.0.1", &["1.1.1.1, unknown"], "10.0.0.1"),
            // Empty elements are none.
            ("10.0.0.1", &["1.1.1.1, 198.51.100.9,", "", " , \t,"], "198.51.100.9"),
            ("10.0.0.1", &[""], "10.0.0.1"),
        ] {
            let lines: Vec<_> = forwarded.iter().map(|line| line.as_bytes()).collect();
            let found = address(peer.parse().unwrap(), &headers(&lines), &trusted);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{peer} {forwarded:?}");
        }
    }

    /// What a client writes stands to the left of what our proxies do, on a line of its own or on theirs.
    #[test]
    fn bytes_that_are_no_text_hide_no_hop() {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap()];
        for (forwarded, expected) in [
            (&[&b"203.0.113.7"[..], b"\xe9, 198.51.100.9"][..], "198.51.100.9"),
            (&[b"203.0.113.7, \xe9, 198.51.100.9"], "198.51.100.9"),
            (&[b"203.0.113.7", b"\xe9"], "10.0.0.1"),
            (&[b"203.0.113.7, \xe9, 10.0.0.2"], "10.0.0.2"),
            (&[b"203.0.113.7", b"\xc3\xa9, 10.0.0.2"], "10.0.0.2"),
        ] {
            let found = address("10.0.0.1".parse().unwrap(), &headers(forwarded), &trusted);
            assert_eq!(found, expected.parse::<IpAddr>().unwrap(), "{forwarded:?}");
        }
    }

    fn headers(forwarded: &[&[u8]]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in forwarded {
            let line = HeaderValue::from_bytes(line).unwrap();
            headers.append(HeaderName::from_static("x-forwarded-for"), line);
        }
        headers
    }
}
