//! The words of a notice, in Chinese and English, from the one catalogue.

use jiyun_messages::{Language, parameters, text};

use crate::Notice;

/// Its subject, one line.
pub fn subject(notice: &Notice, language: Language) -> String {
    text(&format!("{}Subject", notice.event.code()), &notice.facts, language)
}

/// What happened, why, and what to do; `link` leads to where it is done.
pub fn told(notice: &Notice, link: Option<&str>, language: Language) -> String {
    let mut lines = vec![text(notice.event.code(), &notice.facts, language)];
    lines.extend(notice.reason.iter().map(|(code, about)| text(code, about, language)));
    lines.push(text(notice.event.facts_code(), &notice.facts, language));
    lines.extend(link.map(|link| text("NoticeLink", &parameters([("link", link)]), language)));
    lines.join("\n")
}

/// Chinese, then English, in one line: a mail cannot know its reader.
pub fn bilingual_subject(notice: &Notice) -> String {
    Language::ALL.map(|language| subject(notice, language)).join(" | ")
}

/// Chinese, then English, below each other.
pub fn bilingual(notice: &Notice, link: Option<&str>) -> String {
    Language::ALL.map(|language| told(notice, link, language)).join("\n\n") + "\n"
}

/// Where something is done about a notice: `template` with `{department}`, `{kind}`, `{name}` (or `{order}`, which says the
/// same) and `{uid}` of the object.
pub fn link(template: &str, notice: &Notice) -> String {
    let subject = &notice.subject;
    template
        .replace("{department}", &subject.department)
        .replace("{kind}", subject.kind)
        .replace("{name}", &subject.name)
        .replace("{order}", &subject.name)
        .replace("{uid}", &subject.uid)
}
