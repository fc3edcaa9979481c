//! The languages people are answered in, and how a request names one.

/// A language of the catalogue. Chinese is the default: the users are a Chinese city's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Language {
    /// Simplified Chinese.
    #[default]
    Chinese,
    /// English.
    English,
}

impl Language {
    /// All languages, in the order bilingual texts give them.
    pub const ALL: [Self; 2] = [Self::Chinese, Self::English];

    /// The tag for `Content-Language` (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// Chooses by an `Accept-Language` header (RFC 9110, 12.5.4): the highest weight wins, the earlier of equals;
    /// unknown tags, `*` and malformed weights are passed over, and nothing usable means the default.
    pub fn accepted(header: &str) -> Self {
        let mut best: Option<(u16, Self)> = None;
        for range in header.split(',') {
            let mut parts = range.split(';');
            let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
            let language = match tag.split('-').next() {
                Some("zh") => Self::Chinese,
                Some("en") => Self::English,
                _ => continue,
            };
            let weight = match parts.next() {
                None => 1000,
                Some(parameter) => match parse_weight(parameter.trim()) {
                    Some(weight) if weight > 0 => weight,
                    _ => continue,
                },
            };
            if best.is_none_or(|(found, _)| weight > found) {
                best = Some((weight, language));
            }
        }
        best.map(|(_, language)| language).unwrap_or_default()
    }
}

/// `q=0.8` as 800 thousandths; `None` where it is no weight of RFC 9110.
fn parse_weight(parameter: &str) -> Option<u16> {
    let value = parameter.strip_prefix("q=").or_else(|| parameter.strip_prefix("Q="))?;
    let (whole, fraction) = value.split_once('.').unwrap_or((value, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths = format!("{fraction:0<3}").parse::<u16>().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_weight_wins_and_the_earlier_of_equals() {
        assert_eq!(Language::accepted("en;q=0.5, zh-CN;q=0.9"), Language::Chinese);
        assert_eq!(Language::accepted("en-GB, zh"), Language::English);
        assert_eq!(Language::accepted("fr, en;q=0.1"), Language::English);
    }

    #[test]
    fn what_is_no_language_of_ours_means_chinese() {
        for header in ["", "*", "fr", "en;q=0", "en;q=2", "en;q=abc", ";;;,"] {
            assert_eq!(Language::accepted(header), Language::Chinese, "{header:?}");
        }
    }
}
