//! Requests within requests: what is sent so that two programs read it as different requests is refused, and what follows it
//! on its connection is answered to nobody. A proxy before the API that shares connections is then no way in.

use http::StatusCode;
use jiyun_tests::{
    World, WorldError,
    world::{PATIENCE, Quota},
};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    total::Attempts,
    victim::{HOST, Victim},
};

async fn connect(world: &World) -> Result<TlsStream<TcpStream>, WorldError> {
    // Installing it twice is refused and does no harm.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let mut roots = rustls::RootCertStore::empty();
    let authority = CertificateDer::from_pem_file(world.lab.authority()).map_err(std::io::Error::other)?;
    roots.add(authority).map_err(std::io::Error::other)?;
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let url = world.api.url().ok_or(WorldError::NoAddress)?;
    let address = url.strip_prefix("https://").ok_or(WorldError::NoAddress)?;
    let name = ServerName::try_from("127.0.0.1").map_err(std::io::Error::other)?;
    let stream = TcpStream::connect(address).await?;
    Ok(TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await?)
}

/// Sends this as it is, and reads until the API closes the connection; gives what it said and the status of each answer.
async fn told(world: &World, sent: &str) -> Result<(String, Vec<u16>), WorldError> {
    let mut stream = connect(world).await?;
    stream.write_all(sent.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    // One that is cut off instead of closed has said what it has said.
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    assert!(closed.is_ok(), "the connection was left open after {sent}");
    let text = String::from_utf8_lossy(&answer).into_owned();
    let status = |(at, _): (usize, &str)| text.get(at + 9..at + 12).and_then(|digits| digits.parse::<u16>().ok());
    let statuses = text.match_indices("HTTP/1.").filter_map(status).collect();
    Ok((text, statuses))
}

fn request(method: &str, path: &str, headers: &[&str]) -> String {
    format!("{method} {path} HTTP/1.1\r\nhost: api\r\n{}\r\n\r\n", headers.join("\r\n"))
}

fn is_refusal(status: u16) -> bool {
    (400..500).contains(&status)
}

/// The header by which `person` is known.
fn token(world: &World, person: &str) -> Result<String, WorldError> {
    Ok(format!("authorization: Bearer {}", world.lab.person(person)?.token))
}

#[tokio::test]
async fn what_can_be_read_as_two_requests_is_refused_and_nothing_behind_it_is_answered() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let world = World::shared().await?;
    let (victim, attacker) = (Victim::of(world).await?, world.department(Quota::AMPLE).await?);
    let mine = token(world, &format!("{}-operator", attacker.name))?;
    let theirs = token(world, &format!("{}-operator", victim.name()))?;
    let next = request("GET", &victim.bureau().hosts_path(), &[&theirs, "connection: close"]);
    // Sent as it should be, each of two requests on one connection is answered to whoever sent it.
    let plain = request("GET", &victim.bureau().hosts_path(), &[&mine]);
    let (text, statuses) = told(world, &format!("{plain}{next}")).await?;
    assert_eq!(statuses, [404_u16, 200], "{text}");

    // The victim's own next request, swallowed by a line of the attacker's: read so, it ends the victim's host.
    let swallowed = format!("DELETE {} HTTP/1.1\r\nx-swallowed: {next}", victim.bureau().host_path(HOST));
    let empty = "0\r\n\r\n";
    for (what, framing) in [
        ("a length and chunks", "content-length: 5\r\ntransfer-encoding: chunked"),
        ("chunks and a length", "transfer-encoding: chunked\r\ncontent-length: 5"),
        ("a longer length and chunks", "content-length: 200\r\ntransfer-encoding: chunked"),
        ("two lengths", "content-length: 5\r\ncontent-length: 0"),
        ("two lengths in one line", "content-length: 5, 0"),
        ("a length with a sign", "content-length: +5"),
        ("a folded line", "x-folded: a\r\n transfer-encoding: chunked"),
        ("a space before the colon", "transfer-encoding : chunked"),
        ("chunks that are not the last encoding", "transfer-encoding: chunked, identity"),
    ] {
        let headers = [mine.as_str(), "content-type: application/json", framing];
        let first = request("POST", &attacker.hosts_path(), &headers);
        let (text, statuses) = told(world, &format!("{first}{empty}{swallowed}")).await?;
        let refused = statuses.len() <= 1 && statuses.iter().copied().all(is_refusal);
        attempts.refused(refused, || format!("{what}: {statuses:?} {text}"));
    }
    victim.is_unharmed().await?;
    attempts.over(9);
    Ok(())
}

#[tokio::test]
async fn of_two_tokens_in_one_request_neither_counts() -> Result<(), WorldError> {
    let attempts = Attempts::begin();
    let world = World::shared().await?;
    let (victim, attacker) = (Victim::of(world).await?, world.department(Quota::AMPLE).await?);
    let mine = token(world, &format!("{}-operator", attacker.name))?;
    let theirs = token(world, &format!("{}-operator", victim.name()))?;
    let path = victim.bureau().host_path(HOST);
    let alone = told(world, &request("GET", &path, &[&theirs, "connection: close"])).await?;
    assert_eq!(alone.1, [StatusCode::OK.as_u16()], "{}", alone.0);
    let joined = format!("{mine}, {}", theirs.trim_start_matches("authorization: "));
    for (method, tokens) in [
        ("GET", [mine.as_str(), theirs.as_str()].join("\r\n")),
        ("GET", [theirs.as_str(), mine.as_str()].join("\r\n")),
        ("DELETE", [mine.as_str(), theirs.as_str()].join("\r\n")),
        ("GET", joined),
        ("GET", theirs.replace("Bearer ", "Bearer\r\n ")),
    ] {
        let (text, statuses) = told(world, &request(method, &path, &[&tokens, "connection: close"])).await?;
        let refused = statuses.len() == 1 && statuses.iter().copied().all(is_refusal);
        attempts.refused(refused, || format!("{method} with {tokens}: {statuses:?} {text}"));
    }
    victim.is_unharmed().await?;
    attempts.over(5);
    Ok(())
}
