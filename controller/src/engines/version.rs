//! Versions of engines: `vMAJOR.MINOR.PATCH`, and which one is the later.

use std::fmt;

/// What marks a version that comes before the release it is called after. Builders of others write what they like behind a
/// hyphen (`-17-g3f0cd9`, `-debian-12-r3`, `-amd64`), and mean the release or later.
const BEFORE: [&str; 3] = ["-alpha", "-beta", "-rc"];

/// A version; a later one is greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
    is_released: bool,
}

impl Version {
    /// A release.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch, is_released: true }
    }

    /// The version that `text` names, with or without a `v` in front; none where it names no patch, as tags that move do.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.strip_prefix('v').unwrap_or(text);
        let (numbers, rest) = text.find(['-', '+']).map_or((text, ""), |at| text.split_at(at));
        let numbers: Option<Vec<u32>> = numbers.split('.').map(|number| number.parse().ok()).collect();
        let [major, minor, patch]: [u32; 3] = numbers?.try_into().ok()?;
        let is_released = !BEFORE.iter().any(|mark| rest.starts_with(mark));
        Some(Self { major, minor, patch, is_released })
    }
}

/// Its three numbers.
impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RELEASE: Version = Version::new(1, 8, 0);

    #[test]
    fn numbers_are_compared_as_numbers() {
        assert_eq!(Version::parse("v1.8.0"), Some(RELEASE));
        assert_eq!(Version::parse("1.8.0").unwrap().to_string(), "1.8.0");
        assert!(Version::parse("v1.10.0") > Version::parse("v1.9.12"));
        assert!(Version::parse("v2.0.0") > Version::parse("v1.99.99"));
        assert!(Version::parse("v1.7.4").unwrap() < RELEASE);
    }

    #[test]
    fn a_candidate_comes_before_its_release_and_a_builders_mark_does_not() {
        for before in ["v1.8.0-rc.1", "1.8.0-alpha.0", "1.8.0-beta2", "1.8.0-rc1+build"] {
            assert!(Version::parse(before).unwrap() < RELEASE, "{before}");
        }
        for of in ["v1.8.0-17-g3f0cd97", "1.8.0-debian-12-r3", "1.8.0+k3s1", "v1.8.0-amd64"] {
            assert_eq!(Version::parse(of), Some(RELEASE), "{of}");
        }
        assert!(Version::parse("1.8.1-rc1").unwrap() > RELEASE);
    }

    #[test]
    fn what_names_no_release_is_none() {
        for text in [
            "",
            "v",
            "latest",
            "devel",
            "1",
            "1.8",
            "v1.8.x",
            "1.8.0.1",
            "1..0",
            "-1.8.0",
            "1.8.99999999999",
            "一.八.零",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }
}
