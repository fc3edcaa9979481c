//! What the API takes and gives, as JSON. Kept apart from the Kubernetes kinds: those may change version, and departments
//! do not see pools.

pub mod catalogue;
pub mod holders;
pub mod host;
pub mod host_patch;
pub mod order;
pub mod preview;
pub mod quota;
pub mod system;
pub mod system_order;
pub mod system_patch;
pub mod usage;
pub mod words;

pub use catalogue::Catalogue;
pub use holders::PoolHolders;
pub use host::{Host, HostList};
pub use host_patch::HostPatch;
pub use order::HostOrder;
pub use preview::{ChangedHost, HostPreview};
pub use quota::Quota;
pub use system::{ChangedSystem, System, SystemList, SystemPreview};
pub use system_order::SystemOrder;
pub use system_patch::SystemPatch;
pub use usage::Usage;
pub use words::{Architecture, DeletionProtection, Meter, Power};
