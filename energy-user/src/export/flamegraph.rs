//! The flame graph: a picture of the call tree as wide as its joules, drawn by inferno.
//!
//! inferno draws folded stacks with whole numbers and merges frames by name. So that siblings of
//! one name stay two, and each frame can have a hover text and a colour of its own, names go
//! through it with a mark at the end, which is taken out of the picture afterwards.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::str::FromStr;

use inferno::flamegraph::color::{Color, PaletteMap};
use inferno::flamegraph::{FuncFrameAttrsMap, Options, TextTruncateDirection, from_lines};
use thiserror::Error;

use super::folded::one_line;
use super::stacks::Stacks;
use super::{ExportError, Exporter, Subject, headline};
use crate::profile::{Figures, FunctionFrame, NodeKind};
use crate::units::{
    CarbonIntensity, Joules, KilowattHours, Microjoules, Nanoseconds, Share, scale,
};

/// A flame graph as an SVG that opens in any browser, with search and zoom.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flamegraph {
    /// What is read from a frame first.
    pub unit: Unit,
    /// What a kilowatt-hour of the machine emits, its site's PUE included; where it is known, frames
    /// say what they emitted.
    pub intensity: Option<CarbonIntensity>,
    /// Where the root is.
    pub direction: Direction,
}

/// What is read from a frame first. Widths are the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unit {
    /// Energy.
    #[default]
    Joules,
    /// Energy divided by the length of the recording.
    Watts,
    /// Greenhouse gases emitted for the energy; needs [`Flamegraph::intensity`].
    Emissions,
}

impl Unit {
    const ALL: [Self; 3] = [Self::Joules, Self::Watts, Self::Emissions];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Joules => "joules",
            Self::Watts => "watts",
            Self::Emissions => "gco2e",
        }
    }
}

/// A name that is no unit of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no unit of a flame graph: choose joules, watts or gco2e")]
pub struct ParseUnitError(String);

impl FromStr for Unit {
    type Err = ParseUnitError;
    fn from_str(name: &str) -> Result<Self, ParseUnitError> {
        let found = Self::ALL.into_iter().find(|unit| unit.name() == name);
        found.ok_or_else(|| ParseUnitError(name.to_owned()))
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Where the root is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// Below: flames.
    #[default]
    Upward,
    /// Above: icicles.
    Downward,
}

impl Exporter for Flamegraph {
    fn write(&self, subject: &Subject<'_>, out: &mut dyn Write) -> Result<(), ExportError> {
        let tree = subject.tree.by_function();
        let stacks = Stacks::of(&tree);
        if stacks.all().energy == Microjoules::ZERO {
            return Err(ExportError::NoEnergy);
        }
        let lasted = subject.profile.span.duration;
        let mut picture = Picture::default();
        let shown = shown(&stacks);
        for node in stacks.below_root().filter(|node| shown[*node] == *node) {
            let frame = stacks.frame(node);
            let hover = self.hover(frame, stacks.total(node), stacks.all(), lasted);
            picture.add_frame(node, &frame.name, &hover, color(frame));
        }
        let mut energies: BTreeMap<usize, u64> = BTreeMap::new();
        for node in stacks.own() {
            *energies.entry(shown[node]).or_default() += stacks.node(node).self_energy.get();
        }
        for (node, energy) in energies {
            picture.add_stack(&stacks, node, &[energy]);
        }
        let mut options = options(self.direction);
        options.title = title(subject);
        options.subtitle = Some(subtitle(subject, stacks.all().energy));
        (options.count_name, options.factor) = match self.unit {
            Unit::Joules => ("µJ".to_owned(), 1.0),
            Unit::Watts => ("µW".to_owned(), 1.0 / lasted.seconds()),
            Unit::Emissions => {
                let intensity = self.intensity.ok_or(ExportError::NoIntensity)?;
                // Of a microjoule, in nanograms.
                let emitted = KilowattHours::from(Microjoules::new(1)) * intensity;
                ("ngCO2e".to_owned(), emitted.get() * 1e9)
            }
        };
        picture.draw(options, out)
    }
}

impl Flamegraph {
    /// What is shown of a frame: all in one pair of brackets without others in it, because the
    /// picture's own script takes that off to get at the name.
    fn hover(
        self,
        frame: &FunctionFrame,
        figures: Figures,
        all: Figures,
        lasted: Nanoseconds,
    ) -> String {
        let joules = format!(
            "{} {}",
            scale::energy(figures.energy),
            scale::plus_minus(figures.error.half_width_95())
        );
        let watts = scale::power(figures.energy.joules() / lasted);
        let emissions = self.intensity.map(|intensity| {
            let off_by = KilowattHours::from(figures.error.half_width_95()) * intensity;
            let emitted = KilowattHours::from(figures.energy) * intensity;
            format!("{} ±{}", scale::emissions(emitted), scale::emissions(off_by))
        });
        let mut others = vec![joules, watts];
        others.extend(emissions);
        let first = others.remove(match self.unit {
            Unit::Joules => 0,
            Unit::Watts => 1,
            Unit::Emissions => others.len() - 1,
        });
        let share = Share::of(figures.energy.get(), all.energy.get());
        let mut parts = vec![first];
        parts.extend(share.map(|share| format!("{} %", scale::percent(share))));
        parts.append(&mut others);
        parts.extend([
            format!("{} s on CPU", scale::seconds(figures.oncpu)),
            match figures.samples {
                1 => "1 sample".to_owned(),
                samples => format!("{samples} samples"),
            },
        ]);
        parts.extend(place(frame));
        format!("({})", parts.join(", "))
    }
}

/// For each node the one that shows its energy: itself, or the nearest above it that is wide enough
/// to be seen. Of a large recording most are not.
fn shown(stacks: &Stacks<'_>) -> Vec<usize> {
    let all = u128::from(stacks.all().energy.get());
    let mut shown = vec![0];
    for node in stacks.below_root() {
        let energy = u128::from(stacks.total(node).energy.get());
        let above = stacks.node(node).parent.map_or(0, |parent| shown[parent]);
        shown.push(if energy * NARROWEST_PART >= all { node } else { above });
    }
    shown
}

/// Where a frame's code is, as far as known.
pub(super) fn place(frame: &FunctionFrame) -> Option<String> {
    let line = frame.line.map_or_else(String::new, |line| format!(":{line}"));
    let source = frame.file.as_ref().map(|file| format!("{file}{line}"));
    let place: Vec<String> = source.into_iter().chain(frame.module.clone()).collect();
    (!place.is_empty()).then(|| place.join(" in "))
}

fn title(subject: &Subject<'_>) -> String {
    let target = headline::shortened(&headline::target(subject.profile), 80);
    match headline::warning(subject.profile) {
        Some(warning) => format!("{warning} energy of {target}"),
        None => format!("Energy of {target}"),
    }
}

fn subtitle(subject: &Subject<'_>, shown: Microjoules) -> String {
    let all = headline::total(subject.profile);
    let ledger = subject.profile.total();
    let others = ledger.attributed.checked_sub(shown).unwrap_or_default();
    format!(
        "{all}; {} shown; not shown: {} of others, {} idle, {} unattributed",
        scale::energy(shown),
        scale::energy(others),
        scale::energy(ledger.idle),
        scale::energy(ledger.unattributed)
    )
}

pub(super) fn options<'a>(direction: Direction) -> Options<'a> {
    let mut options = Options::default();
    options.direction = match direction {
        Direction::Upward => inferno::flamegraph::Direction::Straight,
        Direction::Downward => inferno::flamegraph::Direction::Inverted,
    };
    "Frame:".clone_into(&mut options.name_type);
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.deterministic = true;
    options
}

/// A frame is drawn that is at least one part in so many of the whole: an eighth of a pixel.
const NARROWEST_PART: u128 = 10_000;

/// Frames and stacks as inferno takes them.
#[derive(Default)]
pub(super) struct Picture {
    names: Vec<Option<String>>,
    attributes: String,
    colors: PaletteMap,
    lines: Vec<String>,
}

impl Picture {
    /// A frame; `node` is at least 1, as the root is inferno's own.
    pub(super) fn add_frame(&mut self, node: usize, name: &str, hover: &str, color: Color) {
        let marked = marked(node, name);
        // The hover text is read up to the next tab or line break.
        let title = format!("{} {}", one_line(name), bracketed(hover));
        self.attributes.push_str(&format!("{marked}\ttitle={title}\n"));
        self.colors.insert(&marked, color);
        if self.names.len() <= node {
            self.names.resize(node + 1, None);
        }
        self.names[node] = Some(marked);
    }

    /// A stack with one value, or with two that are compared.
    pub(super) fn add_stack(&mut self, stacks: &Stacks<'_>, node: usize, values: &[u64]) {
        let path = stacks.path(node);
        self.add_path(&path, values);
    }

    /// The same, by the nodes from below the root.
    pub(super) fn add_path(&mut self, path: &[usize], values: &[u64]) {
        let names: Vec<&str> =
            path.iter().filter_map(|node| self.names.get(*node)?.as_deref()).collect();
        // What the root has of its own has no frame; it widens the root.
        let stack = if names.is_empty() { OWN_OF_ROOT.to_owned() } else { names.join(";") };
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        self.lines.push(format!("{stack} {}", values.join(" ")));
    }

    /// Draws it. Lines are in order whatever order stacks came in, so that equal profiles give
    /// equal pictures.
    pub(super) fn draw(
        mut self,
        options: Options<'_>,
        out: &mut dyn Write,
    ) -> Result<(), ExportError> {
        let mut options: Options<'_> = options;
        options.func_frameattrs = FuncFrameAttrsMap::from_reader(self.attributes.as_bytes())?;
        self.colors.insert("", ROOT);
        options.palette_map = Some(&mut self.colors);
        let mut svg = Vec::new();
        from_lines(&mut options, self.lines.iter().map(String::as_str), &mut svg)?;
        let unmarked = String::from_utf8_lossy(&svg).chars().filter_map(unmark).collect::<String>();
        out.write_all(unmarked.as_bytes())?;
        Ok(())
    }
}

/// The colour of inferno's own root.
const ROOT: Color = Color { r: 215, g: 215, b: 215 };

/// The name of what the root has of its own.
const OWN_OF_ROOT: &str = "[no stack]";

/// Marks are characters of Unicode's private use area: two digits of a node's number in base 4096.
const DIGITS: std::ops::Range<u32> = 0xE000..0xF000;
/// Stands for `;`, which ends a frame in a folded stack.
const SEMICOLON: char = '\u{f000}';

/// A name as it goes through inferno: on one line, without what has a meaning there, and unlike all
/// others.
fn marked(node: usize, name: &str) -> String {
    let mut marked: String = one_line(name)
        .chars()
        .map(|c| match c {
            ';' => SEMICOLON,
            '\u{e000}'..='\u{f8ff}' => char::REPLACEMENT_CHARACTER,
            c => c,
        })
        .collect();
    let base = DIGITS.end - DIGITS.start;
    let number = u32::try_from(node).unwrap_or(u32::MAX);
    for digit in [number / base % base, number % base] {
        marked.extend(char::from_u32(DIGITS.start + digit));
    }
    marked
}

/// A character of the picture as it is to be seen.
fn unmark(c: char) -> Option<char> {
    match c {
        SEMICOLON => Some(';'),
        c if DIGITS.contains(&u32::from(c)) => None,
        c => Some(c),
    }
}

/// A hover text with no brackets but the outer ones, and on one line.
fn bracketed(hover: &str) -> String {
    let inner = hover.trim_start_matches('(').trim_end_matches(')');
    format!("({})", one_line(&inner.replace('(', "[").replace(')', "]")))
}

/// Warm colours for programs, orange for the kernel, green for what was made while running, greys
/// for what is no code. The same name has the same colour in every picture.
fn color(frame: &FunctionFrame) -> Color {
    let (base, spread): ([u8; 3], [u8; 3]) = match frame.kind {
        NodeKind::User => ([235, 110, 60], [20, 110, 40]),
        NodeKind::Inlined => ([240, 200, 90], [15, 40, 50]),
        NodeKind::Kernel => ([225, 120, 20], [25, 40, 20]),
        NodeKind::Jit => ([110, 190, 90], [50, 40, 50]),
        NodeKind::Cgroup => ([150, 175, 200], [20, 20, 20]),
        NodeKind::Process { .. } => ([170, 190, 210], [20, 20, 20]),
        NodeKind::Thread { .. } => ([190, 205, 220], [20, 20, 20]),
        NodeKind::Gpu => ([120, 170, 60], [1, 1, 1]),
        NodeKind::Unsampled | NodeKind::All => ([200, 200, 200], [1, 1, 1]),
    };
    let hash = hash(&frame.name);
    let shade = |index: usize| {
        let part = (hash >> (16 * index)) & 0xffff;
        let shift = (part * u64::from(spread[index])) >> 16;
        base[index].saturating_add(u8::try_from(shift).unwrap_or(0))
    };
    Color { r: shade(0), g: shade(1), b: shade(2) }
}

/// FNV-1a: the same on every machine and in every version.
fn hash(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Energy with a sign, to three digits: `+1.20 J`, `-300 mJ`, `0 J`.
pub(super) fn signed(change: Joules) -> String {
    let size = scale::energy(Joules::new(change.get().abs()).to_microjoules());
    match change.get() {
        change if change > 0.0 => format!("+{size}"),
        change if change < 0.0 => format!("-{size}"),
        _ => size,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_makes_names_differ_and_leaves_nothing_behind() {
        let (first, second) = (marked(1, "sum<[u8; 8]>"), marked(5000, "sum<[u8; 8]>"));
        assert_ne!(first, second);
        assert!(!first.contains(';'));
        for marked in [first, second] {
            assert_eq!(marked.chars().filter_map(unmark).collect::<String>(), "sum<[u8; 8]>");
        }
    }

    #[test]
    fn a_hover_text_has_one_pair_of_brackets() {
        assert_eq!(bracketed("(1 J, /tmp/a (copy)/b)"), "(1 J, /tmp/a [copy]/b)");
    }

    #[test]
    fn a_change_shows_its_sign() {
        assert_eq!(signed(Joules::new(1.2)), "+1.20 J");
        assert_eq!(signed(Joules::new(-0.3)), "-300 mJ");
        assert_eq!(signed(Joules::new(0.0)), "0 J");
    }
}
