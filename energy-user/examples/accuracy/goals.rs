//! What models should reach.

/// A figure beside what it should be.
pub(super) struct Goal {
    what: String,
    value: f64,
    least: Option<f64>,
    most: f64,
}

pub(super) fn at_most(what: &str, value: f64, most: f64) -> Goal {
    Goal { what: what.to_owned(), value, least: None, most }
}

pub(super) fn within(what: &str, value: f64, least: f64, most: f64) -> Goal {
    Goal { what: what.to_owned(), value, least: Some(least), most }
}

impl Goal {
    pub(super) fn line(&self) -> String {
        let Self { what, value, least, most } = self;
        let met = *value <= *most && least.is_none_or(|least| *value >= least);
        let verdict = if met { "met" } else { "MISSED" };
        let goal = least.map_or(format!("at most {most}"), |least| format!("{least} to {most}"));
        format!("{what:<60}{value:>8.2}   {goal}: {verdict}")
    }
}
