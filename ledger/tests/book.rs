//! The account book by itself: decisions, statements, usage, the writer and its followers, on a store in memory.

#[cfg(test)]
#[path = "book/ahead.rs"]
mod ahead;
#[cfg(test)]
#[path = "book/archives.rs"]
mod archives;
#[cfg(test)]
#[path = "book/city.rs"]
mod city;
#[cfg(test)]
#[path = "book/decisions.rs"]
mod decisions;
#[cfg(test)]
#[path = "book/floors.rs"]
mod floors;
#[cfg(test)]
#[path = "book/following.rs"]
mod following;
#[cfg(test)]
#[path = "book/handing_over.rs"]
mod handing_over;
#[cfg(test)]
#[path = "book/holds.rs"]
mod holds;
#[cfg(test)]
#[path = "book/line.rs"]
mod line;
#[cfg(test)]
#[path = "book/lives.rs"]
mod lives;
#[cfg(test)]
#[path = "book/permissions.rs"]
mod permissions;
#[cfg(test)]
#[path = "book/places.rs"]
mod places;
#[cfg(test)]
#[path = "book/properties.rs"]
mod properties;
#[cfg(test)]
#[path = "book/pruning.rs"]
mod pruning;
#[cfg(test)]
#[path = "book/snapshots.rs"]
mod snapshots;
#[cfg(test)]
#[path = "book/statements.rs"]
mod statements;
#[cfg(test)]
#[path = "book/unchanged.rs"]
mod unchanged;
#[cfg(test)]
#[path = "book/writing.rs"]
mod writing;
