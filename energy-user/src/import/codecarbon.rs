//! CodeCarbon's `emissions.csv`: a row for each run of a program, written when it ended.
//!
//! Columns are known by name: versions differ in their order and number. Energy is in kWh, already times the
//! PUE; the timestamp is the run's end on the machine's clock. How CPU energy came about (RAPL, or a
//! share of the design power) is not written, memory's is always a model; that of cards is NVML's.
//! Reference: CodeCarbon 3.3.2, `codecarbon/output_methods/emissions_data.py`.

use super::LogError;
use super::cell::number;
use super::columns::{Columns, cell};
use super::format::{AboutLog, LogFormat};
use super::local_time::{self, between, together};
use super::log::{LeftOut, Log, LogRow, LogSource, LoggedEnergy, NO_ZONE};
use super::text::{LogText, cells};
use crate::model::{CounterFlags, Domain, DomainId, Provenance};
use crate::trace::Host;
use crate::units::{Joules, Nanoseconds};

const JOULES_PER_KWH: f64 = 3.6e6;

/// More than any run: what a power station makes in a day.
const LARGEST_KWH: f64 = 1e8;

/// Longer than any run: a century.
const LONGEST_SECONDS: f64 = 3.2e9;

/// Timestamps are cut to seconds, so that runs may seem to overlap by one.
const CLOCK_STEP: Nanoseconds = Nanoseconds::from_millis(1000);

/// Two figures of one energy that differ by more than this share disagree.
const DISAGREEMENT: f64 = 0.001;

/// Relative standard errors, assumptions of ours: of a figure that may be anything between nothing and
/// twice itself (1/√3), as the model's; and of NVML's, which NVIDIA gives as ±5 %.
const ERROR_OF_ESTIMATE: f64 = 0.577;
const ERROR_OF_CARDS: f64 = 0.05;

const ESTIMATE: LogSource = LogSource { name: "codecarbon", provenance: Provenance::Estimated };
const CARDS: LogSource = LogSource { name: "codecarbon-gpu", provenance: Provenance::Measured };

/// The format.
pub(super) struct CodeCarbon;

impl LogFormat for CodeCarbon {
    fn name(&self) -> &'static str {
        "codecarbon"
    }

    fn tool(&self) -> &'static str {
        "CodeCarbon"
    }

    fn lacks(&self) -> &'static str {
        "no columns `duration`, `cpu_energy` and `energy_consumed`"
    }

    fn recognises(&self, text: &LogText) -> bool {
        text.lines().next().is_some_and(|line| header(line).is_some())
    }

    fn read(&self, text: &LogText, about: &AboutLog<'_>) -> Result<Log, LogError> {
        let mut lines = text.lines();
        let wanted = "duration, cpu_energy and energy_consumed";
        let columns = lines.next().and_then(header).ok_or(LogError::NoHeader { wanted })?;
        let mut left_out = LeftOut { cut_short: text.ends_in_a_line(), ..LeftOut::default() };
        let mut runs = Vec::new();
        for line in lines.filter(|line| header(line).is_none()) {
            match Run::of(&columns, &cells(line)) {
                Some(run) => runs.push(run),
                None => left_out.garbage += 1,
            }
        }
        if runs.is_empty() {
            return Err(left_out.no_rows());
        }
        let mut notes = Vec::new();
        let mut runs = latest_of_each(runs, &mut notes);
        if let Some(wanted) = &about.missing.run {
            runs = only(runs, wanted)?;
        }
        let runs = one_after_the_other(runs)?;
        let first = runs.first().ok_or_else(|| left_out.no_rows())?;
        let begun = first.begun;
        notes.extend(told_of(&runs));
        if about.missing.utc_offset_seconds.is_none() {
            notes.push(NO_ZONE.to_owned());
        }
        notes.extend(left_out.notes());
        Ok(Log {
            start: local_time::wall_time(begun, about.missing.utc_offset_seconds),
            host: runs.last().map(|run| run.host.clone()).unwrap_or_default(),
            rows: runs.iter().map(|run| run.row(begun)).collect(),
            notes,
        })
    }
}

/// The columns, where this is the line of headers.
fn header(line: &str) -> Option<Columns> {
    let columns = Columns::new(cells(line));
    let needed = ["timestamp", "duration", "cpu_energy", "energy_consumed"];
    needed.iter().all(|name| columns.place(name).is_some()).then_some(columns)
}

/// One run.
#[derive(Clone, Debug)]
struct Run {
    id: String,
    task: String,
    /// On the log's clock.
    begun: i64,
    lasted: Nanoseconds,
    cpu_kwh: Option<f64>,
    /// `None` where the machine has no cards.
    gpu_kwh: Option<f64>,
    ram_kwh: Option<f64>,
    consumed_kwh: Option<f64>,
    pue: f64,
    by_process: bool,
    gpu_model: String,
    host: Host,
}

impl Run {
    /// From a row; `None` where its time or all its energy cannot be read.
    fn of(columns: &Columns, row: &[String]) -> Option<Self> {
        let text = |name: &str| cell(row, columns.place(name)).to_owned();
        let energy = |name: &str| number(&text(name), "", LARGEST_KWH).ok();
        let ended = local_time::date_and_time(&text("timestamp"))?;
        let lasted = number(&text("duration"), "", LONGEST_SECONDS).ok()?;
        let lasted = local_time::seconds(lasted).filter(|lasted| *lasted > Nanoseconds::ZERO)?;
        let gpu_model = text("gpu_model");
        let has_cards = !gpu_model.is_empty()
            || energy("gpu_energy").is_some_and(|energy| energy > 0.0)
            || number(&text("gpu_count"), "", f64::MAX).is_ok_and(|count| count > 0.0);
        let run = Self {
            id: text("run_id"),
            task: text("task_name"),
            begun: ended - i64::try_from(lasted.get()).ok()?,
            lasted,
            cpu_kwh: energy("cpu_energy"),
            gpu_kwh: energy("gpu_energy").filter(|_| has_cards),
            ram_kwh: energy("ram_energy"),
            consumed_kwh: energy("energy_consumed"),
            pue: number(&text("pue"), "", 100.0).unwrap_or(1.0),
            by_process: text("tracking_mode") == "process",
            gpu_model,
            host: host(&text),
        };
        (run.cpu_kwh.is_some() || run.gpu_kwh.is_some() || run.ram_kwh.is_some()).then_some(run)
    }

    /// On the log's clock.
    fn ended(&self) -> i64 {
        self.begun.saturating_add(i64::try_from(self.lasted.get()).unwrap_or(i64::MAX))
    }

    fn parts(&self) -> impl Iterator<Item = f64> {
        [self.cpu_kwh, self.gpu_kwh, self.ram_kwh].into_iter().flatten()
    }

    /// Whether its parts do not add up to what it says it consumed.
    fn disagrees(&self) -> bool {
        let sum: f64 = self.parts().sum();
        let consumed = self.consumed_kwh;
        consumed.is_some_and(|consumed| (consumed - sum).abs() > DISAGREEMENT * consumed.max(sum))
    }

    /// Its row in a log that began at `begun`.
    fn row(&self, begun: i64) -> LogRow {
        let from = between(begun, self.begun);
        let lasted = self.lasted;
        let energy = |domain, source, kwh: Option<f64>, error: f64| {
            let domain = DomainId::of_machine(domain);
            let Some(kwh) = kwh else {
                let flags = CounterFlags::UNREADABLE.with(CounterFlags::GAP);
                return LoggedEnergy::unknown(domain, source, flags);
            };
            let joules = kwh * JOULES_PER_KWH;
            let uj = i64::try_from(Joules::new(joules).to_microjoules().get()).unwrap_or(i64::MAX);
            LoggedEnergy::of_counter(domain, source, Ok(uj), joules * error, lasted)
        };
        let mut all = vec![
            energy(Domain::Package, ESTIMATE, self.cpu_kwh, ERROR_OF_ESTIMATE),
            energy(Domain::Dram, ESTIMATE, self.ram_kwh, ERROR_OF_ESTIMATE),
        ];
        if self.gpu_kwh.is_some() {
            all.push(energy(Domain::Gpu, CARDS, self.gpu_kwh, ERROR_OF_CARDS));
        }
        LogRow { from, to: together(from, lasted), energy: all }
    }

    fn name(&self) -> String {
        if self.task.is_empty() { self.id.clone() } else { format!("{} of {}", self.task, self.id) }
    }
}

/// What the row says of the machine.
fn host(text: &dyn Fn(&str) -> String) -> Host {
    let number = |name: &str, largest: f64| number(&text(name), "", largest).ok();
    let gibibytes = number("ram_total_size", 1e9).unwrap_or(0.0);
    // `Linux-6.1.0-13-amd64-x86_64-with-glibc2.36`, as Python's `platform.platform()` gives it.
    let os = text("os");
    let kernel = os
        .strip_prefix("Linux-")
        .map_or(os.as_str(), |rest| rest.split_once("-with-").map_or(rest, |(kernel, _)| kernel));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "numbers from nothing to a stated largest"
    )]
    Host {
        kernel: kernel.to_owned(),
        cpu_model: text("cpu_model"),
        cpus: number("cpu_count", 1e6).unwrap_or(0.0) as u32,
        memory_bytes: (gibibytes * 1_073_741_824.0) as u64,
        ..Host::default()
    }
}

/// A run that was written down several times counts once, as it was last: its figures go on growing.
fn latest_of_each(runs: Vec<Run>, notes: &mut Vec<String>) -> Vec<Run> {
    let all = runs.len();
    let mut latest: Vec<Run> = Vec::new();
    for run in runs {
        let known = latest
            .iter_mut()
            .find(|known| !run.id.is_empty() && (&known.id, &known.task) == (&run.id, &run.task));
        match known {
            Some(known) if known.lasted <= run.lasted => *known = run,
            Some(_) => {}
            None => latest.push(run),
        }
    }
    let again = all - latest.len();
    if again > 0 {
        notes.push(format!(
            "{again} lines are earlier states of runs that are there with more, and are not counted again"
        ));
    }
    latest
}

/// The run whose id begins so.
fn only(runs: Vec<Run>, wanted: &str) -> Result<Vec<Run>, LogError> {
    let present: Vec<String> = runs.iter().map(|run| run.id.clone()).collect();
    let found: Vec<Run> = runs.into_iter().filter(|run| run.id.starts_with(wanted)).collect();
    if found.is_empty() {
        let (wanted, present) = (wanted.to_owned(), present.join(", "));
        return Err(LogError::NoSuchRun { wanted, present });
    }
    Ok(found)
}

/// The runs in the order of time; one that seems to begin within the second in which the one before
/// ended begins when that has.
fn one_after_the_other(mut runs: Vec<Run>) -> Result<Vec<Run>, LogError> {
    runs.sort_by_key(|run| run.begun);
    let mut placed: Vec<Run> = Vec::new();
    for mut run in runs {
        if let Some(before) = placed.last() {
            let ended = before.ended();
            let overlap = between(run.begun, ended);
            if overlap > CLOCK_STEP {
                return Err(LogError::OverlappingRuns {
                    first: before.name(),
                    second: run.name(),
                    seconds: overlap.seconds(),
                });
            }
            run.begun = run.begun.max(ended);
        }
        placed.push(run);
    }
    Ok(placed)
}

/// What a reader must know of these runs.
fn told_of(runs: &[Run]) -> Vec<String> {
    let mut notes = vec![
        "CodeCarbon does not write how it came to CPU and memory energy, so both count as estimates"
            .to_owned(),
    ];
    let count = |what: &dyn Fn(&Run) -> bool| runs.iter().filter(|run| what(run)).count();
    let of_all = |some: usize| format!("{some} of {} runs", runs.len());
    if runs.len() > 1 {
        notes.push(format!(
            "its {} runs are windows, with the time between them left out",
            runs.len()
        ));
    }
    let by_process = count(&|run| run.by_process);
    if by_process > 0 {
        notes.push(format!(
            "{} were tracked by process: their CPU and memory energy is that of the program and not of \
             the machine",
            of_all(by_process)
        ));
    }
    let with_pue = count(&|run| (run.pue - 1.0).abs() > f64::EPSILON);
    if with_pue > 0 {
        notes.push(format!(
            "{} have a PUE other than 1 in their energy, which is then the building's and not the \
             machine's",
            of_all(with_pue)
        ));
    }
    let disagreeing = count(&Run::disagrees);
    if disagreeing > 0 {
        notes.push(format!(
            "in {}, cpu_energy, gpu_energy and ram_energy do not add up to energy_consumed: the three \
             are taken",
            of_all(disagreeing)
        ));
    }
    let cards: Vec<&str> =
        runs.iter().map(|run| run.gpu_model.as_str()).filter(|model| !model.is_empty()).collect();
    notes.extend(cards.last().map(|cards| format!("gpu is {cards}")));
    notes
}
