//! Logs of `nvidia-smi`.

use energy_prof::import::Missing;
use energy_prof::model::{CounterFlags, Provenance};

use crate::support::imported::{ImportedTrace, import_with, imported, refused};

const HEADER: &str = "timestamp, index, power.draw [W]";

/// One card's log: a reading each second.
fn log(watts: &[&str]) -> String {
    let rows = watts.iter().zip(10..);
    let rows = rows.map(|(watts, second)| format!("2024/05/13 10:22:{second}.000, 0, {watts}"));
    format!("{HEADER}\n{}\n", rows.collect::<Vec<_>>().join("\n"))
}

#[test]
fn power_in_a_straight_line_from_reading_to_reading_is_the_energy_of_each_card() {
    let trace = ImportedTrace::of_fixture("nvidia-smi.csv");
    assert_eq!(trace.domains(), ["gpu-0", "gpu-1"]);
    assert_eq!(trace.windows().len(), 9);
    // (62.31 W + 61.98 W) / 2 for 1.003 s.
    assert_eq!(trace.energy_uj("gpu-0")[0], Some(62_331_435));
    // Every card's own times: the second was read 2 ms after the first, each time.
    assert_eq!(trace.energy_uj("gpu-1")[0], Some(60_957_325));
    assert_eq!(trace.provenance("gpu-0"), Provenance::Measured);
    assert_eq!(trace.flags("gpu-0"), [CounterFlags::INTEGRATED; 9]);
    assert!(trace.notes().contains("gpu-1 is NVIDIA A100-SXM4-40GB"), "{}", trace.notes());
    assert!(trace.notes().contains("taken for UTC"), "{}", trace.notes());
}

#[test]
fn units_may_be_left_out_and_so_may_the_header_if_the_units_are_there() {
    let whole = ImportedTrace::of_fixture("nvidia-smi.csv");
    let plain = ImportedTrace::of_fixture("nvidia-smi-nounits.csv");
    assert_eq!(plain.energy_uj("gpu-1"), whole.energy_uj("gpu-1"));
    let headless = "2024/05/13 10:22:10.000, 3, A100, 10.00 W, 5 %\n\
                    2024/05/13 10:22:11.000, 3, A100, 20.00 W, 5 %\n";
    assert_eq!(imported(headless).energy_uj("gpu-3"), [Some(15_000_000)]);
    let said = refused(headless.replace(" W", "").replace(" %", ""));
    assert!(said.contains("no log of a kind known here"), "{said}");
}

#[test]
fn a_mean_is_taken_before_what_the_card_drew_just_then() {
    let text = "timestamp, power.draw.instant [W], power.draw.average [W]\n\
                2024/05/13 10:22:10.000, 90 W, 10 W\n2024/05/13 10:22:11.000, 90 W, 10 W\n";
    let trace = imported(text);
    assert_eq!(trace.sum_uj("gpu-0"), 10_000_000);
    assert!(trace.notes().contains("power.draw.average"), "{}", trace.notes());
}

#[test]
fn a_card_that_does_not_tell_its_power_has_gaps_and_never_nothing() {
    for unknown in ["[N/A]", "[Not Supported]", "[Unknown Error]", "N/A", "[GPU is lost]"] {
        let trace = imported(log(&["10 W", unknown, "10 W", "20 W"]));
        assert_eq!(trace.energy_uj("gpu-0"), [None, None, Some(15_000_000)], "{unknown}");
        assert!(trace.flags("gpu-0")[0].contains(CounterFlags::UNREADABLE));
        assert_eq!(trace.reader.session().losses.energy_gaps, 2);
    }
}

#[test]
fn no_card_draws_what_a_gigantic_number_says() {
    let trace = imported(log(&["10 W", "1e308 W", "10 W", "10 W"]));
    assert_eq!(trace.energy_uj("gpu-0"), [None, None, Some(10_000_000)]);
    assert!(trace.flags("gpu-0")[1].contains(CounterFlags::IMPLAUSIBLE));
}

#[test]
fn a_clock_that_is_set_back_leaves_a_gap_and_not_an_hour_of_energy() {
    let early = "2024/05/13 09:00:00.000, 0, 10 W\n";
    let text = log(&["10 W", "10 W"]) + early + early + "2024/05/13 10:22:12.000, 0, 10 W\n";
    let trace = imported(text);
    assert_eq!(trace.energy_uj("gpu-0"), [Some(10_000_000), None]);
    assert!(trace.notes().contains("2 lines of the log are earlier"), "{}", trace.notes());
}

#[test]
fn a_long_pause_of_the_log_is_a_gap() {
    let text = log(&["10 W", "10 W", "10 W"]) + "2024/05/13 11:22:12.000, 0, 10 W\n";
    let trace = imported(text);
    assert_eq!(trace.energy_uj("gpu-0"), [Some(10_000_000), Some(10_000_000), None]);
    assert!(trace.notes().contains("1 pause of the log"), "{}", trace.notes());
}

#[test]
fn a_line_that_was_cut_short_is_left_out_even_where_it_can_be_read() {
    let text = log(&["10 W", "10 W"]) + "2024/05/13 10:22:12.000, 0, 25";
    let trace = imported(text);
    assert_eq!(trace.energy_uj("gpu-0"), [Some(10_000_000)]);
    assert!(trace.notes().contains("last line was cut short"), "{}", trace.notes());
}

#[test]
fn cards_are_numbered_by_their_index_and_else_as_they_come() {
    let swapped = "timestamp, index, power.draw [W]\n\
                   2024/05/13 10:22:10.000, 7, 70 W\n2024/05/13 10:22:10.000, 2, 20 W\n\
                   2024/05/13 10:22:11.000, 7, 70 W\n2024/05/13 10:22:11.000, 2, 20 W\n";
    let trace = imported(swapped);
    assert_eq!(trace.sum_uj("gpu-7"), 70_000_000);
    assert_eq!(trace.sum_uj("gpu-2"), 20_000_000);
    let by_id =
        swapped.replace("index", "uuid").replace(" 7,", " GPU-x,").replace(" 2,", " GPU-y,");
    assert_eq!(imported(by_id).sum_uj("gpu-1"), 20_000_000);
}

#[test]
fn the_logs_own_clock_may_be_ahead_of_utc() {
    let text = log(&["10 W", "10 W"]);
    let utc = imported(&text).windows()[0].start_utc.epoch_nanos();
    let missing = Missing { utc_offset_seconds: Some(7200), ..Missing::default() };
    let Ok(trace) = import_with(&text, missing, None) else { panic!("refused") };
    assert_eq!(trace.windows()[0].start_utc.epoch_nanos(), utc - 7_200_000_000_000);
    assert!(!trace.notes().contains("UTC"), "{}", trace.notes());
}

#[test]
fn windows_and_powershell_encode_text_in_their_own_ways() {
    let text = log(&["10 W", "20 W"]).replace('\n', "\r\n");
    let marked = format!("\u{feff}{text}");
    let utf16: Vec<u8> = marked.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [text.into_bytes(), marked.into_bytes(), utf16] {
        assert_eq!(imported(bytes).energy_uj("gpu-0"), [Some(15_000_000)]);
    }
}
