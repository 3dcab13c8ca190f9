//! The columns of a log by their headers, for rows that may lack some.

/// A header's columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Columns {
    names: Vec<String>,
}

impl Columns {
    /// From a line of headers. A comma at its end begins no column.
    pub(super) fn new(mut names: Vec<String>) -> Self {
        while names.last().is_some_and(String::is_empty) {
            names.pop();
        }
        Self { names }
    }

    /// How many there are.
    pub(super) const fn len(&self) -> usize {
        self.names.len()
    }

    /// Where the column of this name is; names differ in blanks and in case from version to version.
    pub(super) fn place(&self, name: &str) -> Option<usize> {
        let wanted = plain(name);
        self.names.iter().position(|other| plain(other) == wanted)
    }
}

/// A column's name without blanks and in small letters.
pub(super) fn plain(name: &str) -> String {
    let shown = name.chars().filter(|c| !c.is_whitespace());
    shown.map(|c| c.to_ascii_lowercase()).collect()
}

/// A row's cell; nothing where the row is too short.
pub(super) fn cell(row: &[String], place: Option<usize>) -> &str {
    place.and_then(|place| row.get(place)).map_or("", String::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_found_by_its_name_and_not_by_its_place() {
        let names = ["System Time", "Processor Power_0 (Watt)", ""].map(str::to_owned).to_vec();
        let columns = Columns::new(names);
        assert_eq!(columns.place("Processor Power_0(Watt)"), Some(1));
        assert_eq!((columns.place("RDTSC"), columns.len()), (None, 2));
        assert_eq!(cell(&["a".to_owned()], Some(1)), "");
    }
}
