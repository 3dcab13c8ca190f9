//! The report on code as text: what functions or source lines used, and around one function.

use super::table::{self, Align, printable};
use super::text::{Paint, UNKNOWN, energy_heading, head};
use super::{CodeSubject, ReportOptions, missing_callers, scale, summary};
use crate::profile::{
    CodeUnit, CodeViewOptions, CodeViewRow, Figures, FunctionFrame, Neighbourhood, NodeKind,
    Profile,
};
use crate::units::{Microjoules, Share};

/// The report by function or by line, ending in a line break.
pub fn code_text(subject: &CodeSubject<'_>, unit: CodeUnit, options: &ReportOptions) -> String {
    let CodeSubject { profile, tree, filter } = *subject;
    let view = profile.code_view(
        tree,
        filter,
        CodeViewOptions { unit, sort: options.sort, top: options.top },
    );
    let paint = Paint { on: options.color };
    let mut out = code_head(subject, options, paint);
    out.push('\n');
    let own = energy_heading("self", profile.provenance());
    let total = energy_heading("total", profile.provenance());
    let columns = [
        (own.as_str(), Align::Right),
        ("±95 %", Align::Right),
        (total.as_str(), Align::Right),
        ("±95 %", Align::Right),
        ("watts", Align::Right),
        ("share %", Align::Right),
        (unit.name(), Align::Left),
    ];
    let cells = |row: &CodeViewRow| code_cells(profile, row, row.share(&view.total), unit);
    let rows: Vec<Vec<String>> = view.rows.iter().map(cells).collect();
    let mut lines = table::lines(&columns, &rows, options.width).into_iter();
    out.extend(lines.next().map(|heading| paint.heading(&heading)));
    out.push('\n');
    for (line, row) in lines.zip(&view.rows) {
        out.push_str(&if row.kind.is_remainder() { paint.dim(&line) } else { line });
        out.push('\n');
    }
    out
}

/// The report on one function, ending in a line break.
pub fn function_text(
    subject: &CodeSubject<'_>,
    around: &Neighbourhood,
    options: &ReportOptions,
) -> String {
    let paint = Paint { on: options.color };
    let mut out = code_head(subject, options, paint);
    let CodeSubject { profile, .. } = *subject;
    let function = &around.function;
    let measured = profile.total().measured;
    let of_all = |figures: &Figures| match Share::of(figures.energy.get(), measured.get()) {
        Some(share) => format!("{}, {} % of all", plain_figures(figures), scale::percent(share)),
        None => UNKNOWN.to_owned(),
    };
    let mut put = |label: &str, text: &str| {
        for line in summary::paragraph(label, text, false, options.width) {
            paint.put(line, &mut out);
        }
    };
    put("function", &code_name(&function.frame));
    put("self", &of_all(&function.own));
    put("total", &of_all(&function.total));
    let blocks =
        [("caller", &around.callers, "[outermost]"), ("callee", &around.callees, "[self]")];
    for (name, neighbours, none) in blocks {
        let named = |(frame, figures): &(Option<FunctionFrame>, Figures)| {
            (frame.as_ref().map_or_else(|| none.to_owned(), code_name), *figures)
        };
        let neighbours: Vec<_> = neighbours.iter().map(named).collect();
        let lines = neighbour_lines(profile, name, &neighbours, function.total.energy, options);
        let mut lines = lines.into_iter();
        out.push('\n');
        for line in lines.next().map(|heading| paint.heading(&heading)).into_iter().chain(lines) {
            out.push_str(&line);
            out.push('\n');
        }
    }
    out
}

/// What stands above the rows: as in every report, and what is known about the samples.
fn code_head(subject: &CodeSubject<'_>, options: &ReportOptions, paint: Paint) -> String {
    let CodeSubject { profile, tree, filter } = *subject;
    let view = profile.view(&options.view(), &|_| None);
    let mut out = head(profile, &view, options.width, paint);
    let mut put = |label: &str, text: &str, warning: bool| {
        for line in summary::paragraph(label, text, warning, options.width) {
            paint.put(line, &mut out);
        }
    };
    if filter.is_given() {
        put("only", &filter.in_words(), false);
    }
    let (samples, threads) = tree.samples();
    let (s, all) = (if threads == 1 { "" } else { "s" }, tree.energy());
    let part = |part: Microjoules| {
        Share::of(part.get(), all.get()).map_or_else(|| "0".to_owned(), scale::percent)
    };
    let mut text = format!(
        "{samples} samples of {threads} thread{s} divide {}; {} % of that [unsampled]",
        scale::energy(all),
        part(tree.unsampled())
    );
    if tree.on_cards() > Microjoules::ZERO {
        let on_cards = part(tree.on_cards());
        text.push_str(&format!(", {on_cards} % [gpu], of which samples do not tell where"));
    }
    put("stacks", &text, false);
    if tree.frameless > Microjoules::ZERO {
        let text = format!(
            "{} % of that [unknown]: the recording ended before it wrote what its stacks are",
            part(tree.frameless)
        );
        put("", &text, true);
    }
    if let Some(text) = missing_callers(tree, &profile.facts) {
        put("callers", &text, true);
    }
    out
}

fn code_cells(
    profile: &Profile,
    row: &CodeViewRow,
    share: Option<Share>,
    unit: CodeUnit,
) -> Vec<String> {
    let name = match (&row.frame, unit) {
        (Some(frame), CodeUnit::Function) => code_name(frame),
        (Some(frame), CodeUnit::Line) => line_name(frame),
        (None, _) => printable(&row.name),
    };
    if !profile.knows(row.kind) {
        let mut cells = vec![String::new(); 7];
        UNKNOWN.clone_into(&mut cells[0]);
        cells[6] = name;
        return cells;
    }
    let (total, total_error) = row.total.unzip();
    vec![
        scale::energy(row.own),
        // Code that was never found running is not known to have used nothing.
        row.own_error
            .filter(|_| row.own > Microjoules::ZERO)
            .map_or_else(String::new, scale::error_95),
        total.map_or_else(String::new, scale::energy),
        total_error.map_or_else(String::new, scale::error_95),
        scale::power(row.own.joules() / profile.span.duration),
        share.map_or_else(String::new, scale::percent),
        name,
    ]
}

/// The table of callers or of callees; shares are of the function's total.
fn neighbour_lines(
    profile: &Profile,
    name: &str,
    neighbours: &[(String, Figures)],
    total: Microjoules,
    options: &ReportOptions,
) -> Vec<String> {
    let energy = energy_heading("joules", profile.provenance());
    let columns = [
        (energy.as_str(), Align::Right),
        ("±95 %", Align::Right),
        ("watts", Align::Right),
        ("share %", Align::Right),
        (name, Align::Left),
    ];
    let cells = |energy: Microjoules, error: String, name: String| {
        let share = Share::of(energy.get(), total.get());
        vec![
            scale::energy(energy),
            error,
            scale::power(energy.joules() / profile.span.duration),
            share.map_or_else(String::new, scale::percent),
            name,
        ]
    };
    let cut = options.top.map_or(neighbours.len(), |top| top.min(neighbours.len()));
    let (shown, more) = neighbours.split_at(cut);
    let mut rows: Vec<Vec<String>> = shown
        .iter()
        .map(|(name, part)| cells(part.energy, scale::error_95(part.error), name.clone()))
        .collect();
    if !more.is_empty() {
        let s = if more.len() == 1 { "" } else { "s" };
        let energy = more.iter().map(|(_, figures)| figures.energy).sum();
        rows.push(cells(energy, String::new(), format!("[{} more {name}{s}]", more.len())));
    }
    table::lines(&columns, &rows, options.width)
}

fn plain_figures(figures: &Figures) -> String {
    format!("{} {}", scale::energy(figures.energy), scale::error_95(figures.error))
}

/// A function for people: `qsort_r (libc.so.6, msort.c:237)`, `[k] clear_page_erms`.
fn code_name(frame: &FunctionFrame) -> String {
    let known = [object(frame), place(frame)];
    let known: Vec<String> = known.into_iter().flatten().collect();
    let mut name = marked_name(frame);
    if !known.is_empty() {
        name.push_str(&format!(" ({})", printable(&known.join(", "))));
    }
    name
}

/// A source line for people: `msort.c:237 qsort_r (libc.so.6)`.
fn line_name(frame: &FunctionFrame) -> String {
    let object = object(frame).map_or_else(String::new, |name| format!(" ({})", printable(&name)));
    let place = match place(frame) {
        Some(place) => printable(&place),
        None if matches!(frame.kind, NodeKind::Unsampled | NodeKind::Gpu) => {
            return marked_name(frame);
        }
        None => "[no line]".to_owned(),
    };
    format!("{place} {}{object}", marked_name(frame))
}

/// The name with a mark where it is not a program's own code: `[k]` of the kernel, `[jit]` made while
/// running.
fn marked_name(frame: &FunctionFrame) -> String {
    let mark = match frame.kind {
        NodeKind::Kernel => "[k] ",
        NodeKind::Jit => "[jit] ",
        _ => "",
    };
    format!("{mark}{}", printable(&frame.name))
}

/// The object without its folders; none where the mark says it already.
fn object(frame: &FunctionFrame) -> Option<String> {
    let module = frame.module.as_deref().filter(|module| *module != "[kernel]")?;
    Some(last_part(module).to_owned())
}

/// The source file without its folders, and the line.
fn place(frame: &FunctionFrame) -> Option<String> {
    let file = last_part(frame.file.as_deref()?);
    Some(frame.line.map_or_else(|| file.to_owned(), |line| format!("{file}:{line}")))
}

fn last_part(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: NodeKind, module: &str, file: Option<&str>) -> FunctionFrame {
        FunctionFrame {
            name: "qsort_r".to_owned(),
            module: Some(module.to_owned()),
            file: file.map(str::to_owned),
            line: file.map(|_| 237),
            kind,
        }
    }

    #[test]
    fn a_function_is_named_with_its_object_and_place() {
        let user = frame(NodeKind::User, "/usr/lib/libc.so.6", Some("/src/msort.c"));
        assert_eq!(code_name(&user), "qsort_r (libc.so.6, msort.c:237)");
        assert_eq!(line_name(&user), "msort.c:237 qsort_r (libc.so.6)");
        let kernel = frame(NodeKind::Kernel, "[kernel]", None);
        assert_eq!(code_name(&kernel), "[k] qsort_r");
        assert_eq!(line_name(&kernel), "[no line] [k] qsort_r");
        let module = frame(NodeKind::Kernel, "ext4", None);
        assert_eq!(code_name(&module), "[k] qsort_r (ext4)");
    }
}
