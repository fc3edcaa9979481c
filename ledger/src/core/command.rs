//! Everything that may be recorded besides decisions, and whether it may be recorded now.

use std::sync::Arc;

use jiff::Timestamp;

use super::{
    account::{Account, AccountId, AccountState},
    claim::{Claim, ClaimId, ClaimStage, Subject},
    dimensions::Dimensions,
    event::{Event, HoldEnd, Lineage},
    meter::Meter,
    pool::{Pool, PoolId},
    price::{PriceBook, PriceError},
    state::State,
    waiting::Unqueued,
};

/// A wish to record something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Make or change an account.
    SetAccount(Account),
    /// Make or change a pool.
    SetPool(Pool),
    /// Add a price book.
    SetPrices(PriceBook),
    /// Grant what is held: the digest must be the one the hold was made for.
    Confirm(ClaimId, String),
    /// Give up what is held.
    Withdraw(ClaimId),
    /// [`Command::Withdraw`], if the hold is for this digest: another one placed meanwhile stays.
    WithdrawFor(ClaimId, String),
    /// Wait no more: the object with this UID is gone or asks for something else.
    Unqueue(String),
    /// Book what Kubernetes holds and the book has lost. In quarantine only, after an operator's review: neither room nor
    /// limits are asked for, since the machine is there.
    Adopt(Box<Claim>),
    /// Give a claim to another account, system and object; nothing moves.
    Transfer(Box<Transfer>),
    /// Hand a claim over: billing starts.
    Billable(ClaimId),
    /// Decide a claim's end, before anything is destroyed: billing stops.
    End(ClaimId),
    /// The same, if the claim still is that of the object with this UID: it may have been handed over meanwhile, and what
    /// ends then is the old object alone.
    EndFor(ClaimId, String),
    /// Take a claim's capacity back.
    Release(ClaimId),
    /// Bind a claim to its object made anew.
    Rebind(ClaimId, String),
    /// Note how far the Kubernetes store has come.
    MarkPeer(Lineage, u64),
    /// Stop grants, ends and releases, for a reason.
    Quarantine(String),
    /// Put right by an operator.
    Lift {
        /// Who.
        by: String,
        /// What was reviewed and done.
        note: String,
    },
}

/// Who a claim is to belong to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Which claim.
    pub claim: ClaimId,
    /// The account.
    pub account: AccountId,
    /// The system.
    pub system: String,
    /// The object.
    pub subject: Subject,
    /// Where its engine objects lie and stay.
    pub engine_namespace: String,
}

/// Why something may not be recorded. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such account.
    #[error("account {account} is not in the book; set it first")]
    UnknownAccount {
        /// The account named.
        account: AccountId,
    },
    /// The account would be above itself.
    #[error("account {account}: parent {parent} lies below it; choose a parent outside its own tree")]
    Cycle {
        /// The account.
        account: AccountId,
        /// The parent wished for.
        parent: AccountId,
    },
    /// More than [`super::account::MAX_DEPTH`] levels.
    #[error("account {account}: the tree would be deeper than {} levels", super::account::MAX_DEPTH)]
    TooDeep {
        /// The account.
        account: AccountId,
    },
    /// A limit or floor above [`MAX_QUANTITY`](super::meter::MAX_QUANTITY).
    #[error("account {account}: a limit of {quantity} {meter} is above what a book counts")]
    TooLargeALimit {
        /// The account.
        account: AccountId,
        /// What it is of.
        meter: Meter,
        /// How much.
        quantity: u64,
    },
    /// A floor above the ceiling of the same line.
    #[error("account {account}: {guaranteed} {meter} cannot be guaranteed under a limit of {limit}")]
    FloorAboveLimit {
        /// The account.
        account: AccountId,
        /// The meter.
        meter: Meter,
        /// The floor.
        guaranteed: u64,
        /// The ceiling.
        limit: u64,
    },
    /// Two floors of one meter that a line could count against both.
    #[error(
        "account {account}: two floors of {meter} overlap ({first}; {second}); tell them apart by one more dimension"
    )]
    FloorsOverlap {
        /// The account.
        account: AccountId,
        /// The meter.
        meter: Meter,
        /// One selector.
        first: Box<Dimensions>,
        /// The other.
        second: Box<Dimensions>,
    },
    /// Floors below an account above its own.
    #[error(
        "account {account}: {promised} {meter} ({dimensions}) are guaranteed to the accounts below it and only {own} to itself"
    )]
    FloorNotCovered {
        /// The account above.
        account: AccountId,
        /// The meter.
        meter: Meter,
        /// Which kind.
        dimensions: Box<Dimensions>,
        /// The floors below, together.
        promised: u64,
        /// Its own floor.
        own: u64,
    },
    /// Only in quarantine, when an operator brings both stores together.
    #[error("the book is not in quarantine; what it lacks is asked for, not adopted")]
    NotQuarantined,
    /// No hold is open.
    #[error("{claim} holds nothing that waits for a decision; the deadline may have passed: ask again")]
    NoHold {
        /// The claim.
        claim: ClaimId,
    },
    /// The hold is for another spec.
    #[error("{claim} is held for another spec than the one decided; ask again")]
    OtherDigest {
        /// The claim.
        claim: ClaimId,
    },
    /// A claim that is no more than a hold.
    #[error("{claim} is only held; confirm it first")]
    OnlyHeld {
        /// The claim.
        claim: ClaimId,
    },
    /// A ticket given twice, or of a request that does not wait.
    #[error("request {ticket} does not stand in the line as recorded")]
    Ticket {
        /// The ticket.
        ticket: u64,
    },
    /// A protection level outside 1..=4.
    #[error("pool {pool}: protection level {level} is not within 1..=4")]
    ProtectionLevel {
        /// The pool.
        pool: PoolId,
        /// The level.
        level: u8,
    },
    /// A capacity of a meter this kind of pool does not give out, or too large.
    #[error("pool {pool}: capacity or reserve of {quantity} {meter} is not possible for its kind")]
    Capacity {
        /// The pool.
        pool: PoolId,
        /// The meter.
        meter: Meter,
        /// How much.
        quantity: u64,
    },
    /// An over-commit outside 100..=1000 percent.
    #[error("pool {pool}: over-commit of {percent} % for {meter} is not within 100..=1000")]
    Overcommit {
        /// The pool.
        pool: PoolId,
        /// The meter.
        meter: Meter,
        /// The percentage.
        percent: u32,
    },
    /// A field of a pool that cannot change.
    #[error("pool {pool}: {field} cannot change; make a new pool and close this one")]
    ImmutablePool {
        /// The pool.
        pool: PoolId,
        /// The field.
        field: &'static str,
    },
    /// A price book that is in the book already, with other contents.
    #[error("price book {book} cannot change; make a new one with a later valid-from")]
    ImmutableBook {
        /// The book.
        book: String,
    },
    /// A price book that would change what has been used already.
    #[error("price book {book} would reprice use since {valid_from}; choose a valid-from that is not in the past")]
    Repricing {
        /// The book.
        book: String,
        /// Since when it would count.
        valid_from: Timestamp,
    },
    /// Two price books would come into force at once.
    #[error("price book {book} comes into force at the same moment as {other}; choose another valid-from")]
    SameValidFrom {
        /// The book.
        book: String,
        /// The book that is there.
        other: String,
    },
    /// A price book that makes no sense.
    #[error("price book cannot be used")]
    Prices(#[from] PriceError),
    /// No such claim.
    #[error("{claim} is not in the book")]
    UnknownClaim {
        /// The claim named.
        claim: ClaimId,
    },
    /// A claim number given twice.
    #[error("{claim} is in the book already")]
    ClaimExists {
        /// The claim.
        claim: ClaimId,
    },
    /// A line in a pool nobody knows.
    #[error("{claim}: pool {pool} is not in the book")]
    UnknownPool {
        /// The claim.
        claim: ClaimId,
        /// The pool named.
        pool: PoolId,
    },
    /// The object has another open claim.
    #[error("object {uid} holds {claim} already")]
    SubjectTaken {
        /// The object's UID.
        uid: String,
        /// What it holds.
        claim: ClaimId,
    },
    /// Nothing is set aside on top of a permission.
    #[error("{claim} is a permission that was granted; it is changed, nothing is held on top of it")]
    NothingToHold {
        /// The claim.
        claim: ClaimId,
    },
    /// The claim was handed over before.
    #[error("{claim} is billable already")]
    Billable {
        /// The claim.
        claim: ClaimId,
    },
    /// The claim's end is decided.
    #[error("{claim} is ending; it can only be released")]
    Ending {
        /// The claim.
        claim: ClaimId,
    },
    /// The claim's end was not decided before.
    #[error("{claim} cannot be released before its end is recorded")]
    NotEnding {
        /// The claim.
        claim: ClaimId,
    },
    /// The claim is another object's.
    #[error("{claim} was handed over and belongs to another object; the old object goes without it")]
    HandedOver {
        /// The claim.
        claim: ClaimId,
    },
    /// Nothing is handed to an account that is closed, or lies below one.
    #[error("account {account} is closed and takes nothing; choose another one, or open it first")]
    AccountClosed {
        /// The account that is closed.
        account: AccountId,
    },
    /// The claim was given back.
    #[error("{claim} is released")]
    Released {
        /// The claim.
        claim: ClaimId,
    },
    /// Not while in quarantine.
    #[error("the book is in quarantine ({reason}); an operator must lift it first")]
    Quarantined {
        /// Why.
        reason: String,
    },
    /// The Kubernetes store went backwards within one lineage.
    #[error("mark of store {lineage} goes back from {marked} to {offered}: it was restored or replaced")]
    PeerBack {
        /// The store's lineage.
        lineage: Lineage,
        /// The mark in the book.
        marked: u64,
        /// The mark offered.
        offered: u64,
    },
    /// The Kubernetes store is another one.
    #[error("store {offered} is not the store {marked} this book belongs to")]
    PeerChanged {
        /// The lineage in the book.
        marked: Lineage,
        /// The lineage offered.
        offered: Lineage,
    },
    /// The book was opened before.
    #[error("the book is open already, as {lineage}")]
    AlreadyOpen {
        /// Its lineage.
        lineage: Lineage,
    },
    /// A sum would leave the range of 64 bits.
    #[error("{claim}: the sums do not add up; verify the book")]
    Counter {
        /// The claim.
        claim: ClaimId,
    },
    /// A sum of an account would leave the range of 64 bits.
    #[error("account {account}: the sums do not add up; verify the book")]
    AccountCounter {
        /// The account.
        account: AccountId,
    },
}

/// The event that carries out `command` at this moment; none if nothing would change.
pub fn plan(state: &State, command: &Command, at: Timestamp) -> Result<Option<Event>, CommandError> {
    match command {
        Command::SetAccount(account) => {
            if state.account(&account.id).is_some_and(|is| **is == *account) {
                return Ok(None);
            }
            state.check_account(account)?;
            Ok(Some(Event::AccountSet { account: account.clone() }))
        }
        Command::SetPool(pool) => {
            if state.pool(&pool.id) == Some(pool) {
                return Ok(None);
            }
            state.check_pool(pool)?;
            Ok(Some(Event::PoolSet { pool: pool.clone() }))
        }
        Command::SetPrices(book) => {
            let there = state.books().any(|is| **is == *book);
            state.check_book(book)?;
            if !there {
                state.check_repricing(book, at)?;
            }
            Ok((!there).then(|| Event::PricesSet { book: book.clone() }))
        }
        Command::Billable(claim) => match state.known_claim(*claim)?.stage() {
            ClaimStage::Reserved => {
                free_to_act(state)?;
                Ok(Some(Event::ClaimBillable { claim: *claim }))
            }
            ClaimStage::Billable => Ok(None),
            ClaimStage::Held => Err(CommandError::OnlyHeld { claim: *claim }),
            ClaimStage::Ending => Err(CommandError::Ending { claim: *claim }),
            ClaimStage::Released => Err(CommandError::Released { claim: *claim }),
        },
        Command::Confirm(claim, digest) => confirm(state, *claim, digest, at),
        Command::Withdraw(claim) => withdraw(state, *claim, None),
        Command::WithdrawFor(claim, digest) => withdraw(state, *claim, Some(digest)),
        Command::Unqueue(uid) => Ok(state
            .waiting_of(uid)
            .map(|waiting| Event::RequestUnqueued { ticket: waiting.ticket, why: Unqueued::Withdrawn })),
        Command::Transfer(transfer) => hand_to(state, transfer),
        Command::Adopt(claim) => adopt(state, claim, at),
        Command::End(claim) => end(state, *claim),
        Command::EndFor(claim, uid) if state.known_claim(*claim)?.subject.uid == *uid => end(state, *claim),
        Command::EndFor(claim, _) => Err(CommandError::HandedOver { claim: *claim }),
        Command::Release(claim) => match state.known_claim(*claim)?.stage() {
            ClaimStage::Held | ClaimStage::Reserved | ClaimStage::Billable => {
                Err(CommandError::NotEnding { claim: *claim })
            }
            ClaimStage::Ending => {
                free_to_act(state)?;
                Ok(Some(Event::ClaimReleased { claim: *claim }))
            }
            ClaimStage::Released => Ok(None),
        },
        Command::Rebind(id, uid) => {
            let claim = state.known_claim(*id)?;
            if !claim.is_open() {
                return Err(CommandError::Released { claim: *id });
            }
            state.check_subject_free(&Subject { uid: uid.clone(), ..claim.subject.clone() }, *id)?;
            let changed = claim.subject.uid != *uid;
            Ok(changed.then(|| Event::ClaimRebound { claim: *id, uid: uid.clone() }))
        }
        Command::MarkPeer(lineage, high_water) => mark_peer(state, lineage, *high_water),
        Command::Quarantine(reason) => {
            let fresh = state.quarantine().is_none();
            Ok(fresh.then(|| Event::Quarantined { reason: reason.clone() }))
        }
        Command::Lift { by, note } => {
            let event = || Event::QuarantineLifted { by: by.clone(), note: note.clone() };
            Ok(state.quarantine().is_some().then(event))
        }
    }
}

/// Gives up an open hold; with a digest, one that is for it.
fn withdraw(state: &State, id: ClaimId, digest: Option<&str>) -> Result<Option<Event>, CommandError> {
    let hold = state.known_claim(id)?.hold.as_ref();
    let open = hold.is_some_and(|hold| digest.is_none_or(|digest| hold.spec_digest == digest));
    if open {
        free_to_act(state)?;
    }
    Ok(open.then_some(Event::HoldEnded { claim: id, why: HoldEnd::Withdrawn }))
}

fn end(state: &State, id: ClaimId) -> Result<Option<Event>, CommandError> {
    match state.known_claim(id)?.stage() {
        ClaimStage::Held => {
            free_to_act(state)?;
            Ok(Some(Event::HoldEnded { claim: id, why: HoldEnd::Withdrawn }))
        }
        ClaimStage::Reserved | ClaimStage::Billable => {
            free_to_act(state)?;
            Ok(Some(Event::ClaimEnding { claim: id }))
        }
        ClaimStage::Ending | ClaimStage::Released => Ok(None),
    }
}

/// Grants what is held. Confirming twice is harmless: the second finds the claim granted for that very digest.
fn confirm(state: &State, id: ClaimId, digest: &str, at: Timestamp) -> Result<Option<Event>, CommandError> {
    let claim = state.known_claim(id)?;
    match &claim.hold {
        // Not swept yet, in quarantine or among many, and yet it counts for nothing.
        Some(hold) if hold.until <= at => Err(CommandError::NoHold { claim: id }),
        Some(hold) if hold.spec_digest == digest => {
            free_to_act(state)?;
            Ok(Some(Event::HoldConfirmed { claim: id }))
        }
        Some(_) => Err(CommandError::OtherDigest { claim: id }),
        None if claim.is_open() && claim.spec_digest == digest => Ok(None),
        None => Err(CommandError::NoHold { claim: id }),
    }
}

/// Books a lost claim again. One that was booked for its object meanwhile stays as it is.
fn adopt(state: &State, claim: &Claim, at: Timestamp) -> Result<Option<Event>, CommandError> {
    if state.claim_of_subject(&claim.subject.uid).is_some() {
        return Ok(None);
    }
    if state.quarantine().is_none() {
        return Err(CommandError::NotQuarantined);
    }
    state.check_subject_free(&claim.subject, claim.id)?;
    if state.account(&claim.account).is_none() {
        return Err(CommandError::UnknownAccount { account: claim.account.clone() });
    }
    if let Some(line) = claim.lines.iter().find(|line| state.pool(&line.pool).is_none()) {
        return Err(CommandError::UnknownPool { claim: claim.id, pool: line.pool.clone() });
    }
    // Its number is kept where nobody else has had it since.
    let id = claim.id.max(state.next_claim());
    let claim = Claim { id, adopted: true, reserved_at: at, ..claim.clone() };
    Ok(Some(Event::ClaimAdopted { claim: Arc::new(claim) }))
}

/// Hands a claim to somebody else. Room is not asked for: what changes hands was granted. Limits of the new holder may
/// be exceeded by it, which then shows as over limit and refuses growth. A closed account takes nothing from others.
fn hand_to(state: &State, transfer: &Transfer) -> Result<Option<Event>, CommandError> {
    let Transfer { claim: id, account, system, subject, engine_namespace } = transfer;
    let claim = state.known_claim(*id)?;
    if claim.account == *account && claim.system == *system && claim.subject == *subject {
        return Ok(None);
    }
    free_to_act(state)?;
    match claim.stage() {
        ClaimStage::Released => return Err(CommandError::Released { claim: *id }),
        ClaimStage::Ending => return Err(CommandError::Ending { claim: *id }),
        ClaimStage::Held => return Err(CommandError::OnlyHeld { claim: *id }),
        ClaimStage::Reserved | ClaimStage::Billable => {}
    }
    if claim.account != *account {
        takes_more(state, account)?;
    }
    state.check_subject_free(subject, *id)?;
    Ok(Some(Event::ClaimTransferred {
        claim: *id,
        account: account.clone(),
        system: system.clone(),
        subject: Box::new(subject.clone()),
        engine_namespace: engine_namespace.clone(),
    }))
}

/// Whether an account is there and neither it nor one above it is closed.
fn takes_more(state: &State, account: &AccountId) -> Result<(), CommandError> {
    let path = state.path(account).map_err(|_| CommandError::UnknownAccount { account: account.clone() })?;
    match path.iter().find(|above| above.state == AccountState::Closed) {
        Some(closed) => Err(CommandError::AccountClosed { account: closed.id.clone() }),
        None => Ok(()),
    }
}

/// In quarantine an operator may accept another store or an earlier mark; otherwise neither is taken.
fn mark_peer(state: &State, lineage: &Lineage, high_water: u64) -> Result<Option<Event>, CommandError> {
    let event = Event::PeerMarked { lineage: lineage.clone(), high_water };
    match state.peer() {
        Some(peer) if peer.lineage == *lineage && peer.high_water == high_water => Ok(None),
        Some(_) if state.quarantine().is_some() => Ok(Some(event)),
        Some(peer) if peer.lineage != *lineage => {
            Err(CommandError::PeerChanged { marked: peer.lineage.clone(), offered: lineage.clone() })
        }
        Some(peer) if peer.high_water > high_water => {
            Err(CommandError::PeerBack { lineage: lineage.clone(), marked: peer.high_water, offered: high_water })
        }
        _ => Ok(Some(event)),
    }
}

fn free_to_act(state: &State) -> Result<(), CommandError> {
    match state.quarantine() {
        Some(quarantine) => Err(CommandError::Quarantined { reason: quarantine.reason.clone() }),
        None => Ok(()),
    }
}
