//! From joules to greenhouse gases and water, with factors that anyone can check: how much a
//! kilowatt-hour emits in a place ([`Grid`]), what a site uses besides ([`Site`]), and what a recording
//! comes to there ([`Footprint`]); over time with a series of intensities ([`series`]), which may come from a
//! service ([`electricity_maps`]).
//!
//! Every factor is a [`Figure`]: it says of which year it is, where it comes from and what it covers. What
//! is not known is absent: no place is assumed for a machine that tells none.
//! The tables are in `energy-user/data/emissions`, with their sources.

mod citation;
mod cloud;
pub mod electricity_maps;
mod embodied;
pub mod equivalents;
mod figure;
mod footprint;
mod given;
mod grid;
mod hardware;
mod in_words;
mod json;
mod market;
mod mix;
mod nearest;
mod sci;
pub mod series;
mod site;
mod site_file;
pub mod site_options;
mod tables;
mod world;

pub use citation::{Citation, cite};
pub use cloud::{electricity_maps_zone_of_cloud, sites_of_provider};
pub use embodied::{Embodied, EmbodiedPart};
pub use figure::Figure;
pub use footprint::{Footprint, Water};
pub use given::{GIVEN, Given, RECORDED};
pub use grid::{Country, Grid, countries, electricity_maps_zone, grid_of};
pub use hardware::{EmbodiedTotal, ParseEmbodiedError};
pub use in_words::{EMBODIED, Labelled, in_words, sci_in_words};
pub use json::{EquivalentJson, FootprintJson, SciJson, SiteJson};
pub use market::Market;
pub use mix::{GenerationMix, ParseMixError};
pub use nearest::UnknownPlace;
pub use sci::{FunctionalUnits, ParsePerUnitError, PerUnit, Sci};
pub use site::Site;
pub use site_file::{Candidate, SiteFile, SiteFileError};
pub use site_options::{Place, SiteOptionError, SiteOptions};
pub use world::{World, world};
