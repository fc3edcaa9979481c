//! What the API says when it cannot do what was asked: one value for every layer, rendered once at the edge.
//!
//! A [`Problem`] carries a code with parameters, never a sentence. It becomes a problem document (RFC 9457) in the
//! middleware [`crate::middleware::problems`], which knows the caller's language and the request's number.

pub mod code;
pub mod document;
mod invalid;
mod kubernetes;
pub mod refused;

use std::{borrow::Cow, error::Error, sync::Arc, time::Duration};

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use jiyun_messages::Parameters;

pub use code::Code;
pub use document::ProblemDocument;
pub use invalid::our_field;

/// The cause of a problem, for the log alone.
type Cause = Arc<dyn Error + Send + Sync>;

/// One thing that is wrong with one field of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The field in the words of this API, e.g. `systemDisk.size`; none where the whole object is meant.
    pub field: Option<String>,
    /// The code of its sentence.
    pub code: Cow<'static, str>,
    /// The parameters of its sentence.
    pub parameters: Parameters,
}

impl Fault {
    /// The fault `code` of `field`, which the sentence names besides `parameters`.
    pub fn new<V: Into<String>>(
        code: Code,
        field: &str,
        parameters: impl IntoIterator<Item = (&'static str, V)>,
    ) -> Self {
        let named = parameters.into_iter().map(|(name, value)| (name.to_owned(), value.into()));
        Self {
            field: Some(field.to_owned()),
            code: <&'static str>::from(code).into(),
            parameters: named.chain([("field".to_owned(), field.to_owned())]).collect(),
        }
    }

    /// Puts the part `place` of the body before its field.
    fn move_within(&mut self, place: &str) {
        let moved = self.field.as_ref().map_or_else(|| place.to_owned(), |field| format!("{place}.{field}"));
        if let Some(named) = self.parameters.get_mut("field") {
            named.clone_from(&moved);
        }
        self.field = Some(moved);
    }
}

/// An answer that is not the one asked for.
#[derive(Clone, Debug)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// What went wrong; where several things did, the first.
    pub fault: Box<Fault>,
    /// What happened in the words of whoever found it out, where there is no sentence for the code.
    pub words: Option<String>,
    /// Every single fault, where the body had any.
    pub faults: Vec<Fault>,
    /// Headers of the answer: when to ask again, where the object is, how to say who one is.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// What the log says about it; never shown to the caller.
    pub cause: Option<Cause>,
}

impl Problem {
    /// The problem `code` with the parameters of its sentence.
    pub fn new<K: Into<String>, V: Into<String>>(code: Code, parameters: impl IntoIterator<Item = (K, V)>) -> Self {
        Self::coded(code.status(), <&'static str>::from(code), jiyun_messages::parameters(parameters))
    }

    /// The problem `code`, whose sentence has no parameters.
    pub fn bare(code: Code) -> Self {
        Self::new(code, std::iter::empty::<(String, String)>())
    }

    /// A problem whose code comes from a decision.
    pub(crate) fn coded(status: StatusCode, code: impl Into<Cow<'static, str>>, parameters: Parameters) -> Self {
        Self {
            status,
            fault: Box::new(Fault { field: None, code: code.into(), parameters }),
            words: None,
            faults: Vec::new(),
            headers: Vec::new(),
            cause: None,
        }
    }

    /// 422: `faults` of the body, the first of them leading; none if there are none.
    pub(crate) fn of_body(faults: Vec<Fault>) -> Option<Self> {
        let first = faults.first()?.clone();
        let known = Self::coded(StatusCode::UNPROCESSABLE_ENTITY, first.code.clone(), Parameters::new());
        Some(Self { fault: Box::new(first), faults, ..known })
    }

    /// A field that says what cannot be: 422, naming the field.
    pub fn field(field: &str, problem: impl Into<String>) -> Self {
        let fault = Fault::new(Code::InvalidField, field, [("problem", problem.into())]);
        Self { fault: Box::new(fault), ..Self::bare(Code::InvalidField) }
    }

    /// Something that is not there, or not for this caller to see: 404 either way.
    pub fn not_found(what: impl Into<String>) -> Self {
        Self::new(Code::NotFound, [("what", what.into())])
    }

    /// Whether it is the problem `code`.
    pub fn is(&self, code: Code) -> bool {
        self.fault.code == <&'static str>::from(code)
    }

    /// The same of another code: as a whole, of no field.
    pub fn recoded(mut self, code: Code) -> Self {
        self.status = code.status();
        self.fault.code = <&'static str>::from(code).into();
        self.fault.field = None;
        self.faults = Vec::new();
        self
    }

    /// Names the field the problem is about.
    pub fn about(mut self, field: impl Into<String>) -> Self {
        self.fault.field = Some(field.into());
        self
    }

    /// Says which part of the body it is about: every fault of it moves there.
    pub fn within(mut self, place: &str) -> Self {
        for fault in self.faults.iter_mut().chain([&mut *self.fault]) {
            fault.move_within(place);
        }
        self
    }

    /// Keeps what led here, for the log.
    pub fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.cause = Some(Arc::new(cause));
        self
    }

    /// Says when to ask again.
    pub fn retry_after(self, wait: Duration) -> Self {
        self.with(header::RETRY_AFTER, Some(HeaderValue::from(wait.as_secs())))
    }

    /// Says where the object is that the problem is about, where it exists all the same.
    pub fn located(self, location: Option<HeaderValue>) -> Self {
        self.with(header::LOCATION, location)
    }

    /// Says how to say who one is (RFC 6750, section 3).
    pub fn challenge(self, challenge: &'static str) -> Self {
        self.with(header::WWW_AUTHENTICATE, Some(HeaderValue::from_static(challenge)))
    }

    /// Adds a header to the answer.
    pub fn with(mut self, name: HeaderName, value: Option<HeaderValue>) -> Self {
        self.headers.extend(value.map(|value| (name, value)));
        self
    }
}

impl IntoResponse for Problem {
    /// Status and headers; the body is written by [`crate::middleware::problems`], which finds the problem among the
    /// response's extensions.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.headers_mut().extend(self.headers.iter().cloned());
        response.extensions_mut().insert(Arc::new(self));
        response
    }
}
