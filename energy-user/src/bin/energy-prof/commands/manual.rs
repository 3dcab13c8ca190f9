//! `energy-prof man`: the manual, to a pager's stdin or as files for a package.

use std::path::Path;

use anyhow::Context;

use crate::exit::Status;
use crate::{cli, terminal};

pub(crate) fn run(directory: Option<&Path>) -> anyhow::Result<Status> {
    let pages = cli::manual()?;
    let Some(directory) = directory else {
        let (_, main_page) = pages.first().expect("the program has a page");
        terminal::print(&String::from_utf8_lossy(main_page))?;
        return Ok(Status::SUCCESS);
    };
    std::fs::create_dir_all(directory)
        .with_context(|| format!("cannot make the directory {}", directory.display()))?;
    for (name, text) in pages {
        let path = directory.join(name);
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(Status::SUCCESS)
}
