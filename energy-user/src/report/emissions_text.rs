//! The report on emissions as text: what the energy comes to at a site, by which factors, and whose
//! it was.

use super::emissions::{EmissionsSubject, Emitted, EmittingRow, EmittingRows, error_95};
use super::over_time::OverTime;
use super::table::{self, Align, indented};
use super::text::{Paint, UNKNOWN, energy_heading};
use super::{ReportOptions, scale, summary};
use crate::emissions::series::{Step, StepKind, in_hours};
use crate::emissions::{EMBODIED, Labelled, Sci, in_words, sci_in_words};
use crate::profile::GroupBy;
use crate::units::{NanogramsCo2e, Nanolitres, Share};

/// The report on emissions, ending in a line break.
pub fn emissions_text(subject: &EmissionsSubject<'_>, options: &ReportOptions) -> String {
    let emitted = Emitted::of(subject);
    let paint = Paint { on: options.color };
    let mut out = String::new();
    for line in summary::brief(subject.profile, options.width) {
        paint.put(line, &mut out);
    }
    let error = emitted.error_95(subject.site);
    let mut sentences = in_words(subject.site, &emitted.footprint, error, options.equivalents);
    if let Some(embodied) = sentences.iter().position(|it| it.label == EMBODIED) {
        let rule = subject.rows.embodied_rule();
        let text = format!("shared out among the rows by {rule}, so that they add up to it");
        sentences.insert(embodied + 1, Labelled { label: "", text, warning: false });
    }
    if let Some(units) = subject.units {
        let targets = emitted.sci_of_targets(subject, options.all);
        sentences.extend(sci_in_words(emitted.sci(), targets, units));
    }
    for Labelled { label, text, warning } in sentences {
        for line in summary::paragraph(label, &text, warning, options.width) {
            paint.put(line, &mut out);
        }
    }
    if let Some(over_time) = subject.over_time {
        for (label, text, warning) in series_in_words(over_time) {
            for line in summary::paragraph(label, &text, warning, options.width) {
                paint.put(line, &mut out);
            }
        }
    }
    out.push('\n');
    let mut lines = table_lines(subject, &emitted, options).into_iter();
    out.extend(lines.next().map(|heading| paint.heading(&heading)));
    out.push('\n');
    for (line, row) in lines.zip(&emitted.rows) {
        let is_aside = row.kind.is_remainder() || !row.kind.counts();
        out.push_str(&if is_aside { paint.dim(&line) } else { line });
        out.push('\n');
    }
    out
}

/// What the grid emitted when, and how that is known.
fn series_in_words(over_time: &OverTime<'_>) -> Vec<(&'static str, String, bool)> {
    let steps = over_time.steps();
    let grams = || steps.iter().map(|step| step.intensity.get());
    let (least, most) = (grams().fold(f64::INFINITY, f64::min), grams().fold(0.0, f64::max));
    let series = over_time.series;
    let zone =
        series.origin.zone.as_ref().map_or_else(String::new, |zone| format!(" of the zone {zone}"));
    let range = if least < most { format!("{least} … {most}") } else { most.to_string() };
    let text = format!(
        "{range} gCO2e/kWh{zone} in {} of usually {} ({})",
        if steps.len() == 1 { "1 step".to_owned() } else { format!("{} steps", steps.len()) },
        in_hours(series.usual_step()),
        series.origin.source
    );
    let filled = |step: &&&Step| step.kind == StepKind::Filled;
    let is_filled = steps.iter().find(filled).is_some();
    let remarks = series.remarks(&steps).into_iter().map(|remark| ("", remark, is_filled));
    std::iter::once(("over time", text, false)).chain(remarks).collect()
}

fn table_lines(
    subject: &EmissionsSubject<'_>,
    emitted: &Emitted<'_>,
    options: &ReportOptions,
) -> Vec<String> {
    let joules = energy_heading("joules", subject.profile.provenance());
    let mut columns = vec![("emissions", Align::Right), ("±95 %", Align::Right)];
    if subject.site.market.intensity.is_some() {
        columns.push(("market", Align::Right));
    }
    if subject.site.embodied.is_some() {
        columns.push(("embodied", Align::Right));
    }
    if subject.units.is_some() {
        columns.push(("SCI", Align::Right));
    }
    columns.extend([
        ("water", Align::Right),
        (joules.as_str(), Align::Right),
        ("share %", Align::Right),
    ]);
    let name = match subject.rows {
        EmittingRows::Threads(_, GroupBy::Process) => {
            columns.push(("PID", Align::Right));
            "command"
        }
        EmittingRows::Threads(_, GroupBy::Thread) => {
            columns.extend([("PID", Align::Right), ("TID", Align::Right)]);
            "thread"
        }
        EmittingRows::Time(_) => {
            columns.push(("gCO2e/kWh", Align::Right));
            "from"
        }
        rows => rows.by(),
    };
    columns.push((name, Align::Left));
    let rows: Vec<Vec<String>> = emitted.rows.iter().map(|row| cells(subject, row)).collect();
    // Times are told apart by their ends.
    let is_time = matches!(subject.rows, EmittingRows::Time(_));
    table::lines(&columns, &rows, if is_time { usize::MAX } else { options.width })
}

fn cells(subject: &EmissionsSubject<'_>, row: &EmittingRow<'_>) -> Vec<String> {
    let number = |id: Option<u32>| id.map_or_else(String::new, |id| id.to_string());
    let unknown = || UNKNOWN.to_owned();
    let known = row.energy.is_some();
    let all = subject.profile.total().measured.get();
    let share = row.energy.and_then(|energy| Share::of(energy.get(), all));
    let error = row.error.filter(|_| known);
    let error = error.and_then(|error| error_95(error, subject.site, row.intensity));
    let operational = row.emissions.map(NanogramsCo2e::grams);
    let embodied = row.embodied.map(NanogramsCo2e::grams);
    let mut cells = vec![
        operational.map_or_else(unknown, scale::emissions),
        error.map_or_else(String::new, |error| format!("±{}", scale::emissions(error))),
    ];
    if subject.site.market.intensity.is_some() {
        let market = row.market.map(NanogramsCo2e::grams);
        cells.push(market.map_or_else(unknown, scale::emissions));
    }
    if subject.site.embodied.is_some() {
        cells.push(embodied.map_or_else(unknown, scale::emissions));
    }
    if let Some(units) = subject.units {
        let score = Sci { operational, embodied }.score(units);
        cells.push(score.map_or_else(unknown, scale::emissions));
    }
    cells.extend([
        row.water.sum().map(Nanolitres::litres).map_or_else(unknown, scale::water),
        row.energy.map_or_else(unknown, scale::energy),
        share.map_or_else(String::new, scale::percent),
    ]);
    match subject.rows {
        EmittingRows::Threads(_, GroupBy::Process) => cells.push(number(row.pid)),
        EmittingRows::Threads(_, GroupBy::Thread) => {
            cells.extend([number(row.pid), number(row.tid)]);
        }
        EmittingRows::Time(_) => {
            let grams = row.intensity.map(|intensity| format!("{:.1}", intensity.get()));
            cells.push(grams.unwrap_or_else(unknown));
        }
        _ => {}
    }
    cells.push(indented(row.depth, row.name));
    cells
}
