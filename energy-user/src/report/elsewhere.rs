//! The same energy at other places, and the same recording at other times: what it would have emitted, the
//! least first.

use serde::Serialize;

use super::json::{Head, pretty};
use super::table::{self, Align, printable};
use super::text::{Paint, UNKNOWN};
use super::{ReportOptions, scale, summary};
use crate::emissions::series::{IntensitySeries, OtherStart};
use crate::emissions::{Footprint, Site, SiteJson};
use crate::profile::Profile;
use crate::units::{CarbonIntensity, GramsCo2e, NanogramsCo2e, WallTime};

/// A recording, and what its energy would have emitted otherwise.
#[derive(Clone, Debug)]
pub struct Elsewhere<'a> {
    /// The recording.
    pub profile: &'a Profile,
    /// Where it ran, and what the grid emitted there then; without a grid there is nothing to compare
    /// with.
    pub here: &'a Site,
    /// What `here` is compared with.
    pub with: Alternatives<'a>,
    /// What there is to know besides, in sentences.
    pub remarks: Vec<String>,
}

/// What a recording is compared with.
#[derive(Clone, Debug)]
pub enum Alternatives<'a> {
    /// The same energy at these sites, in any order.
    Places(&'a [Site]),
    /// The same recording started at these times of a series, the least emissions first.
    Starts(&'a IntensitySeries, &'a [OtherStart]),
}

/// One row.
#[derive(Clone, Debug)]
struct Alternative<'a> {
    name: String,
    site: Option<&'a Site>,
    start: Option<WallTime>,
    emissions: GramsCo2e,
    /// Of the grid, over what was used; `None` where nothing was used.
    intensity: Option<CarbonIntensity>,
}

impl Elsewhere<'_> {
    fn recorded(&self) -> Option<GramsCo2e> {
        Footprint::of(self.profile.total().measured, self.here).emissions
    }

    /// How much more than recorded, in percent; `None` where that is not known or nothing.
    fn change(&self, emissions: GramsCo2e) -> Option<f64> {
        let recorded = self.recorded().filter(|recorded| recorded.get() > 0.0)?;
        Some((emissions.get() / recorded.get() - 1.0) * 100.0)
    }

    /// The least first.
    fn alternatives(&self) -> Vec<Alternative<'_>> {
        let energy = self.profile.total().measured;
        match &self.with {
            Alternatives::Places(sites) => {
                let mut found: Vec<_> = sites.iter().filter_map(|site| at(site, energy)).collect();
                found.sort_by(|a, b| a.emissions.get().total_cmp(&b.emissions.get()));
                found
            }
            Alternatives::Starts(_, starts) => {
                let facility = Footprint::of(energy, self.here).facility.get();
                let started = |start: &OtherStart| Alternative {
                    name: scale::utc(start.at),
                    site: None,
                    start: Some(start.at),
                    emissions: start.emissions,
                    intensity: CarbonIntensity::new(start.emissions.get() / facility),
                };
                starts.iter().map(started).collect()
            }
        }
    }
}

fn at(site: &Site, energy: crate::units::Microjoules) -> Option<Alternative<'_>> {
    let grid = site.grid.as_ref()?;
    Some(Alternative {
        name: format!("{} ({})", site.name, grid.intensity.about()),
        site: Some(site),
        start: None,
        emissions: Footprint::of(energy, site).emissions?,
        intensity: Some(grid.intensity.value),
    })
}

/// The comparison as text, ending in a line break. At most `options.top` of the best are shown, and the
/// worst.
pub fn elsewhere_text(compared: &Elsewhere<'_>, options: &ReportOptions) -> String {
    let paint = Paint { on: options.color };
    let mut out = String::new();
    for line in summary::brief(compared.profile, options.width) {
        paint.put(line, &mut out);
    }
    let recorded = compared.recorded();
    let here = recorded.map_or_else(
        || "what it emitted is not known, so that nothing is compared with it".to_owned(),
        |grams| {
            let about = compared.here.grid.as_ref().map(|grid| {
                format!(
                    "at {:.1} gCO2e/kWh ({})",
                    grid.intensity.value.get(),
                    grid.intensity.about()
                )
            });
            let name = &compared.here.name;
            format!("{} in {name} {}", scale::emissions(grams), about.unwrap_or_default())
        },
    );
    let remarks = compared.remarks.iter().map(|remark| ("", remark.clone()));
    for (label, text) in std::iter::once(("as it ran", here)).chain(remarks) {
        for line in summary::paragraph(label, &text, false, options.width) {
            paint.put(line, &mut out);
        }
    }
    out.push('\n');
    let name = match compared.with {
        Alternatives::Places(_) => "place",
        Alternatives::Starts(..) => "start",
    };
    let columns = [
        ("emissions", Align::Right),
        ("change", Align::Right),
        ("gCO2e/kWh", Align::Right),
        ("PUE", Align::Right),
        (name, Align::Left),
    ];
    let all = compared.alternatives();
    let rows: Vec<Vec<String>> = shown(&all, options.top)
        .into_iter()
        .map(|it| {
            let site = it.site.unwrap_or(compared.here);
            let pue = site.pue.as_ref().map(|pue| pue.value.get().to_string());
            let change = compared.change(it.emissions).map(|change| format!("{change:+.1} %"));
            let intensity = it.intensity.map(|intensity| format!("{:.1}", intensity.get()));
            vec![
                scale::emissions(it.emissions),
                change.unwrap_or_default(),
                intensity.unwrap_or_else(|| UNKNOWN.to_owned()),
                pue.unwrap_or_else(|| "none".to_owned()),
                printable(&it.name),
            ]
        })
        .collect();
    let mut lines = table::lines(&columns, &rows, options.width).into_iter();
    out.extend(lines.next().map(|heading| paint.heading(&heading)));
    out.push('\n');
    for line in lines {
        out.push_str(&line);
        out.push('\n');
    }
    out
}

/// The best, and the worst.
fn shown<'a, 'b>(all: &'b [Alternative<'a>], top: Option<usize>) -> Vec<&'b Alternative<'a>> {
    let top = top.unwrap_or(all.len());
    let best = all.iter().take(top);
    let worst = all.last().filter(|_| top < all.len());
    best.chain(worst).collect()
}

/// The comparison as JSON, ending in a line break.
pub fn elsewhere_json(compared: &Elsewhere<'_>, options: &ReportOptions) -> String {
    let view = compared.profile.view(&options.view(), &|_| None);
    let all = compared.alternatives();
    pretty(&Report {
        head: Head::of(compared.profile, &view),
        site: compared.here.into(),
        emissions_gco2e: compared.recorded().map(GramsCo2e::get),
        emissions_ng: compared.recorded().map(GramsCo2e::to_nanograms),
        series: match &compared.with {
            Alternatives::Starts(series, _) => Some(&series.origin.source),
            Alternatives::Places(_) => None,
        },
        remarks: &compared.remarks,
        alternatives: all
            .iter()
            .map(|it| AlternativeJson {
                site: it.site.map(SiteJson::from),
                start_utc: it.start.and_then(scale::rfc3339),
                emissions_gco2e: it.emissions.get(),
                emissions_ng: it.emissions.to_nanograms(),
                intensity_gco2e_per_kwh: it.intensity.map(CarbonIntensity::get),
                change_percent: compared.change(it.emissions),
            })
            .collect(),
    })
}

#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    site: SiteJson<'a>,
    emissions_gco2e: Option<f64>,
    emissions_ng: Option<NanogramsCo2e>,
    #[serde(skip_serializing_if = "Option::is_none")]
    series: Option<&'a str>,
    remarks: &'a [String],
    alternatives: Vec<AlternativeJson<'a>>,
}

#[derive(Serialize)]
struct AlternativeJson<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<SiteJson<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    start_utc: Option<String>,
    emissions_gco2e: f64,
    emissions_ng: NanogramsCo2e,
    intensity_gco2e_per_kwh: Option<f64>,
    change_percent: Option<f64>,
}
