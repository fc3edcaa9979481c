//! The documents: every command in them is run, every path and link in them leads somewhere, every table is complete.

pub(super) mod blocks;

use std::{ffi::OsString, path::Path, process::Output, time::Duration};

use jiyun_lab::{Lab, LedgerUser, programs};
use jiyun_ledger::{FiscalMonth, Meter, PriceUnit, fen};
use jiyun_tests::{
    World, WorldError,
    world::{Bureau, Quota},
};
use tokio::process::Command;

use self::blocks::{Block, NOT_RUN, blocks, documents, is_make, targets, text};
use super::on_node::guide::BLOCKS;

/// How long one block may take: the longest starts a lab of its own.
const PATIENCE: Duration = Duration::from_mins(4);

/// Where a reader's shell finds programs: kubectl, Helm and Jiyun's own first.
pub(super) fn search_path(lab: &Lab) -> Result<OsString, WorldError> {
    let helm = programs::program("helm", "helm").unwrap();
    let own = std::env::current_exe()?;
    let product =
        std::env::var_os("JIYUN_BIN_DIR").map_or_else(|| own.ancestors().nth(2).unwrap().to_owned(), Into::into);
    let first = [lab.kubectl_program().parent().unwrap(), helm.parent().unwrap(), &product];
    let inherited = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(first.into_iter().map(Into::into).chain(std::env::split_paths(&inherited))).unwrap())
}

/// What a reader who follows the documents has set, in a department of the shared world.
async fn run(block: &Block, document: &str, bureau: &Bureau<'_>, folder: &Path) -> Result<Output, WorldError> {
    let lab = &bureau.world.lab;
    let reader = lab.ledger_tls(LedgerUser::Api);
    let path = search_path(lab)?;
    let mut command = Command::new("bash");
    command
        .args(["-euo", "pipefail", "-c", &block.script])
        .current_dir(jiyun_lab::source_root())
        .env("PATH", path)
        .env("KUBECONFIG", lab.kubeconfig())
        .env("JIYUN_API", bureau.world.api.url().ok_or(WorldError::NoAddress)?)
        .env("CA", lab.authority())
        .env("CURL_CA_BUNDLE", lab.authority())
        .env("NO_PROXY", "127.0.0.1,localhost")
        .env("no_proxy", "127.0.0.1,localhost")
        .env("TOKEN", &lab.person(&format!("{}-operator", bureau.name))?.token)
        .env("APPROVER", &lab.person(&format!("{}-approver", bureau.name))?.token)
        .env("FINANCE", &lab.person("finance")?.token)
        .env("PLATFORM_OPERATOR", &lab.person("operator")?.token)
        .env("DEPARTMENT", &bureau.name)
        .env("SYSTEM", "portal")
        .env("CONTROLLER_METRICS", bureau.world.controller.metrics_url())
        .env("API_METRICS", bureau.world.api.metrics_url())
        .env("JIYUN_LAB_DIR", folder)
        .env("BOOK", folder.with_extension("jsonl"))
        .env("JIYUN_LEDGER_ENDPOINTS", lab.ledger_endpoint())
        .env("JIYUN_LEDGER_CA", &reader.authority)
        .env("JIYUN_LEDGER_CERT", &reader.client.certificate)
        .env("JIYUN_LEDGER_KEY", &reader.client.key)
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true);
    let what = format!("{document}:{} ({})", block.line, block.run.as_deref().unwrap_or_default());
    let output = tokio::time::timeout(PATIENCE, command.output()).await;
    Ok(output.unwrap_or_else(|_| panic!("{what} took longer than {PATIENCE:?}"))?)
}

/// Runs all of a document's blocks that are marked, in order, in one department.
async fn run_all(document: &str) -> Result<(), WorldError> {
    run_in(World::shared().await?, document).await
}

/// [`run_all`] in a world of another kind.
async fn run_in(world: &World, document: &str) -> Result<(), WorldError> {
    let bureau = world.department(Quota::cores(16)).await?;
    let folder = jiyun_lab::target_folder().join("lab").join(format!("docs-{}", bureau.name));
    std::fs::create_dir_all(folder.parent().unwrap())?;
    let marked: Vec<_> =
        blocks(&jiyun_lab::source_root().join(document)).into_iter().filter(|block| block.run.is_some()).collect();
    assert!(!marked.is_empty(), "{document} has no block to run");
    for block in marked {
        let output = run(&block, document, &bureau, &folder).await?;
        assert!(
            output.status.success(),
            "{document}:{} ({}): {}\n{}{}",
            block.line,
            block.run.unwrap_or_default(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
    }
    drop(std::fs::remove_file(folder.with_extension("jsonl")));
    match std::fs::remove_dir_all(&folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

#[tokio::test]
async fn the_commands_of_the_api_guide_do_what_it_says() -> Result<(), WorldError> {
    // Where disks have storage, and snapshots of them can be taken.
    run_in(jiyun_tests::volume::shared().await?, "docs/api.md").await
}

#[tokio::test]
async fn the_commands_of_the_architecture_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/architecture.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_databases_do_what_it_says() -> Result<(), WorldError> {
    run_in(jiyun_tests::database::shared().await?, "docs/databases.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_volumes_do_what_it_says() -> Result<(), WorldError> {
    run_in(jiyun_tests::volume::shared().await?, "docs/volumes.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_snapshots_do_what_it_says() -> Result<(), WorldError> {
    run_in(jiyun_tests::volume::shared().await?, "docs/snapshots.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_buckets_do_what_it_says() -> Result<(), WorldError> {
    run_in(jiyun_tests::bucket::shared().await?, "docs/buckets.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_reforms_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/departments.md").await
}

#[tokio::test]
async fn the_commands_of_the_finance_guide_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/finance.md").await
}

#[tokio::test]
async fn the_commands_of_the_lab_guide_start_and_stop_a_lab() -> Result<(), WorldError> {
    run_all("docs/lab.md").await
}

#[tokio::test]
async fn the_commands_of_the_ledger_guide_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/ledger.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_leases_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/leases.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_notifications_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/notifications.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_networks_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/networks.md").await
}

#[tokio::test]
async fn the_commands_of_the_operations_guide_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/operations.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_orders_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/orders.md").await
}

#[tokio::test]
async fn the_commands_of_the_guide_to_roles_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/roles.md").await
}

#[tokio::test]
async fn the_commands_of_the_chinese_quick_start_do_what_it_says() -> Result<(), WorldError> {
    run_all("docs/zh/quickstart.md").await
}

#[test]
fn the_guide_to_the_api_has_the_same_commands_in_chinese() {
    let docs = jiyun_lab::source_root().join("docs");
    let scripts = |name: &str| -> Vec<_> {
        blocks(&docs.join(name)).into_iter().map(|block| (block.run, block.script)).collect()
    };
    assert_eq!(scripts("zh/api.md"), scripts("api.md"), "whoever changes one changes the other");
}

#[test]
fn every_command_is_run_by_a_test_or_there_is_a_reason() {
    const RUN: [&str; 18] = [
        "api.md",
        "architecture.md",
        "buckets.md",
        "databases.md",
        "departments.md",
        "finance.md",
        "install.md",
        "lab.md",
        "leases.md",
        "ledger.md",
        "networks.md",
        "notifications.md",
        "operations.md",
        "orders.md",
        "quickstart.md",
        "roles.md",
        "snapshots.md",
        "volumes.md",
    ];
    let targets = targets();
    let mut used = Vec::new();
    for document in documents() {
        let name = document.file_name().unwrap().to_string_lossy().into_owned();
        for block in blocks(&document) {
            let at = format!("{}:{}", document.display(), block.line);
            let reason = NOT_RUN.iter().find(|(first, _)| block.script.starts_with(first));
            match (&block.run, reason) {
                (Some(_), _) => assert!(RUN.contains(&name.as_str()), "{at} is marked to run, and no test runs {name}"),
                (None, Some((first, _))) => used.push(*first),
                (None, None) => assert!(
                    is_make(&block.script, &targets),
                    "{at} is run by no test: mark it `sh run=<name>`, or give a reason in NOT_RUN"
                ),
            }
        }
    }
    for (first, _) in NOT_RUN {
        assert!(used.contains(&first), "no block begins with {first:?} any more: take it out of NOT_RUN");
    }
}

#[test]
fn the_commands_of_the_guide_to_an_installation_are_those_run_on_a_node() {
    let marked = blocks(&jiyun_lab::source_root().join("docs/install.md")).into_iter().filter_map(|block| block.run);
    assert_eq!(marked.collect::<Vec<_>>(), BLOCKS, "whoever marks a block has on_node/guide.rs run it");
}

#[test]
fn every_path_and_link_leads_somewhere() {
    const FOLDERS: [&str; 14] = [
        "api/",
        "approvals/",
        "audit/",
        "charts/",
        "controller/",
        "crds/",
        "docs/",
        "examples/",
        "ledger/",
        "messages/",
        "notices/",
        "tests/",
        "tools/",
        "trail/",
    ];
    let root = jiyun_lab::source_root();
    for document in documents() {
        let (text, here) = (text(&document), document.parent().unwrap());
        let targets = text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next());
        for target in targets.filter(|target| !target.is_empty() && !target.contains("://")) {
            assert!(here.join(target).exists(), "{}: the link {target} leads nowhere", document.display());
        }
        let quoted = text.split('`').skip(1).step_by(2);
        let is_path = |word: &&str| {
            FOLDERS.iter().any(|folder| word.starts_with(folder)) && !word.contains(['<', '*', ' ', '\n', '{'])
        };
        for path in quoted.filter(is_path) {
            assert!(root.join(path).exists(), "{}: there is no {path}", document.display());
        }
    }
}

/// Words of a source file that begin with `start`, between quotes.
fn quoted(source: &str, start: &str) -> Vec<String> {
    let source = text(&jiyun_lab::source_root().join(source));
    let words =
        source.split('"').skip(1).step_by(2).filter(|word| word.starts_with(start) && !word.contains([' ', '{']));
    words.map(str::to_owned).collect()
}

#[test]
fn every_figure_the_programs_show_is_explained() {
    let guide = text(&jiyun_lab::source_root().join("docs/operations.md"));
    let figures = ["controller/src/metrics.rs", "api/src/metrics.rs", "trail/src/figures.rs"]
        .map(|source| quoted(source, "jiyun_"))
        .concat();
    assert!(figures.len() >= 14, "{figures:?}");
    for figure in figures {
        assert!(guide.contains(&format!("| `{figure}`")), "{figure} is not in docs/operations.md");
    }
}

#[test]
fn every_reason_of_a_condition_is_explained() {
    let source = text(&jiyun_lab::source_root().join("crds/src/v1alpha1/condition.rs"));
    let guide = text(&jiyun_lab::source_root().join("docs/architecture.md"));
    for name in ["ConditionType", "Reason"] {
        let body = source.split_once(&format!("pub enum {name} {{")).unwrap().1.split_once("\n}").unwrap().0;
        let words: Vec<_> =
            body.lines().filter_map(|line| line.trim().strip_suffix(',')).filter(|line| !line.contains(' ')).collect();
        assert!(words.len() >= 5, "{name}: {words:?}");
        for word in words {
            assert!(guide.contains(&format!("`{word}`")), "{name} {word} is not in docs/architecture.md");
        }
    }
}

#[test]
fn every_column_of_the_table_for_spreadsheets_is_explained() {
    let source = text(&jiyun_lab::source_root().join("api/src/model/usage/csv.rs"));
    let guide = text(&jiyun_lab::source_root().join("docs/finance.md"));
    let columns = source.split_once("const HEADER").unwrap().1.split_once("];").unwrap().0;
    let columns: Vec<_> = columns.split('"').skip(1).step_by(2).collect();
    assert_eq!(columns.len(), 25);
    for column in columns {
        assert!(guide.contains(&format!("| {column} |")), "{column} is not in docs/finance.md");
    }
}

/// Rows below the heading of the example: meter, quantity, seconds, price, price unit, amount.
#[test]
fn the_worked_example_is_what_the_ledger_computes() {
    let guide = text(&jiyun_lab::source_root().join("docs/finance.md"));
    let example = guide.split_once("## A worked example").unwrap().1.split_once("\n## ").unwrap().0;
    let month: FiscalMonth = "2026-10".parse().unwrap();
    let mut sum = rust_decimal::Decimal::ZERO;
    let mut rows = 0;
    for line in example.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split('|').map(|cell| cell.trim().trim_matches('`').replace(',', "")).collect();
        let [_, meter, quantity, seconds, unit_seconds, price, unit, amount, _] = cells.as_slice() else {
            panic!("{line}")
        };
        let (meter, unit): (Meter, PriceUnit) = (meter.parse().unwrap(), unit.parse().unwrap());
        let product = quantity.parse::<i128>().unwrap() * seconds.parse::<i128>().unwrap();
        assert_eq!(product.to_string(), *unit_seconds, "{line}");
        let computed = fen(meter, product, price.parse().unwrap(), unit, month.seconds()).unwrap();
        assert_eq!(computed.to_string(), *amount, "{line}");
        sum += computed;
        rows += 1;
    }
    assert_eq!(rows, 4);
    assert!(example.contains(&format!("**{sum} yuan**")), "the total is {sum}");
}
