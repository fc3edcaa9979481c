//! A panic ends one request, not the program, and its caller gets a problem document like any other.

use std::any::Any;

use axum::response::{IntoResponse, Response};

use crate::problem::{Code, Problem};

/// The answer after a panic.
pub fn answer(panic: &(dyn Any + Send)) -> Response {
    let words = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = words.unwrap_or("no words"), "a request panicked");
    Problem::bare(Code::Internal).into_response()
}
