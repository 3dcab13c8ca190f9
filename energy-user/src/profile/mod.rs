//! A profile: the energy of a recording by thread and domain, and the ledgers it closes with.
//!
//! **You give** attributed windows, one after the other, and the residency they were made from.
//! **You get** who used what: by process, thread, program, cgroup, container, unit, user or domain;
//! and with samples of stacks, where in the programs: by function, line, caller and callee.
//! **It is not** a report: nothing is rounded here, and nothing is printed.

mod account;
mod builder;
mod by_function;
mod call_tree;
mod call_tree_builder;
mod code_view;
mod cut_short;
mod diff;
mod exact_errors;
mod facts;
mod functions;
mod group;
mod merged_tree;
mod name;
mod part;
mod process;
mod row;
mod sort;
mod stack_use;
mod sums;
mod tally;
mod thread_filter;
mod tree;
mod uncertainty;
mod view;

pub use account::{Charge, DomainAccount, Method, Profile, Span, ThreadAccount};
pub use builder::ProfileBuilder;
pub use call_tree::{CallNode, CallTree, FrameRef, FunctionFrame, Moment, NodeKind, StackShare};
pub use call_tree_builder::{CallTreeBuilder, Roots};
pub use code_view::{CodeView, CodeViewOptions, CodeViewRow};
pub use cut_short::CutShort;
pub use diff::{Amount, Change, Diff, Yardstick};
pub use facts::{BpfFacts, CalibrationFacts, Facts, ImportFacts, SourceFacts, Targets};
pub use functions::{CodeRow, CodeUnit, FindFunctionError, Neighbourhood, ParseCodeUnitError};
pub use group::{GroupBy, ParseGroupByError};
pub use merged_tree::{MergedNode, MergedTree};
pub use process::ProcessIdentity;
pub use row::{Row, RowKind};
pub use sort::{ParseSortByError, SortBy};
pub use tally::Figures;
pub use thread_filter::{Scope, ThreadFilter};
pub use uncertainty::{ErrorSum, StandardError};
pub use view::{UserNames, View, ViewOptions};
