//! What is left to do on the engine: a function from what should be and what is there to a step with its reason. And which
//! key pair a bucket is to have, which follows from what is asked for and what is there, and from nothing that was noted.

use serde_json::Value;

use super::{
    credentials::Contents,
    keys::{self, KeySecret},
};
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
    /// The Secret of the key pair that the bucket is to be reached with.
    pub keys: String,
    /// The user that has it, and owns the bucket.
    pub user: Value,
    /// What the bucket is asked for with.
    pub bucket: Value,
    /// Whether it was handed over once: what is in it cannot be made again.
    pub established: bool,
    /// Whether nothing is taken away while the book is being checked.
    pub paused: bool,
}

/// What is there. Without `Debug`: keys are among it.
#[derive(Clone, Default)]
pub struct Observed {
    /// The key pairs made for it.
    pub keys: Vec<KeySecret>,
    /// The user it belongs to, if there is one.
    pub user: Option<UserView>,
    /// What it was asked for with, if anything.
    pub claim: Option<ClaimView>,
    /// What was made of that, if anything.
    pub bucket: Option<BucketView>,
    /// What the department has, if anything.
    pub held: Option<Contents>,
}

impl Observed {
    /// The key pair in the Secret of this name.
    pub fn keys(&self, name: &str) -> Option<&KeySecret> {
        self.keys.iter().find(|keys| keys.name() == name)
    }

    /// What the department is to have, where all of it is there and it has something else.
    pub fn untold(&self, desired: &Desired) -> Option<Contents> {
        let pair = self.keys(&desired.keys)?.pair.as_ref()?;
        let endpoint = self.bucket.as_ref()?.spec.endpoint.as_ref()?;
        Some(Contents::of(pair, endpoint)).filter(|contents| self.held.as_ref() != Some(contents))
    }
}

/// The thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Nothing,
    /// Make the key pair.
    MakeKeys,
    /// Apply the user.
    ApplyUser(Why),
    /// Apply what the bucket is asked for with.
    ApplyClaim(Why),
    /// Wait for the engine.
    Await(Awaited),
    /// Give the department the key pair.
    HandOver,
    /// Take away the Secret of this name, whose key pair is worth nothing.
    DeleteKeys(String),
}

/// The kind that is touched, for people.
impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ApplyUser(_) => "CephObjectStoreUser",
            Self::ApplyClaim(_) => "ObjectBucketClaim",
            Self::MakeKeys | Self::HandOver | Self::DeleteKeys(_) => "Secret",
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
    /// That the user is as it is declared, and has its key pair.
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

/// The moment of the key pair that a bucket is to have: `asked` for by its wish, where that moment has come; that of the pair
/// which its user is declared with (`named`) now; those of the pairs that are `there`. A pair is replaced by a later one only,
/// and once for each moment; one that was taken away does not come back where a later one was made.
pub fn wanted(asked: Option<u64>, named: Option<u64>, there: &[u64]) -> u64 {
    let latest = there.iter().copied().max();
    let usual = match named {
        Some(named) if there.contains(&named) => Some(named),
        named => named.max(latest),
    };
    usual.max(asked).unwrap_or_default()
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
    let Some(keys) = observed.keys(&desired.keys) else { return Ok(Step::MakeKeys) };
    ours(&keys.metadata, &desired.claim, "Secret")?;
    if keys.pair.is_none() {
        // Somebody took a part of it away. Once it is gone, another is made.
        return Err(Obstacle::Foreign { kind: "Secret", name: keys.name().to_owned() });
    }
    let Some(user) = &observed.user else { return Ok(Step::ApplyUser(Why::Missing)) };
    ours(&user.metadata, &desired.claim, "CephObjectStoreUser")?;
    if !applied::is_applied(&user.metadata, &desired.user) {
        return Ok(Step::ApplyUser(Why::Changed));
    }
    if !rook::names_keys(user, &desired.user) {
        return Ok(Step::ApplyUser(Why::Drifted));
    }
    let untold = observed.untold(desired).is_some();
    if desired.established && untold && rook::has_taken(user, keys.metadata.uid.as_deref()) {
        // The former pair is worth nothing since the user has this one: whatever else is to be done, or fails, can wait.
        return Ok(Step::HandOver);
    }
    if !rook::is_ready(user) || !rook::has_taken(user, keys.metadata.uid.as_deref()) {
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
    if !is_taken_on {
        return Ok(Step::Await(Awaited::Change));
    }
    if untold {
        return Ok(Step::HandOver);
    }
    // Earlier ones alone: a leader that is late may not know of the one in use.
    let moment = |name: &str| keys::moment_of(name, name_of(&desired.bucket));
    let stays = |keys: &&KeySecret| keys.metadata.deletion_timestamp.is_none();
    let mut there = observed.keys.iter().filter(stays).map(KeySecret::name);
    let former = there.find(|name| moment(name) < moment(&desired.keys));
    Ok(former.filter(|_| !desired.paused).map_or(Step::Nothing, |name| Step::DeleteKeys(name.to_owned())))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
