//! The list of formats, with their names and the endings of their files.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use thiserror::Error;

use super::{
    CodeCarbon, Csv, Exporter, Firefox, Flamegraph, Folded, Html, HuggingFace, Pprof, Sentence,
    Speedscope,
};

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    /// A flame graph as an SVG, see [`Flamegraph`].
    Flamegraph,
    /// Folded stacks, see [`Folded`].
    Folded,
    /// A profile of speedscope, see [`Speedscope`].
    Speedscope,
    /// A profile of pprof, see [`Pprof`].
    Pprof,
    /// A profile of the Firefox Profiler, see [`Firefox`].
    Firefox,
    /// A report to hand in, for browsers, see [`Html`].
    Html,
    /// Energy over time as a table, see [`Csv`].
    Csv,
    /// A row of CodeCarbon's table of runs, see [`CodeCarbon`].
    CodeCarbon,
    /// Emissions in a model card of Hugging Face, see [`HuggingFace`].
    HuggingFace,
    /// A sentence for a README or a web page, see [`Sentence`].
    Markdown,
    /// A sentence for a paper, see [`Sentence`].
    Latex,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 11] = [
        Self::Pprof,
        Self::Firefox,
        Self::Speedscope,
        Self::Folded,
        Self::Flamegraph,
        Self::Html,
        Self::Csv,
        Self::CodeCarbon,
        Self::HuggingFace,
        Self::Markdown,
        Self::Latex,
    ];

    /// Its name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flamegraph => "flamegraph",
            Self::Folded => "folded",
            Self::Speedscope => "speedscope",
            Self::Pprof => "pprof",
            Self::Firefox => "firefox",
            Self::Html => "html",
            Self::Csv => "csv",
            Self::CodeCarbon => "codecarbon",
            Self::HuggingFace => "huggingface",
            Self::Markdown => "markdown",
            Self::Latex => "latex",
        }
    }

    /// What its files are called by; the first is the usual one.
    const fn endings(self) -> &'static [&'static str] {
        match self {
            Self::Flamegraph => &[".svg"],
            Self::Folded => &[".folded", ".collapsed"],
            Self::Speedscope => &[".speedscope.json", ".speedscope"],
            Self::Pprof => &[".pb.gz", ".pprof"],
            Self::Firefox => &[".firefox.json", ".json.gz", ".json"],
            Self::Html => &[".html", ".htm"],
            Self::Csv => &[".csv"],
            Self::CodeCarbon => &["emissions.csv"],
            Self::HuggingFace => &["readme.md"],
            Self::Markdown => &[".md"],
            Self::Latex => &[".tex"],
        }
    }

    /// Whether a terminal can show it.
    pub const fn is_text(self) -> bool {
        !matches!(self, Self::Pprof)
    }

    /// Whether it tells the software carbon intensity.
    pub const fn has_score(self) -> bool {
        matches!(self, Self::Html | Self::Markdown | Self::Latex)
    }

    /// Whether it is of nothing but stacks, so that a trace without any cannot be written in it.
    pub const fn needs_stacks(self) -> bool {
        !matches!(
            self,
            Self::Firefox
                | Self::Html
                | Self::Csv
                | Self::CodeCarbon
                | Self::HuggingFace
                | Self::Markdown
                | Self::Latex
        )
    }

    /// What opens it, for people.
    pub const fn opens_with(self) -> &'static str {
        match self {
            Self::Flamegraph => "open it in a browser",
            Self::Folded => "flamegraph.pl, inferno and speedscope read it",
            Self::Speedscope => "open it at https://www.speedscope.app or with `speedscope FILE`",
            Self::Pprof => "open it with `go tool pprof -http=: FILE`",
            Self::Firefox => "open it at https://profiler.firefox.com; nothing is uploaded",
            Self::Html => "open it in a browser; it needs no network",
            Self::CodeCarbon => "CodeCarbon's dashboard reads it; energies in it hold the PUE",
            Self::HuggingFace => "emissions in it are in grams",
            Self::Markdown | Self::Latex => "a sentence with its factors and their sources",
            Self::Csv => "one row for each window and domain, then for each window and process",
        }
    }

    /// The format a file is in by its name, where that tells.
    pub fn of_path(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        let matching = |format: Self| {
            let endings = format.endings().iter().filter(|ending| name.ends_with(**ending));
            endings.map(|ending| (ending.len(), format)).max()
        };
        Self::ALL.into_iter().filter_map(matching).max().map(|(_, format)| format)
    }

    /// What writes it, with its default choices.
    pub fn exporter(self) -> Box<dyn Exporter> {
        match self {
            Self::Flamegraph => Box::new(Flamegraph::default()),
            Self::Folded => Box::new(Folded),
            Self::Speedscope => Box::new(Speedscope),
            Self::Pprof => Box::new(Pprof),
            Self::Firefox => Box::new(Firefox),
            Self::Html => Box::new(Html),
            Self::Csv => Box::new(Csv),
            Self::CodeCarbon => Box::new(CodeCarbon),
            Self::HuggingFace => Box::new(HuggingFace::default()),
            Self::Markdown => Box::new(Sentence::Markdown),
            Self::Latex => Box::new(Sentence::Latex),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A name that is no format of ours.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is no export format: choose {names}", names = names())]
pub struct ParseFormatError(String);

fn names() -> String {
    Format::ALL.map(Format::name).join(", ")
}

impl FromStr for Format {
    type Err = ParseFormatError;
    fn from_str(name: &str) -> Result<Self, ParseFormatError> {
        Self::ALL
            .into_iter()
            .find(|format| format.name() == name)
            .ok_or_else(|| ParseFormatError(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_name_and_by_the_longest_ending_of_a_file() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
            for ending in format.endings() {
                let file = format!("a.build.{}", ending.trim_start_matches('.'));
                assert_eq!(Format::of_path(Path::new(&file)), Some(format), "{file}");
            }
        }
        assert_eq!(Format::of_path(Path::new("out/BUILD.SVG")), Some(Format::Flamegraph));
        assert_eq!(Format::of_path(Path::new("build")), None);
        let message = "gif".parse::<Format>().unwrap_err().to_string();
        assert!(
            message.contains("choose pprof, firefox, speedscope, folded, flamegraph, html, csv, ")
        );
    }
}
