//! The framework's functions, one per name; drivers reach them by `call_unsafe_wdf_function_binding!`.

mod dma;
mod mdl;
mod stubs;

#[allow(unused_imports)]
pub use dma::*;
#[allow(unused_imports)]
pub use mdl::*;
pub use stubs::*;
