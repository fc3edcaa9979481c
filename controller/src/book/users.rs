//! `ledger users`: gives the ledger's etcd its users, each with no more rights than it needs, and turns authentication on.
//!
//! Users have no passwords: they are known by the common names of their certificates (etcd, "Role-based access control",
//! "Using TLS Common Name").

use std::time::{Duration, Instant};

use etcd_client::{Client, Permission, UserAddOptions};

use super::{BookError, answer};
use crate::{args::Users, error::chain, serve};

/// Everything of the platform.
const JIYUN: &str = "/jiyun/";
/// The books.
const LEDGER: &str = "/jiyun/ledger/";
/// Heads of the API's own chains of the audit trail.
const API_TRAILS: &str = "/jiyun/trail/jiyun-api";

/// How soon it is tried again while etcd does not answer.
const AGAIN: Duration = Duration::from_secs(1);

/// The users, each with a role of the same name, and what that may do.
fn users() -> [(&'static str, Vec<Permission>); 3] {
    let under = |permission: Permission| permission.with_prefix();
    [
        ("root", Vec::new()),
        ("jiyun-controller", vec![under(Permission::read_write(JIYUN))]),
        ("jiyun-api", vec![under(Permission::read(LEDGER)), under(Permission::read_write(API_TRAILS))]),
    ]
}

/// Makes what is not there yet; run again it changes nothing.
///
/// # Errors
/// When etcd does not answer in time, or the certificate's user may not do it.
pub async fn run(arguments: &Users) -> Result<(), BookError> {
    let config = serve::ledger_config(&arguments.ledger).map_err(BookError::Certificates)?;
    let until = Instant::now() + Duration::from_secs(arguments.wait);
    loop {
        let problem = match config.connect().await {
            Ok(mut client) => match set_up(&mut client).await {
                Ok(made) if made.is_empty() => return answer("everything is there already; authentication is on\n"),
                Ok(made) => return answer(&format!("made: {}; authentication is on\n", made.join(", "))),
                Err(source) if is_passing(&source) => BookError::Users(source),
                Err(source) => return Err(BookError::Users(source)),
            },
            Err(source) => source.into(),
        };
        if Instant::now() >= until {
            return Err(problem);
        }
        eprintln!("etcd does not answer yet: {}", chain(&problem));
        tokio::time::sleep(AGAIN).await;
    }
}

/// Whether waiting may help: a refusal stays one.
fn is_passing(error: &etcd_client::Error) -> bool {
    use etcd_client::Error::{GRpcStatus, TransportError};
    match error {
        TransportError(_) => true,
        GRpcStatus(status) => {
            matches!(i32::from(status.code()), UNAVAILABLE | DEADLINE_EXCEEDED | CANCELLED | UNKNOWN)
        }
        _ => false,
    }
}

/// Codes of gRPC: etcd has no leader, is slow, or has just been stopped.
const CANCELLED: i32 = 1;
const UNKNOWN: i32 = 2;
const DEADLINE_EXCEEDED: i32 = 4;
const UNAVAILABLE: i32 = 14;

async fn set_up(client: &mut Client) -> Result<Vec<String>, etcd_client::Error> {
    let mut made = Vec::new();
    let there = client.user_list().await?.users().to_vec();
    let roles = client.role_list().await?.roles().to_vec();
    for (name, permissions) in users() {
        if !there.iter().any(|user| user == name) {
            client.user_add(name, "", Some(UserAddOptions::new().with_no_pwd())).await?;
            made.push(format!("user {name}"));
        }
        if !roles.iter().any(|role| role == name) {
            client.role_add(name).await?;
            made.push(format!("role {name}"));
        }
        let granted = client.role_get(name).await?.permissions();
        for permission in permissions.into_iter().filter(|wanted| !granted.contains(wanted)) {
            client.role_grant_permission(name, permission).await?;
            made.push(format!("a permission of {name}"));
        }
        if !client.user_get(name).await?.roles().iter().any(|role| role == name) {
            client.user_grant_role(name, name).await?;
            made.push(format!("role of user {name}"));
        }
    }
    // Where it is on already, this changes nothing.
    client.auth_enable().await?;
    Ok(made)
}
