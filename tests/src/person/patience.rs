//! What a client of the API does when the API dies under it: it asks again, and asking again orders nothing twice.
//!
//! The name of a host is the key of its order. Where the answer to a POST was lost, "exists already" on the next try
//! says that it had arrived; the host itself then says what became of it.

use std::time::Duration;

use http::{HeaderName, HeaderValue, Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::Answer;

/// Between two tries. Short beside the half second a program takes to come back.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a decision may be waited for: more than the thirty seconds the API itself waits, and two elections.
const DECISION: Duration = Duration::from_mins(3);

/// Sends `request` until it is answered by the program itself; after `within` the last failure is final.
///
/// # Errors
/// When the API cannot be reached in time.
pub(super) async fn insist(
    client: &reqwest::Client,
    request: reqwest::Request,
    within: Duration,
) -> Result<Answer, reqwest::Error> {
    let deadline = Instant::now() + within;
    // Whether an earlier try may have arrived although its answer was lost.
    let mut in_doubt = false;
    loop {
        let Some(again) = request.try_clone() else { return received(client.execute(request).await?).await };
        let answer = match client.execute(again).await {
            Ok(response) => received(response).await,
            Err(error) => Err(error),
        };
        match answer {
            // "Not now, ask again": the program came back and has not read its books yet.
            Ok(answer) if answer.status == StatusCode::SERVICE_UNAVAILABLE && Instant::now() < deadline => {}
            Ok(answer) if in_doubt => return settled(client, &request, answer).await,
            Ok(answer) => return Ok(answer),
            Err(error) if Instant::now() < deadline => in_doubt |= !error.is_connect(),
            Err(error) => return Err(error),
        }
        sleep(PAUSE).await;
    }
}

/// An answer with its body.
pub(super) async fn received(response: reqwest::Response) -> Result<Answer, reqwest::Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, text: response.text().await? })
}

/// `answer` came to a repeated request whose first try may have arrived: what the first try would have been told.
async fn settled(
    client: &reqwest::Client,
    request: &reqwest::Request,
    answer: Answer,
) -> Result<Answer, reqwest::Error> {
    if *request.method() == Method::POST && answer.json()["code"] == "AlreadyExists" {
        return Ok(looked_up(client, request).await?.unwrap_or(answer));
    }
    if *request.method() == Method::DELETE && answer.status == StatusCode::NOT_FOUND {
        return Ok(Answer { status: StatusCode::ACCEPTED, ..answer });
    }
    Ok(answer)
}

/// The host that `request` ordered, as the answer to the order; nothing if the host of that name is another one.
async fn looked_up(client: &reqwest::Client, request: &reqwest::Request) -> Result<Option<Answer>, reqwest::Error> {
    let body = request.body().and_then(reqwest::Body::as_bytes).unwrap_or_default();
    let order: Value = serde_json::from_slice(body).unwrap_or_default();
    let mut place = request.url().clone();
    place.set_path(&format!("{}/{}", place.path(), order["name"].as_str().unwrap_or_default()));
    let deadline = Instant::now() + DECISION;
    loop {
        let mut look = reqwest::Request::new(Method::GET, place.clone());
        for name in [header::AUTHORIZATION, header::ACCEPT_LANGUAGE] {
            if let Some(value) = request.headers().get(&name) {
                look.headers_mut().insert(name, value.clone());
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let found = Box::pin(insist(client, look, left)).await?;
        let host = found.json();
        if ["system", "class", "image", "zone"].iter().any(|field| host[field] != order[field]) {
            return Ok(None);
        }
        if host["state"] != "Pending" || Instant::now() >= deadline {
            return Ok(Some(answered(&host, found, place.path())));
        }
        sleep(PAUSE).await;
    }
}

/// What the order would have been answered, told from the host as it is.
fn answered(host: &Value, found: Answer, place: &str) -> Answer {
    let mut headers = found.headers;
    if let Ok(place) = HeaderValue::from_str(place) {
        headers.insert(HeaderName::from_static("location"), place);
    }
    let refusal = &host["refusal"];
    match host["state"].as_str() {
        Some("Refused") => {
            let problem = json!({"code": refusal["code"], "detail": refusal["detail"], "status": 409});
            Answer { status: StatusCode::CONFLICT, headers, text: problem.to_string() }
        }
        Some("Pending") => Answer { status: StatusCode::ACCEPTED, headers, text: found.text },
        _ => Answer { status: StatusCode::CREATED, headers, text: found.text },
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn told(host: &Value) -> Answer {
        let found = Answer { status: StatusCode::OK, headers: HeaderMap::new(), text: host.to_string() };
        answered(host, found, "/v1/departments/finance/hosts/web")
    }

    /// A server that answers one request a connection, each with the next of `answers`; nothing where it is empty.
    async fn server(answers: Vec<String>) -> (String, tokio::task::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let task = tokio::spawn(async move {
            let mut asked = Vec::new();
            for answer in answers {
                let (mut connection, _) = listener.accept().await.unwrap();
                let mut request = vec![0; 4096];
                let length = connection.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                asked.push(request.lines().next().unwrap_or_default().to_owned());
                connection.write_all(answer.as_bytes()).await.unwrap();
            }
            asked
        });
        (address, task)
    }

    fn http(status: u16, body: &Value) -> String {
        let body = body.to_string();
        format!("HTTP/1.1 {status} -\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
    }

    fn order() -> Value {
        json!({"name": "web", "system": "portal", "class": "small", "image": "linux", "zone": "public"})
    }

    async fn ordered(answers: Vec<String>) -> (Answer, Vec<String>) {
        let (address, served) = server(answers).await;
        // Installing it twice is refused and does no harm.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = client.post(format!("{address}/hosts")).json(&order()).build().unwrap();
        let answer = insist(&client, request, Duration::from_secs(20)).await.unwrap();
        (answer, served.await.unwrap())
    }

    #[tokio::test]
    async fn an_order_whose_answer_was_lost_is_not_ordered_again_but_looked_up() {
        let mut pending = order();
        pending["state"] = "Pending".into();
        let mut granted = order();
        granted["state"] = "Ready".into();
        let taken = http(409, &json!({"code": "AlreadyExists"}));
        let (answer, asked) =
            ordered(vec![String::new(), taken, http(200, &pending), http(503, &json!({})), http(200, &granted)]).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::CREATED, "/hosts/web"));
        assert_eq!(asked[..2], ["POST /hosts HTTP/1.1"; 2]);
        assert_eq!(asked[2..], ["GET /hosts/web HTTP/1.1"; 3]);
    }

    #[tokio::test]
    async fn a_name_that_was_taken_before_the_first_try_is_no_lost_answer() {
        let (answer, asked) = ordered(vec![http(409, &json!({"code": "AlreadyExists"}))]).await;
        assert_eq!((answer.status, asked.len()), (StatusCode::CONFLICT, 1));
    }

    #[tokio::test]
    async fn a_namesake_that_is_not_what_was_ordered_is_no_lost_answer() {
        let mut other = order();
        other["class"] = "large".into();
        let taken = http(409, &json!({"code": "AlreadyExists"}));
        let (answer, _) = ordered(vec![String::new(), taken, http(200, &other)]).await;
        assert_eq!(answer.json()["code"], "AlreadyExists");
    }

    #[test]
    fn a_lost_grant_is_told_as_created_with_its_place() {
        let answer = told(&json!({"state": "Granted", "claim": "claim-7"}));
        assert_eq!(answer.status, StatusCode::CREATED);
        assert_eq!(answer.header("location"), "/v1/departments/finance/hosts/web");
        assert_eq!(answer.json()["claim"], "claim-7");
    }

    #[test]
    fn a_lost_refusal_is_told_with_its_code_and_sentence() {
        let answer =
            told(&json!({"state": "Refused", "refusal": {"code": "ExceedsLimit", "detail": "missing 16 ..."}}));
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert_eq!(answer.json()["code"], "ExceedsLimit");
        assert_eq!(answer.json()["detail"], "missing 16 ...");
    }
}
