//! Somebody who calls the REST API with a token of their own.

mod patience;

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use serde_json::Value;

/// A caller of the API: its address, the lab's authority and one person's token.
#[derive(Clone, Debug)]
pub struct Caller {
    client: reqwest::Client,
    base: String,
    token: Option<String>,
    patience: Option<Duration>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status code.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// Body as text.
    pub text: String,
}

impl Answer {
    /// The body as JSON; `null` where it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// One header as text, empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Caller {
    /// A caller of `base` with `token`.
    pub fn new(client: reqwest::Client, base: impl Into<String>, token: Option<String>) -> Self {
        Self { client, base: base.into(), token, patience: None }
    }

    /// The same caller, who asks again for this long where the API cannot be reached, was cut off or is not ready.
    #[must_use]
    pub fn patient(self, within: Option<Duration>) -> Self {
        Self { patience: within, ..self }
    }

    /// The same place with another token, or none.
    #[must_use]
    pub fn with_token(&self, token: Option<String>) -> Self {
        Self { token, ..self.clone() }
    }

    /// The same caller at another program of the same city.
    #[must_use]
    pub fn at(&self, base: impl Into<String>) -> Self {
        Self { base: base.into(), ..self.clone() }
    }

    /// A request to build upon.
    pub fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Sends what was built.
    ///
    /// # Errors
    /// When the API cannot be reached.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Result<Answer, reqwest::Error> {
        let request = request.build()?;
        match self.patience {
            Some(within) => patience::insist(&self.client, request, within).await,
            None => patience::received(self.client.execute(request).await?).await,
        }
    }

    /// GET in English.
    ///
    /// # Errors
    /// When the API cannot be reached.
    pub async fn get(&self, path: &str) -> Result<Answer, reqwest::Error> {
        self.send(self.request(Method::GET, path).header("accept-language", "en")).await
    }

    /// POST of JSON in English; `wait` seconds for a decision, 0 for none.
    ///
    /// # Errors
    /// When the API cannot be reached.
    pub async fn post(&self, path: &str, body: &Value, wait: u32) -> Result<Answer, reqwest::Error> {
        let mut request = self.request(Method::POST, path).header("accept-language", "en").json(body);
        if wait > 0 {
            request = request.header("prefer", format!("wait={wait}"));
        }
        self.send(request).await
    }

    /// PATCH with a merge patch, in English; `version` is an entity tag, empty for none.
    ///
    /// # Errors
    /// When the API cannot be reached.
    pub async fn patch(&self, path: &str, wish: &Value, version: &str) -> Result<Answer, reqwest::Error> {
        let mut request = self.request(Method::PATCH, path).header("accept-language", "en");
        request = request.header("content-type", "application/merge-patch+json").body(wish.to_string());
        if !version.is_empty() {
            request = request.header("if-match", version);
        }
        self.send(request).await
    }

    /// DELETE in English.
    ///
    /// # Errors
    /// When the API cannot be reached.
    pub async fn delete(&self, path: &str) -> Result<Answer, reqwest::Error> {
        self.send(self.request(Method::DELETE, path).header("accept-language", "en")).await
    }
}
