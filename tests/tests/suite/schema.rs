//! The API against its own description: requests made up from `docs/openapi.json`, valid and not, are answered as it says.
//!
//! The requests are schemathesis's, with a fixed seed; `make test` installs it beside the lab's programs. A test that is
//! left out unseen proves nothing: without schemathesis it fails, unless somebody said that it is to be left out.

use std::{path::PathBuf, time::Duration};

use jiyun_tests::{World, WorldError, world::Quota};
use tokio::process::Command;

/// What is looked at in each answer. Not that every valid request is taken: a name that names nothing is valid.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,missing_required_header,\
                      unsupported_method,allow_header_conformance,ignored_auth,negative_data_rejection";
/// How a request that breaks the description may be answered. Beside schemathesis's own list 412: one may also name a version
/// (`If-Match`) that is not the object's, and that is told first.
const REFUSALS: &str = "'400', '401', '403', '404', '405', '406', '409', '412', '415', '422', '428', '429', '5xx'";
/// Requests made up for each operation and phase.
const EXAMPLES: &str = "100";
const SEED: &str = "430423";
/// Some four minutes of a core where nothing else runs, and the other tests run beside it.
const PATIENCE: Duration = Duration::from_mins(15);

/// Set to anything, this test is left out.
const LEFT_OUT: &str = "JIYUN_TEST_WITHOUT_SCHEMATHESIS";

/// Where the Makefile puts it.
fn program() -> PathBuf {
    jiyun_lab::programs::cache_folder().join("tools/schemathesis/bin/schemathesis")
}

#[tokio::test]
async fn every_answer_is_one_that_the_description_promises() -> Result<(), WorldError> {
    let program = program();
    if std::env::var_os(LEFT_OUT).is_some_and(|said| !said.is_empty()) {
        println!("left out: {LEFT_OUT} is set");
        return Ok(());
    }
    assert!(
        program.exists(),
        "there is no {}: `make schemathesis` installs it (it needs Python 3 with venv, and a package index that can be \
         reached); {LEFT_OUT}=1 leaves this test out",
        program.display()
    );
    let world = World::shared().await?;
    let bureau = world.department(Quota::cores(64)).await?;
    let folder = tempfile::tempdir()?;
    // Names that are there: otherwise everything is answered 404 at the door. Waits that are short: a minute of waiting is
    // no finding.
    let configuration = format!(
        "[parameters]\n\"path.department\" = \"{}\"\n\"header.Prefer\" = \"wait=1\"\n\n[generation]\nallow-x00 = true\n\n\
         [checks.negative_data_rejection]\nexpected-statuses = [{REFUSALS}]\n",
        bureau.name
    );
    std::fs::write(folder.path().join("schemathesis.toml"), configuration)?;
    let token = &world.lab.person(&format!("{}-operator", bureau.name))?.token;
    let base = world.api.url().ok_or(WorldError::NoAddress)?;
    let output = Command::new(program)
        .arg("--config-file")
        .arg(folder.path().join("schemathesis.toml"))
        .arg("run")
        .arg(jiyun_lab::source_root().join("docs/openapi.json"))
        .args(["--url", &base, "--tls-verify"])
        .arg(world.lab.authority())
        .args(["--header", &format!("Authorization: Bearer {token}")])
        .args(["--seed", SEED, "--max-examples", EXAMPLES, "--phases", "examples,coverage,fuzzing", "--workers", "1"])
        // Whoever is answered before all was sent may find the connection closed; asking again is the client's business.
        .args(["--request-retries", "3", "--request-timeout", "70"])
        .args(["--checks", CHECKS, "--no-shrink", "--continue-on-failure", "--warnings", "off"])
        .current_dir(folder.path())
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("NO_COLOR", "1")
        .env("COLUMNS", "160")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PATIENCE, output).await;
    let output = output.expect("schemathesis ends")?;
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}\n{}", String::from_utf8_lossy(&output.stderr));
    println!("{told}");
    Ok(())
}
