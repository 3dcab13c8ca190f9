//! Idle baselines: what each domain draws when nothing runs, and how that was found.
//! They are given, or calibrated beforehand, or part of the model that made the energy, or the lowest
//! power seen while the machine was quiet, or unknown: never guessed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;

use super::{CardUse, RegressionFacts};
use crate::model::{DomainId, EnergySample, Residency, ThreadId, Topology, Window};
use crate::units::scale::utc;
use crate::units::{Microjoules, MonotonicTime, Nanoseconds, Share, WallTime, Watts};

/// The shortest stretch whose mean power may be a baseline: shorter ones show the counters' jitter.
const SHORTEST_STRETCH: Nanoseconds = Nanoseconds::from_millis(1000);

/// The busiest a domain's CPUs may be, on average over the stretch, in percent of their time.
const BUSIEST_PERCENT: u128 = 10;

/// What one domain draws when nothing runs.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Baseline {
    /// The user said so.
    Given(Watts),
    /// Measured beforehand, while the machine was left alone.
    Calibrated {
        /// The mean power.
        power: Watts,
        /// When.
        taken: WallTime,
        /// How busy the machine's CPUs were all the same.
        busy: Share,
    },
    /// The energy comes from a model, and this is its power without load.
    Modelled(Watts),
    /// The lowest mean power over a quiet stretch of the recording. It holds what little ran there,
    /// so it is too high rather than too low.
    LowestSeen {
        /// The mean power.
        power: Watts,
        /// When the stretch began, since the recording's start.
        from: Nanoseconds,
        /// How long it was.
        lasted: Nanoseconds,
        /// How busy the domain's CPUs were in it.
        busy: Share,
    },
    /// The model `regress` found what remains when every program's part is taken away.
    Fitted {
        /// The power.
        power: Watts,
        /// Its standard error.
        error: Watts,
    },
    /// The domain's CPUs were never quiet for long enough: idle cannot be told from active.
    #[default]
    Unknown,
}

impl Baseline {
    /// The power, where known.
    pub const fn power(self) -> Option<Watts> {
        match self {
            Self::Given(power)
            | Self::Calibrated { power, .. }
            | Self::Modelled(power)
            | Self::LowestSeen { power, .. }
            | Self::Fitted { power, .. } => Some(power),
            Self::Unknown => None,
        }
    }

    /// Whether it was told, and not found in the recording.
    pub const fn is_told(self) -> bool {
        matches!(self, Self::Given(_) | Self::Modelled(_))
    }

    /// How it was found, in one word, for outputs that machines read.
    pub const fn kind(self) -> &'static str {
        match self {
            Self::Given(_) => "given",
            Self::Calibrated { .. } => "calibrated",
            Self::Modelled(_) => "modelled",
            Self::LowestSeen { .. } => "lowest_seen",
            Self::Fitted { .. } => "fitted",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Baseline {
    /// How it was found; the power itself is for the report to scale.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Given(_) => f.write_str("as given"),
            Self::Calibrated { taken, busy, .. } => {
                write!(f, "as calibrated on {} ({:.1} % busy)", utc(*taken), busy.percent())
            }
            Self::Modelled(_) => f.write_str("as the model has it"),
            Self::LowestSeen { from, lasted, busy, .. } => write!(
                f,
                "lowest seen ({:.1} s at {:.1} s, {:.1} % busy)",
                lasted.seconds(),
                from.seconds(),
                busy.percent()
            ),
            Self::Fitted { error, .. } => {
                write!(
                    f,
                    "fitted: what no program accounts for (±{:.2} W at 95 %)",
                    1.96 * error.get()
                )
            }
            Self::Unknown => write!(
                f,
                "unknown: its CPUs were never at most {BUSIEST_PERCENT} % busy for {:.0} s",
                SHORTEST_STRETCH.seconds()
            ),
        }
    }
}

/// The baseline of each domain.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baselines {
    by_domain: BTreeMap<DomainId, Baseline>,
}

impl Baselines {
    /// Only what the user gives.
    pub fn given(given: &BTreeMap<DomainId, Watts>) -> Self {
        Self::known(given, [])
    }

    /// What the user gives, and else what is `told`: by the machine's calibration, or by the energy's
    /// own model.
    pub fn known(
        given: &BTreeMap<DomainId, Watts>,
        told: impl IntoIterator<Item = (DomainId, Baseline)>,
    ) -> Self {
        let given = given.iter().map(|(id, power)| (*id, Baseline::Given(*power)));
        Self { by_domain: told.into_iter().chain(given).collect() }
    }

    /// Whether the baseline of every one of `domains` is known.
    pub fn cover<'a>(&self, mut domains: impl Iterator<Item = &'a DomainId>) -> bool {
        domains.all(|domain| self.of(*domain).power().is_some())
    }

    /// The baseline of one domain.
    pub fn of(&self, domain: DomainId) -> Baseline {
        self.by_domain.get(&domain).copied().unwrap_or_default()
    }

    /// With what a regression found of domains whose baseline nobody told.
    #[must_use]
    pub fn or_fitted(mut self, found: &BTreeMap<DomainId, RegressionFacts>) -> Self {
        for (domain, facts) in found {
            let Some((power, error)) = facts.idle else { continue };
            let baseline = self.by_domain.entry(*domain).or_default();
            if !baseline.is_told() {
                *baseline = Baseline::Fitted { power, error };
            }
        }
        self
    }

    /// What `domain` would have drawn anyway in `lasted`; nothing where the baseline is unknown.
    pub fn energy(&self, domain: DomainId, lasted: Nanoseconds) -> Microjoules {
        self.of(domain).power().map_or(Microjoules::ZERO, |power| (power * lasted).to_microjoules())
    }
}

/// Looks for the baselines in a first pass over the windows, in order.
#[derive(Debug)]
pub struct BaselineSearch<'a> {
    topology: &'a Topology,
    start: Option<MonotonicTime>,
    stretches: BTreeMap<DomainId, Stretch>,
}

impl<'a> BaselineSearch<'a> {
    /// A search that has seen nothing.
    pub const fn new(topology: &'a Topology) -> Self {
        Self { topology, start: None, stretches: BTreeMap::new() }
    }

    /// Looks at the next window, with its energy, its residency, and who used graphics cards. A card that
    /// tells its users is quiet only where it says that there were none.
    pub fn observe(
        &mut self,
        window: &Window,
        energy: &[EnergySample],
        residency: &[Residency],
        cards: &[CardUse],
    ) {
        let topology = self.topology;
        let occupation = |sample: &EnergySample, _| {
            Occupation::of(sample.domain, topology, window.length(), residency)
        };
        self.observe_occupied(window, energy, occupation, cards);
    }

    /// The same of a window whose samples say themselves how busy CPUs were: the residency need not be read.
    pub fn observe_told(&mut self, window: &Window, energy: &[EnergySample], cards: &[CardUse]) {
        let occupation =
            |sample: &EnergySample, cpus| Occupation::told(sample, cpus, window.length());
        self.observe_occupied(window, energy, occupation, cards);
    }

    fn observe_occupied(
        &mut self,
        window: &Window,
        energy: &[EnergySample],
        occupation: impl Fn(&EnergySample, u32) -> Occupation,
        cards: &[CardUse],
    ) {
        let start = *self.start.get_or_insert(window.start);
        for sample in energy {
            let stretch = self.stretches.entry(sample.domain);
            let stretch = stretch.or_insert_with(|| Stretch::of(sample.domain, self.topology));
            let Some(energy) = sample.energy else {
                stretch.break_off();
                continue;
            };
            let card = cards.iter().find(|card| card.domain == sample.domain);
            if card.is_some_and(|card| !card.is_unused()) {
                stretch.break_off();
                continue;
            }
            let occupation = occupation(sample, stretch.cpus);
            let Window { start: from, end, .. } = *window;
            stretch.extend(Part { start: from, end, energy, occupation }, start);
        }
    }

    /// The baselines; those that are `known` come before those seen.
    pub fn finish(self, known: Baselines) -> Baselines {
        let mut baselines = known;
        for (domain, stretch) in self.stretches {
            baselines.by_domain.entry(domain).or_insert(stretch.lowest);
        }
        baselines
    }
}

/// CPU time in nanoseconds: how much of it threads used, and how much there was.
#[derive(Clone, Copy, Debug, Default)]
struct Occupation {
    busy: u128,
    capacity: u128,
}

impl Occupation {
    /// Of the CPUs that feed `domain`, in one window of `length`.
    fn of(
        domain: DomainId,
        topology: &Topology,
        length: Nanoseconds,
        residency: &[Residency],
    ) -> Self {
        let feeders = topology.feeders(domain);
        let mut unknown = BTreeSet::new();
        let mut busy = 0;
        for row in residency.iter().filter(|row| feeders.contains(row.cpu)) {
            if !feeders.knows(row.cpu) {
                unknown.insert(row.cpu);
            }
            if row.thread != ThreadId::IDLE {
                busy += u128::from(row.oncpu.get());
            }
        }
        let cpus = (feeders.known() + unknown.len()) as u128;
        Self { busy, capacity: cpus * u128::from(length.get()) }
    }

    /// As `sample` tells it, whose domain so many CPUs feed; nothing where none does.
    fn told(sample: &EnergySample, cpus: u32, length: Nanoseconds) -> Self {
        let busy = sample.busy.unwrap_or_default().get();
        Self { busy: u128::from(busy), capacity: u128::from(cpus) * u128::from(length.get()) }
    }

    /// Whether so little ran that the power may be a baseline. CPUs that do not exist are quiet.
    const fn is_quiet(self) -> bool {
        self.busy * 100 <= self.capacity * BUSIEST_PERCENT
    }

    /// `busy / capacity`, to a thousandth.
    fn share(self) -> Share {
        let permille = (self.busy * 1000).checked_div(self.capacity).unwrap_or(0).min(1000);
        let permille = u64::try_from(permille).expect("at most 1000");
        Share::of(permille, 1000).expect("a part of a thousand")
    }
}

/// One window of a stretch.
#[derive(Clone, Copy, Debug)]
struct Part {
    start: MonotonicTime,
    end: MonotonicTime,
    energy: Microjoules,
    occupation: Occupation,
}

/// The latest windows of one domain, just long enough to judge, with their sums, and the lowest
/// power so far.
#[derive(Debug, Default)]
struct Stretch {
    /// How many CPUs of known place feed the domain.
    cpus: u32,
    parts: VecDeque<Part>,
    energy: Microjoules,
    occupation: Occupation,
    lowest: Baseline,
}

impl Stretch {
    fn of(domain: DomainId, topology: &Topology) -> Self {
        let cpus = u32::try_from(topology.feeders(domain).known()).unwrap_or(u32::MAX);
        Self { cpus, ..Self::default() }
    }

    /// Adds a window, forgets those no longer needed, and judges the stretch that ends here.
    fn extend(&mut self, part: Part, recording_start: MonotonicTime) {
        if self.parts.back().is_some_and(|last| last.end != part.start) {
            self.break_off();
        }
        self.parts.push_back(part);
        self.energy += part.energy;
        self.occupation.busy += part.occupation.busy;
        self.occupation.capacity += part.occupation.capacity;
        while self.parts.get(1).is_some_and(|next| part.end.since(next.start) >= SHORTEST_STRETCH) {
            self.forget_first();
        }
        let Some(first) = self.parts.front() else { return };
        let lasted = part.end.since(first.start);
        if lasted < SHORTEST_STRETCH || !self.occupation.is_quiet() {
            return;
        }
        let power = self.energy.joules() / lasted;
        if self.lowest.power().is_none_or(|lowest| power < lowest) {
            self.lowest = Baseline::LowestSeen {
                power,
                from: first.start.since(recording_start),
                lasted,
                busy: self.occupation.share(),
            };
        }
    }

    /// Starts anew: what came before does not border on what comes next.
    fn break_off(&mut self) {
        *self = Self { cpus: self.cpus, lowest: self.lowest, ..Self::default() };
    }

    /// Forgets the oldest window.
    fn forget_first(&mut self) {
        let Some(first) = self.parts.pop_front() else { return };
        self.energy =
            self.energy.checked_sub(first.energy).expect("a part is not above the sum it is in");
        self.occupation.busy -= first.occupation.busy;
        self.occupation.capacity -= first.occupation.capacity;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{CounterFlags, CpuPlace, Domain, Provenance};

    const PACKAGE: DomainId = DomainId::of_socket(Domain::Package, 0);

    /// One CPU; each window is `(milliseconds, microjoules, busy milliseconds)`. Whether who ran is read or samples tell how
    /// busy CPUs were is all the same.
    fn search(windows: &[(u64, Option<u64>, u64)]) -> Baseline {
        let topology = Topology { cpus: [(0, CpuPlace::default())].into() };
        let mut search = BaselineSearch::new(&topology);
        let mut told = BaselineSearch::new(&topology);
        let mut at = MonotonicTime::from_nanos(5_000_000_000);
        for (index, (length, energy, busy)) in (0..).zip(windows) {
            let window = Window {
                index,
                start: at,
                end: at + Nanoseconds::from_millis(*length),
                start_utc: WallTime::default(),
                lost_switches: 0,
                lost_events: 0,
            };
            at = window.end;
            let energy = EnergySample {
                window: index,
                domain: PACKAGE,
                source: "test".into(),
                provenance: Provenance::Measured,
                energy: energy.map(Microjoules::new),
                error: None,
                flags: CounterFlags::NONE,
                busy: Some(Nanoseconds::from_millis(*busy)),
            };
            told.observe_told(&window, std::slice::from_ref(&energy), &[]);
            let busy = Residency {
                window: index,
                thread: ThreadId::FIRST,
                cpu: 0,
                oncpu: Nanoseconds::from_millis(*busy),
                switches: 1,
            };
            search.observe(&window, &[energy], &[busy], &[]);
        }
        let found = search.finish(Baselines::default()).of(PACKAGE);
        assert_eq!(told.finish(Baselines::default()).of(PACKAGE), found);
        found
    }

    #[test]
    fn the_lowest_quiet_second_is_the_baseline() {
        // 8 W and busy, then 3 W and 5 % busy, then 2 W but for half a second only.
        let found = search(&[
            (500, Some(4_000_000), 500),
            (500, Some(1_500_000), 25),
            (500, Some(1_500_000), 25),
            (500, Some(1_000_000), 0),
        ]);
        let Baseline::LowestSeen { power, from, lasted, busy } = found else {
            panic!("{found:?}");
        };
        assert!((power.get() - 2.5).abs() < 1e-9, "1.5 J and 1 J over 1 s are 2.5 W");
        assert_eq!(from, Nanoseconds::from_millis(1000));
        assert_eq!(lasted, Nanoseconds::from_millis(1000));
        assert!((busy.percent() - 2.5).abs() < 1e-9);
    }

    #[test]
    fn a_machine_that_is_never_quiet_has_no_baseline() {
        assert_eq!(search(&[(1000, Some(1), 101), (1000, Some(1), 101)]), Baseline::Unknown);
        assert_ne!(search(&[(1000, Some(1), 100)]), Baseline::Unknown);
    }

    #[test]
    fn a_gap_ends_a_stretch() {
        let quiet = (500, Some(1), 0);
        assert_eq!(search(&[quiet, (500, None, 0), quiet]), Baseline::Unknown);
        assert_ne!(search(&[quiet, quiet]), Baseline::Unknown);
    }

    #[test]
    fn a_stretch_after_a_gap_may_be_as_busy_as_one_before_it() {
        let found = search(&[(1000, None, 0), (1000, Some(2_000_000), 100)]);
        assert_eq!(found.power(), Some(Watts::new(2.0)), "{found:?}");
    }

    #[test]
    fn a_given_baseline_comes_before_one_seen() {
        let given = [(PACKAGE, Watts::new(12.5))].into();
        let topology = Topology::default();
        let baselines = BaselineSearch::new(&topology).finish(Baselines::given(&given));
        assert_eq!(baselines.of(PACKAGE), Baseline::Given(Watts::new(12.5)));
        assert_eq!(
            baselines.energy(PACKAGE, Nanoseconds::from_millis(100)),
            Microjoules::new(1_250_000)
        );
    }

    #[test]
    fn a_calibrated_baseline_comes_before_one_seen_and_after_one_given() {
        let calibrated = Baseline::Calibrated {
            power: Watts::new(5.0),
            taken: WallTime::from_epoch_nanos(1_795_418_040_000_000_000),
            busy: Share::of(4, 1000).unwrap(),
        };
        let known = |given: &BTreeMap<_, _>| Baselines::known(given, [(PACKAGE, calibrated)]);
        let topology = Topology::default();
        let found = BaselineSearch::new(&topology).finish(known(&BTreeMap::new())).of(PACKAGE);
        assert_eq!((found, found.kind()), (calibrated, "calibrated"));
        assert_eq!(found.to_string(), "as calibrated on 2026-11-23 07:14:00 UTC (0.4 % busy)");
        let given = known(&[(PACKAGE, Watts::new(1.0))].into()).of(PACKAGE);
        assert_eq!(given, Baseline::Given(Watts::new(1.0)));
    }
}
