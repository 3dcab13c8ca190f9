//! The count of tests over many runs, read from the lines that the test harness prints.

use std::fmt;

/// How many tests passed, failed and could not run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    reported_passed: u64,
    failed: u64,
    ignored: u64,
    /// Tests that found out while running that they cannot run here. A harness takes them for
    /// passed ones.
    gave_up: u64,
}

impl Tally {
    /// The count of `tests` that were not even started.
    pub(crate) fn not_run(tests: u64) -> Self {
        Self { ignored: tests, ..Self::default() }
    }

    /// Counts what a line of output says.
    ///
    /// A harness closes each run with `test result: ok. 3 passed; 0 failed; 1 ignored; …`. A test
    /// that cannot run here writes `skipped: why` to the real standard error and returns.
    pub(crate) fn read_line(&mut self, line: &str) {
        if let Some(result) = line.trim_start().strip_prefix("test result: ") {
            self.reported_passed += number_before(result, " passed");
            self.failed += number_before(result, " failed");
            self.ignored += number_before(result, " ignored");
        } else if is_skip(line) {
            self.gave_up += 1;
        }
    }

    /// Adds what another run counted.
    pub(crate) fn add(&mut self, other: Self) {
        self.reported_passed += other.reported_passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
        self.gave_up += other.gave_up;
    }

    /// Tests that ran and found what they expected.
    pub(crate) fn passed(self) -> u64 {
        self.reported_passed.saturating_sub(self.gave_up)
    }

    /// Tests that ran and did not find what they expected.
    pub(crate) fn failed(self) -> u64 {
        self.failed
    }

    /// Tests that did not run, whether they were left out or gave up.
    pub(crate) fn skipped(self) -> u64 {
        self.ignored + self.gave_up
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed(), self.failed(), self.skipped())
    }
}

/// A skip stands alone, or behind the name of its test where tests run one at a time.
fn is_skip(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with("skipped: ") || (line.starts_with("test ") && line.contains(" ... skipped: "))
}

fn number_before(text: &str, word: &str) -> u64 {
    let Some(end) = text.find(word) else { return 0 };
    text[..end].rsplit(' ').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::Tally;

    fn tally_of(lines: &[&str]) -> Tally {
        let mut tally = Tally::default();
        for line in lines {
            tally.read_line(line);
        }
        tally
    }

    #[test]
    fn the_closing_lines_of_all_runs_are_summed() {
        let tally = tally_of(&[
            "test units::a ... ok",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 7 filtered out; finished in 1.20s",
        ]);
        assert_eq!(tally.to_string(), "13 passed, 2 failed, 1 skipped");
    }

    #[test]
    fn a_test_that_says_it_was_skipped_does_not_count_as_passed() {
        let tally = tally_of(&[
            "skipped: no RAPL",
            "test probes::b ... skipped: no hardware PMU",
            "test result: ok. 5 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!(tally.to_string(), "3 passed, 0 failed, 2 skipped");
    }

    #[test]
    fn talk_of_skipping_is_not_a_skip() {
        let tally = tally_of(&[
            "note: 3 rows skipped: they hold no energy",
            "test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out",
        ]);
        assert_eq!(tally.to_string(), "1 passed, 0 failed, 0 skipped");
    }

    #[test]
    fn tests_that_were_not_started_are_skipped() {
        let mut tally = tally_of(&["test result: ok. 2 passed; 0 failed; 0 ignored;"]);
        tally.add(Tally::not_run(7));
        assert_eq!(tally.to_string(), "2 passed, 0 failed, 7 skipped");
    }
}
