//! Mean power over some seconds, with its standard error and with how busy the machine was.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::CalibrateError;
use super::processes::CpuTimes;
use crate::model::{CounterFlags, DomainId, Window};
use crate::sources::{ClockFn, DomainPower, EnergySource, LoadPoint, Meter, Shown};
use crate::units::{MonotonicTime, Nanoseconds, WallTime, Watts};

/// Power is taken in slices of this length: how they differ tells how far the mean may be off.
const SLICE: Nanoseconds = Nanoseconds::from_millis(1000);

/// Sensors of power are read this often in between; counters of energy only at a slice's ends, as every
/// reading is a load.
const SENSOR_PERIOD: Nanoseconds = Nanoseconds::from_millis(100);

/// The counters of a machine, its load, and the time.
pub(super) struct Machine<'a> {
    metered: Vec<(Box<dyn EnergySource>, Vec<Meter>)>,
    procfs: &'a Path,
    clock: &'a ClockFn<'a>,
    wait: &'a dyn Fn(Duration),
}

/// The powers of one domain by one source, slice by slice.
type Slices = BTreeMap<(DomainId, String), Vec<Watts>>;

impl<'a> Machine<'a> {
    pub(super) fn new(
        sources: Vec<Box<dyn EnergySource>>,
        procfs: &'a Path,
        clock: &'a ClockFn<'a>,
        wait: &'a dyn Fn(Duration),
    ) -> Self {
        let metered = sources.into_iter().map(|source| (source, Vec::new())).collect();
        Self { metered, procfs, clock, wait }
    }

    /// The mean power over `lasts`, while `busy_cpus` are kept busy. Slices of which a counter does not
    /// know the energy are left out of its mean; a domain that is unknown for more than half is left out.
    pub(super) fn power(
        &mut self,
        busy_cpus: u32,
        lasts: Nanoseconds,
    ) -> Result<LoadPoint, CalibrateError> {
        // What happened since the last measurement is none of this one's.
        for (source, meters) in &mut self.metered {
            let meter = |spec: &_| Meter::new(*spec, source.name(), source.provenance());
            *meters = source.counters().iter().map(meter).collect();
        }
        let before = CpuTimes::now(self.procfs);
        self.read();
        let begun = (self.clock)();
        let slices = (lasts.get() / SLICE.get()).max(1);
        let length = Nanoseconds::new(lasts.get() / slices);
        let mut powers = Slices::new();
        for slice in 0..slices {
            let start = begun + Nanoseconds::new(slice * length.get());
            let end = start + length;
            self.read_until(end);
            self.add_slice(start, end, &mut powers);
        }
        let after = CpuTimes::now(self.procfs);
        let power = means(&powers, slices);
        if power.is_empty() {
            let names: Vec<_> = self.metered.iter().map(|(source, _)| source.name()).collect();
            return Err(CalibrateError::NoPower(names.join(" and ")));
        }
        Ok(LoadPoint {
            busy_cpus,
            lasted_ns: Nanoseconds::new(slices * length.get()),
            // A machine that does not tell its load cannot be called idle.
            busy_share: after.busy_share_since(&before).unwrap_or(1.0),
            running: after.running_since(&before),
            power,
        })
    }

    /// Waits, reads sensors of power on the way, and reads everything at `end`.
    fn read_until(&mut self, end: MonotonicTime) {
        let counters = self.metered.iter().flat_map(|(source, _)| source.counters());
        let has_sensors = counters.into_iter().any(|spec| spec.shows == Shown::Power);
        loop {
            let left = end.since((self.clock)());
            if left == Nanoseconds::ZERO {
                return self.read();
            }
            if has_sensors && left > SENSOR_PERIOD {
                (self.wait)(SENSOR_PERIOD.into());
                self.read();
            } else {
                (self.wait)(left.into());
            }
        }
    }

    fn read(&mut self) {
        let mut readings = Vec::new();
        for (source, meters) in &mut self.metered {
            source.read(self.clock, &mut readings);
            for reading in readings.drain(..) {
                meters[reading.counter].push(reading);
            }
        }
    }

    fn add_slice(&mut self, start: MonotonicTime, end: MonotonicTime, powers: &mut Slices) {
        let window = Window {
            index: 0,
            start,
            end,
            start_utc: WallTime::default(),
            lost_switches: 0,
            lost_events: 0,
        };
        for meter in self.metered.iter_mut().flat_map(|(_, meters)| meters) {
            let Some(sample) = meter.energy_of(&window) else { continue };
            let slices = powers.entry((sample.domain, sample.source.to_string())).or_default();
            // A counter that stands still while the machine is up says nothing of its power.
            let known = sample.energy.filter(|_| !sample.flags.contains(CounterFlags::STALE));
            slices.extend(known.map(|energy| energy.joules() / window.length()));
        }
    }
}

/// Means and their standard errors. All slices are equally long.
fn means(powers: &Slices, slices: u64) -> Vec<DomainPower> {
    let known = powers.iter().filter(|(_, powers)| 2 * powers.len() as u64 > slices);
    known
        .map(|((domain, source), powers)| {
            let (watts, standard_error_watts) = mean(powers);
            let (domain, source) = (domain.to_string(), source.clone());
            DomainPower { domain, source, watts, standard_error_watts }
        })
        .collect()
}

/// The mean and its standard error; of a single power, that it may be anything up to twice as much.
#[expect(clippy::cast_precision_loss, reason = "as many as there are seconds")]
fn mean(powers: &[Watts]) -> (Watts, Watts) {
    let count = powers.len() as f64;
    let sum = powers.iter().fold(Watts::default(), |sum, power| sum + *power);
    let mean = sum.get() / count;
    if powers.len() < 2 {
        return (Watts::new(mean), Watts::new(mean));
    }
    let squares: f64 = powers.iter().map(|power| (power.get() - mean).powi(2)).sum();
    (Watts::new(mean), Watts::new((squares / (count - 1.0) / count).sqrt()))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;
    use crate::model::{Domain, Provenance};
    use crate::sources::{CounterReading, CounterSpec};
    use crate::units::Microjoules;

    const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);

    /// A counter of a package that draws 5 W in even seconds and 7 W in odd ones.
    struct Steps([CounterSpec; 1]);

    impl EnergySource for Steps {
        fn name(&self) -> &'static str {
            "steps"
        }

        fn provenance(&self) -> Provenance {
            Provenance::Measured
        }

        fn counters(&self) -> &[CounterSpec] {
            &self.0
        }

        fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
            let at = clock();
            let (pairs, rest) = (at.nanos() / 2_000_000_000, at.nanos() % 2_000_000_000);
            let first = rest.min(1_000_000_000);
            let energy = pairs * 12_000_000 + (first * 5 + (rest - first) * 7) / 1000;
            let value = Ok(Microjoules::new(energy));
            out.push(CounterReading { counter: 0, at, spread: Nanoseconds::ZERO, value });
        }
    }

    /// A counter that stands still.
    struct Frozen([CounterSpec; 1]);

    impl EnergySource for Frozen {
        fn name(&self) -> &'static str {
            "frozen"
        }

        fn provenance(&self) -> Provenance {
            Provenance::Measured
        }

        fn counters(&self) -> &[CounterSpec] {
            &self.0
        }

        fn read(&mut self, clock: &ClockFn, out: &mut Vec<CounterReading>) {
            let value = Ok(Microjoules::new(1_000_000));
            out.push(CounterReading { counter: 0, at: clock(), spread: Nanoseconds::ZERO, value });
        }
    }

    fn source() -> Box<dyn EnergySource> {
        Box::new(Steps([CounterSpec {
            domain: PACKAGE,
            range: None,
            quantum: Microjoules::new(61),
            update_period: Nanoseconds::from_millis(1),
            ceiling: Watts::new(1000.0),
            shows: Shown::Energy,
        }]))
    }

    #[test]
    fn the_mean_of_ten_seconds_has_the_error_of_their_differences() {
        let now = Cell::new(10_000_000_000_u64);
        let procfs = tempfile::tempdir().unwrap();
        fs::write(procfs.path().join("stat"), "cpu  0 0 0 1000 0 0 0 0\ncpu0\n").unwrap();
        let clock = || MonotonicTime::from_nanos(now.get());
        let wait = |time: Duration| {
            now.set(now.get() + u64::try_from(time.as_nanos()).unwrap());
            // One CPU, a quarter of its time busy.
            let ticks = (now.get() - 10_000_000_000) / 10_000_000;
            let (busy, idle) = (ticks / 4, 1000 + ticks - ticks / 4);
            fs::write(
                procfs.path().join("stat"),
                format!("cpu  {busy} 0 0 {idle} 0 0 0 0\ncpu0\n"),
            )
            .unwrap();
        };
        let mut machine = Machine::new(vec![source()], procfs.path(), &clock, &wait);
        let point = machine.power(0, Nanoseconds::from_millis(10_000)).unwrap();
        let [power] = point.power.as_slice() else { panic!("{point:?}") };
        // Five times 5 W and five times 7 W: 6 W ± sqrt(10 / 9 / 10) W.
        assert!((power.watts.get() - 6.0).abs() < 1e-6, "{power:?}");
        assert!((power.standard_error_watts.get() - (1.0_f64 / 9.0).sqrt()).abs() < 1e-6);
        assert_eq!((power.domain.as_str(), power.source.as_str()), ("package-0", "steps"));
        assert!((point.busy_share - 0.25).abs() < 0.001, "{point:?}");
        assert_eq!(point.lasted_ns, Nanoseconds::from_millis(10_000));
    }

    #[test]
    fn a_counter_that_stands_still_is_not_taken_for_no_power() {
        let now = Cell::new(10_000_000_000_u64);
        let clock = || MonotonicTime::from_nanos(now.get());
        let wait = |time: Duration| now.set(now.get() + u64::try_from(time.as_nanos()).unwrap());
        let frozen = Box::new(Frozen(source().counters().try_into().unwrap()));
        let mut machine = Machine::new(vec![frozen], Path::new("/none"), &clock, &wait);
        let said = machine.power(0, Nanoseconds::from_millis(10_000)).unwrap_err().to_string();
        assert!(said.contains("frozen could not be read for most of the time"), "{said}");
    }

    #[test]
    fn a_machine_that_does_not_tell_its_load_is_not_idle() {
        let now = Cell::new(10_000_000_000_u64);
        let clock = || MonotonicTime::from_nanos(now.get());
        let wait = |time: Duration| now.set(now.get() + u64::try_from(time.as_nanos()).unwrap());
        let mut machine = Machine::new(vec![source()], Path::new("/none"), &clock, &wait);
        let point = machine.power(0, Nanoseconds::from_millis(2000)).unwrap();
        assert!((point.busy_share - 1.0).abs() < f64::EPSILON);
    }
}
