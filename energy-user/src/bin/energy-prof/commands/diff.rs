//! `energy-prof diff`: two traces compared, as a table and as a picture.

use energy_prof::export::{DifferentialFlamegraph, comparison};
use energy_prof::profile::{Diff, MergedTree, Yardstick};

use super::document;
use super::flamegraph::direction;
use super::profiled::{Profiled, StacksAre};
use crate::cli::{DiffArguments, ReportBy};
use crate::exit::Status;
use crate::terminal;

pub(crate) fn run(arguments: &DiffArguments) -> anyhow::Result<Status> {
    let with_stacks = matches!(arguments.by, ReportBy::Code(_)) || arguments.output.is_some();
    let stacks = if with_stacks { StacksAre::Needed } else { StacksAre::Welcome };
    let before = Profiled::read(&arguments.before, &arguments.part, stacks)?;
    let after = Profiled::read(&arguments.after, &arguments.part, stacks)?;
    let yardstick = Yardstick::of(&before.profile, &after.profile);
    if let Some(output) = &arguments.output {
        let tree = MergedTree::of(&before.tree, &after.tree, yardstick);
        let graph = DifferentialFlamegraph { direction: direction(arguments.inverted) };
        document::write_to(output, |out| {
            Ok(graph.write(&tree, &before.profile, &after.profile, out)?)
        })?;
        eprintln!("wrote {}: open it in a browser", output.display());
        if output.as_os_str() == "-" {
            return Ok(Status::SUCCESS);
        }
    }
    let diff = match arguments.by {
        ReportBy::Code(unit) => Diff::of_code(&before.tree, &after.tree, unit, yardstick),
        ReportBy::Threads(by) => {
            Diff::of_groups(&before.profile, &after.profile, by, &terminal::user_name)
        }
    };
    let top = (arguments.top > 0).then_some(arguments.top);
    terminal::print(&comparison(&diff, [&before.profile, &after.profile], top))?;
    Ok(Status::SUCCESS)
}
