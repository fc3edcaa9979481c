//! Mail through the city's relay: one letter a mailbox, in both languages, with the notice's own name as `Message-ID`.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
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

/// Of RFC 3463 the statuses that say that no further try changes it: 5.1 (address) and 5.2 (mailbox). Of 5.1, 5.1.7 and
/// 5.1.8 are of the sender. Others, a wrong password or the relay's own rules (5.7) among them, are mended without the letter
/// being another one; and an answer without such a status does not say what it is about, since 550 is given for both.
fn is_for_good(answer: &str) -> bool {
    let status = answer.split_whitespace().next().unwrap_or_default();
    let numbers: Vec<Option<u16>> = status.split('.').map(|number| number.parse().ok()).collect();
    match numbers.as_slice() {
        [Some(5), Some(1), Some(detail)] => !matches!(detail, 7 | 8),
        [Some(5), Some(2), Some(_)] => true,
        _ => false,
    }
}

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
                let answer = error.source().filter(|_| error.is_permanent());
                let for_good = answer.is_some_and(|answer| is_for_good(&answer.to_string()));
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
    fn only_what_is_wrong_with_the_mailbox_is_for_good() {
        for answer in ["5.1.1 no such mailbox", "5.1.10 takes no mail", "5.2.1 closed", "5.2.2 full"] {
            assert!(is_for_good(answer), "{answer}");
        }
        for answer in [
            "5.7.1 not allowed",
            "5.1.8 who are you",
            "5.1.7 who are you",
            "no such mailbox",
            "",
            "4.2.2 full",
            "5.10.1 x",
            "5.1 x",
            "5.1.1.1 x",
            "5.4.1 no route",
        ] {
            assert!(!is_for_good(answer), "{answer}");
        }
    }

    /// A relay that answers `MAIL` and `RCPT` with these lines, once.
    async fn answering(mail: &'static str, rcpt: &'static str) -> u16 {
        use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.write_all(b"220 relay\r\n").await.unwrap();
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            while let Some(line) = lines.next_line().await.unwrap() {
                let answer = match line.get(..4).unwrap_or_default() {
                    "MAIL" => mail,
                    "RCPT" => rcpt,
                    _ => "250 ok",
                };
                write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            }
        });
        port
    }

    #[tokio::test]
    async fn a_relay_that_does_not_take_our_letters_is_tried_again_and_a_mailbox_it_does_not_know_is_not() {
        const OK: &str = "250 ok";
        for (mail_answer, rcpt_answer, is_never) in [
            (OK, "550 5.1.1 no such mailbox", true),
            (OK, "550-5.1.1 no such\r\n550 5.1.1 mailbox", true),
            ("550 5.7.1 not allowed", OK, false),
            (OK, "550 not now", false),
            (OK, "450 5.1.1 odd", false),
        ] {
            let port = answering(mail_answer, rcpt_answer).await;
            let sent =
                Mail { port, ..mail() }.send(&notice(&[], &[]), &"li@example.gov.cn".parse().unwrap(), None).await;
            let Err(error) = sent else { panic!("{mail_answer} {rcpt_answer}") };
            assert_eq!(matches!(error, SendError::Never(_)), is_never, "{mail_answer} {rcpt_answer}: {error:?}");
        }
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
