//! `jiyun-bench`: measures Jiyun on labs of its own and prints one line a figure; see `docs/benchmarks.md`.

use std::{error::Error, process::ExitCode};

use clap::Parser;
use jiyun_tests::bench::{self, Options};

#[tokio::main]
async fn main() -> ExitCode {
    let options = Options::parse();
    let told = match options.fill {
        Some(claims) => bench::fill(claims),
        None => bench::run(&options).await.map(|figures| bench::table::render(&figures)),
    };
    match told {
        Ok(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("jiyun-bench: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}
