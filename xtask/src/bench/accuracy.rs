//! How far each model's shares are from the truth, on a thousand simulated machines of each kind: the
//! example `accuracy` of energy-prof simulates, divides, compares, and prints its own table and goals.

use std::process::Command;

use super::Setting;
use super::figure::Figure;
use crate::{command, workspace};

/// Machines of each kind, whatever the rounds.
const SEEDS: &str = "1000";

pub(super) fn run(_: &Setting) -> anyhow::Result<Vec<Figure>> {
    let mut cargo = Command::new(workspace::cargo());
    cargo.current_dir(workspace::root());
    cargo.args(["run", "--release", "--quiet", "--package", "energy-prof"]);
    command::run(cargo.args(["--example", "accuracy", "--", SEEDS]))?;
    Ok(Vec::new())
}
