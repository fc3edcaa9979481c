//! What was acknowledged and is not there any more: an alarm.

/// A difference between a chain's files and its head that no crash explains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The head names records that the files do not have, or not undamaged.
    Lost {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The files have another record than the head was taken of.
    Rewritten {
        /// Its number.
        sequence: u64,
    },
    /// The files are ahead of the head by more than a batch: the head was put back, or is gone.
    HeadBehind {
        /// The head's record; 0 without a head.
        head: u64,
        /// The last record of the files.
        last: u64,
    },
    /// One segment does not go on where the one before ended.
    Broken {
        /// The first record of the later one.
        first: u64,
    },
}

impl std::fmt::Display for Gap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lost { from, to } => write!(f, "records {from} to {to} were acknowledged and are lost"),
            Self::Rewritten { sequence } => write!(f, "record {sequence} is not the one that was acknowledged"),
            Self::HeadBehind { head, last } => {
                write!(f, "the files end with record {last} and the head names {head}: it was put back")
            }
            Self::Broken { first } => write!(f, "what comes before record {first} is missing or was replaced"),
        }
    }
}
