//! Series from tables of comma-separated values, whatever tool wrote them.

use std::collections::BTreeMap;
use std::path::Path;

use super::columns::Columns;
use super::instant::instant;
use super::{IntensitySeries, Origin, Point, SeriesError};
use crate::units::{CarbonIntensity, WaterIntensity, scale};

impl IntensitySeries {
    /// Reads a table: ours, an export of Electricity Maps' data portal, or one with times and a unit in
    /// its headers. Cells of intensities may be empty: then nothing is known of that time.
    pub fn read(path: &Path) -> Result<Self, SeriesError> {
        let text = std::fs::read(path)
            .map_err(|source| SeriesError::File { path: path.to_owned(), source })?;
        let name = path
            .file_name()
            .map_or_else(|| path.display().to_string(), |name| name.to_string_lossy().into_owned());
        Self::parse(&name, &String::from_utf8_lossy(&text))
    }

    /// The same of the text of a table that is called `name`.
    pub fn parse(name: &str, text: &str) -> Result<Self, SeriesError> {
        let unusable = |why: String| SeriesError::Table { name: name.to_owned(), why };
        let text = text.trim_start_matches('\u{feff}');
        let mut table = csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
        let headers = table.headers().map_err(|why| unusable(why.to_string()))?.clone();
        let columns = Columns::of(&headers.iter().collect::<Vec<_>>()).map_err(unusable)?;
        let mut zone: Option<String> = None;
        let mut known = BTreeMap::new();
        let mut points = Vec::new();
        for row in table.records() {
            let row = row.map_err(|why| unusable(why.to_string()))?;
            let row = Row { name, cells: &row, columns: &columns };
            let Some(point) = row.point()? else { continue };
            let told = columns.zone.map(|column| row.cell(column)).filter(|told| !told.is_empty());
            let first = zone.get_or_insert_with(|| told.unwrap_or_default().to_owned());
            if told.is_some_and(|told| told != first) {
                let told = told.unwrap_or_default();
                return Err(unusable(format!(
                    "it has the zones {first} and {told}; leave the rows of one"
                )));
            }
            if known.insert(point.at, point.intensity).is_some_and(|other| other != point.intensity)
            {
                let at = scale::utc(point.at);
                return Err(unusable(format!(
                    "it has two values of {at}; leave the rows of one grid"
                )));
            }
            points.push(point);
        }
        let source = if columns.origin.source.is_empty() { name } else { &columns.origin.source };
        let origin = Origin {
            name: name.to_owned(),
            zone: zone.filter(|zone| !zone.is_empty()),
            source: if source == name { name.to_owned() } else { format!("{source}: {name}") },
            ..columns.origin.clone()
        };
        Self::new(origin, &points, None).ok_or_else(|| {
            unusable(
                "it has fewer than two times, so that nothing says how long a value holds"
                    .to_owned(),
            )
        })
    }
}

/// A row of a table.
struct Row<'a> {
    /// What the table is called.
    name: &'a str,
    cells: &'a csv::StringRecord,
    columns: &'a Columns,
}

impl<'a> Row<'a> {
    fn cell(&self, column: usize) -> &'a str {
        self.cells.get(column).unwrap_or_default().trim()
    }

    /// `None` where it has no intensity.
    fn point(&self) -> Result<Option<Point>, SeriesError> {
        let columns = self.columns;
        let time = self.cell(columns.time);
        let number = self.cell(columns.intensity);
        if number.is_empty() {
            return Ok(None);
        }
        let at = instant(time).ok_or_else(|| self.wrong(time, "a time"))?;
        let factor = columns.to_grams_per_kilowatt_hour;
        let intensity = number.parse::<f64>().ok().and_then(|n| CarbonIntensity::new(n * factor));
        let intensity =
            intensity.ok_or_else(|| self.wrong(number, "an intensity (0 to 5000 gCO2e/kWh)"))?;
        let litres = columns.water.map(|column| self.cell(column)).filter(|cell| !cell.is_empty());
        let water = litres.map(|text| {
            let water = text.parse().ok().and_then(WaterIntensity::new);
            water.ok_or_else(|| self.wrong(text, "water (0 to 1000 L/kWh)"))
        });
        let estimated = columns.estimated.map(|column| self.cell(column).to_lowercase());
        Ok(Some(Point {
            at,
            intensity,
            water: water.transpose()?,
            estimated: estimated.is_some_and(|told| ["true", "1", "yes"].contains(&told.as_str())),
        }))
    }

    fn wrong(&self, text: &str, expected: &'static str) -> SeriesError {
        let line = self.cells.position().map_or(0, csv::Position::line);
        SeriesError::Cell { name: self.name.to_owned(), line, text: text.to_owned(), expected }
    }
}
