//! The file of `--notifications` as it is written. What it means is checked in `config`.

use std::{collections::BTreeMap, path::PathBuf};

use serde::Deserialize;

/// The whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct File {
    /// Where somebody acts on a notice, with `{department}`, `{kind}`, `{name}` (or `{order}`)
    /// and `{uid}` of the object.
    pub link: Option<String>,
    /// Receivers of webhooks.
    #[serde(default)]
    pub webhooks: Vec<Webhook>,
    /// The mail relay.
    pub mail: Option<Mail>,
    /// Where groups and people are reached by mail.
    #[serde(default)]
    pub addresses: Addresses,
}

/// One receiver of webhooks.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Webhook {
    /// Its name in figures, logs and marks.
    pub name: String,
    /// Where it is sent.
    pub url: String,
    /// Files with a secret each; signed with all of them.
    pub secret_files: Vec<PathBuf>,
    /// The authority that signed its certificate (PEM), instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The events it is told; all where it is left out.
    pub events: Option<Vec<String>>,
}

/// The mail relay.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Mail {
    /// Its host name.
    pub host: String,
    /// Its port; the usual one of `tls` where it is left out.
    pub port: Option<u16>,
    /// How it is encrypted.
    #[serde(default)]
    pub tls: Encryption,
    /// Who writes, as in `集云 <jiyun@example.gov.cn>`.
    pub from: String,
    /// File with the name to sign in with.
    pub username_file: Option<PathBuf>,
    /// File with its password.
    pub password_file: Option<PathBuf>,
    /// The authority that signed its certificate (PEM), instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// The events that are mailed; all where it is left out.
    pub events: Option<Vec<String>>,
}

/// How mail is encrypted on its way to the relay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Encryption {
    /// From the first byte on (port 465).
    #[default]
    Implicit,
    /// After a plain greeting, and not without (port 587).
    StartTls,
    /// Not at all, to this machine alone (port 25).
    None,
}

/// Where groups and people are reached.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Addresses {
    /// Addresses of a group's members, or a list of its own.
    #[serde(default)]
    pub groups: BTreeMap<String, Vec<String>>,
    /// Addresses of people, by the name the API server knows them by.
    #[serde(default)]
    pub users: BTreeMap<String, Vec<String>>,
}
