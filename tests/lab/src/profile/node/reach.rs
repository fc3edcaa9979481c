//! Ways between the lab's process and the node's network: one thread lives in the node's network namespace, and what it
//! connects or accepts is handed to the lab's own threads, since a socket stays in the namespace it was made in.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

type Answer = oneshot::Sender<io::Result<TcpStream>>;

/// The way into one node. When the last copy is dropped, its thread ends.
#[derive(Debug, Clone)]
pub(crate) struct Reach(mpsc::Sender<(SocketAddr, Answer)>);

impl Reach {
    /// Opens it to the node whose first process has this number outside. Connections to `listen` in the node come out of
    /// the receiver.
    pub(super) fn open(process: i32, listen: SocketAddr) -> io::Result<(Self, mpsc::Receiver<TcpStream>)> {
        let namespace = File::open(format!("/proc/{process}/ns/net"))?;
        let (dial, dialled) = mpsc::channel(64);
        let (accept, accepted) = mpsc::channel(64);
        let (ready, outcome) = std::sync::mpsc::channel();
        std::thread::Builder::new().name("lab-node-network".into()).spawn(move || {
            let moved = move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network));
            let runtime = moved
                .map_err(io::Error::from)
                .and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
            drop(namespace);
            match runtime {
                Ok(runtime) => runtime.block_on(serve(listen, dialled, accept, &ready)),
                Err(error) => drop(ready.send(Err(error))),
            }
        })?;
        outcome.recv().map_err(|_| io::Error::other("the thread in the node's network has ended"))??;
        Ok((Self(dial), accepted))
    }

    /// Connects to an address as seen from the node: a pod's, a service's, its own.
    pub(crate) async fn connect(&self, address: SocketAddr) -> io::Result<tokio::net::TcpStream> {
        let gone = || io::Error::other("the way into the node is closed");
        let (answer, connected) = oneshot::channel();
        self.0.send((address, answer)).await.map_err(|_| gone())?;
        tokio::net::TcpStream::from_std(connected.await.map_err(|_| gone())??)
    }
}

async fn serve(
    listen: SocketAddr,
    mut dialled: mpsc::Receiver<(SocketAddr, Answer)>,
    accept: mpsc::Sender<TcpStream>,
    ready: &std::sync::mpsc::Sender<io::Result<()>>,
) {
    let listener = match TcpListener::bind(listen).await {
        Ok(listener) => listener,
        Err(error) => return drop(ready.send(Err(error))),
    };
    drop(ready.send(Ok(())));
    loop {
        tokio::select! {
            asked = dialled.recv() => match asked {
                Some((address, answer)) => {
                    tokio::spawn(async move {
                        let connected = tokio::net::TcpStream::connect(address).await;
                        let _ = answer.send(connected.and_then(tokio::net::TcpStream::into_std));
                    });
                }
                None => return,
            },
            Ok((stream, _)) = listener.accept() => {
                if let Ok(stream) = stream.into_std() {
                    // Nobody receives any more when the lab ends.
                    let _ = accept.send(stream).await;
                }
            }
        }
    }
}
