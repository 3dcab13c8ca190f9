//! A report to hand in: one HTML file that needs nothing but a browser, with energy over time, by process
//! and by function, the flame graph, emissions and water, and the sources of every factor.

mod chart;

use std::fmt::Write as _;
use std::io::Write;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{Direction, ExportError, Exporter, Flamegraph, Subject, headline};
use crate::emissions::{Labelled, in_words, sci_in_words};
use crate::model::Ledger;
use crate::profile::{CodeRow, CodeUnit, GroupBy, NodeKind, Profile, Row, SortBy, ViewOptions};
use crate::units::{GramsCo2e, KilowattHours, Microjoules, Share, scale};

const STYLE: &str = include_str!("page.css");
/// How many processes and how many functions are shown.
const ROWS: usize = 15;

/// The report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Html;

impl Exporter for Html {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let Subject { profile, .. } = *subject;
        let title = escaped(&headline::shortened(&headline::target(profile), 120));
        let mut page = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
             <title>Energy of {title}</title><style>{STYLE}</style></head><body>\n\
             <h1>Energy of {title}</h1>\n"
        );
        page.push_str(&head(subject));
        let chart = chart::power_over_time(profile, subject.timeline);
        section(&mut page, "Power over time", &chart);
        section(&mut page, "Emissions and water", &emissions(subject));
        section(&mut page, "By process", &processes(subject));
        section(&mut page, "By function", &functions(subject));
        section(&mut page, "Flame graph", &flame_graph(subject)?);
        section(&mut page, "How it was measured", &method(profile));
        let _ = writeln!(
            page,
            "<footer><p>Written by {}. Sums close to the microjoule: measured = attributed + idle + \
             unattributed.</p></footer></body></html>",
            escaped(&profile.facts.tool)
        );
        out.write_all(page.as_bytes())?;
        Ok(())
    }
}

/// Text as HTML shows it, in elements and in quoted attributes.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// A heading and what is below it; nothing where that is empty.
fn section(page: &mut String, heading: &str, body: &str) {
    if !body.is_empty() {
        let _ = writeln!(page, "<h2>{heading}</h2>\n{body}");
    }
}

/// The figures that are looked for first, and whether they were measured.
fn head(subject: &Subject<'_>) -> String {
    let Subject { profile, site, .. } = *subject;
    let mut html = String::new();
    let begun = scale::utc(profile.span.start_utc);
    let _ = writeln!(
        html,
        "<p class=\"dim\">{begun}, {} on {}</p>",
        scale::duration(profile.span.duration),
        escaped(&profile.facts.hostname)
    );
    if let Some(warning) = headline::warning(profile) {
        let _ = writeln!(
            html,
            "<p class=\"warning\">{warning}: no counter stands behind some or all of these joules.</p>"
        );
    }
    let measured = profile.total().measured;
    let mut figures = vec![(
        scale::energy(measured),
        format!("energy, {}", scale::plus_minus(profile.total_error().half_width_95())),
    )];
    figures
        .push((scale::power(measured.joules() / profile.span.duration), "mean power".to_owned()));
    let footprint = subject.footprint();
    if let Some(emissions) = footprint.emissions {
        figures.push((scale::emissions(emissions), format!("in {}", site.name)));
    }
    if let Some(part) = footprint.embodied {
        figures.push((scale::emissions(part.emissions), "embodied, besides".to_owned()));
    }
    let water = &footprint.water;
    if let Some(litres) = water.on_site.into_iter().chain(water.off_site).reduce(|a, b| a + b) {
        figures.push((scale::water(litres), "water, as far as known".to_owned()));
    }
    html.push_str("<div class=\"figures\">");
    for (figure, what) in figures {
        let _ =
            write!(html, "<div><b>{}</b><span>{}</span></div>", escaped(&figure), escaped(&what));
    }
    html.push_str("</div>\n");
    html
}

/// The factors with their sources, and what they come to.
fn emissions(subject: &Subject<'_>) -> String {
    let Subject { profile, site, .. } = *subject;
    let footprint = subject.footprint();
    let error = error_of(subject, profile.total_error().half_width_95().into());
    let score =
        subject.units.map(|units| sci_in_words(subject.sci(), subject.sci_of_targets(), units));
    let sentences = in_words(site, &footprint, error, true).into_iter();
    list(sentences.chain(score.into_iter().flatten()))
}

/// Labelled sentences as a list of definitions.
fn list(sentences: impl Iterator<Item = Labelled>) -> String {
    let mut html = "<dl>".to_owned();
    for Labelled { label, text, warning } in sentences {
        let class = if warning { " class=\"warning\"" } else { "" };
        let _ = write!(html, "<dt>{}</dt><dd{class}>{}</dd>", escaped(label), escaped(&text));
    }
    html.push_str("</dl>");
    html
}

/// What energy with so much error may emit more or less.
fn error_of(subject: &Subject<'_>, off_by: KilowattHours) -> Option<GramsCo2e> {
    Some(off_by * subject.site.intensity_of_it()?)
}

/// What some energy emitted, as text; nothing where the place is not known.
fn emitted(subject: &Subject<'_>, energy: Microjoules) -> Option<String> {
    let emitted = KilowattHours::from(energy) * subject.site.intensity_of_it()?;
    Some(scale::emissions(emitted))
}

fn processes(subject: &Subject<'_>) -> String {
    let options =
        ViewOptions { by: GroupBy::Process, sort: SortBy::Joules, top: Some(ROWS), all: false };
    let view = subject.profile.view(&options, &|_| None);
    let rows = view.rows.iter().map(|row| process(subject, row, &view.total));
    table(subject, "process", rows)
}

fn process(subject: &Subject<'_>, row: &Row, total: &Ledger) -> TableRow {
    let known = subject.profile.known_energy(row);
    let error = row.error.filter(|_| known.is_some());
    let pid = row.pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    TableRow {
        energy: known,
        error: error.map_or_else(String::new, |error| scale::plus_minus(error.half_width_95())),
        share: row.share(total).filter(|_| known.is_some()),
        seconds: row.oncpu.map_or_else(String::new, scale::seconds),
        name: format!("{}{}{pid}", "\u{2003}".repeat(row.depth.min(8)), row.name),
        aside: row.kind.is_remainder(),
    }
}

fn functions(subject: &Subject<'_>) -> String {
    let mut rows: Vec<CodeRow> = subject.tree.rows(CodeUnit::Function);
    rows.retain(|row| row.own.energy > Microjoules::ZERO);
    let total = subject.profile.total();
    let shown = rows.iter().take(ROWS).map(|row| TableRow {
        energy: Some(row.own.energy),
        error: scale::plus_minus(row.own.error.half_width_95()),
        share: Share::of(row.own.energy.get(), total.measured.get()),
        seconds: scale::seconds(row.own.oncpu),
        name: code_name(row),
        aside: row.frame.kind == NodeKind::Unsampled,
    });
    if rows.is_empty() { String::new() } else { table(subject, "function, its own energy", shown) }
}

fn code_name(row: &CodeRow) -> String {
    let frame = &row.frame;
    let object = frame.module.as_ref().and_then(|path| path.rsplit('/').next());
    let object = object.map_or_else(String::new, |object| format!(" ({object})"));
    format!("{}{object}", frame.name)
}

struct TableRow {
    energy: Option<Microjoules>,
    error: String,
    share: Option<Share>,
    seconds: String,
    name: String,
    aside: bool,
}

fn table(subject: &Subject<'_>, name: &str, rows: impl Iterator<Item = TableRow>) -> String {
    let has_place = subject.site.grid.is_some();
    let emissions = if has_place { "<th>emissions</th>" } else { "" };
    let mut html = format!(
        "<div class=\"wide\"><table><tr><th>energy</th><th>±95 %</th>{emissions}<th>share %</th>\
         <th>CPU s</th><th>{name}</th></tr>"
    );
    for row in rows {
        let unknown = || "unknown".to_owned();
        let mut cells = vec![row.energy.map_or_else(unknown, scale::energy), row.error];
        if has_place {
            let emitted = row.energy.and_then(|energy| emitted(subject, energy));
            cells.push(emitted.unwrap_or_else(unknown));
        }
        cells.push(row.share.map_or_else(String::new, scale::percent));
        cells.extend([row.seconds, row.name]);
        html.push_str(if row.aside { "<tr class=\"aside\">" } else { "<tr>" });
        for cell in cells {
            let _ = write!(html, "<td>{}</td>", escaped(&cell));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</table></div>");
    html
}

/// The flame graph in a frame of its own, since its script looks for itself in the whole document.
fn flame_graph(subject: &Subject<'_>) -> Result<String, ExportError> {
    let mut svg = Vec::new();
    let flamegraph = Flamegraph {
        intensity: subject.site.intensity_of_it(),
        // With the root where a frame of any height shows it.
        direction: Direction::Downward,
        ..Flamegraph::default()
    };
    match flamegraph.write(subject, &mut svg) {
        // Nothing was sampled, or nothing charged.
        Err(ExportError::NoEnergy) => return Ok(String::new()),
        other => other?,
    }
    let encoded = STANDARD.encode(&svg);
    Ok(format!(
        "<iframe title=\"flame graph\" src=\"data:image/svg+xml;base64,{encoded}\"></iframe>\
         <p class=\"dim\">Widths are joules; click to zoom, Ctrl-F to search.</p>"
    ))
}

/// Where the energy came from, how it was divided, and what was lost.
fn method(profile: &Profile) -> String {
    let mut html = "<dl>".to_owned();
    let mut put = |label: &str, text: &str| {
        let _ = write!(html, "<dt>{}</dt><dd>{}</dd>", escaped(label), escaped(text));
    };
    let ledger = profile.total();
    put(
        "ledger",
        &format!(
            "{} J = {} attributed + {} idle + {} unattributed",
            scale::exact_joules(ledger.measured),
            scale::exact_joules(ledger.attributed),
            scale::exact_joules(ledger.idle),
            scale::exact_joules(ledger.unattributed)
        ),
    );
    for (domain, account) in profile.total_domains() {
        let kind = account.provenance.map_or("never read", crate::model::Provenance::name);
        let energy = scale::energy(account.ledger.measured);
        put(&domain.to_string(), &format!("{energy}, {kind} by {}", account.source));
    }
    let model = profile.method.model;
    put("model", &format!("{}: {}", model.name(), model.rule()));
    put("idle policy", profile.method.idle.name());
    for comment in headline::notes(profile) {
        put("source", &comment);
    }
    let losses = profile.facts.losses.named().into_iter().filter(|(_, count)| *count > 0);
    let losses: Vec<String> = losses.map(|(what, count)| format!("{count} {what}")).collect();
    put("losses", &if losses.is_empty() { "none".to_owned() } else { losses.join(", ") });
    put(
        "machine",
        &format!(
            "{}, {} CPUs, Linux {}",
            profile.facts.cpu_model, profile.facts.cpus, profile.facts.kernel
        ),
    );
    html.push_str("</dl>");
    html
}
