//! The differential flame graph: as wide as the second recording, coloured by what changed.
//!
//! Red takes more than in the first recording and blue less, the stronger the larger the change is
//! beside the whole; grey is what may be noise: a change within its 95 % interval. Only colours
//! compare, so that recordings of different length can be compared by their shares.

use std::io::Write;

use inferno::flamegraph::color::{Color, StrokeColor};

use super::flamegraph::{Picture, options, place, signed};
use super::{Direction, ExportError, headline};
use crate::profile::{Change, MergedNode, MergedTree, Profile};
use crate::units::{Microjoules, scale};

/// A flame graph of what changed between two recordings.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DifferentialFlamegraph {
    /// Where the root is.
    pub direction: Direction,
}

impl DifferentialFlamegraph {
    /// Draws `tree`, which lays the second recording over the first.
    pub fn write(
        &self,
        tree: &MergedTree,
        before: &Profile,
        after: &Profile,
        out: &mut dyn Write,
    ) -> Result<(), ExportError> {
        let Some(root) = tree.nodes.first() else {
            return Err(ExportError::NothingToCompare("either recording"));
        };
        let sides = [(&root.total.before, "the first"), (&root.total.after, "the second")];
        if let Some((_, which)) = sides.iter().find(|(side, _)| side.energy == Microjoules::ZERO) {
            return Err(ExportError::NothingToCompare(which));
        }
        let mut picture = Picture::default();
        let mut paths: Vec<Vec<usize>> = vec![Vec::new()];
        for (index, node) in tree.nodes.iter().enumerate().skip(1) {
            let mut path = paths[node.parent.unwrap_or(0)].clone();
            path.push(index);
            paths.push(path);
            let color = color(&node.total, &root.total);
            picture.add_frame(index, &node.frame.name, &hover(node), color);
        }
        for (node, path) in tree.nodes.iter().zip(&paths) {
            let energy_uj = node.own.after.energy.get();
            if energy_uj > 0 {
                picture.add_path(path, &[energy_uj]);
            }
        }
        let mut options = options(self.direction);
        options.title = title(before, after);
        options.subtitle = Some(subtitle(tree, before, after));
        "µJ".clone_into(&mut options.count_name);
        // Neighbours of one colour are told apart by a line.
        options.stroke_color = StrokeColor::Color(Color { r: 255, g: 255, b: 255 });
        picture.draw(options, out)
    }
}

fn hover(node: &MergedNode) -> String {
    let change = &node.total;
    let mut parts = vec![
        scale::energy(change.after.energy),
        format!("before {}", scale::energy(change.before.energy)),
        format!(
            "{} {}",
            signed(change.joules()),
            scale::plus_minus(change.error().half_width_95())
        ),
    ];
    parts.extend(change.relative().map(|relative| format!("{:+.1} %", relative * 100.0)));
    if !change.is_beyond_noise() {
        parts.push("may be noise".to_owned());
    }
    parts.extend(place(&node.frame));
    format!("({})", parts.join(", "))
}

fn title(before: &Profile, after: &Profile) -> String {
    let [first, second] =
        [before, after].map(|profile| headline::shortened(&headline::target(profile), 40));
    let warning = headline::warning(before).or_else(|| headline::warning(after));
    let what = warning.map_or_else(|| "Energy".to_owned(), |warning| format!("{warning} energy"));
    if first == second {
        format!("{what} of {second}, compared with before")
    } else {
        format!("{what} of {second}, compared with {first}")
    }
}

fn subtitle(tree: &MergedTree, before: &Profile, after: &Profile) -> String {
    let gone = tree.nodes.iter().filter(|node| node.own.after.energy == Microjoules::ZERO);
    let gone: Microjoules = gone.map(|node| node.own.before.energy).sum();
    let [before, after] = [before, after].map(|profile| {
        let duration = scale::duration(profile.span.duration);
        format!("{} in {duration}", scale::energy(profile.total().measured))
    });
    format!(
        "{after}, before {before}; red takes more, blue less, grey may be noise; {} of stacks that \
         are gone is not shown",
        scale::energy(gone)
    )
}

/// The change of a node's share of the whole, as far as it is no noise.
fn color(change: &Change, whole: &Change) -> Color {
    const NOISE: Color = Color { r: 220, g: 220, b: 220 };
    if !change.is_beyond_noise() {
        return NOISE;
    }
    let share = |part: Microjoules, of: Microjoules| part.joules().get() / of.joules().get();
    let shift = share(change.after.energy, whole.after.energy)
        - share(change.before.energy, whole.before.energy);
    // A tenth of the whole is a strong colour; the root keeps its share and is white.
    let strength = (shift.abs() * 10.0).sqrt().min(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and 200"
    )]
    let paler = 255 - (strength * 200.0).round() as u8;
    if shift > 0.0 {
        Color { r: 255, g: paler, b: paler }
    } else {
        Color { r: paler, g: paler, b: 255 }
    }
}
