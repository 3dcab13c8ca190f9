//! The report on emissions as text: what the energy comes to at a site, by which factors, and whose
//! it was.

use super::emissions::{EmissionsSubject, Emitted, EmittingRow, EmittingRows, error_95};
use super::table::{self, Align, printable};
use super::text::{Paint, UNKNOWN, energy_heading};
use super::{ReportOptions, scale, summary};
use crate::emissions::equivalents::{self, Equivalent};
use crate::emissions::{Grid, Site, world};
use crate::profile::GroupBy;
use crate::units::{NanogramsCo2e, Nanolitres, Share};

/// How much deeper each generation of processes is shown, and how many generations at most.
const INDENT: &str = "  ";
const DEEPEST: usize = 10;

/// The report on emissions, ending in a line break.
pub fn emissions_text(subject: &EmissionsSubject<'_>, options: &ReportOptions) -> String {
    let emitted = Emitted::of(subject);
    let paint = Paint { on: options.color };
    let mut out = String::new();
    for line in summary::brief(subject.profile, options.width) {
        paint.put(line, &mut out);
    }
    for (label, text, warning) in site_lines(subject.site, &emitted, options.equivalents) {
        for line in summary::paragraph(label, &text, warning, options.width) {
            paint.put(line, &mut out);
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

type Labelled = (&'static str, String, bool);

/// The factors, and what they make of the energy.
fn site_lines(site: &Site, emitted: &Emitted<'_>, equivalents: bool) -> Vec<Labelled> {
    let mut lines = vec![("site", site.name.clone(), false), facility(site, emitted)];
    match &site.grid {
        Some(grid) => lines.extend(of_grid(grid, site, emitted)),
        None => lines.extend(of_the_world(emitted)),
    }
    lines.extend(water(site, emitted));
    if equivalents {
        lines.extend(as_much(site, emitted));
    }
    lines
}

fn facility(site: &Site, emitted: &Emitted<'_>) -> Labelled {
    let it = scale::electricity(emitted.footprint.it);
    let Some(pue) = &site.pue else {
        let text = format!(
            "{it} of IT equipment; no PUE is known for the site, so that nothing is added for its \
             cooling and power supply (give one with --pue)"
        );
        return ("facility", text, false);
    };
    let facility = scale::electricity(emitted.footprint.facility);
    let text = format!(
        "{it} of IT equipment × PUE {} = {facility} of the facility ({})",
        pue.value.get(),
        pue.about()
    );
    ("facility", text, false)
}

fn of_grid(grid: &Grid, site: &Site, emitted: &Emitted<'_>) -> Vec<Labelled> {
    let factor = format!("{} gCO2e/kWh ({})", grid.intensity.value.get(), grid.intensity.about());
    let mut lines = vec![("grid", factor, false)];
    for other in &grid.others {
        let text = format!("also {} gCO2e/kWh ({})", other.value.get(), other.about());
        lines.push(("", text, false));
    }
    let emissions = emitted.footprint.emissions.unwrap_or_default();
    let (least, most) = emitted.footprint.range;
    let range = if grid.others.is_empty() {
        String::new()
    } else {
        format!("; {} … {} by other tables", scale::emissions(least), scale::emissions(most))
    };
    let error = error_95(emitted.error, site).map_or_else(String::new, |error| {
        format!(" ±{} by the energy's error", scale::emissions(error))
    });
    let text = format!("{}{error}, location-based{range}", scale::emissions(emissions));
    lines.push(("emissions", text, false));
    lines
}

fn of_the_world(emitted: &Emitted<'_>) -> Vec<Labelled> {
    let world = world();
    let (least, most) = emitted.footprint.range;
    let range = format!(
        "{} … {} in four fifths of {} countries ({:.0} … {:.0} gCO2e/kWh, of all electricity {:.0} in {}; \
         {})",
        scale::emissions(least),
        scale::emissions(most),
        world.countries,
        world.low.get(),
        world.high.get(),
        world.mean.get(),
        world.year,
        world.source,
    );
    let how = "where it ran was not said, so no single figure is given: say it with --zone FR, \
               --cloud aws/eu-west-3, --intensity 56 or --mix coal=10,wind=90";
    vec![("emissions", range, false), ("", how.to_owned(), true)]
}

fn water(site: &Site, emitted: &Emitted<'_>) -> Vec<Labelled> {
    let water = &emitted.footprint.water;
    let on_site = match (water.on_site, &site.wue) {
        (Some(litres), Some(wue)) => format!(
            "on site {} at a WUE of {} L/kWh ({})",
            scale::water(litres),
            wue.value.get(),
            wue.about()
        ),
        _ => "on site unknown: no WUE is known for the site (give one with --wue)".to_owned(),
    };
    let figure = site.grid.as_ref().and_then(|grid| grid.water.as_ref());
    let off_site = match (water.off_site, figure) {
        (Some(litres), Some(figure)) => {
            let without = water.off_site_without_hydro.map_or_else(String::new, |litres| {
                format!(", {} without what evaporates from reservoirs", scale::water(litres))
            });
            format!(
                "off site {}{without}, at {:.2} L/kWh ({})",
                scale::water(litres),
                figure.value.get(),
                figure.about()
            )
        }
        _ => "off site unknown: the mix of the grid is not known".to_owned(),
    };
    vec![("water", on_site, false), ("", off_site, false)]
}

/// What else emits as much as all of it.
fn as_much(site: &Site, emitted: &Emitted<'_>) -> Vec<Labelled> {
    let Some((emissions, grid)) = emitted.footprint.emissions.zip(site.grid.as_ref()) else {
        return Vec::new();
    };
    let fitting = equivalents::fitting(emissions, grid.intensity.value);
    let line = |(place, it): (usize, &Equivalent)| {
        let year = it.year.map_or_else(String::new, |year| format!("{year}; "));
        let text =
            format!("{} × {} ({}; {year}{})", scale::count(it.count), it.label, it.unit, it.source);
        (if place == 0 { "as much as" } else { "" }, text, false)
    };
    if fitting.is_empty() {
        return vec![("as much as", "nothing in the table: it is too little".to_owned(), false)];
    }
    fitting.iter().enumerate().map(line).collect()
}

fn table_lines(
    subject: &EmissionsSubject<'_>,
    emitted: &Emitted<'_>,
    options: &ReportOptions,
) -> Vec<String> {
    let joules = energy_heading("joules", subject.profile.provenance());
    let mut columns = vec![
        ("emissions", Align::Right),
        ("±95 %", Align::Right),
        ("water", Align::Right),
        (joules.as_str(), Align::Right),
        ("share %", Align::Right),
    ];
    let name = match subject.rows {
        EmittingRows::Threads(_, GroupBy::Process) => {
            columns.push(("PID", Align::Right));
            "command"
        }
        EmittingRows::Threads(_, GroupBy::Thread) => {
            columns.extend([("PID", Align::Right), ("TID", Align::Right)]);
            "thread"
        }
        rows => rows.by(),
    };
    columns.push((name, Align::Left));
    let rows: Vec<Vec<String>> = emitted.rows.iter().map(|row| cells(subject, row)).collect();
    table::lines(&columns, &rows, options.width)
}

fn cells(subject: &EmissionsSubject<'_>, row: &EmittingRow<'_>) -> Vec<String> {
    let number = |id: Option<u32>| id.map_or_else(String::new, |id| id.to_string());
    let unknown = || UNKNOWN.to_owned();
    let known = row.energy.is_some();
    let all = subject.profile.total().measured.get();
    let share = row.energy.and_then(|energy| Share::of(energy.get(), all));
    let error = row.error.filter(|_| known).and_then(|error| error_95(error, subject.site));
    let mut cells = vec![
        row.emissions.map(NanogramsCo2e::grams).map_or_else(unknown, scale::emissions),
        error.map_or_else(String::new, |error| format!("±{}", scale::emissions(error))),
        row.water.sum().map(Nanolitres::litres).map_or_else(unknown, scale::water),
        row.energy.map_or_else(unknown, scale::energy),
        share.map_or_else(String::new, scale::percent),
    ];
    match subject.rows {
        EmittingRows::Threads(_, GroupBy::Process) => cells.push(number(row.pid)),
        EmittingRows::Threads(_, GroupBy::Thread) => {
            cells.extend([number(row.pid), number(row.tid)]);
        }
        _ => {}
    }
    cells.push(format!("{}{}", INDENT.repeat(row.depth.min(DEEPEST)), printable(row.name)));
    cells
}
