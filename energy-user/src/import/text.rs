//! A log's bytes as lines of text, however the tool or a shell encoded them.

use csv::{ReaderBuilder, Trim};

/// A log's text.
pub(super) struct LogText {
    text: String,
}

impl LogText {
    /// From UTF-8 with or without its mark, or from UTF-16 with its mark, which PowerShell's `>` writes.
    /// What is neither becomes replacement characters, which no number contains.
    pub(super) fn decode(bytes: &[u8]) -> Self {
        let utf16 = |units: &[u8], unit: fn([u8; 2]) -> u16| {
            let units: Vec<u16> =
                units.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
            String::from_utf16_lossy(&units)
        };
        let text = match bytes {
            [0xef, 0xbb, 0xbf, rest @ ..] => String::from_utf8_lossy(rest).into_owned(),
            [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
            [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
            _ => String::from_utf8_lossy(bytes).into_owned(),
        };
        Self { text }
    }

    /// Whether there is nothing but blanks.
    pub(super) fn is_empty(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The lines that were written to their end, without it and without blank ones.
    pub(super) fn lines(&self) -> impl Iterator<Item = &str> {
        let whole = self.text.rfind('\n').map_or(0, |last| last + 1);
        self.text[..whole].lines().filter(|line| !line.trim().is_empty())
    }

    /// Whether the last line has no end: the tool was stopped in the midst of it, and even a number
    /// that can be read may lack digits.
    pub(super) fn ends_in_a_line(&self) -> bool {
        !self.text.is_empty() && !self.text.ends_with('\n')
    }
}

/// The cells of a line of comma-separated values, without the blanks around them.
///
/// Each line is read by itself, so that a quotation mark in a damaged one does not swallow the rest
/// of the log. No tool here breaks a line inside a cell.
pub(super) fn cells(line: &str) -> Vec<String> {
    if !line.contains('"') {
        return line.split(',').map(|cell| cell.trim().to_owned()).collect();
    }
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    // A blank before a quotation mark makes it part of the cell.
    record.iter().map(|cell| cell.trim().trim_matches('"').trim().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_line_ends_of_windows_are_no_part_of_a_cell() {
        let text = LogText::decode(b"\xef\xbb\xbfa,b\r\n1,2\r\n");
        assert_eq!(text.lines().collect::<Vec<_>>(), ["a,b", "1,2"]);
        let utf16: Vec<u8> = "\u{feff}a,b\r\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(LogText::decode(&utf16).lines().collect::<Vec<_>>(), ["a,b"]);
    }

    #[test]
    fn a_line_that_was_cut_short_is_none() {
        let text = LogText::decode(b"a,b\n1,25");
        assert_eq!(text.lines().collect::<Vec<_>>(), ["a,b"]);
        assert!(text.ends_in_a_line());
    }

    #[test]
    fn cells_may_be_quoted_and_an_open_quotation_ends_with_its_line() {
        assert_eq!(cells(r#""12:11:05:769", "   2.002""#), ["12:11:05:769", "2.002"]);
        assert_eq!(cells(r#"1,"2, 3"#), ["1", "2, 3"]);
        assert_eq!(cells("a, b ,"), ["a", "b", ""]);
    }
}
