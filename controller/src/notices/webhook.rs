//! Webhooks as the Standard Webhooks specification has them: one signed POST a notice, under the notice's own name.

use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use jiff::Timestamp;
use jiyun_notices::{Body, Event, Notice, sign};
use reqwest::{Certificate, Client, StatusCode, Url, header, redirect};

use super::{
    channel::SendError,
    config::{Wrong, events, is_loopback, secrets, wrong},
    file,
};
use crate::error::chain;

/// How long a receiver may take; the specification advises 15 to 30 s.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long it may take to be reached.
const CONNECT: Duration = Duration::from_secs(5);

/// A receiver.
pub struct Webhook {
    /// Its name.
    pub name: String,
    /// What it is told; everything where none is named.
    pub events: Option<BTreeSet<Event>>,
    url: Url,
    secret_files: Vec<PathBuf>,
    client: Client,
}

impl Webhook {
    /// Checks what was written at `place`.
    pub fn new(written: file::Webhook, place: &str) -> Result<Self, Wrong> {
        let at = |field: &str| format!("{place}.{field}");
        let url: Url =
            written.url.parse().map_err(|_| wrong(at("url"), "it is no address such as https://host/path"))?;
        let here = url.host_str().is_some_and(is_loopback);
        if url.scheme() != "https" && !(url.scheme() == "http" && here) {
            return Err(wrong(at("url"), "it must begin with https://; http:// is for this machine alone"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(at("url"), "it must hold no name and no password; requests are signed"));
        }
        if written.secret_files.is_empty() {
            return Err(wrong(at("secretFiles"), "name at least one file with a secret"));
        }
        secrets(&written.secret_files)
            .map_err(|(index, problem)| wrong(format!("{place}.secretFiles[{index}]"), problem))?;
        let mut builder = Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(CONNECT)
            // Where it was to go was decided by whoever wrote the file, and by nobody else.
            .redirect(redirect::Policy::none())
            .user_agent(concat!("jiyun-controller/", env!("CARGO_PKG_VERSION")));
        if here {
            builder = builder.no_proxy();
        }
        if let Some(path) = &written.ca_file {
            let told = |problem: String| wrong(at("caFile"), format!("{}: {problem}", path.display()));
            let pem = std::fs::read(path).map_err(|error| told(error.to_string()))?;
            let authorities = Certificate::from_pem_bundle(&pem).map_err(|error| told(chain(&error)))?;
            if authorities.is_empty() {
                return Err(told("it holds no certificate".to_owned()));
            }
            builder = builder.tls_certs_only(authorities);
        }
        let client = builder.build().map_err(|error| wrong(at("url"), chain(&error)))?;
        let events = events(written.events, place)?;
        Ok(Self { name: written.name, events, url, secret_files: written.secret_files, client })
    }

    /// Sends `notice`.
    pub async fn send(&self, notice: &Notice, link: Option<&str>) -> Result<(), SendError> {
        // Read each time: a secret is replaced without a restart.
        let secrets = secrets(&self.secret_files).map_err(|(_, problem)| SendError::Later(problem))?;
        let body = serde_json::to_vec(&Body::of(notice, link)).map_err(|error| SendError::Never(error.to_string()))?;
        let now = Timestamp::now().as_second();
        let request = self
            .client
            .post(self.url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &notice.id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", sign(&secrets, &notice.id, now, &body))
            .body(body);
        // Addresses of receivers may hold a secret of their own: they are in no log.
        let answer = request.send().await.map_err(|error| SendError::Later(chain(&error.without_url())))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            // The specification's word for: do not send me this any more.
            StatusCode::GONE => Err(SendError::Never("the receiver answered 410 Gone".to_owned())),
            status => Err(SendError::Later(format!("the receiver answered {status}"))),
        }
    }
}
