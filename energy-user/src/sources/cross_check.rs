//! Two ways to read one counter, held against each other. Where they disagree one of them is wrong, and
//! a mean of both would hide it.

use std::collections::BTreeMap;

use super::{ClockFn, CounterSpec, EnergySource, Finding, Meter};
use crate::model::{DomainId, EnergySample, Window};
use crate::units::{Joules, Microjoules, MonotonicTime, Nanoseconds, WallTime, Watts};

/// How far two ways to one counter may be apart. Powercap takes the memory unit of Xeons for 15.3 µJ
/// where perf takes 2⁻¹⁶ J, which alone is 0.27 %.
const TOLERANCE: f64 = 0.01;

/// Adds up what each source tells of each domain, over windows in which all of them know.
#[derive(Debug, Default)]
pub struct CrossCheck {
    domains: BTreeMap<DomainId, Sums>,
}

#[derive(Debug, Default)]
struct Sums {
    /// By the source's name.
    energy: BTreeMap<String, Microjoules>,
    lasted: Nanoseconds,
}

impl CrossCheck {
    /// Adds a window of this length.
    pub fn add(&mut self, samples: &[EnergySample], length: Nanoseconds) {
        let mut domains: BTreeMap<DomainId, Vec<&EnergySample>> = BTreeMap::new();
        for sample in samples {
            domains.entry(sample.domain).or_default().push(sample);
        }
        for (domain, samples) in domains {
            if samples.len() < 2 || samples.iter().any(|sample| sample.energy.is_none()) {
                continue;
            }
            let sums = self.domains.entry(domain).or_default();
            sums.lasted += length;
            for sample in samples {
                if let Some(energy) = sample.energy {
                    *sums.energy.entry(sample.source.to_string()).or_default() += energy;
                }
            }
        }
    }

    /// Every pair that is further apart than 1 % of the larger, two updates and two quanta; `specs` are
    /// those of all counters.
    pub fn findings(&self, specs: &[CounterSpec]) -> Vec<Finding> {
        let mut findings = Vec::new();
        for (domain, sums) in &self.domains {
            let mut sums_of = sums.energy.iter();
            let Some((first, energy)) = sums_of.next() else { continue };
            for (other, other_energy) in sums_of {
                let larger = (*energy).max(*other_energy).joules();
                let apart = energy.get().abs_diff(other_energy.get());
                let apart = Microjoules::new(apart).joules().get();
                if apart > allowed(*domain, larger, sums.lasted, specs) {
                    findings.push(disagree(*domain, (first, *energy), (other, *other_energy)));
                }
            }
        }
        findings
    }
}

/// How many joules apart two sums of `larger` joules at most may be.
fn allowed(domain: DomainId, larger: Joules, lasted: Nanoseconds, specs: &[CounterSpec]) -> f64 {
    let power = if lasted > Nanoseconds::ZERO { larger / lasted } else { Watts::default() };
    let of_edges = specs
        .iter()
        .filter(|spec| spec.domain == domain)
        .map(|spec| 2.0 * ((power * spec.update_period).get() + spec.quantum.joules().get()));
    TOLERANCE * larger.get() + of_edges.fold(0.0, f64::max)
}

/// Reads every counter before and after `wait`, and holds those of one domain against each other.
pub fn cross_check(
    sources: &mut [Box<dyn EnergySource>],
    clock: &ClockFn,
    wait: impl FnOnce(),
) -> Vec<Finding> {
    let specs: Vec<CounterSpec> =
        sources.iter().flat_map(|source| source.counters().iter().copied()).collect();
    let mut meters: Vec<Vec<Meter>> = sources
        .iter()
        .map(|source| {
            let meter = |spec: &_| Meter::new(*spec, source.name(), source.provenance());
            source.counters().iter().map(meter).collect()
        })
        .collect();
    let mut read = || {
        let mut times: Vec<MonotonicTime> = Vec::new();
        for (source, meters) in sources.iter_mut().zip(&mut meters) {
            let mut readings = Vec::new();
            source.read(clock, &mut readings);
            for reading in readings {
                times.push(reading.at);
                meters[reading.counter].push(reading);
            }
        }
        times
    };
    let first = read();
    wait();
    let (Some(start), Some(end)) = (first.into_iter().max(), read().into_iter().min()) else {
        return Vec::new();
    };
    let (start_utc, lost_switches, lost_events) = (WallTime::default(), 0, 0);
    let window = Window { index: 0, start, end, start_utc, lost_switches, lost_events };
    let samples: Vec<EnergySample> =
        meters.iter_mut().flatten().filter_map(|meter| meter.energy_of(&window)).collect();
    let mut check = CrossCheck::default();
    check.add(&samples, window.length());
    check.findings(&specs)
}

fn disagree(domain: DomainId, one: (&str, Microjoules), other: (&str, Microjoules)) -> Finding {
    let larger = one.1.max(other.1).joules().get();
    let percent = 100.0 * (one.1.joules().get() - other.1.joules().get()).abs() / larger;
    let detail = format!(
        "{} counted {:.3} J and {} {:.3} J of {domain} at the same time, {percent:.1} % apart: one of them \
         is wrong",
        one.0,
        one.1.joules().get(),
        other.0,
        other.1.joules().get()
    );
    Finding::degraded(format!("RAPL {domain}"), detail).remedied_by(format!(
        "hold both against a meter and choose: --source {} or --source {}",
        one.0, other.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CounterFlags, Domain, Provenance};
    use crate::sources::Shown;

    const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);

    fn sample(source: &str, energy_uj: Option<u64>) -> EnergySample {
        EnergySample {
            window: 0,
            domain: PACKAGE,
            source: source.into(),
            provenance: Provenance::Measured,
            energy: energy_uj.map(Microjoules::new),
            error: None,
            flags: CounterFlags::NONE,
            busy: None,
        }
    }

    /// After one window of a second; both counters are brought up to date each millisecond.
    fn findings(one_uj: Option<u64>, other_uj: Option<u64>) -> Vec<Finding> {
        let spec = CounterSpec {
            domain: PACKAGE,
            range: None,
            quantum: Microjoules::new(61),
            update_period: Nanoseconds::from_millis(1),
            ceiling: Watts::new(1000.0),
            shows: Shown::Energy,
        };
        let mut check = CrossCheck::default();
        let samples = [sample("one", one_uj), sample("other", other_uj)];
        check.add(&samples, Nanoseconds::from_millis(1000));
        check.findings(&[spec, spec])
    }

    #[test]
    fn one_percent_and_two_updates_apart_is_agreement_and_more_is_not() {
        // 10 J, of which 1 % is 0.1 J and two updates at 10 W are 0.02 J.
        assert_eq!(findings(Some(10_000_000), Some(9_881_000)), []);
        let told = findings(Some(10_000_000), Some(9_879_000));
        assert_eq!(
            told[0].detail,
            "one counted 10.000 J and other 9.879 J of package-0 at the same time, 1.2 % apart: one of \
             them is wrong"
        );
    }

    #[test]
    fn windows_that_one_of_them_does_not_know_are_not_compared() {
        assert_eq!(findings(Some(10_000_000), None), []);
    }

    #[test]
    fn nothing_and_nothing_agree() {
        assert_eq!(findings(Some(0), Some(0)), []);
    }
}
