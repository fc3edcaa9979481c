//! How long a console stays open, and how many there may be.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use jiff::SignedDuration;

/// Consoles, as the program is told of them.
#[derive(Clone, Debug, Args)]
pub struct ConsoleArgs {
    /// The token of this program's own account, which reaches the consoles of machines and nothing else. Read again when it
    /// changes; without it there are no consoles.
    #[arg(long = "console-token", env = "JIYUN_CONSOLE_TOKEN_FILE", value_name = "FILE")]
    pub token: Option<PathBuf>,
    /// How long nothing may be typed until a console is closed, as 15m.
    #[arg(long = "console-idle", value_name = "TIME", default_value = "15m", value_parser = time)]
    pub idle: Duration,
    /// How long a console may be open, as 8h.
    #[arg(long = "console-longest", value_name = "TIME", default_value = "8h", value_parser = time)]
    pub longest: Duration,
    /// How often it is asked again whether the caller may still have it; at the latest then it is closed.
    #[arg(long = "console-review", value_name = "TIME", default_value = "30s", value_parser = time)]
    pub review: Duration,
    /// Consoles open at the same time at this replica, of all callers; 0: any number.
    #[arg(long = "consoles", value_name = "CONSOLES", default_value_t = 256)]
    pub most: u32,
    /// Consoles of one person open at the same time at this replica; 0: any number.
    #[arg(long = "caller-consoles", value_name = "CONSOLES", default_value_t = 8)]
    pub most_of_caller: u32,
}

/// When consoles are closed.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// So long after the caller sent something last.
    pub idle: Duration,
    /// So long after it was opened.
    pub longest: Duration,
    /// So often its rights are looked at.
    pub review: Duration,
}

impl ConsoleArgs {
    /// When they are closed.
    pub const fn limits(&self) -> Limits {
        Limits { idle: self.idle, longest: self.longest, review: self.review }
    }
}

/// A time of at least a second and at most a week, as `90s`, `15m` or `8h`.
fn time(text: &str) -> Result<Duration, String> {
    let told: SignedDuration = text.parse().map_err(|error| format!("{error}; write it as 90s, 15m or 8h"))?;
    let time = Duration::try_from(told).map_err(|_| "it lies below 0".to_owned())?;
    if time < Duration::from_secs(1) || time > Duration::from_hours(7 * 24) {
        return Err("it has to be from 1s to 168h".to_owned());
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_people_do_and_bounded() {
        assert_eq!(time("15m"), Ok(Duration::from_mins(15)));
        assert_eq!(time("1h30m"), Ok(Duration::from_mins(90)));
        for wrong in ["0s", "-5m", "169h", "15", "soon"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
