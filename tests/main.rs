//! The library's behaviour through its public API, one module per module of the library.

mod attribution;
mod profile;
mod report;
mod support {
    pub mod in_memory;
}
