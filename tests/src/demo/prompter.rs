//! Somebody beside the stage who is told each moment of the story before it comes, and may do something to it.

use std::fmt::Debug;

use futures::future::BoxFuture;

/// A moment of the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Beat {
    /// The step, from 1.
    pub step: usize,
    /// The command within the step that comes next, from 1; 0 is the step's beginning.
    pub command: usize,
}

/// Told each beat; the story goes on when the answer is there.
pub trait Prompter: Debug + Send + Sync {
    /// Before `beat`.
    fn cue(&self, beat: Beat) -> BoxFuture<'_, ()>;
}
