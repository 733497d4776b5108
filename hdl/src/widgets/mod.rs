//! Small blocks that the engine is put together from.

mod constant;
mod fifo;
mod ram;

pub use constant::Const;
pub use fifo::{BlockFifo, SmallFifo};
pub use ram::{LutRam, Ram};
