//! Series of intensities: the tables they are read from, what they cover, and their means.

use energy_prof::emissions::series::{
    IntensitySeries, Mean, OtherStarts, SeriesError, Step, StepKind,
};
use energy_prof::emissions::{Footprint, Site, SiteOptions};
use energy_prof::units::{CarbonIntensity, Microjoules, Nanoseconds, Pue, WallTime};
use proptest::prelude::*;

/// 2026-11-23T00:00:00Z.
const DAY_NS: i64 = 1_795_392_000_000_000_000;
const HOUR_NS: i64 = 3_600_000_000_000;

fn hour(number: i64) -> WallTime {
    WallTime::from_epoch_nanos(DAY_NS + number * HOUR_NS)
}

fn parsed(text: &str) -> IntensitySeries {
    IntensitySeries::parse("day.csv", text).unwrap_or_else(|error| panic!("{error}"))
}

fn refused(text: &str, words: &[&str]) {
    let error = IntensitySeries::parse("day.csv", text).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "{word:?} is missing in {error:?}");
    }
}

fn grams(series: &IntensitySeries) -> Vec<f64> {
    series.steps().iter().map(|step| step.intensity.get()).collect()
}

#[test]
fn our_own_table_with_water() {
    let series = parsed(
        "start_utc,gco2e_per_kwh,ewif_l_per_kwh\n\
         2026-11-23T01:00:00Z,60.5,2\n\
         2026-11-23T00:00:00Z,56,1.5\n",
    );
    assert_eq!(grams(&series), [56.0, 60.5]);
    assert_eq!(series.covers(), (hour(0), hour(2)));
    let water: Vec<f64> = series.steps().iter().map(|step| step.water.unwrap().get()).collect();
    assert_eq!(water, [1.5, 2.0]);
    assert_eq!(series.origin.source, "day.csv");
}

const PORTAL: &str = "\
Datetime (UTC),Country,Zone name,Zone id,Carbon intensity gCO₂eq/kWh (direct),Carbon intensity gCO₂eq/kWh (Life cycle),Carbon-free energy percentage (CFE%),Renewable energy percentage (RE%),Data source,Data estimated,Data estimation method
2026-11-23 00:00:00,France,France,FR,12.5,31.25,95,25,rte,false,
2026-11-23 01:00:00,France,France,FR,13.5,32.5,95,25,rte,true,TIME_SLICER_AVERAGE
2026-11-23 02:00:00,France,France,FR,,,,,rte,false,
2026-11-23 03:00:00,France,France,FR,14.5,33.5,95,25,rte,false,
";

#[test]
fn an_export_of_the_data_portal_is_read_over_the_life_cycle() {
    let old = PORTAL
        .replace("gCO₂eq/kWh (Life cycle)", "gCO2eq/kWh (LCA)")
        .replace("Carbon intensity", "Carbon Intensity")
        .replace("Zone id", "Zone Id")
        .replace("Data estimated", "Data Estimated");
    for text in [PORTAL, &old, &format!("\u{feff}{PORTAL}")] {
        let series = parsed(text);
        assert_eq!(grams(&series), [31.25, 32.5, 33.0, 33.5]);
        let kinds: Vec<StepKind> = series.steps().iter().map(|step| step.kind).collect();
        assert_eq!(kinds, [StepKind::Told, StepKind::Estimated, StepKind::Filled, StepKind::Told]);
        assert_eq!(series.origin.zone.as_deref(), Some("FR"));
        let covers = series.origin.covers.as_deref().unwrap();
        assert_eq!(covers, "electricity consumed there, life cycle");
        let used: Vec<&Step> = series.steps().iter().collect();
        assert_eq!(
            series.remarks(&used),
            [
                "the column of direct emissions is not used",
                "1 h without a value are filled with the mean of the values before and after: \
                 2026-11-23 02:00:00 UTC to 2026-11-23 03:00:00 UTC",
                "1 h without a measurement are estimated by the source",
            ]
        );
    }
    let mixed = PORTAL.replacen("France,FR,14.5", "Germany,DE,14.5", 1);
    refused(&mixed, &["zones FR and DE"]);
}

#[test]
fn pounds_for_a_megawatt_hour_are_converted_and_said_to_be_marginal() {
    let series = parsed(
        "point_time,MOER (lbs CO2/MWh),MOER version\n\
         2026-11-23T00:00:00+00:00,1000,3\n2026-11-23T01:05:00+01:00,500,3\n",
    );
    let found = grams(&series);
    assert!(
        (found[0] / 453.592_37 - 1.0).abs() < 1e-12 && (found[1] / 226.796_185 - 1.0).abs() < 1e-12
    );
    assert_eq!(series.usual_step(), Nanoseconds::from_millis(300_000));
    assert!(series.origin.notes[0].starts_with("they are marginal"));
}

#[test]
fn what_is_no_series_is_refused_in_a_sentence() {
    refused(
        "timestamp,MOER\n2026-11-23 00:00,1000\n",
        &["no header tells the unit", "(MOER)", "lb CO2/MWh"],
    );
    refused("when,gco2e_per_kwh\n", &["start_utc", "docs/emissions.md"]);
    refused("", &["start_utc"]);
    refused("start_utc,gco2e_per_kwh\n2026-11-23 00:00,1\n", &["fewer than two times"]);
    refused(
        "start_utc,gco2e_per_kwh\n2026-11-23 00:00,1\nyesterday,2\n",
        &["line 3", "\"yesterday\" for a time"],
    );
    refused(
        "start_utc,gco2e_per_kwh\n2026-11-23 00:00,-1\n",
        &["line 2", "\"-1\" for an intensity"],
    );
    refused("start_utc,gco2e_per_kwh\n2026-11-23 00:00,NaN\n", &["\"NaN\" for an intensity"]);
    refused("start_utc,g/kWh,kg/kWh\n", &["\"g/kWh\"", "\"kg/kWh\"", "leave one"]);
    refused(
        "start_utc,g/kWh\n2026-11-23 00:00,1\n2026-11-23 00:00,2\n",
        &["two values of 2026-11-23 00:00:00 UTC"],
    );
}

fn three_hours() -> IntensitySeries {
    parsed(
        "start_utc,gco2e_per_kwh\n2026-11-23 00:00,100\n2026-11-23 01:00,300\n2026-11-23 02:00,50\n",
    )
}

#[test]
fn a_recording_outside_is_told_what_the_series_covers() {
    let series = three_hours();
    assert!(series.check_covers(hour(0), hour(2)).is_ok());
    let error = series.check_covers(hour(2), hour(3)).unwrap_err();
    assert!(matches!(error, SeriesError::Uncovered { .. }));
    let text = error.to_string();
    assert!(
        text.contains("it covers 2026-11-23 00:00:00 UTC to 2026-11-23 03:00:00 UTC"),
        "{text}"
    );
    assert!(series.check_covers(hour(-1), hour(1)).is_err());
}

const KILOWATT_HOUR: Microjoules = Microjoules::new(3_600_000_000_000);

#[test]
fn emissions_are_the_sum_over_hours() {
    let series = three_hours();
    let used = [
        (series.steps()[0], KILOWATT_HOUR),
        (series.steps()[1], Microjoules::new(1_800_000_000_000)),
    ];
    let mean = Mean::of(&used).unwrap();
    let options = SiteOptions { pue: Pue::new(1.2).map(Into::into), ..SiteOptions::default() };
    let site = Site::of(&options, 2026).unwrap().with_mean(&mean, &series);
    let footprint = Footprint::of(Microjoules::new(5_400_000_000_000), &site);
    // 1 kWh × 1.2 × 100 + 0.5 kWh × 1.2 × 300 = 300 g.
    assert!((footprint.emissions.unwrap().get() / 300.0 - 1.0).abs() < 1e-12);
    assert_eq!(site.name, "day.csv");
}

#[test]
fn other_starts_come_best_first() {
    let series = three_hours();
    // 1 kWh at once and 1 kWh an hour later, over 90 minutes: it can start at the first two hours.
    let energy =
        [(Nanoseconds::ZERO, KILOWATT_HOUR), (Nanoseconds::from_millis(3_600_000), KILOWATT_HOUR)];
    let starts = OtherStarts::of(&series, &energy, Nanoseconds::from_millis(5_400_000), Pue::NONE);
    let found: Vec<_> =
        starts.unwrap().starts.iter().map(|it| (it.at, it.emissions.get())).collect();
    assert_eq!(found, [(hour(1), 350.0), (hour(0), 400.0)]);
    let too_long =
        OtherStarts::of(&series, &energy, Nanoseconds::from_millis(11_000_000), Pue::NONE);
    assert!(too_long.unwrap_err().to_string().contains("it lasts 3 h 3 min and the series 3 h"));
}

proptest! {
    #[expect(clippy::cast_precision_loss, reason = "below 2^53")]
    /// The mean weighted by energy makes of the whole what the hours come to.
    #[test]
    fn the_mean_times_the_energy_is_the_sum_over_hours(
        used in prop::collection::vec((0.0..5000.0_f64, 1..1_000_000_000_000_u64), 1..40),
    ) {
        let rows: Vec<(usize, f64)> = used.iter().map(|(grams, _)| *grams).enumerate().collect();
        prop_assume!(used.len() > 1);
        let series = hourly(&rows);
        let spent: Vec<_> = (0..used.len())
            .map(|it| (series.steps()[it], Microjoules::new(used[it].1)))
            .collect();
        let expected: f64 = used.iter().map(|(grams, energy)| *energy as f64 / 3.6e12 * grams).sum();
        let site = Site::of(&SiteOptions::default(), 2026).unwrap();
        let site = site.with_mean(&Mean::of(&spent).unwrap(), &series);
        let whole = used.iter().map(|(_, energy)| Microjoules::new(*energy)).sum();
        let found = Footprint::of(whole, &site).emissions.unwrap().get();
        prop_assert!((found - expected).abs() <= 1e-12 * expected);
    }

    /// However many values are missing, there is no hole and nothing outside the values' range.
    #[test]
    fn a_series_has_no_hole(hours in prop::collection::btree_map(0..500_usize, 0.0..5000.0_f64, 2..80)) {
        let rows: Vec<(usize, f64)> = hours.iter().map(|(at, grams)| (*at, *grams)).collect();
        let series = hourly(&rows);
        for pair in series.steps().windows(2) {
            prop_assert_eq!(pair[0].to, pair[1].from);
        }
        for (at, grams) in &hours {
            let place = series.place_of(hour(i64::try_from(*at).unwrap())).unwrap();
            prop_assert_eq!(series.steps()[place].intensity, CarbonIntensity::new(*grams).unwrap());
        }
    }
}

/// Intensities of hours by their numbers.
fn hourly(rows: &[(usize, f64)]) -> IntensitySeries {
    let rows: Vec<String> =
        rows.iter().map(|(at, grams)| format!("{},{grams}", stamp(*at))).collect();
    parsed(&format!("start_utc,gco2e_per_kwh\n{}\n", rows.join("\n")))
}

/// The hour of that number, as text.
fn stamp(number: usize) -> String {
    let day = 23 + number / 24;
    let (month, day) = if day > 30 { (12, day - 30) } else { (11, day) };
    format!("2026-{month}-{day:02}T{:02}:00Z", number % 24)
}
