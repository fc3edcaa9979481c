//! `images`: writes the container images of Jiyun's programs, for a registry.

use std::path::PathBuf;
use std::process::ExitCode;

use jiyun_lab::Lab;

use super::CliError;

/// Which images, and where they go.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Registry they will lie in, with a path where there is one.
    #[arg(long, default_value = "localhost", value_name = "REGISTRY")]
    registry: String,
    /// Their tag; the charts' version if left out.
    #[arg(long, default_value = env!("CARGO_PKG_VERSION"), value_name = "TAG")]
    tag: String,
    /// The archive to write (OCI image layout): `skopeo copy oci-archive:FILE:NAME docker://NAME` brings one to a registry.
    #[arg(long, default_value = "target/images/jiyun.tar", value_name = "FILE")]
    output: PathBuf,
}

/// Writes them.
pub fn run(options: &Options) -> Result<ExitCode, CliError> {
    for image in Lab::write_images(&options.registry, &options.tag, &options.output)? {
        println!("{image}");
    }
    println!("written to {}", options.output.display());
    Ok(ExitCode::SUCCESS)
}
