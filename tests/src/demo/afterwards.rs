//! After the story: where everything is, and five things to try.

use super::{
    DemoError, DemoOptions,
    stage::{Stage, variable},
};
use crate::{World, WorldError};
use jiyun_lab::{LedgerUser, Profile};

/// People whose tokens are printed: throw-away users of a lab on loopback.
const PEOPLE: [&str; 8] = [
    "finance-operator",
    "finance-reader",
    "finance-approver",
    "kaiyun-operator",
    "kaiyun-approver",
    "operator",
    "finance",
    "auditor",
];

/// Prints addresses, tokens and suggestions.
pub(super) fn describe(stage: &Stage, world: &World, options: &DemoOptions) -> Result<(), DemoError> {
    stage.title("The lab stays up until Ctrl-C", "Paste this into another terminal:");
    println!();
    println!("   export KUBECONFIG={}", world.lab.kubeconfig().display());
    println!("   export JIYUN_API={}", world.api.url().ok_or(WorldError::NoAddress)?);
    println!("   export CURL_CA_BUNDLE={}", world.lab.authority().display());
    for person in PEOPLE {
        println!("   export {}={}", variable(person), world.lab.person(person)?.token);
    }
    if options.profile == Profile::Node {
        println!(
            "   # the books: kubectl exec -n jiyun-system deploy/jiyun-controller -- jiyun-controller ledger verify"
        );
    } else {
        let reader = world.lab.ledger_tls(LedgerUser::Api);
        println!("   export JIYUN_LEDGER_ENDPOINTS={}", world.lab.ledger_endpoint());
        println!("   export JIYUN_LEDGER_CA={}", reader.authority.display());
        println!("   export JIYUN_LEDGER_CERT={}", reader.client.certificate.display());
        println!("   export JIYUN_LEDGER_KEY={}", reader.client.key.display());
    }
    if let Some(programs) = std::env::current_exe().ok().as_deref().and_then(std::path::Path::parent) {
        println!("   export PATH={}:$PATH", programs.display());
    }
    let kubectl = world.lab.kubectl_program();
    println!("   alias kubectl={}", kubectl.display());
    println!("\n   Reports: {}", options.out.display());
    println!("\n   Five things to try:");
    for (number, (what, command)) in SUGGESTIONS.iter().enumerate() {
        println!("\n   {}. {what}", number + 1);
        for line in command.lines() {
            println!("      {line}");
        }
    }
    println!();
    Ok(())
}

/// What to try, and how.
const SUGGESTIONS: [(&str, &str); 5] = [
    (
        "Apply the city's own hosts and watch them come up",
        "kubectl apply --server-side -f examples/city/80-hosts.yaml && kubectl get cloudhosts -A -w",
    ),
    (
        "Order with a mistake in it: a class that does not exist",
        "curl $JIYUN_API/v1/departments/finance/hosts -H \"Authorization: Bearer $FINANCE_OPERATOR\" --json \
         '{\"name\": \"oops\", \"system\": \"budget\", \"class\": \"huge\", \"image\": \"openeuler-24.03-amd64\", \
         \"zone\": \"extranet-public\", \"architecture\": \"amd64\", \"systemDisk\": {\"tier\": \"standard\", \"size\": \"40Gi\"}}'",
    ),
    (
        "Read as a reader, then try to order as one",
        "curl $JIYUN_API/v1/departments/finance/hosts -H \"Authorization: Bearer $FINANCE_READER\"\n\
         curl $JIYUN_API/v1/departments/finance/hosts -H \"Authorization: Bearer $FINANCE_READER\" --json \
         '{\"name\": \"mine\", \"system\": \"budget\", \"class\": \"basic-2c4g\", \"image\": \"openeuler-24.03-amd64\", \
         \"zone\": \"extranet-public\", \"architecture\": \"amd64\"}'",
    ),
    (
        "Stop a machine behind the platform's back: it is started again (after the first of these)",
        "kubectl patch vm budget-web -n engine-finance --type=merge -p '{\"spec\": {\"runStrategy\": \"Halted\"}}'",
    ),
    (
        "See what the catalogue costs",
        "kubectl get hostclasses,hostimages,pricelists\n\
         curl $JIYUN_API/v1/catalogue -H \"Authorization: Bearer $FINANCE_READER\"",
    ),
];
