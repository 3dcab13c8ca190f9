//! Exports that tell of emissions: rows and cards of other tools, a page, and a sentence for a paper.

use energy_prof::emissions::{FunctionalUnits, Site, SiteOptions};
use energy_prof::export::Format;

use crate::support::exported::exported;

#[test]
fn a_row_for_codecarbon_is_reckoned_as_codecarbon_does() {
    let table = exported().text(&*Format::CodeCarbon.exporter());
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let names = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    assert_eq!((names.len(), row.len()), (38, 38));
    let cell = |name: &str| &row[names.iter().position(|column| column == name).unwrap()];
    let number = |name: &str| cell(name).parse::<f64>().unwrap();
    let close = |found: f64, expected: f64| (found / expected - 1.0).abs() < 1e-12;
    // All energies hold the PUE; the sum is theirs.
    let parts = number("cpu_energy") + number("gpu_energy") + number("ram_energy");
    assert!(close(number("energy_consumed"), parts) && parts > 0.0);
    assert!(close(number("emissions"), number("energy_consumed") * 41.79 / 1000.0));
    assert!(close(number("emissions_rate"), number("emissions") / number("duration")));
    assert!(close(number("water_consumed"), number("energy_consumed") * 2.0));
    assert_eq!((cell("country_iso_code"), cell("pue"), cell("on_cloud")), ("FRA", "1.5", "N"));
    assert_eq!(table, exported().text(&*Format::CodeCarbon.exporter()), "with the same run_id");
}

#[test]
fn a_model_card_has_grams() {
    let card = exported().text(&*Format::HuggingFace.exporter());
    let emissions = card.lines().find_map(|line| line.strip_prefix("  emissions: ")).unwrap();
    let table = exported().text(&*Format::CodeCarbon.exporter());
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let kilograms: f64 = reader.records().next().unwrap().unwrap()[5].parse().unwrap();
    assert!((emissions.parse::<f64>().unwrap() / kilograms - 1000.0).abs() < 1e-9);
    assert!(card.contains("  geographical_location: \"France\"\n"), "{card}");
}

#[test]
fn emissions_need_a_place() {
    let mut exported = exported();
    exported.site = Site::of(&SiteOptions::default(), 2026).unwrap();
    for format in [Format::CodeCarbon, Format::HuggingFace, Format::Markdown, Format::Latex] {
        let error = format.exporter().write(&exported.subject(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("--zone FR"), "{error}");
    }
}

#[test]
fn a_report_for_browsers_needs_no_network_and_shows_names_as_they_are() {
    let html = exported().text(&*Format::Html.exporter());
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</body></html>\n"));
    for heading in [
        "Power over time",
        "Emissions and water",
        "By process",
        "By function",
        "Flame graph",
        "How it was measured",
    ] {
        assert!(html.contains(&format!("<h2>{heading}</h2>")), "{heading}");
    }
    assert!(html.contains("sum&lt;[u8; 8]&gt;") && !html.contains("sum<["));
    let links = html.matches("src=").count() + html.matches("href=").count();
    assert_eq!((links, html.matches("src=\"data:").count()), (1, 1), "all is in the file");
    // What is opened is closed, but for what HTML never closes.
    for element in
        ["table", "tr", "td", "th", "dl", "dt", "dd", "div", "svg", "p", "span", "iframe"]
    {
        let opened = html.matches(&format!("<{element}>")).count()
            + html.matches(&format!("<{element} ")).count();
        assert_eq!(opened, html.matches(&format!("</{element}>")).count(), "{element}");
    }
}

#[test]
fn a_report_for_browsers_without_a_place_has_no_emissions_of_rows() {
    let mut exported = exported();
    exported.site = Site::of(&SiteOptions::default(), 2026).unwrap();
    let html = exported.text(&*Format::Html.exporter());
    assert!(!html.contains("<th>emissions</th>") && html.contains("where it ran was not said"));
}

#[test]
fn what_it_took_to_make_the_machine_and_contracts_are_apart_in_pages_and_papers() {
    let mut exported = exported();
    let mut options = SiteOptions::default();
    let given = [
        ("zone", "FR"),
        ("embodied", "1200kg±300kg"),
        ("lifespan", "5y"),
        ("resource-share", "8/64"),
        ("market-intensity", "12"),
        ("market-source", "<wind> & sun"),
    ];
    for (name, text) in given {
        options.set(name, text, "site.toml").unwrap();
    }
    exported.site = Site::of(&options, 2026).unwrap();
    exported.units = Some(FunctionalUnits { done: 10.0, per: "request".parse().unwrap() });
    let page = exported.text(&*Format::Html.exporter());
    // 1200 kg × 5 s of 5 years × an eighth: 4.756 mg. 59 J at 12 g/kWh: 197 µg.
    for part in [
        "<b>4.76 mgCO2e</b><span>embodied, besides</span>",
        "<dt>site</dt><dd>France (site.toml)</dd>",
        "<dt>embodied</dt><dd>4.76 mgCO2e, 3.57 mgCO2e … 5.95 mgCO2e by the total&#39;s doubt",
        "<dt>market</dt><dd>197 µgCO2e, market-based",
        // (685 µg + 4.756 mg) / 10, and 35.2 of 59 parts of it.
        "<dt>SCI</dt><dd>544 µgCO2e per request, of all of it",
        "325 µgCO2e per request, of the targets alone",
        "&lt;wind&gt; &amp; sun",
        "<b>685 µgCO2e</b><span>in France</span>",
    ] {
        let part = part.replace("&#39;", "'");
        assert!(page.contains(&part), "{part} is not in {page}");
    }
    let sentence = exported.text(&*Format::Markdown.exporter());
    let end = "Its part of the emissions embodied in the hardware comes to 4.76 mgCO₂e besides (1.20 tCO₂e, \
               site.toml; a life of 5y, site.toml; 12.5 % of it, site.toml). Its software carbon intensity (ISO/IEC 21031:2024) is \
               544 µgCO₂e per request.\n";
    assert!(sentence.ends_with(end), "{sentence}");
}

#[test]
fn a_sentence_for_a_paper_has_the_figures_and_their_sources() {
    let markdown = exported().text(&*Format::Markdown.exporter());
    insta::assert_snapshot!(markdown);
    let latex = exported().text(&*Format::Latex.exporter());
    assert!(latex.contains("\\texttt{make -j2}") && latex.contains("95 \\% interval"), "{latex}");
}
