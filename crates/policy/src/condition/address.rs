//! Addresses and networks in conditions.

use std::net::IpAddr;

/// A network in CIDR form; a single address is a network of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Network {
    address: IpAddr,
    n_bits: u32,
}

impl Network {
    /// Reads an address with an optional prefix length. Bits behind the prefix do not count.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (address, n_bits) = match text.split_once('/') {
            Some((address, digits)) => (address, Some(prefix_len(digits)?)),
            None => (text, None),
        };
        let written: IpAddr = address.parse().ok()?;
        let width = if written.is_ipv4() { 32 } else { 128 };
        let n_bits = n_bits.unwrap_or(width);
        if n_bits > width {
            return None;
        }
        // An IPv4 address in IPv6 form is one of IPv4; a prefix shorter than the form is truly of IPv6.
        let address = written.to_canonical();
        if written.is_ipv6() && address.is_ipv4() {
            return Some(match n_bits.checked_sub(96) {
                Some(n_bits) => Self { address, n_bits },
                None => Self {
                    address: written,
                    n_bits,
                },
            });
        }
        Some(Self { address, n_bits })
    }

    /// Whether `address` is in it.
    pub(crate) fn contains(self, address: IpAddr) -> bool {
        match (self.address, address) {
            (IpAddr::V4(network), IpAddr::V4(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= self.n_bits
            }
            (IpAddr::V6(network), IpAddr::V6(address)) => {
                let differ = network.to_bits() ^ address.to_bits();
                differ.leading_zeros() >= self.n_bits
            }
            _ => false,
        }
    }
}

/// Reads an address as a request has it; one of IPv4 in IPv6 form is one of IPv4.
pub(crate) fn parse(text: &str) -> Option<IpAddr> {
    let address: IpAddr = text.parse().ok()?;
    Some(address.to_canonical())
}

fn prefix_len(digits: &str) -> Option<u32> {
    let is_number =
        (1..=3).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_their_addresses() {
        for (network, address, expected) in [
            ("203.0.113.0/24", "203.0.113.77", true),
            ("203.0.113.0/24", "203.0.114.1", false),
            ("203.0.113.9/24", "203.0.113.77", true),
            ("203.0.113.9", "203.0.113.9", true),
            ("203.0.113.9", "203.0.113.8", false),
            ("0.0.0.0/0", "1.2.3.4", true),
            ("0.0.0.0/0", "::1", false),
            ("0.0.0.0/0", "::ffff:1.2.3.4", true),
            ("::/0", "2001:db8::1", true),
            ("::/0", "1.2.3.4", false),
            ("2001:db8::/32", "2001:db8:ffff::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
            ("2001:DB8::1", "2001:db8:0:0::1", true),
            ("::ffff:203.0.113.0/120", "203.0.113.77", true),
        ] {
            let contained = Network::parse(network)
                .unwrap()
                .contains(parse(address).unwrap());
            assert_eq!(contained, expected, "{address} in {network}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused() {
        for text in [
            "",
            "1.2.3",
            "1.2.3.4/33",
            "1.2.3.4/",
            "1.2.3.4/-1",
            "1.2.3.4/+8",
            "::/129",
            "1.2.3.4/8/8",
            "01.2.3.4",
            "localhost",
            "1.2.3.*",
            "fe80::1%eth0",
        ] {
            assert_eq!(Network::parse(text), None, "{text:?}");
        }
    }
}
