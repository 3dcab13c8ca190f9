//! Tables for terminals and files: columns of numbers, then one of names that is cut to fit.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

/// How much of a name is shown however narrow the text is.
const SHORTEST_NAME: usize = 12;

/// Whether a column is of numbers or of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Align {
    /// Words begin under each other.
    Left,
    /// Numbers end under each other.
    Right,
}

/// The lines of a table, the headings first, none wider than `width` if names can be cut to it.
/// The last column holds the names.
pub(super) fn lines(columns: &[(&str, Align)], rows: &[Vec<String>], width: usize) -> Vec<String> {
    let widest = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain([columns[column].0.chars().count()]).max().unwrap_or(0)
    };
    let last = columns.len().saturating_sub(1);
    let before: usize = (0..last).map(|column| widest(column) + 2).sum();
    let room = width.saturating_sub(before).max(SHORTEST_NAME);
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(columns.iter().map(|(name, align)| cell((*name).to_owned(), *align)));
    for row in rows {
        let cells = row.iter().zip(columns).enumerate().map(|(index, (text, (_, align)))| {
            cell(if index == last { cut(text, room) } else { text.clone() }, *align)
        });
        table.add_row(cells);
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

fn cell(text: String, align: Align) -> Cell {
    Cell::new_owned(text).set_alignment(match align {
        Align::Left => CellAlignment::Left,
        Align::Right => CellAlignment::Right,
    })
}

/// At most `room` characters, with a sign where something was cut off.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let mut shown: String = text.chars().take(room.saturating_sub(1)).collect();
    shown.push('…');
    shown
}

/// Text of others made safe to print: a name must not move the cursor or break a line.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// How much deeper each generation of processes is shown, and how many generations at most.
const INDENT: &str = "  ";
const DEEPEST: usize = 10;

/// A name at its place in a tree, safe to print.
pub(super) fn indented(depth: usize, name: &str) -> String {
    format!("{}{}", INDENT.repeat(depth.min(DEEPEST)), printable(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_end_under_each_other_and_names_are_cut() {
        let columns = [("joules", Align::Right), ("command", Align::Left)];
        let rows = [
            vec!["10.0 J".to_owned(), "make".to_owned()],
            vec!["5.00 mJ".to_owned(), "a command that is long".to_owned()],
        ];
        assert_eq!(
            lines(&columns, &rows, 24),
            [" joules  command", " 10.0 J  make", "5.00 mJ  a command that…"]
        );
    }

    #[test]
    fn a_name_cannot_move_the_cursor() {
        assert_eq!(printable("\u{1b}[2Jgone\n"), "?[2Jgone?");
    }
}
