//! CodeCarbon's `emissions.csv`.

use energy_prof::analyze::{AnalyzeOptions, analyze};
use energy_prof::import::Missing;
use energy_prof::model::Provenance;

use crate::support::imported::{ImportedTrace, import_with, imported, refused};

const HEADER: &str = "timestamp,project_name,run_id,duration,cpu_energy,gpu_energy,ram_energy,\
                      energy_consumed,gpu_count,gpu_model,tracking_mode,pue";

/// A run of 10 s that ended so many seconds after ten o'clock; energy in kWh.
fn run(id: &str, ended: u32, energy: &str) -> String {
    let (minute, second) = (ended / 60, ended % 60);
    format!("2024-05-13T10:{minute:02}:{second:02},p,{id},10.0,{energy},,,machine,1.0")
}

fn log(runs: &[String]) -> String {
    format!("{HEADER}\n{}\n", runs.join("\n"))
}

#[test]
fn what_codecarbon_wrote_becomes_a_window_for_each_run() {
    let trace = ImportedTrace::of_fixture("emissions.csv");
    assert_eq!(
        trace.domains(),
        ["package", "dram"],
        "a machine without cards has no energy of cards"
    );
    // 6.665634130957201e-06 kWh and 6.662562280036852e-06 kWh are 23.996283 J and 23.985224 J.
    assert_eq!(trace.energy_uj("package"), [Some(23_996_283), Some(23_985_224)]);
    assert_eq!(trace.energy_uj("dram"), [Some(60_235_984), Some(60_210_689)]);
    assert_eq!(trace.lengths_ms(), [3063, 3049]);
    let windows = trace.windows();
    let between = windows[1].start.since(windows[0].end);
    assert!(between.seconds() > 1.0, "nobody tells what was drawn between two runs: {between:?}");
    assert_eq!(trace.provenance("package"), Provenance::Estimated);
    let session = trace.reader.session();
    assert_eq!((session.host.cpu_model.as_str(), session.host.cpus), ("AMD EPYC", 2));
    assert!(trace.notes().contains("2 runs are windows"), "{}", trace.notes());
}

#[test]
fn cards_were_measured_whatever_the_rest_was() {
    let row = "2024-05-13T10:00:10,p,a,10.0,1e-6,2e-6,3e-6,6e-6,1,1 x NVIDIA A100,machine,1.0";
    let trace = imported(format!("{HEADER}\n{row}\n"));
    assert_eq!(trace.sum_uj("gpu"), 7_200_000);
    assert_eq!(trace.provenance("gpu"), Provenance::Measured);
    assert_eq!(trace.provenance("dram"), Provenance::Estimated);
    assert!(trace.notes().contains("gpu is 1 x NVIDIA A100"), "{}", trace.notes());
    // 6e-6 kWh: what CodeCarbon itself adds up.
    let profile = analyze(&trace.reader, &AnalyzeOptions::default()).unwrap();
    assert_eq!(profile.total().measured.get(), 21_600_000);
}

#[test]
fn runs_of_one_time_are_refused_and_can_be_taken_one_by_one() {
    let text = log(&[run("aaa1", 20, "1e-6,0,0,1e-6"), run("bbb2", 25, "2e-6,0,0,2e-6")]);
    let said = refused(&text);
    assert!(said.contains("run aaa1 and run bbb2 overlap by 5 s"), "{said}");
    assert!(said.contains("--run aaa1"), "{said}");
    let one = |id: &str| Missing { run: Some(id.to_owned()), ..Missing::default() };
    let Ok(trace) = import_with(&text, one("bbb"), None) else { panic!("refused") };
    assert_eq!(trace.energy_uj("package"), [Some(7_200_000)]);
    let said = import_with(&text, one("ccc"), None).err().unwrap().to_string();
    assert!(said.contains("no run ccc; it has aaa1, bbb2"), "{said}");
}

#[test]
fn runs_that_seem_to_overlap_by_less_than_the_clocks_second_follow_each_other() {
    let text = log(&[run("a", 20, "1e-6,0,0,1e-6"), run("b", 29, "2e-6,0,0,2e-6")]);
    let trace = imported(text);
    assert_eq!(trace.lengths_ms(), [10_000, 10_000]);
    assert_eq!(trace.windows()[1].start, trace.windows()[0].end);
}

#[test]
fn rows_are_put_in_the_order_of_time() {
    let text = log(&[run("b", 50, "2e-6,0,0,2e-6"), run("a", 20, "1e-6,0,0,1e-6")]);
    assert_eq!(imported(text).energy_uj("package"), [Some(3_600_000), Some(7_200_000)]);
}

#[test]
fn a_run_that_was_written_twice_counts_once_as_it_was_last() {
    let longer = run("a", 30, "3e-6,0,0,3e-6").replace(",10.0,", ",20.0,");
    let trace = imported(log(&[run("a", 20, "1e-6,0,0,1e-6"), longer]));
    assert_eq!(trace.energy_uj("package"), [Some(10_800_000)]);
    assert!(trace.notes().contains("1 lines are earlier states"), "{}", trace.notes());
}

#[test]
fn parts_that_do_not_add_up_a_pue_and_tracking_by_process_are_told() {
    let row = run("a", 20, "1e-6,0,1e-6,9e-6").replace("machine,1.0", "process,1.5");
    let trace = imported(log(&[row]));
    assert_eq!(trace.sum_uj("package") + trace.sum_uj("dram"), 7_200_000);
    for told in ["do not add up to energy_consumed", "tracked by process", "PUE other than 1"] {
        assert!(trace.notes().contains(told), "{told}: {}", trace.notes());
    }
}

#[test]
fn columns_of_older_versions_are_found_by_name_and_missing_energy_is_a_gap() {
    let text = "timestamp,duration,emissions,cpu_power,ram_energy,cpu_energy,energy_consumed\n\
                2023-01-02T03:04:05,10,0.1,5,,1e-6,1e-6\n";
    let trace = imported(text);
    assert_eq!(trace.energy_uj("package"), [Some(3_600_000)]);
    assert_eq!(trace.energy_uj("dram"), [None]);
}

#[test]
fn damaged_runs_are_left_out_and_told() {
    let text = log(&["§".to_owned(), run("a", 20, "1e-6,0,0,1e-6"), run("b", 59, "x,x,x,x")]);
    let trace = imported(text);
    assert_eq!(trace.windows().len(), 1);
    assert!(trace.notes().contains("2 lines of the log could not be read"), "{}", trace.notes());
    let said = refused(format!("{HEADER}\n"));
    assert!(said.contains("no row that tells of energy"), "{said}");
}
