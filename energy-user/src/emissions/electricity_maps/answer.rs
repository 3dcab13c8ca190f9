//! What the service answers: `{"zone": …, "data": [{"carbonIntensity": 302, "datetime": …}]}`. The list
//! is called `data`, `history` or `forecast`, depending on what was asked and on the version.

use serde::Deserialize;

use crate::emissions::series::Point;
use crate::emissions::series::instant::instant;
use crate::units::CarbonIntensity;

/// An answer.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Answer {
    /// Those that have a value.
    pub(super) points: Vec<Point>,
    /// What the values cover, where it is told.
    pub(super) covers: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    #[serde(alias = "history", alias = "forecast")]
    data: Vec<Hour>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Hour {
    datetime: String,
    carbon_intensity: Option<f64>,
    #[serde(default)]
    is_estimated: Option<bool>,
    #[serde(default)]
    emission_factor_type: Option<String>,
}

impl Answer {
    /// From JSON, or why not in words.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let body: Body = serde_json::from_str(text)
            .map_err(|why| format!("it is not the JSON that was expected ({why})"))?;
        let mut answer = Self::default();
        for hour in body.data {
            let Some(grams) = hour.carbon_intensity else { continue };
            let at = instant(&hour.datetime)
                .ok_or_else(|| format!("{:?} is no time", shortened(&hour.datetime)))?;
            let intensity = CarbonIntensity::new(grams)
                .ok_or_else(|| format!("{grams} is no intensity from 0 to 5000 gCO2e/kWh"))?;
            let estimated = hour.is_estimated.unwrap_or(false);
            answer.points.push(Point { at, intensity, water: None, estimated });
            answer.covers = answer.covers.or_else(|| match hour.emission_factor_type?.as_str() {
                "direct" => Some("combustion only".to_owned()),
                _ => Some("life cycle".to_owned()),
            });
        }
        Ok(answer)
    }
}

/// Enough of a text of others to find it again.
fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_has_one_of_three_names() {
        for name in ["data", "history", "forecast"] {
            let text = format!(
                r#"{{"zone":"DE","temporalGranularity":"hourly","{name}":[
                   {{"zone":"DE","carbonIntensity":302,"datetime":"2026-11-23T07:00:00.000Z",
                     "emissionFactorType":"lifecycle","isEstimated":true}},
                   {{"carbonIntensity":null,"datetime":"2026-11-23T08:00:00.000Z"}}]}}"#
            );
            let answer = Answer::parse(&text).unwrap();
            assert_eq!(answer.points.len(), 1);
            assert!(answer.points[0].estimated);
            assert_eq!(Some(answer.points[0].intensity), CarbonIntensity::new(302.0));
            assert_eq!(answer.covers.as_deref(), Some("life cycle"));
        }
    }

    #[test]
    fn other_answers_are_told() {
        let hour = |fields: &str| format!(r#"{{"data":[{{{fields}}}]}}"#);
        for (text, words) in [
            ("<html>".to_owned(), "not the JSON"),
            ("{}".to_owned(), "missing field"),
            (r#"{"data":7}"#.to_owned(), "not the JSON"),
            (hour(r#""carbonIntensity":5,"datetime":"today""#), "\"today\" is no time"),
            (hour(r#""carbonIntensity":-5,"datetime":"2026-11-23T07:00Z""#), "-5 is no intensity"),
        ] {
            let why = Answer::parse(&text).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }
}
