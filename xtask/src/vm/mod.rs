//! Runs the kernel tests under kernels that this machine does not run, in QEMU.
//!
//! A kernel boots into an initramfs that holds busybox, the test program, `energy-prof` and their
//! libraries, all at the paths that they have here. The processor is emulated: slow, but the same
//! on every machine, and no rights are needed.

mod guest;
mod initramfs;
mod kernel;

use std::process::ExitCode;

use anyhow::{Context, bail};

use crate::tally::Tally;
use crate::workspace;
use guest::{Guest, Programs};
use kernel::Kernel;

/// The kernels that energy-prof promises to work on, besides the newest.
const MATRIX: [&str; 3] = ["6.1", "6.12", "6.12-rt"];

pub(crate) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let (chosen, harness) = split(arguments);
    if let Some(option) = chosen.iter().find(|argument| argument.starts_with('-')) {
        bail!("vm has no option `{option}`; give kernels, and test arguments behind `--`");
    }
    if std::env::consts::ARCH != "x86_64" {
        bail!("the kernel matrix is made of x86-64 kernels, and this machine is no x86-64");
    }
    let wanted: Vec<&str> = if chosen.is_empty() || chosen == ["all"] {
        MATRIX.to_vec()
    } else {
        chosen.iter().map(String::as_str).collect()
    };
    let cache = workspace::target().join("vm");
    let kernels = wanted
        .into_iter()
        .map(|name| Kernel::get(name, &cache).with_context(|| format!("no kernel for `{name}`")))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let programs = Programs::build(&workspace::root())?;
    let image = guest::image(&programs, harness)?;
    let path = cache.join("initramfs.cpio");
    std::fs::write(&path, &image).with_context(|| format!("cannot write {}", path.display()))?;

    let mut total = Tally::default();
    let mut failed = Vec::new();
    for kernel in &kernels {
        println!("\n── kernel {}", kernel.name);
        let mut tally = Tally::default();
        let outcome = Guest { kernel, initramfs: &path }.run(&mut tally);
        total.add(tally);
        match outcome {
            Ok(()) => println!("── kernel {}: {tally}", kernel.name),
            Err(error) => {
                println!("── kernel {}: FAILED: {error:#}", kernel.name);
                failed.push(kernel.name.as_str());
            }
        }
    }
    if !failed.is_empty() {
        println!("\nfailed: {}", failed.join(", "));
    }
    println!("\n{total}");
    Ok(if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The kernels, and behind `--` the arguments of the test program.
fn split(arguments: &[String]) -> (&[String], &[String]) {
    match arguments.iter().position(|argument| argument == "--") {
        Some(at) => (&arguments[..at], &arguments[at + 1..]),
        None => (arguments, &[]),
    }
}
