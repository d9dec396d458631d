//! Which addresses an identity provider may have.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::cidr::Cidr;

/// Public unicast addresses, and what the operator allows.
#[derive(Debug)]
pub(super) struct Addresses(Vec<Cidr>);

const fn v4(a: u8, b: u8, c: u8, bits: u8) -> Cidr {
    Cidr::new(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), bits)
}

const fn v6(a: u16, b: u16, bits: u8) -> Cidr {
    Cidr::new(IpAddr::V6(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0)), bits)
}

/// What of IPv4 is not public unicast (IANA's special-purpose registry).
const NOT_PUBLIC_V4: [Cidr; 15] = [
    v4(0, 0, 0, 8),
    v4(10, 0, 0, 8),
    v4(100, 64, 0, 10),
    v4(127, 0, 0, 8),
    v4(169, 254, 0, 16),
    v4(172, 16, 0, 12),
    v4(192, 0, 0, 24),
    v4(192, 0, 2, 24),
    v4(192, 88, 99, 24),
    v4(192, 168, 0, 16),
    v4(198, 18, 0, 15),
    v4(198, 51, 100, 24),
    v4(203, 0, 113, 24),
    v4(224, 0, 0, 4),
    v4(240, 0, 0, 4),
];
/// The global unicast addresses of IPv6, and what of them leads elsewhere: tunnels that carry an IPv4 address, and
/// documentation.
const PUBLIC_V6: Cidr = v6(0x2000, 0, 3);
const NOT_PUBLIC_V6: [Cidr; 4] = [
    v6(0x2001, 0, 23),
    v6(0x2001, 0xdb8, 32),
    v6(0x2002, 0, 16),
    v6(0x3fff, 0, 20),
];

impl Addresses {
    /// Allows `inside` besides public addresses.
    pub(super) fn allowing(inside: Vec<Cidr>) -> Self {
        Self(inside)
    }

    pub(super) fn allow(&self, address: IpAddr) -> bool {
        is_public(address) || self.0.iter().any(|block| block.contains(address))
    }
}

/// An IPv4 address in IPv6 clothes is the IPv4 address.
fn is_public(address: IpAddr) -> bool {
    let within = |blocks: &[Cidr]| blocks.iter().any(|block| block.contains(address));
    match address.to_canonical() {
        IpAddr::V4(_) => !within(&NOT_PUBLIC_V4),
        IpAddr::V6(_) => PUBLIC_V6.contains(address) && !within(&NOT_PUBLIC_V6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn inside_addresses_are_refused_in_every_dress() {
        let none = Addresses::allowing(Vec::new());
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.1",
            "192.168.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::127.0.0.1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:10.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "fe80::1",
            "fc00::1",
            "fd00:ec2::254",
            "ff02::1",
            "2001::1",
            "2001:db8::1",
            "2002:a9fe:a9fe::1",
        ] {
            assert!(!none.allow(ip(address)), "{address}");
        }
    }

    #[test]
    fn public_addresses_are_allowed() {
        let none = Addresses::allowing(Vec::new());
        for address in [
            "1.1.1.1",
            "100.63.255.255",
            "100.128.0.0",
            "140.82.112.3",
            "172.15.255.255",
            "172.32.0.0",
            "::ffff:1.1.1.1",
            "2606:50c0:8000::153",
            "2a04:4e42::81",
        ] {
            assert!(none.allow(ip(address)), "{address}");
        }
    }

    #[test]
    fn the_operator_opens_what_is_named_and_no_more() {
        let some = Addresses::allowing(vec![
            "10.96.0.0/12".parse().unwrap(),
            "::1".parse().unwrap(),
        ]);
        for (address, allowed) in [
            ("10.96.0.1", true),
            ("::ffff:10.96.0.1", true),
            ("10.112.0.1", false),
            ("::1", true),
            ("127.0.0.1", false),
            ("1.1.1.1", true),
        ] {
            assert_eq!(some.allow(ip(address)), allowed, "{address}");
        }
    }
}
