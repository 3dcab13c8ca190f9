//! A table of energy over time: a row for each window and domain, then for each window and process.
//! Rows of kind `domain` are what counters gave, rows of kind `process` are how that was divided;
//! adding both up counts everything twice.

use std::io::Write;

use super::timeline::Timeline;
use super::{ExportError, Exporter, Subject};
use crate::model::{Provenance, Window};
use crate::units::{Joules, Microjoules, scale};

/// Comma-separated values with a heading. An energy that is not known is an empty field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Csv;

const HEADING: [&str; 12] = [
    "window",
    "start_s",
    "duration_s",
    "start_utc",
    "kind",
    "name",
    "pid",
    "in_total",
    "energy_joules",
    "power_watts",
    "error_joules",
    "provenance",
];

impl Exporter for Csv {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let mut table = csv::Writer::from_writer(out);
        table.write_record(HEADING)?;
        let timeline = subject.timeline;
        for window in timeline.windows() {
            for row in domain_rows(subject, window) {
                table.write_record(row.fields(timeline, window))?;
            }
        }
        let provenance = subject.profile.provenance().map(Provenance::divided);
        for (process, track) in timeline.processes() {
            for window in timeline.windows() {
                let energy = track.energy(window.index);
                if energy == Microjoules::ZERO {
                    continue;
                }
                let row = Row {
                    kind: "process",
                    name: process.name.clone(),
                    pid: Some(process.pid),
                    in_total: true,
                    energy: Some(energy),
                    error: None,
                    provenance,
                };
                table.write_record(row.fields(timeline, window))?;
            }
        }
        table.flush()?;
        Ok(())
    }
}

/// One row, but for its window.
struct Row {
    kind: &'static str,
    name: String,
    pid: Option<u32>,
    in_total: bool,
    energy: Option<Microjoules>,
    error: Option<Microjoules>,
    provenance: Option<Provenance>,
}

fn domain_rows<'a>(
    subject: &'a Subject<'_>,
    window: &'a Window,
) -> impl Iterator<Item = Row> + use<'a> {
    subject.timeline.domains().iter().map(|(domain, samples)| {
        let sample = samples.get(&window.index);
        Row {
            kind: "domain",
            name: domain.to_string(),
            pid: None,
            in_total: subject.profile.domains.get(domain).is_some_and(|account| account.in_total),
            energy: sample.and_then(|sample| sample.energy),
            error: sample.and_then(|sample| sample.error),
            provenance: sample.map(|sample| sample.provenance),
        }
    })
}

impl Row {
    fn fields(self, timeline: &Timeline, window: &Window) -> [String; HEADING.len()] {
        let start = timeline.windows().first().map(|first| first.start).unwrap_or_default();
        let power = |energy: Joules| format!("{:.6}", (energy / window.length()).get());
        let exact = |energy: Option<Microjoules>| energy.map(scale::exact_joules);
        let text = Option::unwrap_or_default;
        [
            window.index.to_string(),
            format!("{:.6}", window.start.since(start).seconds()),
            format!("{:.6}", window.length().seconds()),
            text(scale::rfc3339_millis(window.start_utc)),
            self.kind.to_owned(),
            self.name,
            text(self.pid.map(|pid| pid.to_string())),
            self.in_total.to_string(),
            text(exact(self.energy)),
            text(self.energy.map(|energy| power(energy.joules()))),
            text(exact(self.error)),
            text(self.provenance.map(|provenance| provenance.to_string())),
        ]
    }
}
