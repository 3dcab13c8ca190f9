//! Counters that move in long steps stand still in some windows and catch up in a later one. What they
//! showed then is of all these windows alike, and is shared out among them by their lengths: its sum is
//! what the counter showed, to the microjoule. Each has the largest of their errors.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::attribution::split;
use crate::model::{CounterFlags, DomainId, EnergySample, Window};
use crate::units::{Microjoules, Nanoseconds};

/// A counter that stands still for longer counts nothing because nothing is drawn.
const LONGEST: Nanoseconds = Nanoseconds::from_millis(1000);

/// Shares out energy among windows flagged as repeated and the window after them. Both are ascending by
/// window; `energy` has one sample of a domain and source in a window at most.
pub fn share_out_repeats(energy: &mut [EnergySample], windows: &[Window]) {
    if !energy.iter().any(|sample| sample.flags.contains(CounterFlags::REPEATED)) {
        return;
    }
    let lengths: BTreeMap<u32, Nanoseconds> =
        windows.iter().map(|window| (window.index, window.length())).collect();
    let mut runs: BTreeMap<(DomainId, Arc<str>), Vec<usize>> = BTreeMap::new();
    for index in 0..energy.len() {
        let sample = &energy[index];
        let run = runs.entry((sample.domain, sample.source.clone())).or_default();
        let follows = |last: usize| energy[last].window.checked_add(1) == Some(sample.window);
        if sample.energy.is_none() || run.last().is_some_and(|last| !follows(*last)) {
            run.clear();
        }
        if sample.energy.is_none() {
            continue;
        }
        run.push(index);
        if sample.flags.contains(CounterFlags::REPEATED) {
            continue;
        }
        let run = std::mem::take(run);
        let length = |sample: &usize| lengths.get(&energy[*sample].window).copied();
        let lasted: Vec<Nanoseconds> = run.iter().filter_map(length).collect();
        let whole = lasted.iter().copied().sum::<Nanoseconds>();
        if run.len() > 1 && lasted.len() == run.len() && whole <= LONGEST {
            share_among(energy, &run, &lasted);
        }
    }
}

fn share_among(energy: &mut [EnergySample], run: &[usize], lasted: &[Nanoseconds]) {
    let whole: Microjoules = run.iter().filter_map(|index| energy[*index].energy).sum();
    let lengths: Vec<u64> = lasted.iter().map(|length| length.get()).collect();
    let Some(parts) = split(whole.get(), &lengths) else { return };
    // Only when the counter moved was it known how much power its step stands for.
    let error = run.iter().map(|index| energy[*index].error).max().flatten();
    for (index, part) in run.iter().zip(parts) {
        energy[*index].energy = Some(Microjoules::new(part));
        energy[*index].error = error;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Domain, Provenance};
    use crate::units::{MonotonicTime, WallTime};

    const STILL: CounterFlags = CounterFlags::REPEATED;
    const MOVED: CounterFlags = CounterFlags::NONE;

    /// What becomes of the energies of windows of 100 ms.
    fn shared(told: &[(Option<u64>, CounterFlags)]) -> Vec<Option<u64>> {
        let samples = shared_samples(told).into_iter();
        samples.map(|sample| sample.energy.map(Microjoules::get)).collect()
    }

    /// The same with all else; errors are told as large as energies.
    fn shared_samples(told: &[(Option<u64>, CounterFlags)]) -> Vec<EnergySample> {
        let mut energy = Vec::new();
        let mut windows = Vec::new();
        for (index, (told, flags)) in (0..).zip(told) {
            let start = MonotonicTime::from_nanos(u64::from(index) * 100_000_000);
            windows.push(Window {
                index,
                start,
                end: start + Nanoseconds::from_millis(100),
                start_utc: WallTime::default(),
                lost_switches: 0,
                lost_events: 0,
            });
            energy.push(EnergySample {
                window: index,
                domain: DomainId::of_socket(Domain::Gpu, 0),
                source: "nvml".into(),
                provenance: Provenance::Measured,
                energy: told.map(Microjoules::new),
                error: told.map(Microjoules::new),
                flags: *flags,
                busy: None,
            });
        }
        share_out_repeats(&mut energy, &windows);
        energy
    }

    #[test]
    fn what_a_counter_kept_back_is_shared_with_the_windows_it_stood_still_in() {
        let told = [(Some(30), MOVED), (Some(0), STILL), (Some(61), MOVED), (Some(30), MOVED)];
        assert_eq!(shared(&told), [Some(30), Some(31), Some(30), Some(30)]);
        let errors = shared_samples(&told).into_iter().map(|sample| sample.error.unwrap().get());
        assert_eq!(errors.collect::<Vec<_>>(), [30, 61, 61, 30], "what stood still was not sure");
    }

    #[test]
    fn nothing_is_shared_over_a_gap_or_after_the_end() {
        let told =
            [(Some(0), STILL), (None, CounterFlags::GAP), (Some(9), MOVED), (Some(1), STILL)];
        assert_eq!(shared(&told), [Some(0), None, Some(9), Some(1)]);
    }

    #[test]
    fn a_card_that_was_switched_off_drew_nothing() {
        let mut told = vec![(Some(0), STILL); 10];
        told.push((Some(30), MOVED));
        assert_eq!(shared(&told)[0], Some(0));
        assert_eq!(shared(&told[1..])[0], Some(3));
    }
}
