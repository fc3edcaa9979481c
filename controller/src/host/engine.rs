//! Whether what makes machines and disks is installed, and read. Hosts and volumes that have a claim are not served before.

use crate::context::Context;

/// Whether an engine that every machine or disk needs is not installed, by the API server's own word (404 for its kind).
///
/// Never once machines and disks were listed: what a site is told to lack later stops nothing that was read, and each request
/// is answered for itself.
pub fn is_missing(context: &Context) -> bool {
    !context.engines_listed.is_open() && context.machine_engine.is_missing()
}
