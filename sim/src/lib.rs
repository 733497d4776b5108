//! Under construction.
pub mod cpu;
pub mod host;
pub mod link;
pub mod report;
pub mod scenario;
