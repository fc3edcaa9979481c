//! Mail through the city's relay: one letter a mailbox, in both languages, with the notice's own name as `Message-ID`.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    time::Duration,
};

use jiyun_notices::{Event, Notice, words};
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use sha2::{Digest, Sha256};

use super::{
    channel::SendError,
    config::{Wrong, events, is_loopback, read_line, wrong},
    file,
};
use crate::error::chain;

/// How long one command of the dialogue may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long a whole letter may take.
const WHOLE: Duration = Duration::from_secs(25);

/// Answers of a relay that no further try changes (RFC 5321, 4.2.3): no such mailbox, not here, too much for it, no such
/// name. Others, a wrong password among them, are mended without the letter being another one.
const FOR_GOOD: [u16; 4] = [550, 551, 552, 553];

/// Digits of an address's digest in a key: addresses themselves are nobody's to read in a store.
const DIGITS: usize = 24;

/// The relay, and where people are reached.
pub struct Mail {
    /// What is mailed; everything where none is named.
    pub events: Option<BTreeSet<Event>>,
    host: String,
    port: u16,
    tls: Tls,
    from: Mailbox,
    sign_in: Option<(PathBuf, PathBuf)>,
    groups: BTreeMap<String, BTreeSet<Address>>,
    users: BTreeMap<String, BTreeSet<Address>>,
}

impl Mail {
    /// Checks what was written.
    pub fn new(
        written: file::Mail,
        groups: BTreeMap<String, BTreeSet<Address>>,
        users: BTreeMap<String, BTreeSet<Address>>,
    ) -> Result<Self, Wrong> {
        let from: Mailbox = written
            .from
            .parse()
            .map_err(|error| wrong("mail.from", format!("write it like 集云 <jiyun@example.gov.cn>: {error}")))?;
        let sign_in = match (written.username_file, written.password_file) {
            (Some(name), Some(password)) => {
                for (path, field) in [(&name, "mail.usernameFile"), (&password, "mail.passwordFile")] {
                    read_line(path).map_err(|error| wrong(field, format!("{}: {error}", path.display())))?;
                }
                Some((name, password))
            }
            (None, None) => None,
            (Some(_), None) => return Err(wrong("mail.passwordFile", "there is a name and no password")),
            (None, Some(_)) => return Err(wrong("mail.usernameFile", "there is a password and no name")),
        };
        let (tls, port) = match written.tls {
            file::Encryption::None if !is_loopback(&written.host) => {
                return Err(wrong("mail.tls", "None is for a relay on this machine; write Implicit or StartTls"));
            }
            file::Encryption::None => (Tls::None, 25),
            file::Encryption::StartTls => (Tls::Required(encryption(&written.host, written.ca_file.as_ref())?), 587),
            file::Encryption::Implicit => (Tls::Wrapper(encryption(&written.host, written.ca_file.as_ref())?), 465),
        };
        let events = events(written.events, "mail")?;
        let port = written.port.unwrap_or(port);
        Ok(Self { events, host: written.host, port, tls, from, sign_in, groups, users })
    }

    /// The mailboxes of those who are told, each once, with the key of each.
    pub fn mailboxes(&self, notice: &Notice) -> impl Iterator<Item = (String, Address)> + use<> {
        let groups = notice.to.groups.iter().filter_map(|name| self.groups.get(name));
        let users = notice.to.users.iter().filter_map(|name| self.users.get(name));
        let addresses: BTreeSet<Address> = groups.chain(users).flatten().cloned().collect();
        addresses.into_iter().map(|address| (key(&address), address))
    }

    /// Those of whom no mailbox is known.
    pub fn unreached(&self, notice: &Notice) -> BTreeSet<String> {
        let groups = notice.to.groups.iter().filter(|name| !self.groups.contains_key(*name));
        let users = notice.to.users.iter().filter(|name| !self.users.contains_key(*name));
        groups.chain(users).cloned().collect()
    }

    /// Sends `notice` to one mailbox.
    pub async fn send(&self, notice: &Notice, to: &Address, link: Option<&str>) -> Result<(), SendError> {
        let letter = self.letter(notice, to, link).map_err(|error| SendError::Never(chain(&error)))?;
        let relay = self.relay()?;
        match tokio::time::timeout(WHOLE, relay.send(letter)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                let for_good = error.status().is_some_and(|code| FOR_GOOD.contains(&u16::from(code)));
                let told = chain(&error);
                Err(if for_good { SendError::Never(told) } else { SendError::Later(told) })
            }
            Err(_) => Err(SendError::Later(format!("the relay took longer than {WHOLE:?}"))),
        }
    }

    /// A way to the relay; the password is read each time, so that it is replaced without a restart.
    fn relay(&self) -> Result<AsyncSmtpTransport<Tokio1Executor>, SendError> {
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&self.host)
            .port(self.port)
            .tls(self.tls.clone())
            .timeout(Some(PATIENCE))
            .hello_name(ClientId::Domain(self.from.email.domain().to_owned()));
        if let Some((name, password)) = &self.sign_in {
            let read = |path: &PathBuf| {
                read_line(path).map_err(|error| SendError::Later(format!("{}: {error}", path.display())))
            };
            builder = builder.credentials(Credentials::new(read(name)?, read(password)?));
        }
        Ok(builder.build())
    }

    fn letter(&self, notice: &Notice, to: &Address, link: Option<&str>) -> Result<Message, lettre::error::Error> {
        // RFC 3834: absences are not to be answered to it.
        let automatic = HeaderName::new_from_ascii_str("Auto-Submitted");
        Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(words::bilingual_subject(notice))
            .message_id(Some(format!("<{}@{}>", notice.id, self.from.email.domain())))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN)
            .body(words::bilingual(notice, link))
    }
}

fn key(address: &Address) -> String {
    let digest = hex::encode(Sha256::digest(address.to_string().as_bytes()));
    format!("mail-{}", digest.get(..DIGITS).unwrap_or(&digest))
}

fn encryption(host: &str, ca_file: Option<&PathBuf>) -> Result<TlsParameters, Wrong> {
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = ca_file {
        let told = |problem: String| wrong("mail.caFile", format!("{}: {problem}", path.display()));
        let pem = std::fs::read(path).map_err(|error| told(error.to_string()))?;
        let authority = Certificate::from_pem(&pem).map_err(|error| told(chain(&error)))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(authority);
    }
    builder.build().map_err(|error| wrong("mail.host", chain(&error)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use jiff::Timestamp;
    use jiyun_messages::parameters;
    use jiyun_notices::{Recipients, Subject};

    use super::*;

    fn notice(groups: &[&str], users: &[&str]) -> Notice {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Notice {
            id: "u-1-leader-waiting".to_owned(),
            event: Event::OrderWaiting,
            at: Timestamp::UNIX_EPOCH,
            subject: Subject { kind: "Order", department: "tax".into(), name: "web".into(), uid: "u-1".into() },
            level: None,
            deadline: None,
            to: Recipients { groups: names(groups), users: names(users) },
            facts: parameters([("order", "web"), ("department", "tax")]),
            reason: None,
        }
    }

    fn mail() -> Mail {
        let of = |name: &str, addresses: &[&str]| {
            let read: BTreeSet<Address> = addresses.iter().map(|address| address.parse().unwrap()).collect();
            (name.to_owned(), read)
        };
        let groups =
            [of("leaders", &["wang@example.gov.cn", "zhao@example.gov.cn"]), of("office", &["wang@example.gov.cn"])];
        let written = file::Mail {
            host: "127.0.0.1".into(),
            port: None,
            tls: file::Encryption::None,
            from: "集云 <jiyun@example.gov.cn>".into(),
            username_file: None,
            password_file: None,
            ca_file: None,
            events: None,
        };
        let made = Mail::new(written, groups.into(), [of("li", &["li@example.gov.cn"])].into());
        made.unwrap_or_else(|wrong| panic!("{}: {}", wrong.field, wrong.problem))
    }

    #[test]
    fn whoever_is_in_two_groups_is_written_to_once() {
        let boxes: Vec<_> = mail().mailboxes(&notice(&["leaders", "office"], &["li"])).collect();
        let addresses: Vec<_> = boxes.iter().map(|(_, address)| address.to_string()).collect();
        assert_eq!(addresses, ["li@example.gov.cn", "wang@example.gov.cn", "zhao@example.gov.cn"]);
        assert!(boxes.iter().all(|(key, _)| !key.contains('@') && key.len() == "mail-".len() + DIGITS), "{boxes:?}");
        assert_eq!(
            mail().unreached(&notice(&["leaders", "nobody"], &["li", "wu"])),
            ["nobody", "wu"].map(str::to_owned).into()
        );
    }

    #[test]
    fn a_letter_has_the_name_of_its_notice_and_says_that_a_program_wrote_it() {
        let letter = mail().letter(&notice(&[], &[]), &"li@example.gov.cn".parse().unwrap(), None).unwrap();
        let text = String::from_utf8(letter.formatted()).unwrap();
        for line in [
            "Message-ID: <u-1-leader-waiting@example.gov.cn>",
            "Auto-Submitted: auto-generated",
            "To: li@example.gov.cn",
            "Content-Type: text/plain; charset=utf-8",
        ] {
            assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
        }
        assert!(text.contains("Subject: =?utf-8?"), "{text}");
    }
}
