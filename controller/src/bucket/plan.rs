//! What is left to do on the engine: a function from what should be and what is there to a step with its reason. And which
//! key pair a bucket is to have, which follows from what is asked for and what is there, and from nothing that was noted.

use kube::ResourceExt;
use serde_json::Value;

use crate::{
    engines::{
        applied,
        network::name_of,
        rook::{self, BucketView, ClaimView, UserView},
    },
    host::plan::{Obstacle, ours},
};

/// What should be there.
#[derive(Clone, Debug)]
pub struct Desired {
    /// The claim in the account book it is for, as engine objects are labelled with it.
    pub claim: String,
    /// The user whose key pair the bucket is to have.
    pub user: Value,
    /// What the bucket is asked for with.
    pub bucket: Value,
    /// Whether it was handed over once: what is in it cannot be made again.
    pub established: bool,
    /// Whether nothing is taken away while the book is being checked.
    pub paused: bool,
}

/// What is there.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The users made for it.
    pub users: Vec<UserView>,
    /// What it was asked for with, if anything.
    pub claim: Option<ClaimView>,
    /// What was made of that, if anything.
    pub bucket: Option<BucketView>,
    /// Whether the engine gave it the key pair of the user it is to have.
    pub issued: bool,
    /// Whether the department has that, and knows where the bucket is.
    pub copied: bool,
}

/// The thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Apply the user.
    ApplyUser(Why),
    /// Apply what the bucket is asked for with.
    ApplyClaim(Why),
    /// Wait for the engine.
    Await(Awaited),
    /// Give the department the key pair.
    HandOver,
    /// Take away the user of this name, whose key pair is worth nothing any more.
    DeleteUser(String),
}

/// The kind that is touched, for people.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ApplyUser(_) | Self::DeleteUser(_) => "CephObjectStoreUser",
            Self::ApplyClaim(_) => "ObjectBucketClaim",
            Self::HandOver => "Secret",
            Self::Nothing => "-",
            Self::Await(awaited) => awaited.word(),
        })
    }
}

/// Why something is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It does not exist.
    Missing,
    /// What is wished differs from what was applied last.
    Changed,
    /// Somebody changed it past us.
    Drifted,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Awaited {
    /// The user and its key pair.
    User,
    /// The bucket.
    Claim,
    /// That the bucket was worked on as it is asked for now: nobody tells of that.
    Change,
}

impl Awaited {
    /// The kind that is looked at, for people.
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "CephObjectStoreUser",
            Self::Claim => "ObjectBucketClaim",
            Self::Change => "ObjectBucket",
        }
    }
}

/// The moment of the key pair that a bucket is to have: `asked` for by its wish, where that moment has come; that of the
/// `owner` which is named now; those of the users that are `there`. A pair is replaced by a later one only, and once for each
/// moment; one that was taken away does not come back.
pub fn wanted(asked: Option<u64>, owner: Option<u64>, there: impl Iterator<Item = u64>) -> u64 {
    match owner {
        Some(owner) => asked.map_or(owner, |asked| asked.max(owner)),
        None => there.chain(asked).max().unwrap_or_default(),
    }
}

/// The next step from `observed` to `desired`. A former key pair goes only after the new one was handed over.
///
/// # Errors
/// [`Obstacle`] when an object of the name belongs to something else or is on its way out, or a bucket in use is gone.
pub fn plan(desired: &Desired, observed: &Observed) -> Result<Step, Obstacle> {
    match &observed.claim {
        // What was in it went with it. A new one would be empty, and look as if nothing had happened.
        None if desired.established => {
            let name = name_of(&desired.bucket).to_owned();
            return Err(Obstacle::Lost { kind: "ObjectBucketClaim", name });
        }
        None => {}
        Some(claim) => ours(&claim.metadata, &desired.claim, "ObjectBucketClaim")?,
    }
    let owner = name_of(&desired.user);
    let Some(user) = observed.users.iter().find(|user| user.name_any() == owner) else {
        return Ok(Step::ApplyUser(Why::Missing));
    };
    ours(&user.metadata, &desired.claim, "CephObjectStoreUser")?;
    if !applied::is_applied(&user.metadata, &desired.user) {
        return Ok(Step::ApplyUser(Why::Changed));
    }
    if !rook::is_ready(user) {
        return Ok(Step::Await(Awaited::User));
    }
    let Some(claim) = &observed.claim else { return Ok(Step::ApplyClaim(Why::Missing)) };
    if !applied::is_applied(&claim.metadata, &desired.bucket) {
        return Ok(Step::ApplyClaim(Why::Changed));
    }
    if !rook::stands(claim, &desired.bucket) {
        return Ok(Step::ApplyClaim(Why::Drifted));
    }
    if !rook::is_bound(claim) {
        return Ok(Step::Await(Awaited::Claim));
    }
    let is_taken_on = observed.bucket.as_ref().is_some_and(|bucket| rook::is_taken_on(bucket, &desired.bucket));
    if !is_taken_on || !observed.issued {
        return Ok(Step::Await(Awaited::Change));
    }
    if !observed.copied {
        return Ok(Step::HandOver);
    }
    let stays = |user: &&UserView| user.metadata.deletion_timestamp.is_none();
    let former = observed.users.iter().filter(stays).map(UserView::name_any).find(|name| name != owner);
    Ok(former.filter(|_| !desired.paused).map_or(Step::Nothing, Step::DeleteUser))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
