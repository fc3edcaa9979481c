//! An etcd of a test's own, to stop and start.

use std::{
    net::TcpListener,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
};

use tempfile::TempDir;

use super::support::{connect, until};

pub struct Etcd {
    program: PathBuf,
    flags: Vec<String>,
    data: TempDir,
    client_port: u16,
    peer_port: u16,
    child: Option<Child>,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Etcd {
    /// An etcd with these flags besides those for addresses and data. The program is the lab's, built once.
    pub fn new(flags: &[String]) -> Self {
        let program = jiyun_lab::programs::LabPrograms::provide().unwrap().etcd;
        let (client_port, peer_port) = (free_port(), free_port());
        let data = tempfile::tempdir().unwrap();
        Self { program, flags: flags.to_vec(), data, client_port, peer_port, child: None }
    }

    pub fn endpoint(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.client_port)
    }

    pub fn spawn(&mut self, scheme: &str) {
        let peer = format!("http://127.0.0.1:{}", self.peer_port);
        let client = self.endpoint(scheme);
        // Ends with the thread that started it, so that a failed run leaves nothing behind.
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--"])
            .arg(&self.program)
            .arg("--data-dir")
            .arg(self.data.path())
            .arg("--unsafe-no-fsync");
        command.args(["--listen-client-urls", &client, "--advertise-client-urls", &client]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("default={peer}"), "--log-level", "error"]).args(&self.flags);
        self.child = Some(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    }

    /// Starts it without TLS and waits until it answers.
    pub async fn start(&mut self) {
        self.spawn("http");
        let endpoint = self.endpoint("http");
        until("etcd answers", async || connect(&endpoint).await.kv_client().get("x", None).await.is_ok()).await;
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Starts the etcd all tests share, on a thread that lives as long as the program, and gives its endpoint.
pub fn shared() -> String {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let mut etcd = Etcd::new(&[]);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(etcd.start());
        tell.send(etcd.endpoint("http")).unwrap();
        loop {
            std::thread::park();
        }
    });
    told.recv().unwrap()
}
