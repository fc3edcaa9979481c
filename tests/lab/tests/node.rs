//! Profile `node`: pods run, and whatever ends the lab, nothing of its node stays. Needs root and what `jiyun-lab doctor`
//! asks for; says so where it is not there, and tests nothing.

// Helpers of tests fail the test as the tests themselves do; clippy exempts only the latter.
#![allow(clippy::expect_used)]

#[path = "node/begins.rs"]
mod begins;
#[path = "node/databases.rs"]
mod databases;
#[path = "../../tests/suite/interrupted/dice.rs"]
mod dice;
#[path = "node/disks.rs"]
mod disks;
#[path = "node/ends.rs"]
mod ends;
#[path = "node/machine.rs"]
mod machine;
#[path = "node/machines.rs"]
mod machines;
#[path = "node/moves.rs"]
mod moves;
#[path = "node/pods.rs"]
mod pods;
#[path = "node/refusals.rs"]
mod refusals;
#[path = "node/storage.rs"]
mod storage;
#[path = "node/two.rs"]
mod two;
