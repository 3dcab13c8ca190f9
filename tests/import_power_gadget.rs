//! Logs of Intel Power Gadget.

use energy_prof::import::Missing;
use energy_prof::model::{CounterFlags, Provenance};

use crate::support::imported::{ImportedTrace, import_with, imported, refused};

const HEADER: &str = "System Time,RDTSC,Elapsed Time (sec),Processor Power_0(Watt),\
                      Cumulative Processor Energy_0(Joules),Cumulative Processor Energy_0(mWh)";

fn log(rows: &[&str]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

#[test]
fn a_whole_log_has_the_energy_of_its_last_lines_to_the_microjoule() {
    let trace = ImportedTrace::of_fixture("power-gadget.csv");
    assert_eq!(trace.domains(), ["package-0", "core-0", "dram-0"]);
    // `Cumulative Processor Energy_0 (Joules) = …` and so on; the rows have three decimals.
    assert_eq!(trace.sum_uj("package-0"), 27_981_365);
    assert_eq!(trace.sum_uj("core-0"), 20_103_013);
    assert_eq!(trace.sum_uj("dram-0"), 2_070_415);
    assert_eq!(trace.windows().len(), 20);
    assert_eq!(trace.lengths_ms()[0], 102);
    assert_eq!(trace.provenance("package-0"), Provenance::Measured);
    assert_eq!(trace.flags("package-0"), [CounterFlags::NONE; 20]);
    assert!(trace.notes().contains("names no date"), "{}", trace.notes());
    assert!(!trace.notes().contains("could not be read"), "{}", trace.notes());
}

#[test]
fn cumulative_energy_is_preferred_to_power_times_time() {
    // 100 W for a second would be 100 J; the counter moved by 3 J.
    let trace = imported(log(&["10:00:01:000,1,1.000,100.0,3.0,0.833"]));
    assert_eq!(trace.energy_uj("package-0"), [Some(3_000_000)]);
}

#[test]
fn without_joules_milliwatt_hours_are_taken_and_without_both_mean_power() {
    let hours = "Elapsed Time (sec),Cumulative Processor Energy_0(mWh)\n1.0,1.000\n2.0,3.000\n";
    assert_eq!(imported(hours).energy_uj("package-0"), [Some(3_600_000), Some(7_200_000)]);
    let power = "Elapsed Time (sec),Processor Power_0(Watt)\n1.0,10.0\n3.0,4.0\n";
    let trace = imported(power);
    assert_eq!(trace.energy_uj("package-0"), [Some(10_000_000), Some(8_000_000)]);
    assert!(trace.notes().contains("mean power times the length"), "{}", trace.notes());
}

#[test]
fn on_macos_the_package_is_called_package() {
    let text = "System Time,Elapsed Time (sec),Package Power_0(Watt),Cumulative Package Energy_0(Joules),\
                IA Power_0(Watt),Cumulative IA Energy_0(Joules),Package Power Limit_0(Watt)\n\
                12:11:05:769,1.000,9.0,10.000,7.0,8.000,45.0\n\n\
                \"Total Elapsed Time (sec) = 1.000100\"\n\
                \"Cumulative Package Energy_0 (Joules) = 10.000321\"\n";
    let trace = imported(text);
    assert_eq!(trace.domains(), ["package-0", "core-0"]);
    assert_eq!(trace.sum_uj("package-0"), 10_000_321);
}

#[test]
fn with_the_zone_known_a_log_ended_before_its_file_was_written() {
    let now = energy_prof::probes::wall_now().epoch_nanos();
    let hour = 3_600_000_000_000;
    // What a clock in UTC shows an hour from now is from yesterday.
    let later = (now + hour).rem_euclid(24 * hour) / 1_000_000_000;
    let (hours, minutes, seconds) = (later / 3600, later / 60 % 60, later % 60);
    let text = format!(
        "System Time,Elapsed Time (sec),Processor Power_0(Watt)\n{hours:02}:{minutes:02}:{seconds:02}:000,1.0,5.0\n"
    );
    let missing = Missing { utc_offset_seconds: Some(0), ..Missing::default() };
    let Ok(trace) = import_with(text, missing, None) else { panic!("refused") };
    let begun = trace.windows()[0].start_utc.epoch_nanos();
    assert!((now - 24 * hour..now).contains(&begun), "{begun}, and it is {now}");
}

#[test]
fn times_of_day_go_on_through_midnight() {
    let header = "System Time,Cumulative Processor Energy_0(Joules)";
    let trace =
        imported(format!("{header}\n23:59:59:900,1.0\n00:00:00:000,2.0\n00:00:00:100,3.5\n"));
    // Without the elapsed time nobody knows when the first row's energy began.
    assert_eq!(trace.lengths_ms(), [100, 100]);
    assert_eq!(trace.energy_uj("package-0"), [Some(1_000_000), Some(1_500_000)]);
}

#[test]
fn a_counter_that_goes_back_is_unknown_for_that_row_only() {
    let rows = ["1,1,1.0,5,5.0,0", "1,1,2.0,5,2.0,0", "1,1,3.0,5,7.0,0"];
    let trace = imported(log(&rows));
    assert_eq!(trace.energy_uj("package-0"), [Some(5_000_000), None, Some(5_000_000)]);
    assert!(trace.flags("package-0")[1].contains(CounterFlags::BACKWARDS));
    assert_eq!(trace.reader.session().losses.energy_gaps, 1);
}

#[test]
fn rows_that_go_back_in_time_are_left_out_and_told() {
    let rows = ["1,1,1.0,5,5.0,0", "1,1,0.5,5,6.0,0", "1,1,2.0,5,10.0,0"];
    let trace = imported(log(&rows));
    assert_eq!(trace.energy_uj("package-0"), [Some(5_000_000), Some(5_000_000)]);
    assert!(trace.notes().contains("1 line of the log is earlier"), "{}", trace.notes());
}

#[test]
fn a_damaged_row_is_told_and_its_energy_shows_in_the_next() {
    let rows = ["1,1,1.0,5,5.0,0", "1,1,§§", "\"1,1,3.0,5", "1,1,4.0,5,20.0,0"];
    let trace = imported(log(&rows));
    assert_eq!(trace.energy_uj("package-0"), [Some(5_000_000), Some(15_000_000)]);
    assert!(trace.notes().contains("2 lines of the log could not be read"), "{}", trace.notes());
}

#[test]
fn what_the_last_lines_say_beyond_the_rows_is_a_row_of_its_own() {
    let mut text = log(&["1,1,1.0,5,5.0,0"]);
    text.push_str("\nTotal Elapsed Time (sec) = 1.500000\n");
    text.push_str("Cumulative Processor Energy_0 (Joules) = 7.250001\n");
    let trace = imported(&text);
    assert_eq!(trace.energy_uj("package-0"), [Some(5_000_000), Some(2_250_001)]);
    assert_eq!(trace.lengths_ms(), [1000, 500]);
}

#[test]
fn last_lines_that_disagree_with_the_rows_are_told() {
    let mut text = log(&["1,1,1.0,5,5.0,0"]);
    text.push_str("\nTotal Elapsed Time (sec) = 1.000200\n");
    text.push_str("Cumulative Processor Energy_0 (Joules) = 9.0\n");
    let trace = imported(&text);
    assert_eq!(trace.sum_uj("package-0"), 5_000_000);
    assert!(trace.notes().contains("disagree on the energy of package-0"), "{}", trace.notes());
}

#[test]
fn no_machine_draws_what_a_gigantic_number_says() {
    let rows = ["1,1,1.0,5,5.0,0", "1,1,2.0,5,1e300,0", "1,1,3.0,5,9e11,0"];
    let trace = imported(log(&rows));
    assert_eq!(trace.energy_uj("package-0"), [Some(5_000_000), None, None]);
    assert!(trace.flags("package-0")[1].contains(CounterFlags::IMPLAUSIBLE));
}

#[test]
fn a_log_without_any_time_is_refused() {
    let said = refused("RDTSC,Cumulative Processor Energy_0(Joules)\n1,2\n");
    assert!(said.contains("no column Elapsed Time (sec)"), "{said}");
    let said = refused(format!("{HEADER}\n"));
    assert!(said.contains("no row that tells of energy"), "{said}");
}
