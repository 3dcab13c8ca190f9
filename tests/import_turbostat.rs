//! Tables of turbostat.

use energy_prof::import::Missing;
use energy_prof::model::{CounterFlags, Provenance};
use energy_prof::units::Nanoseconds;

use crate::support::imported::{ImportedTrace, import_with, imported, refused};

/// Two intervals of one package with two CPUs, timed.
const TIMED: &str = "\
Time_Of_Day_Seconds\tCore\tCPU\tBusy%\tPkgWatt\tCorWatt
1000.000000\t-\t-\t1.0\t10.00\t4.00
1000.000000\t0\t0\t1.0\t10.00\t4.00
1000.000000\t1\t1\t1.0
Time_Of_Day_Seconds\tCore\tCPU\tBusy%\tPkgWatt\tCorWatt
1002.000000\t-\t-\t1.0\t20.00\t5.00
1002.000000\t0\t0\t1.0\t20.00\t5.00
1002.000000\t1\t1\t1.0
";

#[test]
fn packages_are_told_apart_and_headers_come_again_and_again() {
    let trace = ImportedTrace::of_fixture("turbostat-packages.txt");
    assert_eq!(trace.domains(), ["package-0", "package-1", "dram-0", "dram-1"]);
    assert_eq!(trace.windows().len(), 4);
    // 183.37 W for 5.003251 s, the second interval, with what the first left of a microjoule.
    assert_eq!(trace.energy_uj("package-0")[1], Some(917_446_136));
    assert_eq!(trace.provenance("package-0"), Provenance::Measured);
    assert_eq!(trace.flags("dram-1"), [CounterFlags::NONE; 4]);
    assert!(trace.notes().contains("taken to be as long as the second"), "{}", trace.notes());
    assert!(!trace.notes().contains("could not be read"), "{}", trace.notes());
    let begun = trace.windows()[0].start_utc.epoch_nanos() / 1_000_000_000;
    assert_eq!(begun, 1_715_595_746, "the first row ended at 1715595751.12");
}

#[test]
fn power_is_a_mean_over_the_interval_so_time_makes_it_the_counters_advance() {
    let trace = imported(TIMED);
    assert_eq!(trace.energy_uj("package-0"), [Some(20_000_000), Some(40_000_000)]);
    assert_eq!(trace.energy_uj("core-0"), [Some(8_000_000), Some(10_000_000)]);
}

#[test]
fn joules_are_taken_as_they_are_whatever_the_interval() {
    let trace = ImportedTrace::of_fixture("turbostat-joules.txt");
    assert_eq!(trace.domains(), ["package", "core", "uncore", "dram", "psys"]);
    assert_eq!(trace.sum_uj("package"), 121_100_000);
    assert_eq!(trace.sum_uj("psys"), 257_950_000);
    assert_eq!(trace.provenance("package"), Provenance::Measured);
    assert!(trace.notes().contains("default of 5 s is ASSUMED"), "{}", trace.notes());
}

#[test]
fn watts_of_an_interval_that_nobody_told_are_assumed_and_given_ones_are_not() {
    let log = "PkgWatt\tRAMWatt\n6.00\t1.00\n7.00\t1.00\n";
    let trace = imported(log);
    assert_eq!(trace.energy_uj("package"), [Some(30_000_000), Some(35_000_000)]);
    assert_eq!(trace.provenance("package"), Provenance::Assumed);
    let second = Some(Nanoseconds::from_millis(1000));
    let given = Missing { interval: second, ..Missing::default() };
    let Ok(trace) = import_with(log, given, None) else { panic!("refused") };
    assert_eq!(trace.energy_uj("package"), [Some(6_000_000), Some(7_000_000)]);
    assert_eq!(trace.provenance("package"), Provenance::Measured);
}

#[test]
fn of_a_command_the_time_is_known_and_cores_of_amd_are_added_up() {
    let trace = ImportedTrace::of_fixture("turbostat-amd.txt");
    assert_eq!(trace.windows()[0].length(), Nanoseconds::new(1_004_736_000));
    // 4.12 + 1.02 + 3.05 + 1.12 W for 1.004736 s.
    assert_eq!(trace.energy_uj("core-0"), [Some(9_354_092)]);
    assert_eq!(trace.energy_uj("package-0"), [Some(45_414_067)]);
}

#[test]
fn a_table_that_was_cut_short_is_left_out_and_told() {
    let cut = TIMED.rsplit_once("1002.000000\t0").unwrap().0;
    let trace = imported(cut);
    assert_eq!(trace.energy_uj("package-0").len(), 1);
    assert!(trace.notes().contains("cut short"), "{}", trace.notes());
}

#[test]
fn a_core_that_is_missing_leaves_the_cores_unknown_and_not_less() {
    let table = |cores: &[&str]| format!("Core\tCPU\tPkgWatt\tCorWatt\n{}\n", cores.join("\n"));
    let whole = table(&["0\t0\t9.0\t1.0", "1\t1\t\t2.0"]);
    let lacking = table(&["0\t0\t9.0\t1.0", "1\t§\t\t2.0"]);
    let trace = imported(format!("{whole}{lacking}{whole}"));
    assert_eq!(trace.energy_uj("core-0"), [Some(15_000_000), None, Some(15_000_000)]);
    assert_eq!(trace.energy_uj("package-0"), [Some(45_000_000); 3]);
    assert!(trace.notes().contains("1 line of the log could not be read"), "{}", trace.notes());
}

#[test]
fn intervals_that_end_before_the_one_before_are_left_out() {
    let again = TIMED.replace("1002.000000", "990.000000");
    let trace = imported(format!("{TIMED}{again}"));
    // 1000 comes again after 1002, and 990 after that.
    assert_eq!(trace.windows().len(), 2);
    assert!(trace.notes().contains("2 lines of the log are earlier"), "{}", trace.notes());
}

#[test]
fn time_between_two_logs_in_one_file_is_a_gap_but_joules_are_joules() {
    let log = |unit: &str| {
        let rows =
            [1000, 1002, 1004, 1006, 30_000, 30_002].map(|at| format!("{at}.000000\t10.00\n"));
        format!("Time_Of_Day_Seconds\t{unit}\n{}", rows.concat())
    };
    let trace = imported(log("PkgWatt"));
    let known = Some(20_000_000);
    assert_eq!(trace.energy_uj("package"), [known, known, known, known, None, known]);
    assert!(trace.notes().contains("1 pause of the log"), "{}", trace.notes());
    let joules = imported(log("Pkg_J"));
    assert_eq!(joules.energy_uj("package"), [Some(10_000_000); 6]);
    assert!(!joules.notes().contains("pause"), "{}", joules.notes());
}

#[test]
fn columns_copied_from_a_terminal_are_between_blanks() {
    let trace = imported("Core    CPU     PkgWatt\n-       -       3.50\n0       0       3.50\n");
    assert_eq!(trace.energy_uj("package-0"), [Some(17_500_000)]);
}

#[test]
fn a_table_without_a_row_is_refused() {
    let said = refused("Core\tCPU\tPkgWatt\n");
    assert!(said.contains("as a log of turbostat: it has no row"), "{said}");
}
