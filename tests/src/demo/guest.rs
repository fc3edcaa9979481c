//! What only a machine that boots can show: its web page, and the login on its serial console.

use std::net::SocketAddr;
use std::time::Duration;

use jiyun_lab::wait_for;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{DemoError, stage::Stage};
use crate::{World, WorldError};

/// A guest in software emulation boots in some twenty seconds, on a busy machine in more.
const BOOT: Duration = Duration::from_mins(4);

/// Fetches the page of a host, and reads its console.
pub(super) async fn answers(stage: &Stage, world: &World, address: &str, machine: &str) -> Result<(), DemoError> {
    stage.note("the guest boots: no simulator, QEMU in software emulation");
    let page = wait_for("the machine's web page", BOOT, || page(world, address)).await.map_err(WorldError::from)?;
    stage.command(&format!("curl http://{address}/    (from the node)")).await;
    stage.answer(&page);
    stage.expect(page.contains("hello from"), "the machine answers HTTP")?;
    stage.command(&format!("virtctl console {machine} -n engine-finance")).await;
    let console = wait_for("a login on the serial console", BOOT, || async {
        let text = world.lab.console("engine-finance", machine).await.map_err(|error| error.to_string())?;
        if text.contains("login:") { Ok(text) } else { Err(text) }
    });
    let console = console.await.map_err(WorldError::from)?;
    stage.answer(console.trim());
    stage.expect(true, "its serial console asks for a login")
}

/// What the machine answers to a request for `/`, without headers.
async fn page(world: &World, address: &str) -> Result<String, String> {
    let told = |error: std::io::Error| error.to_string();
    let address: SocketAddr = format!("{address}:80").parse().map_err(|_| format!("no address: {address}"))?;
    let mut stream = world.lab.connect_from_node(address).await.map_err(|error| error.to_string())?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.map_err(told)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.map_err(told)?;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => Err(answer),
    }
}
