//! Whether a request is meant.

/// Whether what is asked for is to happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Run {
    /// It is.
    #[default]
    Real,
    /// Everything is checked as if it were, and nothing is written.
    Dry,
}

impl Run {
    /// Whether nothing is to be written.
    pub fn is_dry(self) -> bool {
        self == Self::Dry
    }
}
