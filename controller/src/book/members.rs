//! `ledger members`: who keeps the books and who of them answers; and a new place for one whose disk is lost.

use std::{fmt::Write as _, time::Duration};

use etcd_client::{Client, Member};
use futures::future::join_all;
use jiyun_ledger::store::etcd::EtcdConfig;
use thiserror::Error;

use super::{BookError, answer};
use crate::{args::Members, serve};

/// How long a member has for its answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A member of the ledger's etcd.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    id: u64,
    /// Empty until it has started for the first time.
    name: String,
    /// Where other members reach it.
    peer: String,
    answers: bool,
}

/// What gives a lost member a place again.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// This one is taken out, and its place given to an empty one.
    Replace { id: u64, peer: String },
    /// It was taken out before; its place is still to be given.
    Add { peer: String },
    /// The place is there.
    Waits,
}

/// Why a member is not replaced.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Objection {
    /// No endpoint was given.
    #[error("no member can be asked; name them with --ledger-endpoints")]
    Nobody,
    /// Nobody of that name.
    #[error("there is no member {name:?}; there are {known}")]
    Unknown {
        /// What was asked for.
        name: String,
        /// Who there is.
        known: String,
    },
    /// Its disk is there.
    #[error("{name} answers: its disk is not lost. Only a member that is down for good is replaced")]
    Answers {
        /// Who.
        name: String,
    },
    /// Too few others.
    #[error(
        "of {all} members {answering} answer besides it, and {needed} have to: first start those again, or bring the book back \
         from an archive (docs/install.md)"
    )]
    TooFew {
        /// Members, it included.
        all: usize,
        /// Others that answer.
        answering: usize,
        /// A majority.
        needed: usize,
    },
}

/// Lists the members, and with `--replace` gives one of them a new place first.
///
/// # Errors
/// When etcd does not answer, the certificate's user may not do it, or the member must not be replaced.
pub async fn run(arguments: &Members) -> Result<(), BookError> {
    let config = serve::ledger_config(&arguments.ledger).map_err(BookError::Certificates)?;
    let mut client = one_that_answers(&config).await?;
    let mut seen = look(&mut client, &config).await?;
    if let Some(name) = &arguments.replace {
        let step = step(&seen, name)?;
        match &step {
            Step::Replace { id, peer } => {
                client.member_remove(*id).await.map_err(BookError::Members)?;
                client.member_add([peer.as_str()], None).await.map_err(BookError::Members)?;
            }
            Step::Add { peer } => {
                client.member_add([peer.as_str()], None).await.map_err(BookError::Members)?;
            }
            Step::Waits => {}
        }
        eprintln!("{name} has a place; start it on an empty disk, and it reads the book from the others");
        seen = look(&mut client, &config).await?;
    }
    answer(&table(&seen))
}

/// The first member that answers: over all at once, a silent one would be asked in its turn.
async fn one_that_answers(config: &EtcdConfig) -> Result<Client, BookError> {
    let mut trouble = None;
    for endpoint in &config.endpoints {
        let alone = EtcdConfig { endpoints: vec![endpoint.clone()], tls: config.tls.clone() };
        let mut client = alone.connect().await?;
        match client.member_list().await {
            Ok(_) => return Ok(client),
            Err(error) => trouble = Some(error),
        }
    }
    Err(trouble.map_or_else(|| BookError::Member(Objection::Nobody), BookError::Members))
}

async fn look(client: &mut Client, config: &EtcdConfig) -> Result<Vec<Seen>, BookError> {
    let list = client.member_list().await.map_err(BookError::Members)?;
    let mut seen = join_all(list.members().iter().map(|member| see(member, config))).await;
    seen.sort_by(|one, other| one.peer.cmp(&other.peer));
    Ok(seen)
}

async fn see(member: &Member, config: &EtcdConfig) -> Seen {
    let alone = EtcdConfig { endpoints: member.client_urls().to_vec(), tls: config.tls.clone() };
    let asked = async { alone.connect().await.ok()?.status().await.ok() };
    let answers = !alone.endpoints.is_empty() && tokio::time::timeout(PATIENCE, asked).await.ok().flatten().is_some();
    let peer = member.peer_urls().first().cloned().unwrap_or_default();
    Seen { id: member.id(), name: member.name().to_owned(), peer, answers }
}

/// What gives the member called `name` a place again. Pure.
fn step(members: &[Seen], name: &str) -> Result<Step, Objection> {
    let place = |member: &&Seen| member.name == name || host(&member.peer) == Some(name);
    let others = || members.iter().filter(|member| !place(member));
    let answering = others().filter(|member| member.answers).count();
    let enough = |all: usize| {
        let needed = all / 2 + 1;
        if answering < needed { Err(Objection::TooFew { all, answering, needed }) } else { Ok(()) }
    };
    match members.iter().find(place) {
        Some(member) if member.name.is_empty() => Ok(Step::Waits),
        Some(member) if member.answers => Err(Objection::Answers { name: name.to_owned() }),
        Some(member) => {
            enough(members.len())?;
            Ok(Step::Replace { id: member.id, peer: member.peer.clone() })
        }
        // Members are an odd number: with an even one, somebody was taken out and has no place yet.
        None if members.len().is_multiple_of(2) && is_alike(members, name) => {
            enough(members.len() + 1)?;
            let known = others().find(|member| !member.name.is_empty());
            let peer = known.map(|member| member.peer.replacen(&member.name, name, 1)).unwrap_or_default();
            Ok(Step::Add { peer })
        }
        None => {
            let known = members.iter().map(|member| host(&member.peer).unwrap_or(&member.peer));
            Err(Objection::Unknown { name: name.to_owned(), known: known.collect::<Vec<_>>().join(", ") })
        }
    }
}

/// The first label of the host in `https://jiyun-ledger-1.jiyun-ledger-members.jiyun-system.svc:2380`.
fn host(peer: &str) -> Option<&str> {
    peer.split_once("://")?.1.split(['.', ':']).next()
}

/// Whether `name` is that of a member but for its number.
fn is_alike(members: &[Seen], name: &str) -> bool {
    let stem = |name: &str| name.rsplit_once('-').map(|(stem, _)| stem.to_owned());
    let has_number = name.rsplit_once('-').is_some_and(|(_, number)| number.parse::<u8>().is_ok());
    has_number && members.iter().any(|member| !member.name.is_empty() && stem(&member.name) == stem(name))
}

fn table(members: &[Seen]) -> String {
    let mut text = format!("{:<20} {:<17} {:<12} PEER\n", "NAME", "ID", "STATE");
    for member in members {
        let state = match (member.name.is_empty(), member.answers) {
            (true, _) => "not started",
            (false, true) => "answers",
            (false, false) => "is silent",
        };
        let name = if member.name.is_empty() { host(&member.peer).unwrap_or("-") } else { &member.name };
        // Writing into a text cannot fail.
        let _ = writeln!(text, "{name:<20} {:<17x} {state:<12} {}", member.id, member.peer);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(number: usize) -> String {
        format!("https://jiyun-ledger-{number}.jiyun-ledger-members.jiyun-system.svc:2380")
    }

    /// Members by their number: `a` answers, `s` is silent, `n` has not started, `-` is not there.
    fn members(how: &str) -> Vec<Seen> {
        let one = |(number, letter): (usize, char)| {
            let name = if letter == 'n' { String::new() } else { format!("jiyun-ledger-{number}") };
            Some(Seen { id: number as u64, name, peer: peer(number), answers: letter == 'a' }).filter(|_| letter != '-')
        };
        how.chars().enumerate().filter_map(one).collect()
    }

    #[test]
    fn a_silent_member_is_replaced_while_a_majority_of_all_answers() {
        let replace = |how: &str| step(&members(how), "jiyun-ledger-1");
        assert_eq!(replace("asa"), Ok(Step::Replace { id: 1, peer: peer(1) }));
        assert_eq!(replace("asaas"), Ok(Step::Replace { id: 1, peer: peer(1) }));
        assert_eq!(replace("ass"), Err(Objection::TooFew { all: 3, answering: 1, needed: 2 }));
        assert_eq!(replace("as"), Err(Objection::TooFew { all: 2, answering: 1, needed: 2 }));
        assert_eq!(replace("aaa"), Err(Objection::Answers { name: "jiyun-ledger-1".into() }));
        assert_eq!(step(&members("s"), "jiyun-ledger-0"), Err(Objection::TooFew { all: 1, answering: 0, needed: 1 }));
    }

    #[test]
    fn broken_off_it_is_finished_by_the_same_command() {
        let replace = |how: &str| step(&members(how), "jiyun-ledger-1");
        assert_eq!(replace("a-a"), Ok(Step::Add { peer: peer(1) }));
        assert_eq!(replace("ana"), Ok(Step::Waits));
        assert_eq!(replace("a-s"), Err(Objection::TooFew { all: 3, answering: 1, needed: 2 }));
    }

    #[test]
    fn a_name_that_is_no_members_gets_no_place() {
        for (how, name) in [("aaa", "jiyun-ledger-3"), ("a-a", "etcd-1"), ("a-a", "jiyun-ledger-x"), ("asa", "ledger")]
        {
            assert!(matches!(step(&members(how), name), Err(Objection::Unknown { .. })), "{how} {name}");
        }
    }

    #[test]
    fn the_table_says_who_answers() {
        let text = table(&members("asn"));
        let states: Vec<&str> = text.lines().skip(1).filter_map(|line| line.get(39..51)).map(str::trim).collect();
        assert_eq!(states, ["answers", "is silent", "not started"], "{text}");
    }
}
