//! What only a machine that boots can show: its web page, and the login on its serial console.

use std::time::Duration;

use jiyun_lab::wait_for;

use super::{DemoError, stage::Stage};
use crate::{World, WorldError, installed::page};

/// A guest in software emulation boots in some twenty seconds, on a busy machine in more.
const BOOT: Duration = Duration::from_mins(4);

/// Lines of a console that are shown.
const LAST: usize = 8;

/// Fetches the page of a host, and reads its console.
pub(super) async fn answers(stage: &Stage, world: &World, address: &str, machine: &str) -> Result<(), DemoError> {
    stage.note("the guest boots: no simulator, QEMU in software emulation");
    let page = wait_for("the machine's web page", BOOT, || async {
        let address = format!("{address}:80").parse().map_err(|_| format!("no address: {address}"))?;
        page(&world.lab, address, "/").await
    });
    let page = page.await.map_err(WorldError::from)?;
    stage.command(&format!("curl http://{address}/    (from the node)")).await;
    stage.answer(&page);
    stage.expect(page.contains("hello from"), "the machine answers HTTP")?;
    stage.command(&format!("virtctl console {machine} -n engine-finance")).await;
    // The prompt itself ends no line, so a log has it late; the line above it is that of the same program.
    let console = wait_for("a login on the serial console", BOOT, || async {
        let text = world.lab.console("engine-finance", machine).await.map_err(|error| error.to_string())?;
        let asks = |line: &str| line.starts_with("Debian GNU/Linux") && line.trim_end().ends_with("ttyS0");
        if text.lines().any(asks) { Ok(text) } else { Err(text) }
    });
    let console = console.await.map_err(WorldError::from)?;
    stage.answer(&end_of(&console));
    stage.expect(console.contains(machine), "its serial console shows the login, with the machine's name")
}

/// The last lines of what a console shows, without what only a terminal understands (ECMA-48, 5.4).
fn end_of(console: &str) -> String {
    let mut plain = String::new();
    let mut letters = console.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' => drop(letters.by_ref().find(char::is_ascii_alphabetic)),
            '\n' => plain.push('\n'),
            letter if letter.is_control() => {}
            letter => plain.push(letter),
        }
    }
    let lines: Vec<&str> = plain.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(LAST)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_is_shown_by_its_last_lines_without_colours() {
        let console = "one\r\n\u{1b}[0;32m  OK  \u{1b}[0m started\n\n\u{1b}[!p\u{1b}[6nlogin\n";
        assert_eq!(end_of(console), "one\n  OK   started\nlogin");
        let long: Vec<String> = (0..20).map(|number: u32| number.to_string()).collect();
        assert_eq!(end_of(&long.join("\n")).lines().next(), Some("12"));
    }
}
