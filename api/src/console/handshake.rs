//! The opening handshake (RFC 6455, 4.2) on the caller's side.

use axum::{body::Body, extract::FromRequestParts, response::Response};
use http::{HeaderMap, HeaderValue, Request, header, request::Parts};
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{handshake::server::create_response, protocol::Role},
};

use super::frames;
use crate::problem::{Code, Problem};

/// The caller's side of an open console.
pub type Upgraded = WebSocketStream<TokioIo<hyper::upgrade::Upgraded>>;

/// Subprotocols we speak, all of them bytes in frames: `KubeVirt`'s own word for that, and that of older VNC viewers in
/// browsers. A browser gives up where it asked for some and none is chosen.
const PROTOCOLS: [&str; 2] = ["plain.kubevirt.io", "binary"];

/// A request that asks for a WebSocket, before it is answered.
#[derive(Debug)]
pub struct Handshake {
    answer: Response,
    upgrade: OnUpgrade,
}

impl Handshake {
    /// The answer that agrees, and what becomes the caller's side once it was sent.
    pub fn agree(self) -> (Response, impl Future<Output = Result<Upgraded, hyper::Error>> + Send + use<>) {
        let Self { answer, upgrade } = self;
        let becomes = async move {
            let upgraded = TokioIo::new(upgrade.await?);
            Ok(WebSocketStream::from_raw_socket(upgraded, Role::Server, Some(frames())).await)
        };
        (answer, becomes)
    }

    fn of(parts: &mut Parts) -> Result<Self, Problem> {
        let mut asked = Request::new(());
        (*asked.method_mut(), *asked.version_mut()) = (parts.method.clone(), parts.version);
        asked.headers_mut().clone_from(&parts.headers);
        let mut answer = create_response(&asked).map_err(|error| needed().because(error))?.map(|()| Body::empty());
        let upgrade = parts.extensions.remove::<OnUpgrade>().ok_or_else(needed)?;
        if let Some(protocol) = chosen(&parts.headers) {
            answer.headers_mut().insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(protocol));
        }
        Ok(Self { answer, upgrade })
    }
}

/// The first of ours among those that are offered.
fn chosen(headers: &HeaderMap) -> Option<&'static str> {
    let offers = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offered: Vec<_> = offers.flat_map(|list| list.split(',')).map(str::trim).collect();
    PROTOCOLS.into_iter().find(|ours| offered.contains(ours))
}

/// 426: only a WebSocket will do. RFC 9110, 15.5.22 wants it named.
fn needed() -> Problem {
    Problem::bare(Code::WebSocketNeeded).with(header::UPGRADE, Some(HeaderValue::from_static("websocket")))
}

/// Taken as a `Result`: whoever may not have the console is told that first.
impl<S: Send + Sync> FromRequestParts<S> for Handshake {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Self::of(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering(values: &[&str]) -> HeaderMap {
        let offer = |value: &&str| (header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(value).unwrap());
        values.iter().map(offer).collect()
    }

    #[test]
    fn one_of_ours_is_chosen_wherever_it_is_offered() {
        assert_eq!(chosen(&offering(&["chat, binary", "plain.kubevirt.io"])), Some("plain.kubevirt.io"));
        assert_eq!(chosen(&offering(&["chat,binary"])), Some("binary"));
        assert_eq!(chosen(&offering(&["chat"])), None);
        assert_eq!(chosen(&offering(&[])), None);
    }
}
