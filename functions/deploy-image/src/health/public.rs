//! Which addresses are public, and a resolver that returns no others.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_smithy_runtime_api::client::dns::{DnsFuture, ResolveDns, ResolveDnsError};
use http::Uri;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotPublic(String);

impl std::fmt::Display for NotPublic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl std::error::Error for NotPublic {}

/// Refuses a URL that holds an address in the place of a name: no resolver would see it.
pub fn literal(url: &str) -> Result<(), NotPublic> {
    let uri: Option<Uri> = url.parse().ok();
    let host = uri.as_ref().and_then(Uri::host).unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    match bare.parse::<IpAddr>() {
        Ok(address) if !is_public(address) => Err(NotPublic(format!("{address} is not a public address"))),
        _ => Ok(()),
    }
}

#[derive(Debug, Clone, Copy)]
pub struct System;

impl ResolveDns for System {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let addresses = tokio::net::lookup_host((name, 0)).await.map_err(ResolveDnsError::new)?;
            Ok(addresses.map(|it| it.ip()).collect())
        })
    }
}

/// A resolver that refuses a name if any address of it is not public: the next connection might take that one.
#[derive(Debug, Clone)]
pub struct PublicOnly<R>(pub R);

impl<R: ResolveDns> ResolveDns for PublicOnly<R> {
    fn resolve_dns<'a>(&'a self, name: &'a str) -> DnsFuture<'a> {
        DnsFuture::new(async move {
            let addresses = self.0.resolve_dns(name).await?;
            match addresses.iter().find(|it| !is_public(**it)) {
                None => Ok(addresses),
                Some(it) => {
                    let why = format!("{name} resolves to {it}, which is not a public address");
                    Err(ResolveDnsError::new(NotPublic(why)))
                }
            }
        })
    }
}

/// Whether anybody in the world could ask this address: not private, shared, loopback, link-local (and so the metadata
/// of instances and tasks), multicast, reserved, or kept for documentation and tests.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => is_public_v4(it),
        IpAddr::V6(it) => is_public_v6(it),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    // The special-purpose blocks that IANA registers: first address and length of the prefix.
    const SPECIAL: [([u8; 4], u32); 16] = [
        ([0, 0, 0, 0], 8),
        ([10, 0, 0, 0], 8),
        ([100, 64, 0, 0], 10),
        ([127, 0, 0, 0], 8),
        ([169, 254, 0, 0], 16),
        ([172, 16, 0, 0], 12),
        ([192, 0, 0, 0], 24),
        ([192, 0, 2, 0], 24),
        ([192, 31, 196, 0], 24),
        ([192, 88, 99, 0], 24),
        ([192, 168, 0, 0], 16),
        ([198, 18, 0, 0], 15),
        ([198, 51, 100, 0], 24),
        ([203, 0, 113, 0], 24),
        ([224, 0, 0, 0], 4),
        ([240, 0, 0, 0], 4),
    ];
    let bits = address.to_bits();
    SPECIAL.iter().all(|(first, length)| (bits ^ u32::from_be_bytes(*first)) >> (32 - length) != 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inside) = embedded(address) {
        return is_public_v4(inside);
    }
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    // Teredo and its like, documentation, 6to4, and documentation again.
    let special = first == 0x2001 && (second < 0x0200 || second == 0x0db8)
        || first == 0x2002
        || first == 0x3fff && second < 0x1000;
    global && !special
}

/// The address of the older kind that this one stands for: `::ffff:a.b.c.d`, or behind NAT64 `64:ff9b::a.b.c.d`.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let segments = address.segments();
    let nat64 = segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0];
    let last = || Ipv4Addr::from_bits(u32::from(segments[6]) << 16 | u32::from(segments[7]));
    address.to_ipv4_mapped().or_else(|| nat64.then(last))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_what_the_world_can_reach_is_public() {
        for public in [
            "1.1.1.1",
            "8.8.8.8",
            "93.184.215.14",
            "100.63.255.255",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "2a00::1",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
        ] {
            assert!(is_public(public.parse().unwrap()), "{public}");
        }
        for private in [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "10.255.255.255",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.0.1",
            "169.254.169.254",
            "169.254.170.2",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "64:ff9b::a9fe:a9fe",
            "64:ff9b:1::808:808",
            "100::1",
            "2001::1",
            "2001:20::1",
            "2001:db8::1",
            "2002:a00:1::1",
            "3fff::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
        ] {
            assert!(!is_public(private.parse().unwrap()), "{private}");
        }
    }

    proptest! {
        /// What the standard library knows to be special is never public, and embedding an address changes nothing.
        #[test]
        fn nothing_special_is_public_in_any_spelling(bits in any::<u32>(), six in any::<u128>()) {
            let four = Ipv4Addr::from_bits(bits);
            let special = four.is_private() || four.is_loopback() || four.is_link_local() || four.is_multicast()
                || four.is_broadcast() || four.is_documentation() || four.is_unspecified();
            prop_assert!(!(special && is_public(four.into())), "{}", four);
            prop_assert_eq!(is_public(four.into()), is_public(four.to_ipv6_mapped().into()));
            let six = Ipv6Addr::from_bits(six);
            let special = six.is_loopback() || six.is_multicast() || six.is_unspecified() || six.is_unique_local()
                || six.is_unicast_link_local();
            prop_assert!(!(special && is_public(six.into())), "{}", six);
        }
    }

    #[test]
    fn an_address_in_a_url_is_found_whatever_stands_around_it() {
        for refused in
            ["http://10.0.0.1", "https://10.0.0.1:8080/x", "https://[fd00:ec2::254]/", "http://a:b@10.0.0.1/"]
        {
            assert!(literal(refused).is_err(), "{refused}");
        }
        for fine in ["https://8.8.8.8/", "https://[2606:4700::1111]/", "https://shop.example/10.0.0.1"] {
            assert_eq!(literal(fine), Ok(()), "{fine}");
        }
    }
}
