//! What differs between systems: memory by the page.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
pub(crate) use unix::{map, unmap};
#[cfg(windows)]
pub(crate) use windows::{map, unmap};
