//! Texts of others, cut to a bounded size: whoever cannot sign in still chooses the name that is written down.

/// The most bytes of a name, an address or a reason.
pub(crate) const MOST_BYTES: usize = 256;

/// What stands for the rest of a text that was cut.
const CUT: char = '…';

/// `text`, cut to [`MOST_BYTES`] bytes at a character's border; a cut text ends with `…`. Control characters become `?`:
/// written as JSON each would take six bytes, and shown on a terminal it could do anything.
pub(crate) fn bounded(text: &mut String) {
    if text.contains(char::is_control) {
        *text = text.replace(char::is_control, "?");
    }
    if text.len() <= MOST_BYTES {
        return;
    }
    let mut end = MOST_BYTES - CUT.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push(CUT);
}

/// The same for a text that may be missing.
pub(crate) fn bounded_option(text: &mut Option<String>) {
    if let Some(text) = text {
        bounded(text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_name_is_cut_at_a_character_and_says_so() {
        let mut name = "局".repeat(200);
        bounded(&mut name);
        assert!(name.len() <= MOST_BYTES && name.ends_with("局…"), "{name}");
        let mut short = "财政局".to_owned();
        bounded(&mut short);
        assert_eq!(short, "财政局");
        let mut control = "a\u{1b}[2Jb\n".to_owned();
        bounded(&mut control);
        assert_eq!(control, "a?[2Jb?");
    }
}
