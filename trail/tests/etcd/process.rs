//! The etcd of these tests.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::{Duration, Instant},
};

use etcd_client::Client;
use tempfile::TempDir;

/// An etcd that can be stopped; it ends with the thread that started it.
pub struct Etcd {
    child: Child,
    _data: TempDir,
    pub endpoint: String,
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

impl Etcd {
    pub async fn start() -> Self {
        let program = jiyun_lab::programs::LabPrograms::provide().unwrap().etcd;
        let [endpoint, peer] = [(); 2].map(|()| format!("http://127.0.0.1:{}", free_port()));
        let data = tempfile::tempdir().unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "--"]).arg(program).arg("--data-dir").arg(data.path());
        command.args(["--unsafe-no-fsync", "--log-level", "error"]);
        command.args(["--listen-client-urls", &endpoint, "--advertise-client-urls", &endpoint]);
        command.args(["--listen-peer-urls", &peer, "--initial-advertise-peer-urls", &peer]);
        command.args(["--initial-cluster", &format!("default={peer}")]);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let etcd = Self { child, _data: data, endpoint };
        let deadline = Instant::now() + Duration::from_secs(30);
        while connect(&etcd.endpoint).await.kv_client().get("x", None).await.is_err() {
            assert!(Instant::now() < deadline, "etcd does not answer");
        }
        etcd
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        // It may have been killed already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

pub async fn connect(endpoint: &str) -> Client {
    Client::connect([endpoint], None).await.unwrap()
}

/// The etcd these tests share, with a prefix no other test uses.
pub async fn shared() -> (Client, String) {
    static SHARED: LazyLock<String> = LazyLock::new(|| std::env::var("JIYUN_TEST_ETCD").unwrap_or_else(|_| own()));
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let now = jiff::Timestamp::now().as_nanosecond();
    let prefix = format!("/test/{now}-{}-{}/", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
    let endpoint = tokio::task::spawn_blocking(|| SHARED.clone()).await.unwrap();
    (connect(&endpoint).await, prefix)
}

/// Starts one on a thread that lives as long as the program, and gives its endpoint.
fn own() -> String {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let etcd = runtime.block_on(Etcd::start());
        tell.send(etcd.endpoint.clone()).unwrap();
        loop {
            std::thread::park();
        }
    });
    told.recv().unwrap()
}
