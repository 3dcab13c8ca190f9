//! Power over time as a stacked chart: an SVG that takes its colours from the page.

use std::fmt::Write as _;

use super::escaped;
use crate::export::Timeline;
use crate::model::{DomainId, Window};
use crate::profile::Profile;
use crate::units::{Joules, Nanoseconds, Watts, scale};

/// The drawing's size in its own units, and the room for labels.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 240.0;
const LEFT: f64 = 56.0;
const BOTTOM: f64 = 22.0;
const TOP: f64 = 10.0;
/// Windows are put together until so few steps are left.
const STEPS: usize = 400;
/// Colours there are; more domains share the last.
const COLOURS: usize = 6;

/// Some windows in a row.
struct Step {
    start: Nanoseconds,
    end: Nanoseconds,
    /// The power of each domain; `None` where it is not known in one of the windows.
    power: Vec<Option<Watts>>,
}

/// The chart with its legend; nothing where there is no window.
pub(super) fn power_over_time(profile: &Profile, timeline: &Timeline) -> String {
    let domains: Vec<DomainId> = profile.total_domains().map(|(id, _)| id).collect();
    let steps = steps(timeline, &domains);
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else { return String::new() };
    let (start, end) = (first.start, last.end);
    let sum = |step: &Step| step.power.iter().flatten().map(|power| power.get()).sum::<f64>();
    let most = steps.iter().map(sum).fold(0.0, f64::max);
    if most <= 0.0 || end <= start {
        return String::new();
    }
    let across = |at: Nanoseconds| {
        let part = at.saturating_sub(start).seconds() / end.saturating_sub(start).seconds();
        LEFT + part * (WIDTH - LEFT)
    };
    let up = |watts: f64| HEIGHT - BOTTOM - watts / most * (HEIGHT - BOTTOM - TOP);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"power over time\">"
    );
    for part in [0.0, 0.5, 1.0] {
        let (y, label) = (up(part * most), scale::power(Watts::new(part * most)));
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{label}</text>",
            LEFT - 6.0,
            y + 4.0
        );
    }
    for (index, _) in domains.iter().enumerate() {
        let _ = write!(
            svg,
            "<path class=\"c{}\" d=\"{}\"/>",
            index.min(COLOURS - 1),
            area(&steps, index, &across, &up)
        );
    }
    let lasted = scale::duration(end.saturating_sub(start));
    let _ = write!(
        svg,
        "<text x=\"{LEFT}\" y=\"{:.0}\">0 s</text>\
         <text x=\"{WIDTH}\" y=\"{:.0}\" text-anchor=\"end\">{lasted}</text></svg>",
        HEIGHT - 5.0,
        HEIGHT - 5.0
    );
    svg.push_str("<p class=\"legend\">");
    for (index, id) in domains.iter().enumerate() {
        let colour = index.min(COLOURS - 1);
        let _ = write!(svg, "<span><i class=\"c{colour}\"></i>{}</span>", escaped(&id.to_string()));
    }
    svg.push_str("</p>");
    svg
}

/// The boxes of one domain upon those before it.
fn area(
    steps: &[Step],
    index: usize,
    across: &impl Fn(Nanoseconds) -> f64,
    up: &impl Fn(f64) -> f64,
) -> String {
    let mut path = String::new();
    for step in steps {
        let Some(power) = step.power[index] else { continue };
        let below: f64 = step.power[..index].iter().flatten().map(|power| power.get()).sum();
        let (left, right) = (across(step.start), across(step.end));
        let (low, high) = (up(below), up(below + power.get()));
        let _ = write!(path, "M{left:.1} {low:.1}V{high:.1}H{right:.1}V{low:.1}Z");
    }
    path
}

fn steps(timeline: &Timeline, domains: &[DomainId]) -> Vec<Step> {
    let windows = timeline.windows();
    let Some(first) = windows.first() else { return Vec::new() };
    let together = windows.len().div_ceil(STEPS);
    let step = |windows: &[Window]| {
        let (from, to) = (windows.first()?, windows.last()?);
        let lasted = to.end.since(from.start);
        let power = |domain: &DomainId| {
            let samples = timeline.domains().get(domain)?;
            let mut joules = 0.0;
            for window in windows {
                joules += samples.get(&window.index)?.energy?.joules().get();
            }
            Some(Joules::new(joules) / lasted)
        };
        Some(Step {
            start: from.start.since(first.start),
            end: to.end.since(first.start),
            power: domains.iter().map(power).collect(),
        })
    };
    windows.chunks(together.max(1)).filter_map(step).collect()
}
