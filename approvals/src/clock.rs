//! How long a level has: until its deadline by itself, and once as long together with whoever may step in.

use jiff::{Timestamp, ToSpan};
use jiyun_crds::v1alpha1::RequiredLevel;

use crate::calendar::{Calendar, CalendarError};

/// The time a level has, from the moment its turn came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// When it is reminded, if it is.
    pub remind_at: Option<Timestamp>,
    /// From here on others may decide as well; the end, where there are none.
    pub deadline: Timestamp,
    /// From here on nobody can: the order has expired.
    pub end: Timestamp,
}

impl Window {
    /// The window of `level`, whose turn came at `since`.
    ///
    /// # Errors
    /// When the working days of a year on the way are not known.
    pub fn of(level: &RequiredLevel, since: Timestamp, calendar: &Calendar) -> Result<Self, CalendarError> {
        let deadline = calendar.after(since, level.working_days)?;
        let remind_at = level.remind_after.map(|days| calendar.after(since, days)).transpose()?;
        let end = if level.escalate_to.is_empty() {
            deadline
        } else {
            // The deadline is the midnight after its day; the second before still is that day.
            calendar.after(deadline.checked_sub(1.second())?, level.working_days)?
        };
        Ok(Self { remind_at, deadline, end })
    }
}

/// Whose turn it is, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Name of the level.
    pub level: String,
    /// Since when.
    pub since: Timestamp,
    /// Its time.
    pub window: Window,
}

impl Turn {
    /// Groups that may decide at `now`.
    pub fn groups<'a>(&self, level: &'a RequiredLevel, now: Timestamp) -> impl Iterator<Item = &'a String> {
        let others = (now >= self.window.deadline).then_some(&level.escalate_to);
        level.groups.iter().chain(others.into_iter().flatten())
    }

    /// The next moment at which something changes by itself, after `now`.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let Window { remind_at, deadline, end } = self.window;
        [remind_at, Some(deadline), Some(end)].into_iter().flatten().filter(|moment| *moment > now).min()
    }
}
