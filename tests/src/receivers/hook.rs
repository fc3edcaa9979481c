//! A receiver of webhooks that answers as it is told to, and checks signatures by itself.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, routing::post};
use data_encoding::BASE64;
use http::StatusCode;
use ring::hmac;
use serde_json::Value;
use tokio::{net::TcpListener, task::JoinHandle};

/// How a request is answered.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// With this.
    pub status: u16,
    /// After this time.
    pub after: Duration,
}

impl Answer {
    /// With `status`, at once.
    pub const fn at_once(status: u16) -> Self {
        Self { status, after: Duration::ZERO }
    }
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`.
    pub signature: String,
    /// The body as it came.
    pub body: Vec<u8>,
    /// What it was answered; nothing while it is not.
    pub answered: Option<u16>,
}

impl Delivery {
    /// The body as JSON; null if it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The event, such as `order.waiting`.
    pub fn event(&self) -> String {
        self.json()["type"].as_str().unwrap_or_default().to_owned()
    }
}

#[derive(Default)]
struct Kept {
    answers: VecDeque<Answer>,
    received: Vec<Delivery>,
}

type Shared = Arc<Mutex<Kept>>;

/// See the module. Dropping it closes the door.
#[derive(Debug)]
pub struct Hook {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    serving: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("received", &self.received.len()).finish_non_exhaustive()
    }
}

impl Hook {
    /// Opens at a port that is free.
    ///
    /// # Errors
    /// When there is none.
    pub async fn open() -> std::io::Result<Self> {
        let mut hook = Self { address: SocketAddr::from(([127, 0, 0, 1], 0)), kept: Shared::default(), serving: None };
        hook.reopen().await?;
        Ok(hook)
    }

    /// Opens again where it was.
    ///
    /// # Errors
    /// When somebody else is there now.
    pub async fn reopen(&mut self) -> std::io::Result<()> {
        let listener = TcpListener::bind(self.address).await?;
        self.address = listener.local_addr()?;
        let router = Router::new().route("/hook", post(receive)).with_state(Arc::clone(&self.kept));
        self.serving = Some(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("a receiver of webhooks ended: {error}");
            }
        }));
        Ok(())
    }

    /// Refuses connections from now on.
    pub fn close(&mut self) {
        if let Some(serving) = self.serving.take() {
            serving.abort();
        }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers the next requests so, one after the other; further ones with 204.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        lock(&self.kept).answers.extend(answers);
    }

    /// What arrived, in the order in which it came.
    pub fn received(&self) -> Vec<Delivery> {
        lock(&self.kept).received.clone()
    }

    /// What arrived and was answered with success.
    pub fn acknowledged(&self) -> Vec<Delivery> {
        let is_taken = |delivery: &Delivery| delivery.answered.is_some_and(|status| (200..300).contains(&status));
        self.received().into_iter().filter(is_taken).collect()
    }
}

impl Drop for Hook {
    fn drop(&mut self) {
        self.close();
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn receive(State(kept): State<Shared>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (place, answer) = {
        let mut kept = lock(&kept);
        kept.received.push(Delivery {
            id: header("webhook-id"),
            timestamp: header("webhook-timestamp"),
            signature: header("webhook-signature"),
            body: body.to_vec(),
            answered: None,
        });
        (kept.received.len() - 1, kept.answers.pop_front().unwrap_or(Answer::at_once(204)))
    };
    tokio::time::sleep(answer.after).await;
    if let Some(delivery) = lock(&kept).received.get_mut(place) {
        delivery.answered = Some(answer.status);
    }
    StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// Whether `delivery` was signed with `secret` (`whsec_...`): reckoned here, not by whoever signed it.
pub fn verify(delivery: &Delivery, secret: &str) -> bool {
    let Some(key) = secret.strip_prefix("whsec_").and_then(|text| BASE64.decode(text.as_bytes()).ok()) else {
        return false;
    };
    let signed = [delivery.id.as_bytes(), b".", delivery.timestamp.as_bytes(), b".", &delivery.body].concat();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
    let is_right = |signature: &str| {
        let tag = signature.strip_prefix("v1,").and_then(|text| BASE64.decode(text.as_bytes()).ok());
        tag.is_some_and(|tag| hmac::verify(&key, &signed, &tag).is_ok())
    };
    delivery.signature.split(' ').any(is_right)
}
