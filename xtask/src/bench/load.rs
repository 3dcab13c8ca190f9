//! The programs of the benchmark `live`: each is this program once more, in a process of its own, that uses
//! CPU time in a way of its own.
//!
//! A load waits for a line on its input, works, and then waits for the end of its input, so that all of
//! its CPU time lies within a recording and its clock can be read afterwards.

use std::hint::black_box;
use std::io::{BufRead, Read};
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// What makes `cargo xtask bench` a load.
pub(super) const LOAD: &str = "load";

/// How a load uses CPU time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// Busy and at rest for up to half a second each.
    Bursts,
    /// Busy for the same part of every 0.7 s.
    Periodic,
    /// A few milliseconds at a time, whenever a request comes.
    Requests,
    /// Now more, now less of every hundredth of a second.
    Wandering,
    /// All the time.
    Always,
}

impl Shape {
    const ALL: [Self; 5] =
        [Self::Bursts, Self::Periodic, Self::Requests, Self::Wandering, Self::Always];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bursts => "bursts",
            Self::Periodic => "periodic",
            Self::Requests => "requests",
            Self::Wandering => "wandering",
            Self::Always => "always",
        }
    }
}

/// A load under way. Dropped, it ends.
pub(super) struct Load {
    child: Child,
    input: Option<ChildStdin>,
}

impl Load {
    /// Starts a process that waits to work for so long.
    pub(super) fn start(shape: Shape, seed: u64, length: Duration) -> anyhow::Result<Self> {
        let own = std::env::current_exe().context("cannot tell what this program is")?;
        let mut command = Command::new(own);
        command.args(["bench", LOAD, shape.name(), &seed.to_string()]);
        command.arg(length.as_millis().to_string()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start a load")?;
        let input = child.stdin.take();
        Ok(Self { child, input })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Lets it work.
    pub(super) fn begin(&mut self) -> anyhow::Result<()> {
        let input = self.input.as_mut().context("the load has ended")?;
        std::io::Write::write_all(input, b"\n").context("the load does not listen")
    }

    /// Waits until it has worked.
    pub(super) fn done(&mut self) -> anyhow::Result<()> {
        let output = self.child.stdout.as_mut().context("the load has no output")?;
        let mut byte = [0];
        output.read_exact(&mut byte).context("the load ended before its time")
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.input = None;
        // How it ended says nothing that its work has not.
        let _ = self.child.wait();
    }
}

/// Is a load: `load SHAPE SEED MILLISECONDS`.
pub(super) fn run(arguments: &[String]) -> anyhow::Result<ExitCode> {
    let [shape, seed, length] = arguments else { bail!("usage: load SHAPE SEED MILLISECONDS") };
    let shape = Shape::ALL.into_iter().find(|known| known.name() == shape);
    let shape = shape.context("there is no load of that shape")?;
    let (seed, length) = (seed.parse::<u64>()?, length.parse().map(Duration::from_millis)?);
    let mut input = std::io::stdin().lock();
    input.read_line(&mut String::new()).context("nobody says when to begin")?;
    work(shape, seed, Instant::now() + length);
    println!();
    input.read_to_end(&mut Vec::new()).context("nobody says when to end")?;
    Ok(ExitCode::SUCCESS)
}

fn work(shape: Shape, seed: u64, until: Instant) {
    let mut chance = Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut duty = chance.between(20, 60);
    while Instant::now() < until {
        let (busy, rest) = match shape {
            Shape::Bursts => (chance.between(50, 450), chance.between(50, 450)),
            Shape::Periodic => (280, 420),
            Shape::Requests => (chance.between(2, 9), chance.between(5, 40)),
            Shape::Wandering => {
                duty = (duty + chance.between(0, 8)).saturating_sub(4).clamp(5, 90);
                (duty / 5, 20 - duty / 5)
            }
            Shape::Always => (50, 0),
        };
        spin(Duration::from_millis(busy), until);
        thread::sleep(
            Duration::from_millis(rest).min(until.saturating_duration_since(Instant::now())),
        );
    }
}

/// Computes for so long by the clock on the wall.
fn spin(length: Duration, until: Instant) {
    let end = until.min(Instant::now() + length);
    while Instant::now() < end {
        (0..2_000_u64).for_each(|number| {
            black_box(number * number);
        });
    }
}

/// Numbers by chance, the same for the same seed (xorshift64).
struct Chance(u64);

impl Chance {
    /// One from `least` to `most`.
    const fn between(&mut self, least: u64, most: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        least + self.0 % (most - least + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_of_no_known_shape_is_refused() {
        let arguments = ["round", "1", "10"].map(str::to_owned);
        assert!(run(&arguments).is_err());
        assert!(run(&[]).is_err());
    }

    #[test]
    fn equal_seeds_give_equal_numbers_within_their_bounds() {
        let numbers = |seed| {
            let mut chance = Chance(seed);
            (0..100).map(|_| chance.between(5, 9)).collect::<Vec<_>>()
        };
        assert_eq!(numbers(7), numbers(7));
        assert!(numbers(7).iter().all(|number| (5..=9).contains(number)));
    }
}
