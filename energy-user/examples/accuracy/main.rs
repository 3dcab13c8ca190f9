//! How far models are from the truth, on simulated machines: `accuracy [SEEDS [PART]]`.
//!
//! Prints a table for each part, or of the one that is named: programs, functions, hardware that is not as models take it to
//! be, large machines; where it is named, how right any model could be (`bound`). For each scenario and model it has the error of their shares of
//! the active energy, in the mean and at worst, and how often the 95 % interval holds the true joules;
//! then the goals.
//! `cargo xtask bench accuracy` runs it.

#![allow(clippy::unwrap_used, reason = "a simulation that cannot go on has failed, as a test has")]

mod bound;
mod code_score;
mod functions;
mod goals;
mod hardware;
mod large;
mod machines;
mod oracle;
mod programs;
mod rows;
mod score;

#[path = "../../../tests/support/chance.rs"]
mod chance;
#[path = "../../../tests/support/in_memory.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod in_memory;
#[path = "../../../tests/support/sampled.rs"]
#[expect(dead_code, reason = "tests need more of it")]
mod sampled;
#[path = "../../../tests/support/simulated_code.rs"]
mod simulated_code;
#[path = "../../../tests/support/simulated_cores.rs"]
mod simulated_cores;
#[path = "../../../tests/support/simulated_crowd.rs"]
mod simulated_crowd;
#[path = "../../../tests/support/simulated_filter.rs"]
mod simulated_filter;
#[path = "../../../tests/support/simulated_frequency.rs"]
mod simulated_frequency;
#[path = "../../../tests/support/simulated_load.rs"]
mod simulated_load;
#[path = "../../../tests/support/simulated_program.rs"]
mod simulated_program;

use anyhow::{Context, ensure};
use goals::Goal;

/// A part: what it is called, of how many of the machines asked for one is simulated, and what runs it.
type Part = (&'static str, u64, fn(u64) -> anyhow::Result<Vec<Goal>>);

/// Has no goals, and is run where it is named.
const BOUND: &str = "bound";

/// Samples, eight ways to divide, and thousands of threads take longer to go through.
const PARTS: [Part; 5] = [
    ("programs", 1, programs::all),
    ("functions", 5, functions::all),
    ("hardware", 5, hardware::all),
    ("large", 10, large::all),
    (BOUND, 1, bound::all),
];

fn main() -> anyhow::Result<()> {
    let seeds = std::env::args().nth(1).unwrap_or_else(|| "1000".to_owned());
    let seeds: u64 = seeds.parse().context("SEEDS is a number")?;
    let named = std::env::args().nth(2);
    let is_named = |part: &&Part| named.as_deref().map_or(part.0 != BOUND, |named| named == part.0);
    let parts: Vec<&Part> = PARTS.iter().filter(is_named).collect();
    ensure!(!parts.is_empty(), "PART is programs, functions, hardware, large or bound");
    let mut goals = Vec::new();
    for (_, fewer, all) in parts {
        goals.extend(all(seeds.div_ceil(*fewer))?);
        println!();
    }
    for goal in goals {
        println!("{}", goal.line());
    }
    Ok(())
}
