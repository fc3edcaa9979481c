//! The API server's way to what is in the node: it asks for a connection over a socket file (Kubernetes, "egress selector",
//! HTTP CONNECT, RFC 9110, 9.3.6), and the other end is made in the node's network.

use std::fs::{self, File, Permissions};
use std::io;
use std::net::SocketAddr;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{UnixListener, UnixStream};

use super::ways::Ways;

/// The socket file, below the lab's folder, which is the API server's working directory: the kernel takes no path longer
/// than 107 bytes (unix(7)), and a lab's folder may lie deep.
pub(crate) const SOCKET: &str = "egress/api-server";
/// More than any request for a connection has; one that goes on is none.
const LONGEST: usize = 4096;

/// The configuration by which the API server takes this way to nodes, services and pods, and no other way to anything
/// else (Kubernetes, `apiserver.k8s.io/v1beta1`).
pub(crate) fn configuration() -> String {
    let connection = |kind: &str| serde_json::json!({"proxyProtocol": kind});
    serde_json::json!({
        "apiVersion": "apiserver.k8s.io/v1beta1",
        "kind": "EgressSelectorConfiguration",
        "egressSelections": [
            {"name": "cluster", "connection": {
                "proxyProtocol": "HTTPConnect",
                "transport": {"uds": {"udsName": SOCKET}},
            }},
            {"name": "controlplane", "connection": connection("Direct")},
            {"name": "etcd", "connection": connection("Direct")},
        ],
    })
    .to_string()
}

/// Listens on the socket file below `lab`; only this user may connect.
pub(super) fn listen(lab: &Path) -> io::Result<UnixListener> {
    let path = lab.join(SOCKET);
    let (folder, name) = (path.parent().unwrap_or(lab), path.file_name().unwrap_or_default());
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // By the folder's descriptor: a short path to it, wherever it lies.
    let folder = File::open(folder)?;
    let short = Path::new("/proc/self/fd").join(folder.as_raw_fd().to_string()).join(name);
    let listener = UnixListener::bind(&short)?;
    fs::set_permissions(&short, Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Serves for as long as it is polled.
pub(super) async fn serve(listener: UnixListener, ways: Ways) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let ways = ways.clone();
                tokio::spawn(async move {
                    if let Err(error) = connect(stream, &ways).await {
                        tracing::debug!(%error, "a connection of the API server into the node ended");
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the API server's way into the node is closed");
                return;
            }
        }
    }
}

async fn connect(mut client: UnixStream, ways: &Ways) -> io::Result<()> {
    let asked = request(&mut client).await?;
    let connected = match target(&asked) {
        Some(address) => ways.connect(address).await,
        None => Err(io::Error::other("not a request for a connection to an address and port")),
    };
    match connected {
        Ok(mut server) => {
            client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
            copy_bidirectional(&mut client, &mut server).await.map(drop)
        }
        Err(error) => {
            let text = error.to_string();
            let answer = format!("HTTP/1.1 502 Bad Gateway\r\nContent-Length: {}\r\n\r\n{text}", text.len());
            client.write_all(answer.as_bytes()).await
        }
    }
}

/// Reads up to the empty line and not a byte further: what follows belongs to the connection asked for.
async fn request(client: &mut UnixStream) -> io::Result<String> {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        if read.len() >= LONGEST {
            return Err(io::Error::other("the request for a connection does not end"));
        }
        read.push(client.read_u8().await?);
    }
    Ok(String::from_utf8_lossy(&read).into_owned())
}

/// The address in `CONNECT 10.0.0.1:443 HTTP/1.1`. Names are nobody's to resolve here: the API server asks by addresses.
fn target(request: &str) -> Option<SocketAddr> {
    let mut words = request.lines().next()?.split(' ');
    (words.next()? == "CONNECT").then(|| words.next()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_to_addresses_are_asked_for() {
        assert_eq!(target("CONNECT 10.0.0.1:443 HTTP/1.1\r\nHost: x\r\n\r\n"), "10.0.0.1:443".parse().ok());
        for wrong in ["GET / HTTP/1.1\r\n\r\n", "CONNECT node-1:10250 HTTP/1.1\r\n\r\n", "CONNECT", ""] {
            assert_eq!(target(wrong), None, "{wrong}");
        }
    }

    #[tokio::test]
    async fn the_socket_is_this_user_s_alone_however_deep_the_folder_lies() {
        let folder = tempfile::tempdir().expect("temp dir");
        let deep = folder.path().join("a-folder-with-a-long-name".repeat(8));
        fs::create_dir_all(&deep).expect("create");
        let _listener = listen(&deep).expect("listens");
        let mode = fs::metadata(deep.join(SOCKET)).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn the_socket_s_path_is_short_enough_for_the_kernel() {
        assert!(SOCKET.len() <= 107);
    }
}
