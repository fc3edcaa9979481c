//! A line between a client and etcd that can be cut, or keep answers back.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp::OwnedReadHalf, tcp::OwnedWriteHalf},
    sync::watch,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Line {
    /// Bytes flow.
    Up,
    /// Requests arrive; answers are kept back.
    Silent,
    /// Every connection is closed, and new ones at once.
    Cut,
}

pub struct Proxy {
    address: SocketAddr,
    line: watch::Sender<Line>,
}

impl Proxy {
    /// A line to `endpoint`, `http://host:port`.
    pub async fn to(endpoint: &str) -> Self {
        let target = endpoint.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let line = watch::Sender::new(Line::Up);
        let state = line.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let mut cut = state.subscribe();
                if *cut.borrow() == Line::Cut {
                    continue;
                }
                let (target, answers) = (target.clone(), state.subscribe());
                tokio::spawn(async move {
                    tokio::select! {
                        () = connection(client, target, answers) => {}
                        _ = cut.wait_for(|line| *line == Line::Cut) => {}
                    }
                });
            }
        });
        Self { address, line }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on requests arrive but answers do not.
    pub fn silence(&self) {
        self.line.send_replace(Line::Silent);
    }

    /// Breaks every connection and takes no new one.
    pub fn cut(&self) {
        self.line.send_replace(Line::Cut);
    }

    /// Takes connections again.
    pub fn mend(&self) {
        self.line.send_replace(Line::Up);
    }
}

async fn connection(client: TcpStream, target: String, mut line: watch::Receiver<Line>) {
    let Ok(server) = TcpStream::connect(target).await else { return };
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::select! {
        _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
        () = answers(&mut from_server, &mut to_client, &mut line) => {}
    }
}

async fn answers(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, line: &mut watch::Receiver<Line>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        if line.wait_for(|line| *line == Line::Up).await.is_err() || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
