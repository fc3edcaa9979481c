//! What happens around every request: its number, its log line, its figures, its caller's bounds, its time limit, its problem document.

pub mod bounds;
pub mod observe;
pub mod panic;
pub mod problems;
pub mod protocol_token;
pub mod record;
pub mod request_id;
pub mod time_limit;
