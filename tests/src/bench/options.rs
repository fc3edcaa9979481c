//! The command line of `jiyun-bench`.

use clap::Parser;

use super::Name;

/// Measures Jiyun on labs of its own. Prints a table and records each figure in `target/bench/results.jsonl`.
#[derive(Clone, Debug, Parser)]
#[command(name = "jiyun-bench")]
pub struct Options {
    /// Measure this figure alone.
    #[arg(long, value_enum, value_name = "FIGURE")]
    pub only: Option<Name>,

    /// Hosts of one measured bring-up.
    #[arg(long, default_value_t = 500, value_name = "N", value_parser = clap::value_parser!(u32).range(10..=50_000))]
    pub hosts: u32,

    /// Measured bring-ups of each side; the figures are medians.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=99))]
    pub runs: u32,

    /// Hosts under way at the same time: those tried, of which each side's best is taken.
    #[arg(long, value_delimiter = ',', default_values_t = [8, 16, 32, 64, 128], value_name = "N,N,...")]
    pub concurrency: Vec<u16>,

    /// Orders of one measured run over REST.
    #[arg(long, default_value_t = 1500, value_name = "N", value_parser = clap::value_parser!(u32).range(100..=50_000))]
    pub requests: u32,

    /// Ready hosts during the idle minute.
    #[arg(long, default_value_t = 1000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub hosts_idle: u32,

    /// Hosts whose memory is measured.
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=50_000))]
    pub hosts_memory: u32,

    /// Open claims of a full account book.
    #[arg(long, default_value_t = 50_000, value_name = "N", value_parser = clap::value_parser!(u32).range(1000..=500_000))]
    pub claims: u32,

    /// Entries of one run against bare transactions, each of 128 grants.
    #[arg(long, default_value_t = 400, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=10_000))]
    pub entries: u32,

    /// Fill a book with so many claims, print what that took, and end: the benchmark asks itself for this.
    #[arg(long, hide = true, value_name = "N")]
    pub fill: Option<u32>,

    /// Decisions of one run on one core.
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u32).range(100..))]
    pub decisions: u32,

    /// Attempts at the book while leaders fall.
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = clap::value_parser!(u64).range(1000..=1_000_000))]
    pub attempts: u64,

    /// Orders through the API server while leaders fall.
    #[arg(long, default_value_t = 10_000, value_name = "N", value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    pub orders: u64,

    /// What the attempts are drawn from.
    #[arg(long, default_value_t = 20_260_801, value_name = "N")]
    pub seed: u64,
}

impl Options {
    /// The figures asked for; those of a node only by name, since they take a node and many minutes.
    pub fn figures(&self) -> Vec<Name> {
        let usual = || Name::ALL.into_iter().filter(|name| !name.needs_node()).collect();
        self.only.map_or_else(usual, |only| vec![only])
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_figure_is_chosen_by_its_recorded_name() {
        for name in Name::ALL {
            let options = Options::try_parse_from(["jiyun-bench", "--only", &name.to_string()]).unwrap();
            assert_eq!(options.figures(), [name]);
        }
        let usual = Options::try_parse_from(["jiyun-bench"]).unwrap().figures();
        assert!(usual.len() + 4 == Name::ALL.len() && !usual.iter().any(|name| name.needs_node()));
    }
}
