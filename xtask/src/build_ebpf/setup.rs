//! Installs what builds BPF on Debian 12: a compiler with the sources of `core`, LLVM, bpf-linker.

use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};

use super::toolchain::{Toolchain, linker_version};
use crate::{command, workspace};

/// The compiler, its library's sources, and what bpf-linker is built against.
const PACKAGES: [&str; 5] =
    ["rustc-web", "rust-web-src", "llvm-22-dev", "libpolly-22-dev", "clang-22"];

const LLVM: &str = "22";
const LLVM_PREFIX: &str = "/usr/lib/llvm-22";
const LINKER_VERSION: &str = "0.13.0";

/// Packages are brought to the newest version even where they are installed: two machines with the
/// same packages give the same object.
pub(super) fn install() -> anyhow::Result<()> {
    if command::find("apt-get").is_none() {
        bail!(
            "there is no apt-get here; install rustup's nightly with rust-src and \
             `cargo install bpf-linker`"
        );
    }
    if !command::is_root() {
        bail!("installing packages needs root; run `sudo -E cargo xtask build-ebpf --setup`");
    }
    update_package_lists()?;
    command::run(
        Command::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "--yes", "--no-install-recommends"])
            .args(PACKAGES),
    )
    .context(
        "the packages that build BPF are in Debian 12 with its updates and security archives",
    )?;
    install_linker()?;
    println!("BPF is built here with {}", Toolchain::find(None)?.versions());
    Ok(())
}

/// A mirror that is being updated fails once and works a little later.
fn update_package_lists() -> anyhow::Result<()> {
    let update = || command::run(Command::new("apt-get").arg("update"));
    if let Err(error) = update() {
        eprintln!("{error:#}; trying once more");
        thread::sleep(Duration::from_secs(10));
        update()?;
    }
    Ok(())
}

fn install_linker() -> anyhow::Result<()> {
    if let Some(path) = command::find("bpf-linker")
        && linker_version(&path).is_ok_and(|version| version == LINKER_VERSION)
    {
        return Ok(());
    }
    command::run(
        Command::new(workspace::cargo())
            .env("LLVM_PREFIX", LLVM_PREFIX)
            .args(["install", "bpf-linker", "--locked", "--force", "--version", LINKER_VERSION])
            .args(["--no-default-features", "--features", &format!("llvm-{LLVM}")])
            // Outside the checkout, whose cargo settings are not for it.
            .current_dir("/"),
    )
}
