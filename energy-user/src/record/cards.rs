//! What graphics cards told of who uses them, until the windows it belongs to are written.

use std::collections::VecDeque;

use crate::model::{GpuSample, Window};
use crate::units::{MonotonicTime, Nanoseconds};

/// Cards bring their figures up to date no more often, and asking costs more than reading a counter.
const ASKED_EVERY: Nanoseconds = Nanoseconds::from_millis(100);

/// What was told, in order, each at the edge of a window.
#[derive(Debug, Default)]
pub(super) struct Cards {
    told: VecDeque<(MonotonicTime, Vec<GpuSample>)>,
    asked: Option<MonotonicTime>,
}

impl Cards {
    /// Whether it is time to ask the cards again, at the edge `line`.
    pub(super) fn are_to_be_asked(&self, line: MonotonicTime) -> bool {
        self.asked.is_none_or(|asked| line.since(asked) >= ASKED_EVERY)
    }

    /// Takes what the cards tell at the edge `line`.
    pub(super) fn tell(&mut self, line: MonotonicTime, samples: Vec<GpuSample>) {
        self.asked = Some(line);
        if !samples.is_empty() {
            self.told.push_back((line, samples));
        }
    }

    /// What was told after the start of `window` and until its end. Ask for windows in order.
    pub(super) fn of_window(&mut self, window: &Window) -> Vec<GpuSample> {
        let mut found = Vec::new();
        while let Some((line, samples)) = self.told.pop_front_if(|(line, _)| *line <= window.end) {
            // What was told before the first window is of a time that is not looked at.
            if line > window.start {
                found.extend(samples);
            }
        }
        for sample in &mut found {
            sample.window = window.index;
        }
        found
    }
}
