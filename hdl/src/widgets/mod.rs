//! Small blocks that the engine is put together from.

mod async_fifo;
mod constant;
mod fifo;
mod flags;
mod lanes;
mod ones;
mod pick;
mod ram;

pub use async_fifo::{AsyncFifo, Synchroniser};
pub use constant::{Const, Param, Size};
pub use fifo::{BlockFifo, SmallFifo};
pub use flags::Flags;
pub use lanes::{RotateLanes, SelectLanes};
pub use ones::CountOnes;
pub use pick::{PickFirst, PickNext};
pub use ram::{LutRam, Ram};
