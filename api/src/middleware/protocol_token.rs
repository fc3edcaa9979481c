//! Browsers send no `Authorization` with a WebSocket. As the API server does, this takes the token out of a subprotocol that
//! is offered, and puts it where every other request has it.

use axum::{extract::Request, middleware::Next, response::Response};
use data_encoding::BASE64URL_NOPAD;
use http::{HeaderMap, HeaderValue, header};

/// What the API server's own word for it begins with; the token follows in base64url without padding
/// (k8s.io/apiserver/pkg/authentication/request/websocket/protocol.go).
const PREFIX: &str = "base64url.bearer.authorization.k8s.io.";

/// What stands for a token that cannot be read: no token, so that it is refused as one.
const UNREADABLE: &str = "!";

/// Moves the token; a request that offers none goes on as it came.
pub async fn layer(mut request: Request, next: Next) -> Response {
    if request.headers().contains_key(header::SEC_WEBSOCKET_PROTOCOL) {
        moved(request.headers_mut());
    }
    next.run(request).await
}

/// Every token that is offered becomes a header of its own: more than one in all is refused like two headers.
fn moved(headers: &mut HeaderMap) {
    let values: Vec<_> = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter().cloned().collect();
    let lists: Option<Vec<_>> = values.iter().map(|value| value.to_str().ok()).collect();
    let Some(lists) = lists else { return };
    let offered = lists.iter().flat_map(|list| list.split(',')).map(str::trim).filter(|word| !word.is_empty());
    let (tokens, others): (Vec<_>, Vec<_>) = offered.partition(|word| word.starts_with(PREFIX));
    if tokens.is_empty() {
        return;
    }
    for token in tokens {
        let token = token.strip_prefix(PREFIX).and_then(|coded| BASE64URL_NOPAD.decode(coded.as_bytes()).ok());
        let token = token.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_else(|| UNREADABLE.to_owned());
        let mut value =
            HeaderValue::try_from(format!("Bearer {token}")).unwrap_or_else(|_| HeaderValue::from_static("Bearer !"));
        value.set_sensitive(true);
        headers.append(header::AUTHORIZATION, value);
    }
    headers.remove(header::SEC_WEBSOCKET_PROTOCOL);
    if let Ok(others) = HeaderValue::try_from(others.join(", "))
        && !others.is_empty()
    {
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, others);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of an offer, and the tokens found in it.
    fn after(offer: &str) -> (Option<String>, Vec<String>) {
        let mut headers = HeaderMap::new();
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_str(offer).unwrap());
        moved(&mut headers);
        let left = headers.get(header::SEC_WEBSOCKET_PROTOCOL).map(|left| left.to_str().unwrap().to_owned());
        let tokens = headers.get_all(header::AUTHORIZATION).iter();
        (left, tokens.map(|token| token.to_str().unwrap().to_owned()).collect())
    }

    #[test]
    fn a_token_in_a_subprotocol_becomes_the_header_and_is_offered_no_more() {
        let coded = BASE64URL_NOPAD.encode(b"alice.token");
        let (left, tokens) = after(&format!("{PREFIX}{coded}, plain.kubevirt.io"));
        assert_eq!((left.as_deref(), tokens), (Some("plain.kubevirt.io"), vec!["Bearer alice.token".to_owned()]));
        let (left, tokens) = after(&format!("{PREFIX}{coded},{PREFIX}{coded}"));
        assert_eq!((left, tokens.len()), (None, 2), "both, so that they are refused");
        assert_eq!(after("plain.kubevirt.io"), (Some("plain.kubevirt.io".to_owned()), Vec::new()));
    }

    #[test]
    fn what_is_no_token_there_is_refused_as_one_and_not_passed_over() {
        for wrong in ["", "%", "YQ==", "AAE"] {
            let (left, tokens) = after(&format!("{PREFIX}{wrong}"));
            let headers = tokens.iter().map(|token| (header::AUTHORIZATION, token.parse().unwrap())).collect();
            assert!(left.is_none() && crate::extract::Bearer::from_headers(&headers).is_err(), "{wrong}: {tokens:?}");
        }
    }
}
