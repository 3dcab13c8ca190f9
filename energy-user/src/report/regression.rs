//! What the model `regress` found, in words: watts of programs and of their functions, and what it could not
//! tell apart.

use super::scale;
use crate::attribution::{
    Crowding, FunctionWatts, ModelKind, ProgramWatts, RegressionFacts, Siblings,
};
use crate::model::DomainId;
use crate::profile::Profile;
use crate::units::Watts;

/// The most programs or functions named in one note.
const NAMED: usize = 8;

/// Of how many programs functions are told, those that ran longest.
const PROGRAMS: usize = 4;

/// How many standard errors make a 95 % interval of a normal distribution.
const DEVIATIONS_95: f64 = 1.96;

/// Where a CPU second is worth nearly the same everywhere, nobody has to know.
const LEAST_CROWDING: f64 = 0.03;

/// Something to be said under the model's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Note {
    pub text: String,
    /// Whether the reader must not miss it.
    pub is_warning: bool,
}

/// What is to be said; nothing of other models.
pub(super) fn notes(profile: &Profile) -> Vec<Note> {
    if profile.method.model != ModelKind::Regress {
        return Vec::new();
    }
    let mut notes = Vec::new();
    for (domain, account) in &profile.domains {
        if !domain.domain.is_fed_by_cpus() || domain.is_one_core() || account.known == 0 {
            continue;
        }
        match &account.regression {
            Some(found) => add(*domain, found, &mut notes),
            None => notes.push(Note {
                text: format!("{domain}: too little was recorded, it is divided by time"),
                is_warning: true,
            }),
        }
    }
    notes
}

fn add(domain: DomainId, found: &RegressionFacts, notes: &mut Vec<Note>) {
    let (told, others): (Vec<_>, Vec<_>) =
        found.programs.iter().partition(|program| program.told_apart);
    let watts = |program: &&ProgramWatts| watts(&program.name, program.power, program.error);
    let text = format!(
        "{domain}: {} of {} programs told apart in {} equations; watts per CPU second: {}",
        told.len(),
        found.programs.len(),
        found.equations,
        some(told.iter().map(watts).collect())
    );
    notes.push(Note { text, is_warning: false });
    if let Some(found) = found.siblings {
        notes.push(Note { text: of_siblings(domain, found), is_warning: false });
    }
    if let Some(text) = found.crowding.and_then(|crowding| of_crowding(domain, crowding)) {
        notes.push(Note { text, is_warning: true });
    }
    let sampled = found.programs.iter().filter(|program| !program.functions.is_empty());
    for program in sampled.clone().take(PROGRAMS) {
        notes.push(Note { text: of_functions(domain, program), is_warning: false });
    }
    let more = sampled.count().saturating_sub(PROGRAMS);
    if more > 0 {
        let text = format!("{domain}: functions of {more} more programs are told by --json");
        notes.push(Note { text, is_warning: false });
    }
    if others.is_empty() {
        return;
    }
    let names = some(others.iter().map(|program| program.name.clone()).collect());
    let text = format!(
        "{domain}: not told apart, because they ran too little or always together with others: {names}; \
         they share by time what they have in common"
    );
    notes.push(Note { text, is_warning: true });
}

/// What is to be said of siblings of a core.
fn of_siblings(domain: DomainId, found: Siblings) -> String {
    let error = DEVIATIONS_95 * found.error;
    format!(
        "{domain}: a CPU second beside a busy sibling of its core draws {:.2} ±{error:.2} times what it draws alone, as \
         the equations have it; threads' time is weighed so (--smt gives a factor that is known)",
        found.worth
    )
}

/// What is to be said of how far watts add up; nothing where they do as far as can be seen.
fn of_crowding(domain: DomainId, found: Crowding) -> Option<String> {
    let Crowding { least_busy, most_busy, worth, error } = found;
    let error = DEVIATIONS_95 * error;
    let is_seen = (worth - 1.0).abs() > error.max(LEAST_CROWDING);
    is_seen.then(|| {
        format!(
            "{domain}: watts do not add up: with {most_busy:.1} busy CPUs a CPU second draws {worth:.2} ±{error:.2} times \
             what it draws with {least_busy:.1} (frequency, siblings of a core, shared caches); that is allowed for, and \
             what it leaves open is in the errors"
        )
    })
}

/// What is to be said of a program's functions.
fn of_functions(domain: DomainId, program: &ProgramWatts) -> String {
    let (told, others): (Vec<_>, Vec<_>) =
        program.functions.iter().partition(|function| function.told_apart);
    let watts = |function: &&FunctionWatts| watts(&function.name, function.power, function.error);
    let name = &program.name;
    if told.is_empty() {
        return format!("{domain}: no functions of {name} told apart; they share by time");
    }
    let told = some(told.iter().map(watts).collect());
    let mut text = format!("{domain}: functions of {name}, watts per CPU second: {told}");
    if !others.is_empty() {
        let names = some(others.iter().map(|function| function.name.clone()).collect());
        text.push_str("; not told apart, so that they share by time, with who called them or with each other: ");
        text.push_str(&names);
    }
    text
}

fn watts(name: &str, power: Watts, error: Watts) -> String {
    let error = Watts::new(DEVIATIONS_95 * error.get());
    format!("{name} {} ±{}", scale::power(power), scale::power(error))
}

/// The first of them, and how many more there are.
fn some(mut names: Vec<String>) -> String {
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
