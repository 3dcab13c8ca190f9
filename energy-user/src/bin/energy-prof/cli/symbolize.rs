//! The arguments of `symbolize`.

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub(crate) struct SymbolizeArguments {
    /// The trace
    #[arg(default_value = "energy.trace")]
    pub(crate) trace: PathBuf,
    /// Look for debug files here, besides /usr/lib/debug: by build id, and each file right in it
    #[arg(long, value_name = "DIR")]
    pub(crate) debug_dir: Vec<PathBuf>,
    /// Ask this debuginfod server for what is not found here, instead of those in DEBUGINFOD_URLS
    #[arg(long, value_name = "URL")]
    pub(crate) debuginfod: Vec<String>,
}
