//! IPv4 networks as numbers: whether two overlap, and which one is free next.

use std::{fmt, net::Ipv4Addr, str::FromStr};

use thiserror::Error;

/// A network in CIDR notation, e.g. `10.64.0.0/16`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cidr {
    first: u32,
    length: u8,
}

/// Text that is no IPv4 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("not an IPv4 network such as 10.64.0.0/16")]
pub struct InvalidCidr;

impl FromStr for Cidr {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<Self, InvalidCidr> {
        let (address, length) = text.split_once('/').ok_or(InvalidCidr)?;
        let address: Ipv4Addr = address.parse().map_err(|_| InvalidCidr)?;
        let length: u8 = length.parse().ok().filter(|length| *length <= 32).ok_or(InvalidCidr)?;
        let network = Self { first: address.into(), length };
        if u64::from(network.first).is_multiple_of(network.size()) { Ok(network) } else { Err(InvalidCidr) }
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.first), self.length)
    }
}

impl Cidr {
    /// How many addresses it has.
    fn size(self) -> u64 {
        1 << (32 - u32::from(self.length))
    }

    /// Its last address, as a number.
    fn last(self) -> u64 {
        u64::from(self.first) + self.size() - 1
    }

    /// Whether an address lies in both.
    pub fn overlaps(self, other: Self) -> bool {
        u64::from(self.first) <= other.last() && u64::from(other.first) <= self.last()
    }

    /// The first address that a machine or a router may have.
    pub fn first_address(self) -> Ipv4Addr {
        Ipv4Addr::from(self.first.saturating_add(1))
    }
}

/// The lowest network of this prefix length within one of `ranges`, in their order, that overlaps none of `taken`.
pub fn free(ranges: &[Cidr], length: u8, taken: &[Cidr]) -> Option<Cidr> {
    ranges.iter().find_map(|range| free_within(*range, length, taken))
}

fn free_within(range: Cidr, length: u8, taken: &[Cidr]) -> Option<Cidr> {
    let mut candidate = Cidr { first: range.first, length };
    while range.length <= length && length <= 32 && candidate.last() <= range.last() {
        let Some(last) = taken.iter().filter(|one| one.overlaps(candidate)).map(|one| one.last()).max() else {
            return Some(candidate);
        };
        // The next one behind everything that is in the way.
        let next = (last / candidate.size() + 1) * candidate.size();
        candidate.first = u32::try_from(next).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse().unwrap()
    }

    #[test]
    fn a_network_is_read_and_written_alike_and_an_address_within_one_is_none() {
        for text in ["10.64.0.0/16", "0.0.0.0/0", "255.255.255.255/32"] {
            assert_eq!(cidr(text).to_string(), text);
        }
        for text in ["10.64.0.1/16", "10.64.0.0", "10.64.0.0/33", "fd00::/8", "ten", ""] {
            assert_eq!(text.parse::<Cidr>(), Err(InvalidCidr), "{text}");
        }
        assert_eq!(cidr("10.64.0.64/26").first_address().to_string(), "10.64.0.65");
    }

    #[test]
    fn networks_overlap_where_one_lies_within_the_other() {
        assert!(cidr("10.64.0.0/16").overlaps(cidr("10.64.3.0/24")));
        assert!(cidr("10.64.3.0/24").overlaps(cidr("10.64.0.0/16")));
        assert!(!cidr("10.64.0.0/24").overlaps(cidr("10.64.1.0/24")));
        assert!(cidr("0.0.0.0/0").overlaps(cidr("255.255.255.255/32")));
    }

    #[test]
    fn the_lowest_free_one_is_found_behind_what_is_taken_and_in_the_next_range() {
        let ranges = [cidr("10.64.0.0/25"), cidr("10.80.0.0/26")];
        assert_eq!(free(&ranges, 26, &[]), Some(cidr("10.64.0.0/26")));
        assert_eq!(free(&ranges, 26, &[cidr("10.64.0.8/29")]), Some(cidr("10.64.0.64/26")));
        assert_eq!(free(&ranges, 26, &[cidr("10.64.0.0/16")]), Some(cidr("10.80.0.0/26")));
        assert_eq!(free(&ranges, 26, &[cidr("10.64.0.0/16"), cidr("10.80.0.0/30")]), None);
        assert_eq!(free(&[cidr("255.255.255.0/24")], 26, &[cidr("255.255.255.0/24")]), None, "there is nothing behind");
        assert_eq!(free(&ranges, 24, &[]), None, "larger than any range");
    }
}
