//! Machines of all kinds: which domains they have, which of them make the total, how each counts.
//! The listings are files that a person has read.

use std::collections::BTreeSet;
use std::fmt::Write;

use energy_prof::model::{DomainId, disjoint_cover};
use energy_prof::sources::{
    Discovery, FindingState, PowerModel, Shown, SourceChoice, SourceOptions, discover,
};

use crate::support::machines::{self, Whole};

fn look(whole: &Whole, choice: SourceChoice) -> Discovery {
    let sysfs = Some(whole.machine.sysfs().to_owned());
    let options = SourceOptions { sysfs, choice, ..SourceOptions::default() };
    discover(&options, &whole.facts, &|kind, config, cpu| whole.events.open(kind, config, cpu))
}

/// Every domain that is measured or estimated, once.
fn domains(found: &Discovery) -> Vec<DomainId> {
    let counted = found.sources.iter().flat_map(|source| source.counters());
    let modelled = found.model.iter().flat_map(PowerModel::domains);
    let domains: BTreeSet<DomainId> = counted.map(|spec| spec.domain).chain(modelled).collect();
    domains.into_iter().collect()
}

/// What `doctor` says of the sources, and how each counter counts.
fn listing(whole: &Whole) -> String {
    let found = look(whole, SourceChoice::Auto);
    let mut out = String::new();
    for finding in &found.findings {
        let state = match finding.state {
            FindingState::Ok => "ok",
            FindingState::Degraded => "degraded",
            FindingState::Missing => "missing",
        };
        writeln!(out, "{state:<9} {}: {}", finding.what, finding.detail).unwrap();
        if let Some(remedy) = &finding.remedy {
            writeln!(out, "            to mend it: {remedy}").unwrap();
        }
    }
    for source in &found.sources {
        writeln!(out, "\n{} ({})", source.name(), source.provenance()).unwrap();
        for spec in source.counters() {
            let turn = spec.range.map_or("never turns".to_owned(), |range| {
                format!("turns after {} µJ", range.get())
            });
            let quantum = spec.quantum.get();
            let period = spec.update_period.get();
            let shows = match spec.shows {
                Shown::Energy => "energy",
                Shown::Power => "power",
            };
            let domain = spec.domain.to_string();
            let ceiling = spec.ceiling.get();
            writeln!(
                out,
                "  {domain:<15} shows {shows:<6} in {quantum} µJ every {period} ns, {turn}, \
                 at most {ceiling} W"
            )
            .unwrap();
        }
        if let Some(note) = source.note() {
            writeln!(out, "  note: {note}").unwrap();
        }
    }
    let total: Vec<String> =
        disjoint_cover(&domains(&found)).iter().map(ToString::to_string).collect();
    writeln!(out, "\ntotal = {}", total.join(" + ")).unwrap();
    out.replace(&whole.machine.sysfs().display().to_string(), "/sys")
}

#[test]
fn every_machine_is_listed_as_it_should_be() {
    for (name, whole) in machines::all() {
        insta::assert_snapshot!(name, listing(&whole));
    }
}

/// Which domains make up a machine's total, by name.
fn total(whole: &Whole, choice: SourceChoice) -> Vec<String> {
    disjoint_cover(&domains(&look(whole, choice))).iter().map(ToString::to_string).collect()
}

#[test]
fn no_total_counts_any_joule_twice() {
    let auto = |whole: Whole| total(&whole, SourceChoice::Auto);
    assert_eq!(auto(machines::intel_client()), ["package-0"]);
    let server = ["package-0", "package-1", "dram-0", "dram-1"];
    assert_eq!(auto(machines::two_socket_xeon()), server);
    let dies = ["package-0-die-0", "package-0-die-1", "dram-0-die-0", "dram-0-die-1"];
    assert_eq!(auto(machines::two_die_package()), dies);
    assert_eq!(auto(machines::amd_zen()), ["package-0"]);
    assert_eq!(auto(machines::grace()), ["package-0", "package-1"]);
    assert_eq!(auto(machines::jetson()), ["machine"]);
    assert_eq!(auto(machines::raspberry_pi()), ["package-0", "dram"]);
    assert_eq!(auto(machines::virtual_machine()), ["package-0", "dram"]);
}

#[test]
fn only_machines_without_counters_are_estimated() {
    for (name, whole) in machines::all() {
        let estimated = look(&whole, SourceChoice::Auto).model.is_some();
        assert_eq!(estimated, ["raspberry_pi", "virtual_machine"].contains(&name), "{name}");
    }
}

#[test]
fn two_ways_to_a_counter_name_the_same_domains() {
    for (name, whole) in machines::all() {
        let of = |choice| -> BTreeSet<DomainId> {
            let found = look(&whole, choice);
            let counters = found.sources.iter().flat_map(|source| source.counters());
            counters.map(|spec| spec.domain).collect()
        };
        assert_eq!(of(SourceChoice::RaplPerf), of(SourceChoice::RaplPowercap), "{name}");
    }
}

#[test]
fn every_source_that_is_named_is_looked_at_alone() {
    for (name, whole) in machines::all() {
        for choice in SourceChoice::ALL {
            let found = look(&whole, choice);
            let names: Vec<_> = found.sources.iter().map(|source| source.name()).collect();
            assert!(
                choice == SourceChoice::Auto || names.iter().all(|found| *found == choice.name()),
                "{name}: {names:?}"
            );
            assert!(!found.findings.is_empty(), "{name} says nothing of {}", choice.name());
        }
    }
}
