//! Jiyun's account book (账本): one stream of events that decides quota and capacity and measures use.
//!
//! `core` is pure: no runtime, no clock, no randomness. Around it stand a `store` (etcd or memory), one `writer` task
//! behind the [`Ledger`] handle, the `leader` election that fences it, and the `follower` that readers use. Beside the
//! writer runs the `upkeep`: `snapshot`s, and `prune`-ing of what an `archive` holds.
#![deny(clippy::float_arithmetic)]

pub mod archive;
pub mod core;
pub mod follower;
pub mod handle;
pub mod leader;
pub mod open;
pub mod prune;
pub mod snapshot;
pub mod store;
mod upkeep;
mod writer;

pub use crate::archive::{ArchiveError, Chain, Imported, Receipt, export, import, note_exported, verify};
pub use crate::core::account::{Account, AccountId, AccountState, Limit, MAX_DEPTH, Preference, Spread};
pub use crate::core::balance::{Balance, BalanceRow, balance, beyond_guaranteed};
pub use crate::core::claim::{Claim, ClaimId, ClaimStage, Hold, Holder, Line, LineVersion, Subject};
pub use crate::core::command::{Command, CommandError, Transfer};
pub use crate::core::decide::{Decision, Plan, decide};
pub use crate::core::dimensions::Dimensions;
pub use crate::core::event::{Entry, Event, HoldEnd, Lineage};
pub use crate::core::label::{label_of, labelled};
pub use crate::core::meter::Meter;
pub use crate::core::money::{MoneyError, fen};
pub use crate::core::month::{FiscalMonth, MonthError, Period};
pub use crate::core::placement::{Filter, PlacementReport, PlacementTrace, PoolVerdict};
pub use crate::core::pool::{Pool, PoolId, PoolKind, PoolState};
pub use crate::core::price::{PriceBook, PriceError, PriceUnit, Rate};
pub use crate::core::refusal::{Refusal, RefusalCode};
pub use crate::core::request::{ClaimRequest, Placement, RequestError};
pub use crate::core::state::{ApplyError, PeerMark, Quarantine, State};
pub use crate::core::statement::{Statement, StatementError, StatementLine, UnpricedRow, statement};
pub use crate::core::usage::{Payer, Tie, UsageFilter, UsageRow, tie, usage};
pub use crate::core::waiting::{MAX_OVERTAKINGS, Ticket, Unqueued, Waiting, position};
pub use crate::follower::{Follower, FollowerError};
pub use crate::handle::{Commit, Ledger, LedgerError};
pub use crate::leader::{Campaign, ElectionError, Leadership, leader_key};
pub use crate::open::{OpenError, OpenOptions, OpenReport};
pub use crate::prune::{Horizon, PruneError};
pub use crate::snapshot::{Manifest, SnapshotError, SnapshotOptions};
pub use crate::store::{Fence, Store, StoreError};
