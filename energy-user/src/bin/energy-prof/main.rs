//! energy-prof
fn main() {}
