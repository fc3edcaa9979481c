//! What `--notifications` means: read and checked as a whole, so that a mistake is told to whoever makes it.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
};

use jiyun_notices::{Event, Secret};
use lettre::Address;

use super::{channel::Channel, file::File, mail::Mail, webhook::Webhook};

/// The longest name of a webhook.
const LONGEST_NAME: usize = 63;

/// Why the file cannot be used. Nothing of a secret is in it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// The cause.
        #[source]
        source: std::io::Error,
    },
    /// It is not of the form.
    #[error("{} does not say what notifications are", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// The cause: field and line.
        #[source]
        source: Box<serde_yaml::Error>,
    },
    /// A field says what cannot be.
    #[error("{}: {field}: {problem}", path.display())]
    Field {
        /// Which file.
        path: PathBuf,
        /// Which field, such as `webhooks[0].url`.
        field: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
}

/// What is wrong with one field.
pub struct Wrong {
    /// Which.
    pub field: String,
    /// What, and what to do.
    pub problem: String,
}

/// `problem` of `field`.
pub fn wrong(field: impl Into<String>, problem: impl Into<String>) -> Wrong {
    Wrong { field: field.into(), problem: problem.into() }
}

/// Who is told, and how.
pub struct Config {
    /// Where somebody acts on a notice.
    pub link: Option<String>,
    /// The ways out.
    pub channels: Vec<Channel>,
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.channels.iter().map(Channel::name).collect();
        f.debug_struct("Config").field("channels", &names).finish_non_exhaustive()
    }
}

/// Reads and checks the file.
///
/// # Errors
/// When it cannot be used, with the field.
pub fn read(path: &Path) -> Result<Config, ConfigError> {
    let text =
        std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let file: File = serde_yaml::from_str(&text)
        .map_err(|source| ConfigError::Malformed { path: path.to_owned(), source: Box::new(source) })?;
    checked(file).map_err(|Wrong { field, problem }| ConfigError::Field { path: path.to_owned(), field, problem })
}

/// The files with certificates that the file with this text names, as far as it can be read.
pub fn authorities(text: &[u8]) -> Vec<PathBuf> {
    let Ok(File { webhooks, mail, .. }) = serde_yaml::from_slice(text) else { return Vec::new() };
    webhooks.into_iter().map(|webhook| webhook.ca_file).chain([mail.and_then(|mail| mail.ca_file)]).flatten().collect()
}

fn checked(file: File) -> Result<Config, Wrong> {
    // Twice is refused and does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut channels = Vec::new();
    let mut names = BTreeSet::new();
    for (index, webhook) in file.webhooks.into_iter().enumerate() {
        let place = format!("webhooks[{index}]");
        let is_name = !webhook.name.is_empty()
            && webhook.name.len() <= LONGEST_NAME
            && webhook.name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if !is_name || webhook.name == Channel::MAIL {
            return Err(wrong(format!("{place}.name"), "write small letters, digits and hyphens, and not mail"));
        }
        if !names.insert(webhook.name.clone()) {
            return Err(wrong(format!("{place}.name"), "another webhook has this name"));
        }
        channels.push(Channel::Webhook(Webhook::new(webhook, &place)?));
    }
    if let Some(mail) = file.mail {
        let groups = addresses(file.addresses.groups, "addresses.groups")?;
        let users = addresses(file.addresses.users, "addresses.users")?;
        if groups.is_empty() && users.is_empty() {
            return Err(wrong("addresses", "there is a mail relay and nobody to write to; name groups and users"));
        }
        channels.push(Channel::Mail(Box::new(Mail::new(mail, groups, users)?)));
    }
    if channels.is_empty() {
        return Err(wrong(
            "webhooks",
            "there is neither a webhook nor mail; leave --notifications out to send nothing",
        ));
    }
    Ok(Config { link: file.link, channels })
}

fn addresses(
    written: BTreeMap<String, Vec<String>>,
    place: &str,
) -> Result<BTreeMap<String, BTreeSet<Address>>, Wrong> {
    let parsed = |(name, texts): (String, Vec<String>)| {
        let read = texts.iter().enumerate().map(|(index, text)| {
            text.parse::<Address>()
                .map_err(|error| wrong(format!("{place}.{name}[{index}]"), format!("it is no mail address: {error}")))
        });
        let read = read.collect::<Result<BTreeSet<_>, _>>()?;
        Ok((name, read))
    };
    written.into_iter().map(parsed).collect()
}

/// The events that are told; all where none are named.
pub fn events(written: Option<Vec<String>>, place: &str) -> Result<Option<BTreeSet<Event>>, Wrong> {
    let Some(written) = written else { return Ok(None) };
    let read = written.iter().enumerate().map(|(index, word)| {
        word.parse::<Event>()
            .map_err(|_| wrong(format!("{place}.events[{index}]"), format!("there is no event {word}")))
    });
    read.collect::<Result<_, _>>().map(Some)
}

/// Whether `host` is this machine.
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The text of a file that holds nothing else, without the line feed at its end.
pub fn read_line(path: &Path) -> Result<String, std::io::Error> {
    Ok(std::fs::read_to_string(path)?.trim_end_matches(['\r', '\n']).to_owned())
}

/// The secrets in `files`.
///
/// # Errors
/// The number of the file, and what is wrong with it.
pub fn secrets(files: &[PathBuf]) -> Result<Vec<Secret>, (usize, String)> {
    let read = |(index, file): (usize, &PathBuf)| {
        let text = std::fs::read_to_string(file).map_err(|error| (index, format!("{}: {error}", file.display())))?;
        Secret::parse(&text).map_err(|error| (index, format!("{}: {error}", file.display())))
    };
    files.iter().enumerate().map(read).collect()
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
