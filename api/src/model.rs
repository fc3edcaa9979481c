//! What the API takes and gives, as JSON. Kept apart from the Kubernetes kinds: those may change version, and departments
//! do not see pools.

pub mod approval;
pub mod audit;
pub mod catalogue;
pub mod estimate;
pub mod holders;
pub mod host;
pub mod host_order;
pub mod host_patch;
pub mod inbox;
pub mod order;
pub mod order_filing;
pub mod order_item;
pub mod order_patch;
pub mod order_words;
pub mod preview;
pub mod quota;
pub mod system;
pub mod system_order;
pub mod system_patch;
pub mod usage;
pub mod words;

pub use approval::{Approval, ApprovalDraft, ApprovalList};
pub use audit::{AuditAction, AuditRecord, AuditRecordList};
pub use catalogue::Catalogue;
pub use estimate::EstimateView;
pub use holders::PoolHolders;
pub use host::{Host, HostList};
pub use host_order::HostOrder;
pub use host_patch::HostPatch;
pub use inbox::Inbox;
pub use order::{Order, OrderList};
pub use order_filing::OrderFiling;
pub use order_patch::OrderPatch;
pub use order_words::{ApprovalDecision, ApprovalMode, OrderAction, OrderState, OrderedKind};
pub use preview::{ChangedHost, ChangedOrder, HostPreview, OrderPreview};
pub use quota::Quota;
pub use system::{ChangedSystem, System, SystemList, SystemPreview};
pub use system_order::SystemOrder;
pub use system_patch::SystemPatch;
pub use usage::Usage;
pub use words::{Architecture, DeletionProtection, Meter, Power};
