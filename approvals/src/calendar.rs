//! Working days (工作日) of the Chinese calendar: weekends, public holidays and the days worked in exchange for them.
//!
//! The State Council announces each year's holidays late in the year before, so each year is a file. A year without one
//! is not guessed at: weekends alone are wrong by up to two weeks.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Weekday},
    tz::{Offset, TimeZone},
};
use serde::Deserialize;

/// Beijing time; China keeps it without summer time since 1991.
const BEIJING: Offset = jiff::tz::offset(8);

/// Years that come with the program; others are read from files of the same form.
const BUILT_IN: [&str; 2] = [include_str!("../calendars/2025.yaml"), include_str!("../calendars/2026.yaml")];

/// Working days of the years that are known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Calendar {
    years: BTreeMap<i16, Year>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Year {
    holidays: BTreeSet<Date>,
    workdays: BTreeSet<Date>,
}

/// One year as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    year: i16,
    holidays: Vec<Holiday>,
    workdays: BTreeSet<Date>,
}

/// Days off, both included.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Holiday {
    from: Date,
    to: Date,
}

/// Why the calendar has no answer, or a file is none.
#[derive(Debug, thiserror::Error)]
pub enum CalendarError {
    /// A year nobody has announced to the platform.
    #[error("the working days of {year} are not known; add a calendar file for {year}")]
    YearMissing {
        /// The year.
        year: i16,
    },
    /// A file that cannot be read as a year.
    #[error("this is no calendar file")]
    Malformed(#[from] serde_yaml::Error),
    /// A day of another year.
    #[error("{day} is not in {year}, the year of the file")]
    OtherYear {
        /// The day.
        day: Date,
        /// The year of the file.
        year: i16,
    },
    /// A day that is said to be off and worked.
    #[error("{day} is said to be a holiday and a working day")]
    Both {
        /// The day.
        day: Date,
    },
    /// Before or after all time.
    #[error("the time is out of range")]
    Range(#[from] jiff::Error),
}

impl Calendar {
    /// The years that come with the program.
    ///
    /// # Errors
    /// When they cannot be read, which a test excludes.
    pub fn built_in() -> Result<Self, CalendarError> {
        let mut calendar = Self::default();
        for file in BUILT_IN {
            calendar.add(file)?;
        }
        Ok(calendar)
    }

    /// Adds a year, or replaces it.
    ///
    /// # Errors
    /// When `yaml` does not say what a year is; the calendar is then as before.
    pub fn add(&mut self, yaml: &str) -> Result<i16, CalendarError> {
        let File { year, holidays, workdays } = serde_yaml::from_str(yaml)?;
        let mut off = BTreeSet::new();
        for Holiday { from, to } in holidays {
            let mut day = from;
            while day <= to {
                off.insert(day);
                day = day.tomorrow()?;
            }
        }
        if let Some(day) = off.iter().chain(&workdays).find(|day| day.year() != year) {
            return Err(CalendarError::OtherYear { day: *day, year });
        }
        if let Some(day) = off.intersection(&workdays).next() {
            return Err(CalendarError::Both { day: *day });
        }
        self.years.insert(year, Year { holidays: off, workdays });
        Ok(year)
    }

    /// The years that are known.
    pub fn years(&self) -> impl Iterator<Item = i16> {
        self.years.keys().copied()
    }

    /// Whether people work on this day.
    ///
    /// # Errors
    /// When its year is not known.
    pub fn is_working(&self, day: Date) -> Result<bool, CalendarError> {
        let year = self.years.get(&day.year()).ok_or(CalendarError::YearMissing { year: day.year() })?;
        let weekend = matches!(day.weekday(), Weekday::Saturday | Weekday::Sunday);
        Ok(year.workdays.contains(&day) || !(weekend || year.holidays.contains(&day)))
    }

    /// The end, in Beijing, of the `days`-th working day after the day of `from`, which does not count itself.
    ///
    /// # Errors
    /// When a year on the way is not known.
    pub fn after(&self, from: Timestamp, days: u32) -> Result<Timestamp, CalendarError> {
        let mut day = BEIJING.to_datetime(from).date();
        let mut left = days;
        while left > 0 {
            day = day.tomorrow()?;
            left -= u32::from(self.is_working(day)?);
        }
        Ok(day.checked_add(1.day())?.to_zoned(TimeZone::fixed(BEIJING))?.timestamp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn each_built_in_year_has_as_many_working_days_as_the_state_council_left() {
        let calendar = Calendar::built_in().unwrap();
        let working = |year: i16| {
            let first = Date::new(year, 1, 1).unwrap();
            let days = first.series(1.day()).take_while(|day| day.year() == year);
            days.filter(|day| calendar.is_working(*day).unwrap()).count()
        };
        // 365 days, 104 days of weekends, 13 legal holidays since 2025 (国务院令第795号): 248.
        assert_eq!(working(2025), 248);
        assert_eq!(working(2026), 248);
    }

    #[test]
    fn days_are_counted_from_the_day_after_and_end_at_midnight_in_beijing() {
        let calendar = Calendar::built_in().unwrap();
        // Thursday noon in Beijing: Friday, Monday, Tuesday.
        assert_eq!(calendar.after(at("2026-11-26T04:00:00Z"), 3).unwrap(), at("2026-12-01T16:00:00Z"));
        // 23:30 UTC is already the next day there.
        assert_eq!(calendar.after(at("2026-11-25T23:30:00Z"), 1).unwrap(), at("2026-11-27T16:00:00Z"));
        assert_eq!(calendar.after(at("2026-11-26T04:00:00Z"), 0).unwrap(), at("2026-11-26T16:00:00Z"));
    }

    #[test]
    fn days_worked_in_exchange_count_and_holidays_do_not() {
        let calendar = Calendar::built_in().unwrap();
        // Friday 13 February 2026: Saturday 14 is worked, then nothing until Tuesday 24.
        assert_eq!(calendar.after(at("2026-02-13T02:00:00Z"), 1).unwrap(), at("2026-02-14T16:00:00Z"));
        assert_eq!(calendar.after(at("2026-02-13T02:00:00Z"), 2).unwrap(), at("2026-02-24T16:00:00Z"));
    }

    #[test]
    fn a_year_nobody_announced_is_refused_and_can_be_added() {
        let mut calendar = Calendar::built_in().unwrap();
        let late = at("2031-12-31T04:00:00Z");
        assert!(matches!(calendar.after(late, 1), Err(CalendarError::YearMissing { year: 2032 })));
        calendar.add("{year: 2032, holidays: [{from: 2032-01-01, to: 2032-01-01}], workdays: []}").unwrap();
        assert_eq!(calendar.after(late, 1).unwrap(), at("2032-01-02T16:00:00Z"));
    }

    #[test]
    fn a_file_that_contradicts_itself_changes_nothing() {
        let mut calendar = Calendar::built_in().unwrap();
        let before = calendar.clone();
        let off_and_worked = "{year: 2026, holidays: [{from: 2026-01-01, to: 2026-01-03}], workdays: [2026-01-02]}";
        assert!(matches!(calendar.add(off_and_worked), Err(CalendarError::Both { .. })));
        let elsewhere = "{year: 2026, holidays: [{from: 2027-01-01, to: 2027-01-01}], workdays: []}";
        assert!(matches!(calendar.add(elsewhere), Err(CalendarError::OtherYear { .. })));
        assert!(matches!(calendar.add("year: soon"), Err(CalendarError::Malformed(_))));
        assert_eq!(calendar, before);
    }
}
