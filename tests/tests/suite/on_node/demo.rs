//! `make demo ONCE=1 PROFILE=node`: the story of Jiyun in pods, with a machine that boots, told to its end.

use std::{process::Stdio, time::Duration};

use jiyun_tests::{WorldError, installed::BOOTING};
use tokio::process::Command;

use super::able_with;

/// A lab with KubeVirt and CDI is there after two minutes; the guest boots twice, on a busy machine for minutes.
const PATIENCE: Duration = Duration::from_mins(25);

#[tokio::test]
async fn the_demo_on_a_node_shows_a_machine_that_boots_and_ends_well() -> Result<(), WorldError> {
    let test = "the_demo_on_a_node_shows_a_machine_that_boots_and_ends_well";
    let Some(_alone) = able_with(test, &BOOTING).await else { return Ok(()) };
    let reports = tempfile::tempdir()?;
    let mut demo = Command::new(env!("CARGO_BIN_EXE_jiyun-demo"));
    demo.args(["--once", "--profile", "node", "--out"])
        .arg(reports.path())
        .current_dir(jiyun_lab::source_root())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = tokio::time::timeout(PATIENCE, demo.output()).await;
    let output = output.unwrap_or_else(|_| panic!("the demo took longer than {PATIENCE:?}"))?;
    let [story, trouble] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{}\n{story}\n{trouble}", output.status);
    for shown in [
        "hello from",
        "ok the machine answers HTTP",
        "ok its serial console shows the login, with the machine's name",
        "ok its quota is free again",
    ] {
        assert!(story.contains(shown), "{shown} is not in\n{story}");
    }
    let told = story.lines().find_map(|line| line.trim().strip_prefix("the story took "));
    let told = told.unwrap_or_else(|| panic!("how long it took is not in\n{story}"));
    eprintln!("the demo on a node took {told}");
    let numbers: Vec<u64> = told.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    // Seconds and MiB: a control plane alone holds some hundred.
    assert!(matches!(numbers[..], [seconds, mebibytes] if seconds > 0 && mebibytes > 100), "{told}");
    for report in ["usage-finance.json", "usage-finance.csv"] {
        assert!(reports.path().join(report).is_file(), "no {report}");
    }
    Ok(())
}
